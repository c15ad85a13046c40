"""The loss `"crossentropy"` is the one that fits the shapes of targets and predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")


@pytest.mark.parametrize(
    ("units", "activation", "targets", "wanted"),
    [
        (1, "sigmoid", RNG.integers(0, 2, (12, 1)), "binary_crossentropy"),
        (4, "softmax", RNG.integers(0, 4, 12), "sparse_categorical_crossentropy"),
        (4, "softmax", RNG.integers(0, 4, (12, 1)), "sparse_categorical_crossentropy"),
        (4, "softmax", np.eye(4)[RNG.integers(0, 4, 12)], "categorical_crossentropy"),
    ],
)
def test_crossentropy(units: int, activation: str, targets: Any, wanted: str) -> None:
    results = []
    for loss in ("crossentropy", "CE", wanted):
        graphc.utils.set_random_seed(1)
        with graphc.backend("numpy"):
            model = graphc.Sequential([graphc.Input((3,)), graphc.layers.Dense(units, activation)])
            model.compile("sgd", loss)
            results.append([model.evaluate(X, targets, verbose=0), model.train_on_batch(X, targets)])
    np.testing.assert_allclose(results[:2], [results[2]] * 2, rtol=1e-6)


def test_labels_are_checked() -> None:
    model = graphc.Sequential([graphc.Input((3,)), graphc.layers.Dense(4, "softmax")])
    model.compile("sgd", "ce")
    with pytest.raises(DataError, match="label"), graphc.backend("numpy"):
        model.fit(X, np.full(12, 4), verbose=0)
