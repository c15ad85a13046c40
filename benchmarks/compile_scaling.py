"""How compile time grows with the graph: `python -m benchmarks.compile_scaling` compiles deep perceptrons.

Each depth is a fresh process with empty caches. The training step of a perceptron of so many layers is traced,
differentiated and compiled; `compile` holds all passes, code generation and the C compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np

import graphc
from benchmarks.measure import RESULT
from graphc import config
from graphc.inspect import stats
from graphc.models.data import arrays_of
from graphc.runtime.cpu import toolchain

ROOT = Path(__file__).resolve().parent.parent
DEPTHS = (2, 8, 32, 125)  # the last has 5,000 nodes
WIDTH, BATCH = 32, 16
PATIENCE = 900


def compile_one(depth: int) -> dict[str, Any]:
    """Compiles the step of a perceptron of so many hidden layers, in this process."""
    spent = 0.0
    build = toolchain.build_shared

    def timed(*arguments: Any, **settings: Any) -> Path:
        nonlocal spent
        start = perf_counter()
        library = build(*arguments, **settings)
        spent += perf_counter() - start
        return library

    layers = graphc.layers
    hidden = [layers.Dense(WIDTH, activation="relu") for _ in range(depth)]
    model = graphc.Sequential([graphc.Input((WIDTH,)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.zeros((BATCH, WIDTH), np.float32), np.zeros(BATCH, np.int32)
    before, start = stats()["compile_seconds"], perf_counter()
    with config.override(backend="cpu"), mock.patch.object(toolchain, "build_shared", timed):
        executable = model.program("train", arrays_of(x, y).spec).executable
    whole = perf_counter() - start
    compiling = stats()["compile_seconds"] - before
    return {
        "depth": depth,
        "nodes": len(executable.compilation.stages["initial"].nodes),
        "kernels": len(executable.compilation.kernels),
        "trace_seconds": whole - compiling,
        "compile_seconds": compiling,
        "c_compiler_seconds": spent,
    }


def measure(depths: tuple[int, ...] = DEPTHS) -> list[dict[str, Any]]:
    """A row for each depth."""
    rows = []
    for depth in depths:
        with tempfile.TemporaryDirectory() as cache:
            environment = {**os.environ, "GRAPHC_CACHE": cache}
            command = [sys.executable, "-m", "benchmarks.compile_scaling", "--depth", str(depth)]
            done = subprocess.run(
                command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=PATIENCE
            )
        line = next(line for line in done.stdout.splitlines() if line.startswith(RESULT))
        rows.append(json.loads(line[len(RESULT) :]))
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--depth", type=int, help="compile one, in this process")
    depth = parser.parse_args().depth
    if depth is None:
        measure()
    else:
        print(RESULT + json.dumps(compile_one(depth)))


if __name__ == "__main__":
    main()
