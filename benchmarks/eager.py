"""Eager calls beside other systems: `python -m benchmarks.eager [--rounds 3] [--only graphc,torch] [dense ...]`.

Every measurement is a fresh process; systems are interleaved, round after round. Results are appended to
`results/eager.json`, and the table in `README.md` is made from them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import systems
from benchmarks.eager_rows import TITLES
from benchmarks.machine import in_words
from benchmarks.systems import Failed, System
from benchmarks.turns import Bench, markdown

OURS = "graphc"
SYSTEMS = {
    OURS: System("graphc", None, "eager_keras", ("graphc",), {"GRAPHC_BACKEND": "cpu"}),
    "keras-tf": System("Keras on TensorFlow", "tf", "eager_keras", ("keras",), {"KERAS_BACKEND": "tensorflow"}),
    "keras-jax": System("Keras on JAX", "jax", "eager_keras", ("keras",), {"KERAS_BACKEND": "jax"}),
    "torch": System("PyTorch", "torch", "eager_torch"),
}


def place(table: dict[str, dict[str, float]]) -> float:
    """Our time to that of the second fastest of the others; to the only one's, where there is one."""
    others = sorted(cell["ms"] for system, cell in table.items() if system != OURS)
    return table[OURS]["ms"] / others[min(1, len(others) - 1)]


def report(run: dict[str, Any]) -> str:
    """The table: milliseconds of a call, and in brackets of the processor's time."""
    names = [name for name in SYSTEMS if any(name in table for table in run["medians"].values())]
    heads = ["a call, ms (of all processors)", *(SYSTEMS[name].title for name in names), "to the second fastest peer"]
    rows = []
    for row, table in run["medians"].items():
        cells = [f"{cell['ms']:.3g} ({cell['cpu_ms']:.3g})" if (cell := table.get(n)) else "-" for n in names]
        ratio = f"{place(table):.2f}" if OURS in table and len(table) > 1 else "-"
        rows.append([TITLES[row], *cells, ratio])
    return "\n".join(["", in_words(run["machine"]), "", *markdown(heads, rows), ""])


def one_round(names: Sequence[str], seconds: float, rows: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Every system once, each in a process of its own."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                yield {"system": name, "calls": systems.run(SYSTEMS[name], [str(seconds), *rows], Path(folder))}
            except Failed as failure:
                yield {"system": name, "failed": str(failure)}


BENCH = Bench("eager", "Eager calls beside other systems", TITLES, SYSTEMS, one_round, report, 0.5)

if __name__ == "__main__":
    BENCH.main()
