"""Eager calls beside other systems: `python -m benchmarks.eager [--rounds 3] [--only graphc,torch] [dense ...]`.

Every measurement is a fresh process; systems are interleaved, round after round. Results are appended to
`results/eager.json`, and the table in `README.md` is made from them.
"""

from __future__ import annotations

import argparse
import compileall
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments, results, systems
from benchmarks.eager_rows import TITLES
from benchmarks.machine import describe, in_words
from benchmarks.systems import Failed, System
from benchmarks.tables import put

PATH = Path(__file__).resolve().parent / "results" / "eager.json"
MARK = "<!-- eager -->"
OURS = "graphc"
SYSTEMS = {
    OURS: System("graphc", None, "eager_keras", ("graphc",), {"GRAPHC_BACKEND": "cpu"}),
    "keras-tf": System("Keras on TensorFlow", "tf", "eager_keras", ("keras",), {"KERAS_BACKEND": "tensorflow"}),
    "keras-jax": System("Keras on JAX", "jax", "eager_keras", ("keras",), {"KERAS_BACKEND": "jax"}),
    "torch": System("PyTorch", "torch", "eager_torch"),
}

Medians = dict[str, dict[str, dict[str, float]]]


def medians(rows: Iterable[dict[str, Any]]) -> Medians:
    """By row and system the median over all rounds of each figure."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        for name, figures in row.get("calls", {}).items():
            for figure, value in figures.items():
                found.setdefault(name, {}).setdefault(row["system"], {}).setdefault(figure, []).append(value)
    return {
        name: {
            system: {figure: statistics.median(values) for figure, values in figures.items()}
            for system, figures in table.items()
        }
        for name, table in found.items()
    }


def place(table: dict[str, dict[str, float]]) -> float:
    """Our time to that of the second fastest of the others; to the only one's, where there is one."""
    others = sorted(cell["ms"] for system, cell in table.items() if system != OURS)
    return table[OURS]["ms"] / others[min(1, len(others) - 1)]


def report(run: dict[str, Any]) -> str:
    """The table: milliseconds of a call, and in brackets of the processor's time."""
    names = [name for name in SYSTEMS if any(name in table for table in run["medians"].values())]
    heads = ["a call, ms (of all processors)", *(SYSTEMS[name].title for name in names), "to the second fastest peer"]
    lines = ["", in_words(run["machine"]), "", f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for row, table in run["medians"].items():
        cells = [f"{cell['ms']:.3g} ({cell['cpu_ms']:.3g})" if (cell := table.get(n)) else "-" for n in names]
        ratio = f"{place(table):.2f}" if OURS in table and len(table) > 1 else "-"
        lines.append(f"| {' | '.join([TITLES[row], *cells, ratio])} |")
    return "\n".join([*lines, ""])


def one_round(names: Sequence[str], seconds: float, rows: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Every system once, each in a process of its own."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                yield {"system": name, "calls": systems.run(SYSTEMS[name], [str(seconds), *rows], Path(folder))}
            except Failed as failure:
                yield {"system": name, "failed": str(failure)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("rows", nargs="*", default=list(TITLES), help="which calls")
    parser.add_argument("--rounds", type=int, default=3, help="how often every system has its turn")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a row is measured in each process")
    parser.add_argument("--only", default=",".join(SYSTEMS), help="which systems, by name")
    parser.add_argument("--dry", action="store_true", help="print figures, record nothing")
    options = parser.parse_args()
    names = options.only.split(",")
    used = [environment for name in names if (environment := SYSTEMS[name].environment) is not None]
    for environment in used:
        environments.make(environment)
    compileall.compile_dir(systems.ROOT / "graphc", quiet=1)  # as an installer does
    rows: list[dict[str, Any]] = []
    for turn in range(options.rounds):
        for row in one_round(names, options.seconds, options.rows):
            rows.append({"round": turn, **row})
            print(turn, row["system"], row.get("failed", f"{len(row.get('calls', ()))} rows"), flush=True)
    run = {"machine": describe(used), "medians": medians(rows), "rows": rows}
    text = report(run)
    print(text)
    if not options.dry:
        results.write([*results.read(PATH), run], PATH)
        put(text, MARK)


if __name__ == "__main__":
    main()
