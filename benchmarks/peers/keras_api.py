"""Any module with Keras's API: `python -m benchmarks.peers.keras_api graphc|keras WORKLOAD REPEATS`."""

from __future__ import annotations

import importlib
import sys

from benchmarks.measure import report
from benchmarks.workloads import WORKLOADS


def main(module: str, name: str, repeats: int) -> None:
    keras = importlib.import_module(module)
    workload = WORKLOADS[name]
    keras.utils.set_random_seed(0)
    x, y = workload.data()
    model = workload.build(keras)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def fit(samples: int) -> float:
        history = model.fit(x[:samples], y[:samples], batch_size=workload.batch, epochs=1, verbose=0)
        return float(history.history["loss"][-1])

    report(workload.samples, lambda: fit(workload.batch), lambda: fit(workload.samples), repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
