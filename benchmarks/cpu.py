"""Training on the CPU beside other systems: `python -m benchmarks.cpu [--rounds 5] [--only graphc,jax] [mlp convnet]`.

Every measurement is a fresh process; systems take turns, round after round, so that a slow minute of the machine hits
all of them. Medians over the rounds go to `benchmarks/results/cpu.json` with commit and machine, and into the table of
`benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.measure import RESULT
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "cpu.json"
README = ROOT / "benchmarks" / "README.md"
MARK = "<!-- table -->"
PATIENCE = 300  # seconds for one process


@dataclass(frozen=True)
class System:
    """A measured system: its title, the environment it needs (None: this one), its module and arguments."""

    title: str
    environment: str | None
    module: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


SYSTEMS = {
    "graphc": System("graphc (cpu)", None, "keras_api", ("graphc",), {"GRAPHC_BACKEND": "cpu"}),
    "keras-jax": System("Keras on JAX", "jax", "keras_api", ("keras",), {"KERAS_BACKEND": "jax"}),
    "keras-tf": System("Keras on TensorFlow", "tf", "keras_api", ("keras",), {"KERAS_BACKEND": "tensorflow"}),
    "jax": System("JAX with optax", "jax", "jax_optax"),
    "torch": System("PyTorch eager", "torch", "pytorch", ("eager",)),
    "torch-compile": System("torch.compile", "torch", "pytorch", ("compile",)),
}


def run_once(system: System, workload: str, repeats: int) -> dict[str, Any]:
    """One measurement in a fresh process, with empty caches."""
    python = sys.executable if system.environment is None else str(environments.python_of(system.environment))
    command = [python, "-m", f"benchmarks.peers.{system.module}", *system.arguments, workload, str(repeats)]
    with tempfile.TemporaryDirectory() as cache:
        variables = {"XDG_CACHE_HOME": cache, "TORCHINDUCTOR_CACHE_DIR": cache, "TF_CPP_MIN_LOG_LEVEL": "3"}
        # Some machines pin OpenBLAS to old kernels: peers get what they would choose.
        rest = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**rest, **variables, **system.variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    line = next((line for line in done.stdout.splitlines() if line.startswith(RESULT)), None)
    if line is None:
        raise RuntimeError(f"{system.title} on {workload} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(line[len(RESULT) :])
    return result


def measure(names: Sequence[str], workloads: Sequence[str], rounds: int, repeats: int) -> list[dict[str, Any]]:
    """The measurements, systems taking turns."""
    rows = []
    for turn in range(rounds):
        for workload in workloads:
            for name in names:
                result = run_once(SYSTEMS[name], workload, repeats)
                rows.append({"system": name, "workload": workload, "round": turn, **result})
                rate = statistics.median(result["samples_per_second"])
                print(f"round {turn} {workload:<8} {name:<14} {rate:>10,.0f} samples/s", flush=True)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Medians by workload and system."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for workload in dict.fromkeys(row["workload"] for row in rows):
        for name in dict.fromkeys(row["system"] for row in rows):
            own = [row for row in rows if row["workload"] == workload and row["system"] == name]
            if own:
                table.setdefault(workload, {})[name] = {
                    "samples_per_second": statistics.median(r for row in own for r in row["samples_per_second"]),
                    "first_step_seconds": statistics.median(row["first_step_seconds"] for row in own),
                    "peak_rss_mb": statistics.median(row["peak_rss_mb"] for row in own),
                }
    return table


def machine() -> dict[str, Any]:
    """Where and what was measured."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in cpuinfo.splitlines() if "model name" in line), "?")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "packages": {name: list(packages) for name, packages in environments.PACKAGES.items()},
    }


def table(history: list[dict[str, Any]]) -> str:
    """The latest medians of each workload as Markdown; ratios are to the fastest peer."""
    latest = {workload: run for run in history for workload in run["medians"]}
    lines: list[str] = []
    for workload, run in latest.items():
        systems, where = run["medians"][workload], run["machine"]
        fastest = max((v["samples_per_second"] for k, v in systems.items() if k != "graphc"), default=0.0)
        lines += [f"### {WORKLOADS[workload].title}", ""]
        lines += [f"{where['processor']}, {where['cores']} cores, commit {where['commit']}, {where['time']}.", ""]
        lines.append("| system | samples/s | to the fastest peer | first step, s | peak RSS, MB |")
        lines.append("| --- | ---: | ---: | ---: | ---: |")
        for name, row in sorted(systems.items(), key=lambda item: -item[1]["samples_per_second"]):
            ratio = f"{row['samples_per_second'] / fastest:.2f}" if fastest else "-"
            lines.append(
                f"| {SYSTEMS[name].title} | {row['samples_per_second']:,.0f} | {ratio} "
                f"| {row['first_step_seconds']:.2f} | {row['peak_rss_mb']:.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), help="which models")
    parser.add_argument("--rounds", type=int, default=5, help="how often every system has its turn")
    parser.add_argument("--repeats", type=int, default=2, help="epochs measured in each process")
    parser.add_argument("--only", default=",".join(SYSTEMS), help="which systems, by name")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    for environment in dict.fromkeys(SYSTEMS[name].environment for name in names):
        if environment is not None:
            environments.make(environment)
    rows = measure(names, arguments.workloads, arguments.rounds, arguments.repeats)
    history = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    history.append({"machine": machine(), "medians": summary(rows), "rows": rows})
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(history, indent=1) + "\n")
    text = table(history)
    print("\n" + text)
    parts = README.read_text().split(MARK)
    README.write_text(f"{parts[0]}{MARK}\n{text}{MARK}{parts[2]}")


if __name__ == "__main__":
    main()
