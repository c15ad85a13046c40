"""Exported models on one thread: `python -m benchmarks.deploy [--rounds 3] [--only c,onnx] [mlp ...]`.

The program around the exported C is compared with ONNX Runtime on the ONNX file that graphc exports of the same model:
what is deployed, the memory it takes, the time for one sample, and samples a second in batches of 32. Every measurement
is a fresh process; systems are interleaved, round after round.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import systems
from benchmarks.machine import in_words
from benchmarks.systems import Failed, System
from benchmarks.turns import Bench, markdown
from benchmarks.workloads import WORKLOADS

BATCH = 32
SYSTEMS = {
    "c": System("exported C", None, "deploy_c", variables={"GRAPHC_BACKEND": "numpy"}),
    "onnx": System("ONNX Runtime", None, "deploy_onnx", variables={"GRAPHC_BACKEND": "numpy"}),
}
ROWS = {name: WORKLOADS[name].title.split(", batch")[0] for name in ("mlp", "convnet", "resnet20", "lstm", "gpt")}


def report(run: dict[str, Any]) -> str:
    """A table: a row for each model and system."""
    heads = ("model", "by", "size, KB", "memory, MB", "one sample, ms", f"samples/s in batches of {BATCH}")
    rows = []
    for name, table in run["medians"].items():
        for system, cell in table.items():
            figures = f"{cell['size_kb']:,.0f}", f"{cell['peak_mb']:.1f}", f"{cell['ms']:.3g}"
            rows.append((ROWS[name], SYSTEMS[system].title, *figures, f"{1e3 * BATCH / cell['batch_ms']:,.0f}"))
    return "\n".join(["", in_words(run["machine"]), "", *markdown(heads, rows), ""])


def one_round(names: Sequence[str], seconds: float, rows: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Every system at every model once, each in a process of its own."""
    for row in rows:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    yield {"system": name, "calls": systems.run(SYSTEMS[name], [str(seconds), row], Path(folder))}
                except Failed as failure:
                    yield {"system": name, "failed": str(failure)}


BENCH = Bench("deploy", "Exported models on one thread", ROWS, SYSTEMS, one_round, report, 1.0)

if __name__ == "__main__":
    BENCH.main()
