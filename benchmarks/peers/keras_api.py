"""Any module with Keras's API: `python -m benchmarks.peers.keras_api graphc|keras train|predict WORKLOAD REPEATS`."""

from __future__ import annotations

import importlib
import sys

from benchmarks.measure import report_prediction, report_training
from benchmarks.variety_models import VARIETY
from benchmarks.workloads import WORKLOADS, Samples

BATCH = 256


def main(module: str, task: str, name: str, repeats: int) -> None:
    keras = importlib.import_module(module)
    workload = (WORKLOADS | VARIETY)[name]
    keras.utils.set_random_seed(0)
    model = workload.build(keras)
    if task == "predict":
        x, _ = workload.data(workload.predicted)
        one = x[:1]
        report_prediction(
            len(x),
            lambda: model.predict(one, verbose=0),
            lambda: model.predict(x, batch_size=BATCH, verbose=0),
            repeats,
        )
        return
    data = Samples(workload)
    workload.compile(keras, model)

    def fit(samples: int) -> float:
        x, y = data.at_least(samples)
        history = model.fit(x[:samples], y[:samples], batch_size=workload.batch, epochs=1, verbose=0)
        return float(history.history["loss"][-1])

    report_training(workload.batch, workload.samples, fit, repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
