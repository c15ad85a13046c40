"""Training models of other kinds and sizes, beside Keras on its backends: `python -m benchmarks.variety [--rounds 3]`.

Measured as in `benchmarks.cpu`: fresh processes with empty caches, systems interleaved. Results are appended to
`results/variety.json`, and the table in `README.md` is made from them.
"""

from __future__ import annotations

import argparse
import compileall
import tempfile
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


def report(run: dict[str, Any]) -> str:
    """The table: samples a second, and first steps in seconds."""
    heads = ["model", *(SYSTEMS[name].title for name in NAMES), "to the fastest"]
    lines = ["", in_words(run["machine"]), "", f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for workload, table in run["medians"]["train"].items():
        cells = [VARIETY[workload].title]
        for name in NAMES:
            cell = table.get(name)
            told = "-" if cell is None else f"{cell['samples_per_second']:,.0f} ({cell['first_step_seconds']:.1f} s)"
            cells.append(told)
        fastest = max(table[name]["samples_per_second"] for name in KERAS if name in table)
        cells.append(f"{table[OURS]['samples_per_second'] / fastest:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


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
    text = report(run)
    print(text)
    if not options.dry:
        results.write([*results.read(PATH), run], PATH)
        put(text, MARK)


if __name__ == "__main__":
    main()
