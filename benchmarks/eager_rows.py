"""What `benchmarks.eager` measures: its rows, their operands, and how a process measures them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.measure import RESULT

TITLES = {
    "dense": "`Dense(128)` on 32 rows of 784",
    "convnet": "a small convnet on 32 images",
    "build_dense": "`Dense(4096).build`, of 4096 inputs",
    "build_gru": "`GRU(1024).build`, of 1024 inputs",
    "embedding": "`Embedding(20000, 128)` of 32 x 100 words",
    "normal": "`random.normal` of a million",
    "uniform": "`random.uniform` of a million",
    "gelu": "exact `gelu` of a million",
    "matmul": "`matmul` of 512 x 512",
    "add": "`add` of 32 x 128",
    "scale": "32 x 128 times a number",
    "exp": "`exp` of 32 x 128",
    "softmax": "`softmax` of 32 x 128",
    "sum": "`sum` of 32 x 128 over the last axis",
    "layer_norm": "`LayerNormalization` of 32 x 128",
    "lstm": "`LSTM(64)` of 32 x 50 steps x 32",
    "batch_norm": "`BatchNormalization` of 32 images",
    "batch_norm_training": "the same, training",
}
WIDE, GRU, TABLE, MILLION = 4096, 1024, (20_000, 128), (1000, 1000)
FEWEST, MOST = 3, 2000
# Calls before the measured ones: systems compile what is called again and again.
WARM, WARM_SECONDS = 12, 3.0


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """The operands, by name."""
    rng = np.random.default_rng(0)
    shapes = {
        "rows": (32, 784),
        "images": (32, 28, 28, 1),
        "million": MILLION,
        "square": (512, 512),
        "small": (32, 128),
        "sequences": (32, 50, 32),
    }
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return {**made, "words": rng.integers(0, TABLE[0], (32, 100)).astype(np.int32)}


def report(
    calls: Mapping[str, Callable[[], Callable[[], Any]]],
    wait: Callable[[Any], None],
    seconds: float,
    names: Sequence[str],
) -> None:
    """Measures calls, and prints for each the first, the median and the processor's time as one line of JSON.

    Args:
        calls: For each row a function that makes what is called.
        wait: Waits until a result is there.
        seconds: How long a row is measured.
        names: The rows; none: all.
    """
    figures = {}
    for name in names or calls:
        call = calls[name]()
        start = time.perf_counter()
        wait(call())
        first = time.perf_counter() - start
        begin, done = time.perf_counter(), 0
        while done < FEWEST or (done < WARM and time.perf_counter() - begin < WARM_SECONDS):
            wait(call())
            done += 1
        times: list[float] = []
        begin, busy = time.perf_counter(), time.process_time()
        while len(times) < FEWEST or (len(times) < MOST and time.perf_counter() - begin < seconds):
            start = time.perf_counter()
            wait(call())
            times.append(time.perf_counter() - start)
        spent = (time.process_time() - busy) / len(times)
        figures[name] = {"ms": statistics.median(times) * 1e3, "cpu_ms": spent * 1e3, "first_ms": first * 1e3}
    print(RESULT + json.dumps(figures), flush=True)
