"""Functions of `graphc.ops`, losses and metrics against Keras 3 on JAX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from graphc import losses, metrics, ops

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4)).astype("float32")
B = RNG.normal(size=(3, 4)).astype("float32")
P = RNG.uniform(0.1, 0.9, (3, 4)).astype("float32")
I = RNG.integers(-3, 9, (3, 4)).astype("int32")  # noqa: E741
T = RNG.normal(size=(2, 3, 4)).astype("float32")
S = A @ A.T

# fmt: off
UNARY = [
    "absolute", "arccos:p", "arcsin:p", "arcsinh", "arctan", "arctanh:p", "cbrt", "ceil", "cos", "cosh",
    "deg2rad", "erf", "erfc", "erfinv:p", "exp", "exp2", "expm1", "floor", "isfinite", "isinf", "isnan",
    "log:p", "log10:p", "log1p:p", "log2:p", "logical_not", "negative", "rad2deg", "reciprocal", "round",
    "rsqrt:p", "sign", "sin", "sinh", "sqrt:p", "square", "tan", "tanh", "trunc", "celu", "elu", "gelu",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu",
    "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "squareplus", "tanh_shrink", "glu", "mean", "sum", "max", "min", "prod", "any", "all",
    "argmax", "argmin", "std", "var", "logsumexp", "count_nonzero", "ravel", "transpose", "flip", "triu",
    "tril", "normalize", "ones_like", "zeros_like",
]
BINARY = [
    "add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "mod", "maximum", "minimum",
    "arctan2", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and",
    "logical_or", "logical_xor", "divide_no_nan", "logaddexp", "hypot", "outer",
]
# fmt: on


def same(name: str, *args: Any, **kwargs: Any) -> None:
    expected, found = getattr(keras.ops, name)(*args, **kwargs), getattr(ops, name)(*args, **kwargs)
    if not isinstance(expected, list | tuple):
        expected, found = [expected], [found]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == keras.backend.standardize_dtype(b.dtype), name
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("name", UNARY)
def test_of_one(name: str) -> None:
    name, _, positive = name.partition(":")
    same(name, P if positive else A)


@pytest.mark.parametrize("name", BINARY)
def test_of_two(name: str) -> None:
    same(name, A, B)
    same(name, A, B[0])
    if name != "outer":
        same(name, A[:, :1], B)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("add", (I, 1.5)),
        ("add", (I, 2)),
        ("add", (I.astype("uint8"), I.astype("int8"))),
        ("multiply", (I > 0, 3)),
        ("divide", (I, 2)),
        ("power", (P, 2.5)),
        ("power", (I, 2)),
        ("mean", (I,)),
        ("sum", (I > 0,)),
        ("exp", (I,)),
        ("matmul", (A, B.T)),
        ("matmul", (T, B.T)),
        ("matmul", (T, T.transpose(0, 2, 1))),
        ("matmul", (A[0], B.T)),
        ("dot", (T, B.T)),
        ("tensordot", (T, B, [[1, 2], [0, 1]])),
        ("einsum", ("bij,kj->bki", T, A)),
        ("einsum", ("ij->j", A)),
        ("inner", (A, B)),
        ("where", (A > 0, A, 0.0)),
        ("clip", (A, -0.5, 0.5)),
        ("reshape", (A, (2, -1))),
        ("moveaxis", (T, 0, -1)),
        ("swapaxes", (T, 0, 2)),
        ("expand_dims", (A, (0, -1))),
        ("squeeze", (A[:, :1],)),
        ("broadcast_to", (A, (2, 3, 4))),
        ("concatenate", ([A, B], 1)),
        ("stack", ([A, B], -1)),
        ("split", (A, 2, 1)),
        ("split", (A, [1, 3], 1)),
        ("unstack", (A, None, 0)),
        ("roll", (A, 2)),
        ("roll", (A, -1, 1)),
        ("pad", (A, ((1, 0), (0, 2)))),
        ("tile", (A, (2, 1, 3))),
        ("repeat", (A, 2, 1)),
        ("take", (A, np.array([[2, -1], [0, 0]]), 0)),
        ("take_along_axis", (A, np.array([[3, -1], [0, 1], [2, 2]]), 1)),
        ("slice", (A, (1, 0), (2, 3))),
        ("mean", (T, (0, 2), True)),
        ("var", (T, 1)),
        ("max", (T, -1, True)),
        ("argmax", (T, 1)),
        ("average", (A, 1, np.arange(4.0, dtype="float32"))),
        ("norm", (A,)),
        ("norm", (A, 1, 1)),
        ("linspace", (0.0, 2.0, 5)),
        ("arange", (2, 9, 3)),
        ("arange", (4,)),
        ("eye", (3, 4, 1)),
        ("tri", (3,)),
        ("full", ((2, 3), 7)),
        ("one_hot", (I, 5)),
        ("one_hot", (I, 5, 0)),
        ("cast", (A, "int32")),
        ("gelu", (A, False)),
        ("softmax", (T, (1, 2))),
        ("moments", (T, (0, 1))),
        ("nan_to_num", (np.array([np.nan, np.inf, -np.inf, 1], "float32"),)),
        ("layer_normalization", (A,)),
        ("max_pool", (T[..., None], 2, 1, "same")),
        ("average_pool", (T[..., None], 2, 2, "same")),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_of_many(name: str, args: tuple[Any, ...]) -> None:
    same(name, *args)


LABELS = np.array([1, 3, 0])
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
PAIRS: dict[str, tuple[Any, Any]] = {
    "CategoricalCrossentropy": (ONE_HOT, P),
    "SparseCategoricalCrossentropy": (LABELS, P),
    "BinaryCrossentropy": (ONE_HOT, P),
    "BinaryFocalCrossentropy": (ONE_HOT, P),
    "CategoricalFocalCrossentropy": (ONE_HOT, P),
    "MeanSquaredLogarithmicError": (P, P[::-1]),
    "Poisson": (P, P[::-1]),
    "KLDivergence": (P, P[::-1]),
    "Hinge": (ONE_HOT, A),
    "SquaredHinge": (ONE_HOT, A),
    "CategoricalHinge": (ONE_HOT, A),
    **dict.fromkeys(("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError"), (B, A)),
    **dict.fromkeys(("Huber", "LogCosh", "CosineSimilarity"), (B, A)),
    **dict.fromkeys(("Dice", "Tversky"), (ONE_HOT, P)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_losses(name: str) -> None:
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    y_true, y_pred = PAIRS[name]
    # Keras leaves these arguments out, and loses them when a model is loaded.
    lost = {"axis": -1, "delta": 1.0}
    config, expected = ours().get_config(), theirs().get_config()
    assert expected.items() <= config.items() <= (lost | expected).items()
    np.testing.assert_allclose(float(ours()(y_true, y_pred)), float(theirs()(y_true, y_pred)), rtol=1e-5)
    if name in ("Dice", "Tversky"):
        return
    weights = np.array([0.5, 2.0, 1.0], "float32")
    for reduction in ("sum", "mean", "mean_with_sample_weight", "sum_over_batch_size"):
        found = ours(reduction=reduction)(y_true, y_pred, weights)
        expected = theirs(reduction=reduction)(y_true, y_pred, weights)
        np.testing.assert_allclose(float(found), float(expected), rtol=1e-5, err_msg=reduction)
    found = ours(reduction="none")(y_true, y_pred).numpy()
    np.testing.assert_allclose(found, np.asarray(theirs(reduction="none")(y_true, y_pred)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"])
def test_losses_of_logits(name: str) -> None:
    y_true = LABELS if name.startswith("Sparse") else ONE_HOT
    for scale in (1.0, 30.0):
        found = getattr(losses, name)(from_logits=True)(y_true, A * scale)
        expected = getattr(keras.losses, name)(from_logits=True)(y_true, A * scale)
        np.testing.assert_allclose(float(found), float(expected), rtol=1e-5)
        # A softmax or sigmoid before the loss takes another way to the same number.
        function = "sigmoid" if name.startswith("Binary") else "softmax"
        found = getattr(losses, name)()(y_true, getattr(ops, function)(A * scale))
        expected = getattr(keras.losses, name)()(y_true, getattr(keras.ops, function)(A * scale))
        np.testing.assert_allclose(float(found), float(expected), rtol=1e-4)


METRICS: dict[str, tuple[Any, Any]] = {
    "Accuracy": (I, I.clip(0)),
    "BinaryAccuracy": (ONE_HOT, P),
    "CategoricalAccuracy": (ONE_HOT, P),
    "SparseCategoricalAccuracy": (LABELS, P),
    "SparseCategoricalCrossentropy": (LABELS, P),
    "CategoricalCrossentropy": (ONE_HOT, P),
    "BinaryCrossentropy": (ONE_HOT, P),
    "Precision": (ONE_HOT, P),
    "Recall": (ONE_HOT, P),
    "TruePositives": (ONE_HOT, P),
    "FalseNegatives": (ONE_HOT, P),
    "MeanSquaredError": (B, A),
    "RootMeanSquaredError": (B, A),
    "MeanAbsoluteError": (B, A),
    "CosineSimilarity": (B, A),
    "KLDivergence": (P, P[::-1]),
    "LogCoshError": (B, A),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str) -> None:
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    y_true, y_pred = METRICS[name]
    weights = np.array([0.5, 2.0, 1.0], "float32")
    for metric in (ours, theirs):
        metric.update_state(y_true, y_pred)
        metric.update_state(y_true[:2], y_pred[:2], weights[:2])
    np.testing.assert_allclose(float(ours.result()), float(theirs.result()), rtol=1e-5)
    ours.reset_state()
    assert float(ours.result()) == 0


@pytest.mark.parametrize("k", [1, 2])
def test_top_k(k: int) -> None:
    ours, theirs = metrics.SparseTopKCategoricalAccuracy(k), keras.metrics.SparseTopKCategoricalAccuracy(k)
    for metric in (ours, theirs):
        metric.update_state(LABELS, P)
    assert float(ours.result()) == float(theirs.result())
