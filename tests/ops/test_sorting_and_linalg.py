"""Sorting, Cholesky factors and triangular systems, beside Keras."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Input, Model, ops
from graphc.errors import ArgumentError, ShapeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras_ops = pytest.importorskip("keras").ops

RNG = np.random.default_rng(0)
MATRICES = RNG.normal(size=(2, 3, 3)).astype(np.float32)
POSITIVE = MATRICES @ MATRICES.swapaxes(-1, -2) + np.eye(3, dtype=np.float32)
SORTED: tuple[tuple[Any, dict[str, Any]], ...] = (
    ([3, 1, 2], {}),
    ([[3.5, -1, 2], [0, np.inf, -np.inf]], {}),
    ([[3, 1, 2], [0, 5, 4]], {"axis": 0}),
    (RNG.integers(0, 4, (2, 5, 3)), {"axis": 1}),
    (np.float32([2, np.nan, 1, np.nan, -0.0, 0.0]), {}),
    (np.array([True, False, True]), {}),
    (RNG.normal(size=(3, 4)).astype(np.float16), {"axis": -2}),
    (np.zeros((0, 3), np.float32), {}),
)


@pytest.fixture(autouse=True, params=("numpy", "cpu"))
def backend(request: pytest.FixtureRequest) -> Any:
    with graphc.backend(request.param):
        yield


@pytest.mark.parametrize(("x", "options"), SORTED)
def test_sorted_as_keras_does(x: Any, options: dict[str, Any]) -> None:
    for name in ("sort", "argsort"):
        expected = np.asarray(getattr(keras_ops, name)(x, **options))
        for found in (
            getattr(ops, name)(x, **options),
            graphc.function(lambda x, name=name: getattr(ops, name)(x, **options))(np.asarray(x)),
        ):
            np.testing.assert_array_equal(np.asarray(found), expected)
            assert np.asarray(found).dtype == expected.dtype


def test_sorting_in_a_model_that_trains() -> None:
    inputs = Input((5,))
    model = Model(inputs, ops.sum(ops.sort(graphc.layers.Dense(4)(inputs))[:, 1:], axis=-1, keepdims=True))
    model.compile("sgd", "mse")
    x, y = RNG.normal(size=(16, 5)), RNG.normal(size=(16, 1))
    losses = model.fit(x, y, epochs=20, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("x", (POSITIVE, POSITIVE[0], POSITIVE.astype(np.float64), np.eye(2, dtype=np.int32) * 4))
@pytest.mark.parametrize("upper", (False, True))
def test_factors_as_keras_gives_them(x: Any, upper: bool) -> None:
    expected = np.asarray(keras_ops.cholesky(keras_ops.convert_to_tensor(x, "float32"), upper=upper))
    np.testing.assert_allclose(ops.cholesky(x, upper=upper), expected, 1e-5, 1e-6)
    compiled = graphc.function(lambda x: ops.cholesky(x, upper=upper))
    np.testing.assert_allclose(compiled(x), expected, 1e-5, 1e-6)


def test_what_is_not_positive_definite() -> None:
    x = np.float32([[1, 2], [2, 1]])
    with pytest.raises(ArgumentError, match="not positive definite"):
        ops.cholesky(x)
    with pytest.raises(ValueError, match="Cholesky decomposition failed"):
        keras_ops.cholesky(x)
    assert np.isnan(graphc.function(ops.cholesky)(x)).all()


@pytest.mark.parametrize("right", ((2, 3, 4), (2, 3)))
@pytest.mark.parametrize("lower", (False, True))
def test_triangular_systems_as_keras_solves_them(right: tuple[int, ...], lower: bool) -> None:
    b = RNG.normal(size=right).astype(np.float32)
    columns = b if b.ndim == 3 else b[..., None]
    expected = np.asarray(keras_ops.solve_triangular(POSITIVE, columns, lower=lower)).reshape(b.shape)
    np.testing.assert_allclose(ops.solve_triangular(POSITIVE, b, lower=lower), expected, 1e-4, 1e-5)
    compiled = graphc.function(lambda a, b: ops.solve_triangular(a, b, lower=lower))
    np.testing.assert_allclose(compiled(POSITIVE, b), expected, 1e-4, 1e-5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    for wrong in (lambda: ops.cholesky(np.ones((2, 3))), lambda: ops.solve_triangular(np.eye(3), np.ones(2))):
        with pytest.raises(ShapeError):
            wrong()
