"""Categories as numbers, beside Keras: modes, shapes, dtypes, boundaries of bins, configurations, errors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, DataError, StateError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
SHAPES = [(5,), (5, 1), (5, 3)]


def same(here: Any, there: Any) -> None:
    a, b = np.asarray(here), np.asarray(there)
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    np.testing.assert_allclose(a, b, rtol=1e-6)


# Several indices of a sample have no single one.
ENCODINGS = [(s, m) for s in SHAPES for m in ("one_hot", "multi_hot", "count") if (s, m) != ((5, 3), "one_hot")]


@pytest.mark.parametrize(("shape", "mode"), ENCODINGS)
def test_encodings(shape: tuple[int, ...], mode: str) -> None:
    x = RNG.integers(0, 4, shape)
    mine, theirs = (k.layers.CategoryEncoding(4, output_mode=mode) for k in (graphc, keras))
    same(mine(x), theirs(x))
    symbolic = mine(graphc.Input(shape[1:], dtype="int32"))
    assert symbolic.shape[1:] == np.shape(theirs(x))[1:]
    if mode == "count" and len(shape) == 2:
        weights = RNG.random(shape, "float32")
        same(mine(x, count_weights=weights), theirs(x, count_weights=weights))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", SHAPES)
def test_bins(shape: tuple[int, ...], mode: str) -> None:
    x = RNG.random(shape, "float32") * 4
    x.flat[0] = 1.0  # a boundary belongs to the bin above it
    mine, theirs = (k.layers.Discretization([0.5, 1.0, 3.0], output_mode=mode) for k in (graphc, keras))
    same(mine(x), theirs(x))


@pytest.mark.parametrize("count", [3, 10, 100, 5000])
@pytest.mark.parametrize("bins", [2, 4, 10])
def test_boundaries_are_quantiles(count: int, bins: int) -> None:
    x = RNG.normal(size=(count, 3)).astype("float32")
    mine, theirs = (k.layers.Discretization(num_bins=bins) for k in (graphc, keras))
    mine.adapt(x)
    theirs.update_state(x)
    theirs.finalize_state()
    np.testing.assert_allclose(mine.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    again = graphc.layers.Discretization.from_config(mine.get_config())
    assert again.bin_boundaries == mine.bin_boundaries
    same(again(x), mine(x))
    batches = graphc.layers.Discretization(num_bins=bins)
    batches.adapt([x[: count // 2], x[count // 2 :]])
    assert len(batches.bin_boundaries) == len(mine.bin_boundaries)


def test_in_a_model() -> None:
    x = graphc.Input((3,))
    bins = graphc.layers.Discretization([0.3, 0.6], output_mode="multi_hot")(x)
    model = graphc.Model(x, graphc.layers.Dense(1)(bins))
    model.compile("adam", "mse")
    data = RNG.random((8, 3), "float32")
    model.fit(data, data[:, :1], verbose=0)
    np.testing.assert_allclose(model.predict(data, verbose=0), model(data), rtol=1e-5, atol=1e-6)


def test_errors() -> None:
    layers = graphc.layers
    with pytest.raises(ArgumentError, match="output_mode"):
        layers.CategoryEncoding(3, output_mode="int")
    with pytest.raises(ArgumentError, match="num_tokens"):
        layers.CategoryEncoding()
    with pytest.raises(ArgumentError, match="sparse"):
        layers.CategoryEncoding(3, sparse=True)
    with pytest.raises(DataError, match="no category"):
        layers.CategoryEncoding(3)([[0, 3]])
    with pytest.raises(ArgumentError, match="bin_boundaries"):
        layers.Discretization()
    with pytest.raises(StateError, match="adapt"):
        layers.Discretization(num_bins=3)([1.0])
    with pytest.raises(StateError, match="given"):
        layers.Discretization([1.0]).adapt(np.ones(3))
