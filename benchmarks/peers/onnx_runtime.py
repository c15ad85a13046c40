"""ONNX Runtime on a model from PyTorch: `python -m benchmarks.peers.onnx_runtime PATH predict WORKLOAD REPEATS`."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime

from benchmarks.measure import report_prediction
from benchmarks.workloads import WORKLOADS, Array

BATCH = 256


def main(path: str, name: str, repeats: int) -> None:
    workload = WORKLOADS[name]
    x, _ = workload.data(workload.predicted)
    if x.ndim == 4:  # PyTorch's order: channels before rows and columns
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name

    def predicted(x: Array) -> Array:
        return session.run(None, {given: x})[0]

    one, batches = x[:1], np.split(x, len(x) // BATCH)
    report_prediction(
        len(x), lambda: predicted(one), lambda: np.concatenate([predicted(batch) for batch in batches]), repeats
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3], int(sys.argv[4]))
