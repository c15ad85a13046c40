"""Time to the first training step: `python -m benchmarks.first_step [--rounds 7] [mlp ...]`.

Each round starts a process with an empty cache and one that finds the program there; models take turns, so that a slow
minute of the machine hits all of them. What is printed are medians: seconds by the clock from the start of the process
to the end of its first step, and processor seconds of the process and of the compilers that it started. Python finds
modules compiled to bytecode, as an installation leaves them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULT, since_start
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = {"numpy, networkx": "import numpy, networkx", "graphc": "import numpy, networkx, graphc"}


def child(name: str) -> None:
    """One first step; prints what it took as JSON."""
    keras: Any = importlib.import_module("graphc")
    workload = WORKLOADS[name]
    x, y = workload.data(workload.batch)
    model = workload.build(keras)
    workload.compile(keras, model)
    model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)
    seconds = since_start()
    own, others = cpu_seconds(resource.RUSAGE_SELF), cpu_seconds(resource.RUSAGE_CHILDREN)
    print(RESULT + json.dumps({"seconds": seconds, "python": own, "compiler": others}))


def cpu_seconds(whose: int) -> float:
    """Processor seconds, those of the kernel included."""
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def environment(bytecode: str, **more: str) -> dict[str, str]:
    """The environment of a measured process; compiled modules go to a folder of their own."""
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**rest, "PYTHONPYCACHEPREFIX": bytecode, **more}


def first_step(name: str, cache: str, bytecode: str) -> dict[str, float]:
    """A first step in a fresh process that uses a cache folder."""
    variables = environment(bytecode, XDG_CACHE_HOME=cache, GRAPHC_BACKEND="cpu")
    command = [sys.executable, "-m", "benchmarks.first_step", "--child", name]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith(RESULT)), None)
    if line is None:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(line[len(RESULT) :])
    return result


def import_seconds(code: str, bytecode: str) -> dict[str, float]:
    """What a fresh process takes to import something."""
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    line = f"{code}; from benchmarks.measure import since_start; print(since_start())"
    command, variables = [sys.executable, "-c", line], environment(bytecode)
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    return {"seconds": float(done.stdout), "python": cpu_seconds(resource.RUSAGE_CHILDREN) - before}


def measure(workloads: list[str], rounds: int, bytecode: str) -> dict[tuple[str, str], list[dict[str, float]]]:
    """The figures of each round, by what was measured and the state of the cache."""
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for turn in range(rounds + 1):
        for name, code in IMPORTS.items():
            rows.setdefault((f"import {name}", ""), []).append(import_seconds(code, bytecode))
        for name in workloads if turn else workloads[:1]:
            with tempfile.TemporaryDirectory() as cache:
                for state in ("cold", "warm"):
                    rows.setdefault((name, state), []).append(first_step(name, cache, bytecode))
        if turn == 0:
            rows.clear()  # it only compiled the modules
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), help="which models")
    parser.add_argument("--rounds", type=int, default=7, help="processes for each figure")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    with tempfile.TemporaryDirectory() as bytecode:
        rows = measure(arguments.workloads, arguments.rounds, bytecode)
    print(f"{'':<24} {'':<5} {'seconds':>8} {'(least':>7} {'most)':>6} {'CPU: Python':>12} {'compiler':>9}")
    for (name, state), found in rows.items():
        seconds = [row["seconds"] for row in found]
        python, compiler = (statistics.median(row.get(k, 0.0) for row in found) for k in ("python", "compiler"))
        span = f"{statistics.median(seconds):>8.2f} {min(seconds):>7.2f} {max(seconds):>6.2f}"
        print(f"{name:<24} {state:<5} {span} {python:>12.2f} {compiler:>9.2f}")


if __name__ == "__main__":
    main()
