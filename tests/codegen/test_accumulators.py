"""Sums of many elements: nearly exact, and the same on every backend, whatever they are fused with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc
from graphc import config, layers, losses, ops
from graphc.compiler import compile
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType
from tests.support.backends import COMPILED, Run, run_interpreter

Array = np.ndarray[Any, Any]
ROWS = 200_000
RNG = np.random.default_rng(0)
# Positive, so that rounding errors of sums that are formed one by one do not cancel.
LONG = np.full((ROWS, 5), 0.1, np.float32)
WIDE = RNG.uniform(0.5, 1.5, (3, 60_000)).astype(np.float32)
IMAGES = RNG.normal(3, 1, (64, 28, 28, 8)).astype(np.float32)
VECTOR = RNG.uniform(0, 1, ROWS).astype(np.float32)
INPUTS: Mapping[str, Array] = {"long": LONG, "wide": WIDE, "images": IMAGES, "vector": VECTOR}

Tensors = Mapping[str, Any]
# What is formed, and what it is in float64.
CASES: Mapping[str, tuple[Callable[[Tensors], Any], Callable[[Mapping[str, Array]], Any]]] = {
    "sum of rows": (lambda t: ops.sum(t["wide"], axis=1), lambda a: a["wide"].sum(1)),
    "sum of columns": (lambda t: ops.sum(t["long"], axis=0), lambda a: a["long"].sum(0)),
    "mean of columns": (lambda t: ops.mean(t["long"], axis=0), lambda a: a["long"].mean(0)),
    "mean of all": (lambda t: ops.mean(t["long"]), lambda a: a["long"].mean()),
    "variance": (lambda t: ops.var(t["images"], axis=(0, 1, 2)), lambda a: a["images"].var((0, 1, 2))),
    "variance of all": (lambda t: ops.var(t["images"]), lambda a: a["images"].var()),
    "deviation": (lambda t: ops.std(t["vector"]), lambda a: a["vector"].std()),
    "sums and an extremum": (
        lambda t: ops.sum(t["long"], axis=0) + ops.max(t["long"], axis=0),
        lambda a: a["long"].sum(0) + a["long"].max(0),
    ),
    "sum of the middle axis": (
        lambda t: ops.sum(ops.reshape(t["images"], (4, 12_544, 8)), axis=1),
        lambda a: a["images"].reshape(4, 12_544, 8).sum(1),
    ),
    "logarithm of a sum of exponentials": (
        lambda t: ops.logsumexp(t["wide"], axis=1),
        lambda a: np.log(np.exp(a["wide"]).sum(1)),
    ),
    "largest weight of a softmax": (
        lambda t: ops.max(ops.softmax(t["wide"], axis=1), axis=1),
        lambda a: np.exp(a["wide"].max(1)) / np.exp(a["wide"]).sum(1),
    ),
    "scalar product": (lambda t: ops.sum(t["vector"] * t["vector"]), lambda a: a["vector"] @ a["vector"]),
    "squared error": (
        lambda t: losses.mean_squared_error(ops.reshape(t["vector"], (1, ROWS)), ops.zeros((1, ROWS))),
        lambda a: (a["vector"] ** 2).mean(),
    ),
    "global pooling": (
        lambda t: layers.GlobalAveragePooling1D()(ops.reshape(t["long"], (1, ROWS, 5))),
        lambda a: a["long"].mean(0),
    ),
    "pooling": (
        lambda t: ops.average_pool(t["images"], 28, 28)[:, 0, 0, 0],
        lambda a: a["images"].mean((1, 2))[:, 0],
    ),
    "normalized rows": (
        lambda t: ops.max(layers.LayerNormalization(epsilon=0.5)(t["wide"]), axis=1),
        lambda a: ((a["wide"] - a["wide"].mean(1, keepdims=True)) / np.sqrt(a["wide"].var(1, keepdims=True) + 0.5)).max(
            1
        ),
    ),
}


@pytest.mark.parametrize("backend, threads", (("numpy", 1), ("cpu", 1), ("cpu", 2)))
def test_sums_of_many_elements_are_nearly_exact(backend: str, threads: int) -> None:
    wide = {name: array.astype(np.float64) for name, array in INPUTS.items()}
    with config.override(backend=backend, threads=threads):
        results = graphc.function(lambda tensors: [form(tensors) for form, _ in CASES.values()])(dict(INPUTS))
    for name, result, (_, exact) in zip(CASES, results, CASES.values(), strict=True):
        np.testing.assert_allclose(np.asarray(result, np.float64).squeeze(), exact(wide), 4e-7, err_msg=name)


@pytest.mark.parametrize("rows, columns", ((1, 1), (3, 16), (65, 3), (8, 40)))
@pytest.mark.parametrize("left, right", ((False, False), (True, False), (True, True)))
def test_deep_products_are_nearly_exact(rows: int, columns: int, left: bool, right: bool) -> None:
    """Blocks of the depth are added up by themselves."""
    a = np.full((ROWS, rows) if left else (rows, ROWS), 0.1, np.float32)
    b = np.full((columns, ROWS) if right else (ROWS, columns), 0.1, np.float32)

    def product(a: Any, b: Any) -> Any:
        return ops.matmul(ops.transpose(a) if left else a, ops.transpose(b) if right else b)

    with config.override(backend="cpu"):
        got = np.asarray(graphc.function(product)(a, b), np.float64)
    np.testing.assert_allclose(got, ROWS * np.float64(np.float32(0.1)) ** 2, 4e-6)


def test_gradients_of_weights_over_many_samples_are_nearly_exact() -> None:
    with config.override(backend="cpu"):
        dense = layers.Dense(8, kernel_initializer="zeros")
        model = graphc.Sequential([graphc.Input((4,)), dense])
        model.compile(graphc.optimizers.SGD(1.0), "mae")
        model.train_on_batch(np.full((ROWS, 4), 0.1, np.float32), np.ones((ROWS, 8), np.float32))
    np.testing.assert_allclose(dense.kernel.numpy(), 0.1 / 8, 1e-5)


def summed(dtype: Any, shape: tuple[int, ...], op: str = "sum", **attrs: Any) -> tuple[Any, dict[str, Array]]:
    """A graph that combines an array, and the array."""
    builder = Builder({})
    x = builder.input("x", TensorType(shape, graphc.dtypes.as_dtype(dtype)))
    values = np.random.default_rng(1).uniform(0, 2, shape).astype(dtype)
    return builder.finish([builder.apply(op, x, **attrs)]), {"x": values}


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("dtype", (np.float16, ml_dtypes.bfloat16, np.float32))
@pytest.mark.parametrize(
    "shape, op, attrs",
    (
        ((30_000, 7), "sum", {"axes": (0,)}),
        ((7, 30_000), "sum", {"axes": (1,)}),
        ((7, 30_001), "sum", {"axes": (0, 1)}),
        ((2, 6000, 9), "sum", {"axes": (1,)}),
        ((30_000, 2), "cumsum", {"axis": 0, "reverse": False}),
        ((2, 30_000), "cumsum", {"axis": 1, "reverse": True}),
    ),
)
def test_backends_agree_on_sums(run: Run, dtype: Any, shape: tuple[int, ...], op: str, attrs: dict[str, Any]) -> None:
    """To the bit where elements are halves, and within a rounding where they are float32."""
    graph, inputs = summed(dtype, shape, op, **attrs)
    (got,), (wanted,) = run(graph, inputs, {}), run_interpreter(graph, inputs, {})
    if dtype is np.float32:
        np.testing.assert_array_max_ulp(got, wanted, 1)
    else:
        np.testing.assert_array_equal(got.astype(np.float32), wanted.astype(np.float32))


def test_short_sums_are_not_widened() -> None:
    for shape, axes, wide in (
        ((9, 64), (1,), False),
        ((64, 9), (0,), False),
        ((65, 9), (0,), True),
        ((9, 256), (1,), False),
    ):
        graph, _ = summed(np.float32, shape, axes=axes)
        (kernel,) = compile(graph, "cpu").compilation.kernels.values()
        assert ("double" in compile(graph, "cpu").compilation.source.kernels[kernel.name]) == wide


def test_gradients_of_biases_and_statistics_in_training_are_nearly_exact() -> None:
    """A step by stochastic gradient descent with a rate of 1 moves a bias by its gradient, a sum over all samples."""
    x = np.random.default_rng(2).uniform(1, 3, (60_000, 3)).astype(np.float32)
    with config.override(backend="cpu"):
        normalization = layers.BatchNormalization(momentum=0.0, center=False, scale=False)
        dense = layers.Dense(2, kernel_initializer="zeros")
        model = graphc.Sequential([graphc.Input((3,)), normalization, dense])
        model.compile(graphc.optimizers.SGD(1.0), "mae")
        loss = model.train_on_batch(x, np.full((60_000, 2), 0.1, np.float32))
    wide = x.astype(np.float64)
    np.testing.assert_allclose(normalization.moving_mean.numpy(), wide.mean(0), 2e-7)
    np.testing.assert_allclose(normalization.moving_variance.numpy(), wide.var(0), 4e-7)
    np.testing.assert_allclose(dense.bias.numpy(), 0.5, 4e-7)
    np.testing.assert_allclose(np.float64(np.asarray(loss)), np.float64(np.float32(0.1)), 2e-7)
