"""graphc on the CPU beside other systems: `python -m benchmarks.cpu [--rounds 5] [--only graphc,jax] [mlp convnet]`.

Training, first steps, prediction, imports and compile times, in one run. Every measurement is a fresh process; systems
are interleaved, round after round, so that a slow minute of the machine hits all of them. Results are appended to
`benchmarks/results/cpu.json`; the tables of `benchmarks/README.md` and the plots are made from it.
"""

from __future__ import annotations

import argparse
import compileall
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import compile_scaling, environments, results, systems
from benchmarks.machine import describe
from benchmarks.plots import draw
from benchmarks.systems import IMPORTS, SYSTEMS, Failed
from benchmarks.tables import write_readme
from benchmarks.workloads import WORKLOADS

Row = dict[str, Any]
PARTS = ("train", "predict", "import", "scaling")


def measured(name: str, task: str, workload: str, repeats: int) -> Iterator[Row]:
    """A system at a task: a process with empty caches, then, if it keeps compiled code, one that finds it there."""
    system = SYSTEMS[name]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        yield {"task": task, **systems.measure(system, task, workload, repeats, cache)}
        if task == "train" and system.keeps:
            yield {"task": "warm", **systems.measure(system, "train", workload, 0, cache)}


def imports() -> Iterator[Row]:
    """How long importing takes, and importing what it cannot do without."""
    for name, system in IMPORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            yield {"system": name, "task": "import", "workload": "", **systems.run(system, [], Path(folder))}


def one_round(names: Sequence[str], workloads: Sequence[str], parts: Sequence[str], options: Any) -> Iterator[Row]:
    """One round of all measurements, interleaved by system."""
    for workload in workloads:
        for task in ("train", "predict"):
            for name in names:
                if task not in parts or task not in systems.tasks(SYSTEMS[name], workload):
                    continue
                systems.await_calm(options.calm)
                key = {"system": name, "workload": workload}
                try:
                    for row in measured(name, task, workload, options.repeats):
                        yield key | row
                except Failed as failure:
                    yield key | {"task": task, "failed": str(failure)}
    if "import" in parts:
        yield from imports()


def _told(row: Row) -> str:
    if "failed" in row:
        return "FAILED " + row["failed"].splitlines()[-1][:80]
    parts = [f"{statistics.median(row['samples_per_second']):>10,.0f} samples/s"] if "samples_per_second" in row else []
    parts += [f"{row[name]:.2f} {unit}" for name, unit in _UNITS.items() if name in row]
    return ", ".join(parts)


_UNITS = {"first_step_seconds": "s to the first step", "latency_ms": "ms a sample", "seconds": "s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), help="which models")
    parser.add_argument("--rounds", type=int, default=5, help="how often every system has its turn")
    parser.add_argument("--repeats", type=int, default=3, help="epochs measured in each process")
    parser.add_argument("--only", default=",".join(SYSTEMS), help="which systems, by name")
    parser.add_argument("--parts", default=",".join(PARTS), help="what is measured")
    parser.add_argument("--calm", type=float, default=0, help="seconds to wait, at most, for a calm machine each time")
    parser.add_argument("--dry", action="store_true", help="print figures, record nothing")
    options = parser.parse_args()
    names, parts = options.only.split(","), options.parts.split(",")
    used = list(dict.fromkeys(e for name in names if (e := SYSTEMS[name].environment) is not None))
    for environment in used:
        environments.make(environment)
    if "onnx" in names and "predict" in parts:
        for workload in options.workloads:
            if WORKLOADS[workload].predicted > 0:
                systems.export(workload)
    compileall.compile_dir(systems.ROOT / "graphc", quiet=1)  # as an installer does
    history, rows = results.read(), []
    run: dict[str, Any] = {"machine": describe(used)}
    for turn in range(options.rounds):
        for row in one_round(names, options.workloads, parts, options):
            rows.append({"round": turn, **row})
            print(f"{turn} {row['workload']:<9} {row['task']:<8} {row['system']:<14} {_told(row)}", flush=True)
        run |= {"medians": results.summary(rows), "rows": rows}
        if not options.dry:
            results.write([*history, run])  # each round, so that an end that comes early loses one at most
    if "scaling" in parts:
        run["scaling"] = compile_scaling.measure()
    if options.dry:
        return
    results.write([*history, run])
    kinds = results.by_processor([*history, run], results.read(results.PROFILES))
    draw(next(iter(kinds.values())))
    print("\n" + write_readme(kinds))


if __name__ == "__main__":
    main()
