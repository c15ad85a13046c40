"""Training models of other kinds and sizes, beside Keras on its backends: `python -m benchmarks.variety [--rounds 3]`.

Measured as in `benchmarks.cpu`: fresh processes with empty caches, systems interleaved. Results are appended to
`results/variety.json`, and the table in `README.md` is made from them.
"""

from __future__ import annotations

import argparse
import compileall
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments, results, systems
from benchmarks.machine import describe, in_words
from benchmarks.systems import OURS, SYSTEMS, Failed
from benchmarks.tables import put
from benchmarks.targets import KERAS
from benchmarks.variety_models import VARIETY

PATH = Path(__file__).resolve().parent / "results" / "variety.json"
MARK = "<!-- variety -->"
NAMES = (OURS, *KERAS)


def report(runs: Sequence[dict[str, Any]]) -> str:
    """The tables: samples a second, and first steps in seconds. Each model stands in that of its last run."""
    shown: set[str] = set()
    tables: list[str] = []
    for run in reversed(runs):
        fresh = {name: table for name, table in run["medians"]["train"].items() if name in VARIETY.keys() - shown}
        if fresh:
            shown |= fresh.keys()
            tables = [in_words(run["machine"]), "", *_table(fresh), "", *tables]
    return "\n".join(["", *tables])


def _table(medians: dict[str, Any]) -> list[str]:
    heads = ["model", *(SYSTEMS[name].title for name in NAMES), "to the fastest"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for workload, table in medians.items():
        cells = [VARIETY[workload].title]
        for name in NAMES:
            cell = table.get(name)
            cells.append("-" if cell is None else _told(cell))
        fastest = max(table[name]["samples_per_second"] for name in KERAS if name in table)
        cells.append(f"{table[OURS]['samples_per_second'] / fastest:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _told(cell: dict[str, Any]) -> str:
    rate, first = cell["samples_per_second"], cell["first_step_seconds"]
    return f"{rate:,.{0 if rate >= 20 else 1}f} ({first:.1f} s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("workloads", nargs="*", default=list(VARIETY), help="which models")
    parser.add_argument("--rounds", type=int, default=3, help="how often every system has its turn")
    parser.add_argument("--repeats", type=int, default=2, help="epochs measured in each process")
    parser.add_argument("--dry", action="store_true", help="print figures, record nothing")
    options = parser.parse_args()
    used = [environment for name in NAMES if (environment := SYSTEMS[name].environment) is not None]
    for environment in used:
        environments.make(environment)
    compileall.compile_dir(systems.ROOT / "graphc", quiet=1)  # as an installer does
    rows: list[dict[str, Any]] = []
    for turn in range(options.rounds):
        for workload in options.workloads:
            for name in NAMES:
                key = {"round": turn, "system": name, "workload": workload, "task": "train"}
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        found = systems.measure(SYSTEMS[name], "train", workload, options.repeats, Path(folder))
                    except Failed as failure:
                        found = {"failed": str(failure)}
                rows.append(key | found)
                print(turn, workload, name, found.get("samples_per_second", found.get("failed", "")), flush=True)
    run = {"machine": describe(used), "medians": results.summary(rows), "rows": rows}
    print(report([run]))
    if not options.dry:
        runs = [*results.read(PATH), run]
        results.write(runs, PATH)
        put(report(runs), MARK)


if __name__ == "__main__":
    main()
