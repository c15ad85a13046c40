"""Loops of compiled steps beside other systems: `python -m benchmarks.loops [--rounds 3] [--only fit,jax] [mlp ...]`.

A step is written by hand: tapes in a `graphc.function`, one call a batch. Every measurement is a fresh process; systems
are interleaved, row after row, round after round. Results are appended to `results/loops.json`, and the tables in
`README.md` are made from them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import systems
from benchmarks.loops_rows import ROWS
from benchmarks.machine import in_words
from benchmarks.systems import Failed, System
from benchmarks.targets import MET, MISSED
from benchmarks.turns import Bench, markdown, ratio

OURS, FIT, CALL = "graphc", "fit", "call"
_CPU = {"GRAPHC_BACKEND": "cpu"}
SYSTEMS = {
    OURS: System("graphc", None, "loops_keras", ("graphc",), _CPU, keeps=True),
    FIT: System("graphc's `fit`", None, "loops_keras", ("fit",), _CPU, keeps=True),
    "keras-tf": System("Keras in `tf.function`", "tf", "loops_keras", ("tensorflow",), {"KERAS_BACKEND": "tensorflow"}),
    "jax": System("JAX with optax", "jax", "loops_jax"),
    "torch": System("PyTorch eager", "torch", "loops_torch"),
}
PEERS = tuple(name for name in SYSTEMS if name not in (OURS, FIT))
TITLES = {name: row.title for name, row in ROWS.items()}
# The least speed to that of `fit` where a step takes so many ms, and the longest call of a function.
SHARE_OF_FIT, FROM_MS, LONGEST_CALL_MS = 0.9, 1.0, 0.03
SLOWER = 1.05  # a first step is as quick as another if it takes at most so many times as long: the scatter of rounds


def one_round(names: Sequence[str], seconds: float, rows: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Every row with every system: a process with empty caches, then, if it keeps code, one that finds it there."""
    for row in rows:
        for name in names:
            if (name, row) == (FIT, CALL):
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    yield {"system": name, "calls": systems.run(SYSTEMS[name], [str(seconds), row], Path(folder))}
                    if SYSTEMS[name].keeps:
                        found = systems.run(SYSTEMS[name], ["0", row], Path(folder))
                        yield {"system": name, "calls": {row: {"again_s": found[row]["first_s"]}}}
                except Failed as failure:
                    yield {"system": name, "failed": f"{row}: {failure}"}


def _marked(value: float | None, met: bool | None) -> str:
    """A ratio with whether it is what it should be; None: nothing is asked of it."""
    if value is None:
        return "-"
    return f"{value:.2f}" if met is None else f"{MET if met else MISSED} {value:.2f}"


def _steps(run: dict[str, Any], names: Sequence[str]) -> list[str]:
    heads = ["a step, ms", *(SYSTEMS[name].title for name in names), "speed to the fastest peer's", "to `fit`'s"]
    lines = []
    for row, table in run["medians"].items():
        cells = [f"{table[name]['ms']:.3g}" if "ms" in table.get(name, {}) else "-" for name in names]
        peers, fit = (ratio(run["rows"], row, "ms", OURS, others) for others in (PEERS, (FIT,)))
        ours = table.get(OURS, {}).get("ms", 0.0)
        ahead = None if row == CALL else peers is not None and peers >= 1
        if row == CALL and ours:
            cells[names.index(OURS)] = f"{MET if ours < LONGEST_CALL_MS else MISSED} {ours:.3g}"
        enough = fit >= SHARE_OF_FIT if fit is not None and ours >= FROM_MS else None
        lines.append([TITLES[row], *cells, _marked(peers, ahead), _marked(fit, enough)])
    return markdown(heads, lines)


def _first_steps(run: dict[str, Any], names: Sequence[str]) -> list[str]:
    heads = ["first step, s (with full caches)", *(SYSTEMS[name].title for name in names), "`fit`'s to the loop's"]
    lines = []
    for row, table in run["medians"].items():
        cells = []
        for name in names:
            cell = table.get(name, {})
            again = f" ({cell['again_s']:.2f})" if "again_s" in cell else ""
            cells.append(f"{cell['first_s']:.2f}{again}" if cell else "-")
        cold, warm = (ratio(run["rows"], row, figure, OURS, (FIT,)) for figure in ("first_s", "again_s"))
        told = [_marked(value, value is not None and value * SLOWER >= 1) for value in (cold, warm)]
        lines.append([TITLES[row], *cells, f"{told[0]} ({told[1]})"])
    return markdown(heads, lines)


def report(run: dict[str, Any]) -> str:
    """The tables: milliseconds of a step, and seconds from the start of the process to the end of its first step."""
    names = [name for name in SYSTEMS if any(name in table for table in run["medians"].values())]
    return "\n".join(["", in_words(run["machine"]), "", *_steps(run, names), "", *_first_steps(run, names), ""])


BENCH = Bench("loops", "Loops of compiled steps beside other systems", TITLES, SYSTEMS, one_round, report, 2.0)

if __name__ == "__main__":
    BENCH.main()
