"""Normalization against Keras on JAX: statistics measured on all kinds of data, given ones, files, errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, layers
from graphc.errors import ArgumentError, DataError, ShapeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

X = np.random.default_rng(0).normal(5, 3, (10, 4, 3)).astype("float32")
THREE = [1.0, 2.0, 3.0]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"axis": None},
    {"axis": 1},
    {"axis": (1, 2)},
    {"axis": (-1, -2)},
    {"invert": True},
    {"mean": 3.0, "variance": 2.0},
    {"mean": THREE, "variance": [4.0, 5.0, 6.0]},
    {"axis": (-1, 1), "mean": THREE, "variance": THREE},
    {"axis": None, "mean": 3.0, "variance": 0.0},
]


class Indexed:
    """Batches by number, as a PyDataset has them."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> Any:
        return X[5 * i : 5 * i + 5], np.zeros(5)


DATA: dict[str, Any] = {
    "array": lambda: X,
    "tensor": lambda: graphc.ops.convert_to_tensor(X),
    "list of batches": lambda: [X[:3], X[3:]],
    "generator of pairs": lambda: ((X[i : i + 4], i) for i in (0, 4, 8)),
    "indexed": Indexed,
}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", DATA)
def test_equals_keras(options: dict[str, Any], kind: str) -> None:
    ours, theirs = layers.Normalization(**options), keras.layers.Normalization(**options)
    if "mean" not in options:
        ours.adapt(DATA[kind]())
        theirs.adapt(X)
    expected = np.asarray(theirs(X))
    np.testing.assert_allclose(ours(X).numpy(), expected, rtol=2e-5, atol=2e-5)
    model = graphc.Sequential([graphc.Input((4, 3)), ours])
    with config.override(backend="numpy"):
        np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=2e-5, atol=2e-5)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, tuple(w.shape)) for w in theirs.weights]
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5)
    configuration = {"name": "n", "dtype": None}
    assert {**ours.get_config(), **configuration} == {**theirs.get_config(), **configuration}
    again = layers.Normalization.from_config(ours.get_config())
    again.build((None, 4, 3))
    again.set_weights(ours.get_weights())
    assert np.array_equal(again(X).numpy(), ours(X).numpy())


def test_many_numbers_far_from_zero() -> None:
    x = (1e4 + np.random.default_rng(1).normal(0, 1, (2**18, 1))).astype("float32")
    layer = layers.Normalization()
    layer.adapt(np.split(x, 8))
    np.testing.assert_allclose(layer.get_weights()[1], np.var(x.astype("float64")), rtol=1e-6)
    halves = layers.Normalization(dtype="mixed_float16", mean=1e4, variance=1.0)
    np.testing.assert_allclose(halves(x[:9]).numpy(), x[:9] - 1e4, rtol=1e-3, atol=1e-3)


def test_integers_files_and_new_statistics(tmp_path: Path) -> None:
    layer = layers.Normalization()
    model = graphc.Sequential([graphc.Input((1,), dtype="int32"), layer, layers.Dense(2)])
    layer.adapt(np.array([[1], [3]]))
    before = model.predict(np.array([[2]]), verbose=0)
    model.save_weights(tmp_path / "w.weights.h5")
    layer.adapt(np.array([[100], [300]]))
    assert not np.array_equal(model.predict(np.array([[2]]), verbose=0), before)
    model.load_weights(tmp_path / "w.weights.h5")
    with config.override(backend="numpy"):
        assert np.array_equal(model.predict(np.array([[2]]), verbose=0), before)


def test_wrong_use() -> None:
    with pytest.raises(ArgumentError, match="both mean and variance"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ShapeError, match="do not fit"):
        layers.Normalization(mean=[1.0], variance=[1.0, 2.0])
    with pytest.raises(ShapeError, match="no such axis"):
        layers.Normalization(axis=3)(X)
    with pytest.raises(ShapeError, match="must be known"):
        layers.Normalization(axis=1)(graphc.Input((None, 3)))
    for data, message in (([], "no data"), ([1.0, 2.0], "is no array"), (3, "cannot read"), (iter(()), "no data")):
        with pytest.raises(DataError, match=message):
            layers.Normalization().adapt(data)
    layer = layers.Normalization()
    layer.adapt(X)
    with pytest.raises(ShapeError, match="other features"):
        layer.adapt(X[:, :, :2])
    assert np.allclose(layer.get_weights()[0], X.mean((0, 1)))
