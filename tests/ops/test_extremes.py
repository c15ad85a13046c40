"""Compositions at infinities, at zeros and equal arguments, near overflow and at kinks, against Keras on JAX."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, activations, losses, ops
from graphc.tracing import Tensor

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

INF, NAN = float("inf"), float("nan")
# fmt: off
POINTS = np.array(
    [INF, -INF, NAN, 0, -0.0, 1, -1, 3, -3, 6, -6, 0.5, -0.5, 2, -2, 1.5, -1.5, 2.5, 11, 12, -14, 20, -20, 88, 89, -88,
     90, -104, 1e4, 1e20, -1e20, 3e38, -3e38, 1e-20, -1e-20, 1e-4, 0.99999994, -0.99999994, 1.0000001], "float32")
SPECIAL = (INF, -INF, NAN, 0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 0.5, 1e20, -1e20, 3e38, -3e38, 1e-20)
ROWS = np.array(
    [[INF, 1], [INF, INF], [-INF, -INF], [-INF, 1], [NAN, 1], [0, 0], [1, 1], [3e38, 3e38], [1e20, 1e20], [-1, 1],
     [1e-30, 1e-30], [88, 89], [1e4, -1e4], [3, 4], [0, 5], [INF, -INF], [100, -100], [0, 1]], "float32")
OF_ONE = [
    "abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "celu", "cos", "cosh",
    "deg2rad", "elu", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "gelu", "hard_shrink",
    "hard_sigmoid", "hard_silu", "hard_tanh", "isfinite", "isinf", "isnan", "leaky_relu", "log", "log1p", "log2",
    "log10", "log_sigmoid", "nan_to_num", "negative", "rad2deg", "reciprocal", "relu", "relu6", "round", "rsqrt",
    "selu", "sigmoid", "sign", "silu", "sin", "sinh", "soft_shrink", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "sqrt", "square", "squareplus", "tan", "tanh", "tanh_shrink", "trunc",
]
# fmt: on


class Both:
    """The functions that a case calls: of graphc, or of Keras."""

    def __init__(self, ops: Any, losses: Any, activations: Any) -> None:
        self.ops, self.losses, self.activations = ops, losses, activations

    def loss(self, name: str, x: Any, **kwargs: Any) -> Any:
        """A loss of single numbers, the target being a quarter."""
        column = self.ops.reshape(x, (-1, 1))
        return getattr(self.losses, name)(self.ops.zeros_like(column) + 0.25, column, **kwargs)

    def of_classes(self, name: str, x: Any, **kwargs: Any) -> Any:
        """A loss of two classes, whose scores are the number and a half."""
        column = self.ops.reshape(x, (-1, 1))
        zeros = self.ops.zeros_like(column)
        wanted = self.ops.concatenate([zeros + 1, zeros], 1)
        return getattr(self.losses, name)(wanted, self.ops.concatenate([column, zeros + 0.5], 1), **kwargs)


OURS = Both(ops, losses, activations)
THEIRS = Both(keras.ops, keras.losses, keras.activations)
Case = Callable[..., Any]
AT_POINTS: dict[str, Case] = {
    **{name: (lambda k, x, name=name: getattr(k.ops, name)(x)) for name in OF_ONE},
    "exact gelu": lambda k, x: k.ops.gelu(x, approximate=False),
    "round to tenths": lambda k, x: k.ops.round(x, 1),
    "threshold": lambda k, x: k.ops.threshold(x, 1.0, 0.0),
    **{f"power {n}": (lambda k, x, n=n: k.ops.power(x, n)) for n in (0, 0.5, 2, 3, 2.5, -1, -2.0)},
    "power of 2": lambda k, x: k.ops.power(2.0, x),
    "clip": lambda k, x: k.ops.clip(x, -1, 1),
    "mod 2": lambda k, x: k.ops.mod(x, 2.0),
    "maximum 0": lambda k, x: k.ops.maximum(x, 0.0),
    "minimum 1": lambda k, x: k.ops.minimum(x, 1.0),
    "sloped relu": lambda k, x: k.activations.relu(x, negative_slope=0.1),
    "sloped relu from 1": lambda k, x: k.activations.relu(x, negative_slope=0.1, threshold=1.0),
    "relu to 6": lambda k, x: k.activations.relu(x, max_value=6.0),
    "relu to 3": lambda k, x: k.activations.relu(x, max_value=3.0),
    "relu from 1 to 3": lambda k, x: k.activations.relu(x, max_value=3.0, threshold=1.0),
    "mish": lambda k, x: k.activations.mish(x),
    **{
        name: (lambda k, x, name=name: k.loss(name, x))
        for name in (
            "huber",
            "log_cosh",
            "mean_absolute_error",
            "mean_squared_error",
            "mean_absolute_percentage_error",
            "mean_squared_logarithmic_error",
            "poisson",
            "hinge",
            "squared_hinge",
            "binary_crossentropy",
            "kl_divergence",
        )
    },
    "error of itself": lambda k, x: k.losses.mean_absolute_error(
        k.ops.reshape(x * 0, (-1, 1)), k.ops.reshape(x, (-1, 1))
    ),
    "binary_crossentropy of logits": lambda k, x: k.loss("binary_crossentropy", x, from_logits=True),
    "categorical_hinge": lambda k, x: k.of_classes("categorical_hinge", x),
    "categorical_crossentropy of logits": lambda k, x: k.of_classes("categorical_crossentropy", x, from_logits=True),
}
AT_PAIRS: dict[str, Case] = {
    name: (lambda k, x, y, name=name: getattr(k.ops, name)(x, y))
    for name in [
        "add",
        "subtract",
        "multiply",
        "divide",
        "floor_divide",
        "mod",
        "power",
        "maximum",
        "minimum",
        "arctan2",
        "divide_no_nan",
        "logaddexp",
        "hypot",
    ]
}
AT_ROWS: dict[str, Case] = {
    **{
        name: (lambda k, x, name=name: getattr(k.ops, name)(x, axis=1))
        for name in [
            "logsumexp",
            "softmax",
            "log_softmax",
            "norm",
            "normalize",
            "std",
            "var",
            "mean",
            "max",
            "min",
            "sum",
            "any",
            "all",
            "argmin",
            "prod",
        ]
    },
    "norm 1": lambda k, x: k.ops.norm(x, 1, axis=1),
    "norm 3": lambda k, x: k.ops.norm(x, 3, axis=1),
    "average": lambda k, x: k.ops.average(x, axis=1, weights=np.array([1, 3], "float32")),
    "rms_normalization": lambda k, x: k.ops.rms_normalization(x),
    "variance": lambda k, x: k.ops.moments(x, [1])[1],
    "cosine_similarity": lambda k, x: k.losses.cosine_similarity(x * 0 + np.array([1, 2], "float32"), x),
    "dice": lambda k, x: k.losses.dice(x * 0 + 1, x, axis=1),
    "glu": lambda k, x: k.ops.glu(x),
    "sparse_categorical_crossentropy": lambda k, x: k.losses.sparse_categorical_crossentropy(
        np.zeros(len(ROWS), int), x, from_logits=True
    ),
}
# Where graphc gives another number, and why.
DIFFERENT = {
    # The limit of the sum's share, and not `exp(x)` of an argument beside an infinite one.
    "logaddexp": lambda x, y: (abs(x) > 1e19) & (abs(x) == abs(y)) | np.isinf(x) | np.isinf(y),
    # XLA divides by the square of the divisor, which leaves the range, and flushes what is below it to 0.
    "divide": lambda x, y: (abs(y) > 1e19) | (abs(y) < 1e-19),
    "divide_no_nan": lambda x, y: (abs(y) > 1e19) | (abs(y) < 1e-19),
    # What is chosen is no number; one of the two operands gets the cotangent.
    "maximum": lambda x, y: np.isnan(x) | np.isnan(y),
    "minimum": lambda x, y: np.isnan(x) | np.isnan(y),
    # NumPy has no whole quotient of an infinity.
    "mod": lambda x, y: np.isinf(x),
    # Of equal legs JAX's slopes are one and a half times what they are, and a half at 0.
    "hypot": lambda x, y: abs(x) == abs(y),
    # The sign of the root of -0.
    "power 0.5": lambda x: x == 0,
    "hard_tanh": np.isnan,
}


def results(backend: str, cases: dict[str, Case], *arrays: Any) -> list[Any]:
    """Values and gradients of all cases, from one program."""
    variables = [Variable(array) for array in arrays]

    def run() -> list[Tensor]:
        found: list[Tensor] = []
        for case in cases.values():
            with graphc.GradientTape() as tape:
                value = ops.cast(case(OURS, *(v.value for v in variables)), "float32")
                total = ops.sum(value)
            found += [value, *_slopes(tape, total, variables)]
        return found

    with graphc.backend(backend):
        return [tensor.numpy() for tensor in graphc.function(run)()]


def _slopes(tape: graphc.GradientTape, total: Tensor, variables: Sequence[Variable]) -> list[Tensor]:
    try:
        return list(tape.gradient(total, list(variables), unconnected_gradients="zero"))
    except graphc.errors.ArgumentError:  # a function without a gradient
        return [ops.zeros_like(v.value) for v in variables]


PAIRS = tuple(np.array([(a, b) for a in SPECIAL for b in SPECIAL], "float32").T)
TABLES: dict[str, tuple[dict[str, Case], tuple[Any, ...]]] = {
    "points": (AT_POINTS, (POINTS,)),
    "pairs": (AT_PAIRS, PAIRS),
    "rows": (AT_ROWS, (ROWS,)),
}


@functools.cache
def expected(table: str) -> list[list[Any]]:
    """Values and gradients of all cases of a table, from Keras."""
    cases, arrays = TABLES[table]

    @jax.jit
    def run(*arrays: Any) -> list[Any]:
        found = []
        for case in cases.values():
            value, back = jax.vjp(lambda *x, case=case: keras.ops.cast(case(THEIRS, *x), "float32"), *arrays)
            found.append([value, *back(jax.numpy.ones_like(value))])
        return found

    return [[np.asarray(part) for part in parts] for parts in run(*arrays)]


BACKENDS = pytest.mark.parametrize("backend", ["numpy", "cpu"])


@BACKENDS
@pytest.mark.parametrize("table", TABLES)
def test_as_keras_has_it(table: str, backend: str) -> None:
    cases, arrays = TABLES[table]
    found = iter(results(backend, cases, *arrays))
    with np.errstate(all="ignore"):
        for name, (value, *slopes) in zip(cases, expected(table), strict=True):
            np.testing.assert_allclose(next(found), value, rtol=2e-5, atol=1e-6, err_msg=name)
            for slope in slopes:
                # Where Keras has no number for a slope, any is right.
                asked = np.isfinite(slope)
                if name in DIFFERENT:
                    asked &= ~np.asarray(DIFFERENT[name](*arrays))
                # The slope of gelu at -6 is 28 times `1 + tanh(y)`, a multiple of 6e-8: 3e-6 is one rounding of tanh.
                atol = 5e-6 if name == "gelu" else 1e-6
                close = np.isclose(ours := next(found), slope, rtol=2e-5, atol=atol) | ~asked
                assert close.all(), (name, [a[~close] for a in (*arrays, ours, slope)])


@BACKENDS
def test_slopes_that_keras_has_not(backend: str) -> None:
    """Finite and right where Keras on JAX has NaN."""
    x = np.array([INF, -INF, 3, 3e38, 1e20, 0], "float32")
    y = np.array([INF, -INF, INF, 0, 1e20, 0], "float32")
    found = results(backend, {"logaddexp": AT_PAIRS["logaddexp"], "hypot": AT_PAIRS["hypot"]}, x, y)
    np.testing.assert_allclose(found[0], [INF, -INF, INF, 3e38, 1e20, np.log(2)], rtol=1e-6)
    np.testing.assert_array_equal(found[1], [0.5, 0.5, 0, 1, 0.5, 0.5])
    np.testing.assert_array_equal(found[2], [0.5, 0.5, 1, 0, 0.5, 0.5])
    np.testing.assert_allclose(found[3], [INF, INF, INF, 3e38, 2**0.5 * 1e20, 0], rtol=1e-6)
    np.testing.assert_allclose(found[4][2:], [0, 1, 0.5**0.5, 0], rtol=1e-6)
    np.testing.assert_allclose(found[5][2:], [1, 0, 0.5**0.5, 0], rtol=1e-6)


@BACKENDS
def test_floats_that_no_integer_can_hold(backend: str) -> None:
    """The nearest end of the range, and 0 for NaN: on every backend, from tensors and from arrays."""
    x = np.array(
        [NAN, INF, -INF, 1e10, -1e10, 300.7, -300.7, 2**31, -(2**31) - 256, 2**32, -1, 0.5, 127.9, 255.5], "float32"
    )
    names = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "bool")
    with graphc.backend(backend):
        found = graphc.function(lambda x: [ops.cast(x, name) for name in names])(x)
        halves = graphc.function(lambda x: ops.cast(ops.cast(x, "float16"), "int16"))(x)
    for name, result in zip(names, found, strict=True):
        wanted = np.asarray(keras.ops.cast(jax.numpy.asarray(x), name))
        np.testing.assert_array_equal(result.numpy(), wanted, err_msg=name)
        np.testing.assert_array_equal(ops.convert_to_tensor(x, name).numpy(), wanted, err_msg=name)
    wanted = np.asarray(keras.ops.cast(jax.numpy.asarray(x, "float16"), "int16"))
    np.testing.assert_array_equal(halves.numpy(), wanted)
