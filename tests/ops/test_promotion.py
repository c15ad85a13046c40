"""The dtypes of results, for all pairs of dtypes of operands: those of Keras on JAX, whose arrays have no 64 bits."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc
from graphc import Variable, layers, losses, ops
from graphc.errors import DTypeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *INTEGERS, "float16", "bfloat16", "float32", "float64")
NUMBERS: tuple[Any, ...] = (True, 1, 1.5, np.float16(1.5), np.float32(1.5), np.float64(1.5))
NUMBERS += (np.int8(1), np.int64(1), np.bool_(True), [1], [1.5])

# fmt: off
OF_ONE = [
    "abs", "absolute", "all", "amax", "amin", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh",
    "argmax", "argmin", "array", "average", "bitwise_invert", "cbrt", "ceil", "celu", "copy", "cos", "cosh",
    "count_nonzero", "deg2rad", "elu", "empty_like", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "flip",
    "floor", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "isfinite", "isinf", "isnan",
    "leaky_relu", "log", "log1p", "log2", "log10", "log_sigmoid", "log_softmax", "logical_not", "logsumexp", "max",
    "mean", "min", "moments", "nan_to_num", "negative", "norm", "normalize", "ones_like", "prod", "ptp", "rad2deg",
    "ravel", "reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid", "sign", "silu", "sin", "sinh",
    "size", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sqrt", "square",
    "squareplus", "std", "sum", "tan", "tanh", "tanh_shrink", "transpose", "tril", "triu", "trunc", "var",
    "zeros_like",
]
OF_TWO = [
    "add", "subtract", "multiply", "divide", "floor_divide", "mod", "power", "maximum", "arctan2", "matmul", "dot",
    "outer", "tensordot", "less", "logical_and", "bitwise_xor", "left_shift", "divide_no_nan", "logaddexp", "hypot",
    "linspace",
]
# fmt: on
Case = Callable[..., Any]
CASES: dict[str, Case] = {
    "average": lambda o, a, b: o.average(a, weights=b),
    "where": lambda o, a, b: o.where(np.ones((2, 2), bool), a, b),
    "concatenate": lambda o, a, b: o.concatenate([a, b]),
    "stack": lambda o, a, b: o.stack([a, b]),
    "einsum of sums": lambda o, a, b: o.einsum("ij,jk->ik", a, b),
    "einsum of products": lambda o, a, b: o.einsum("ij,kl->ijkl", a, b),
    "clip": lambda o, a, b: o.clip(a, b, b),
    "full_like": lambda o, a, b: o.full_like(a, b[0, 0]),
    **{name: (lambda o, a, b, name=name: getattr(o, name)(a, b)) for name in OF_TWO},
}
OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "pow", "and_", "lt")


def array(dtype: str) -> Any:
    return np.ones((2, 2), ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def of_keras(compute: Callable[[], Any]) -> str | None:
    """The dtype of a result of Keras; None where Keras refuses."""
    try:
        result = jax.eval_shape(compute)
    except Exception:
        return None
    first = result[0] if isinstance(result, list | tuple) else result
    return str(keras.backend.standardize_dtype(first.dtype))


def compare(what: str, compute: Case, *operands: Any) -> list[str]:
    """What differs: nothing, or a line. Where Keras refuses, nothing is asked."""
    expected = of_keras(lambda: compute(keras.ops, *operands))
    if expected is None:
        return []
    try:
        result = compute(ops, *operands)
    except graphc.errors.GraphcError as error:
        return [f"{what}: {type(error).__name__}, expected {expected}"]
    found = (result[0] if isinstance(result, list | tuple) else result).dtype
    return [] if found == expected else [f"{what}: {found}, expected {expected}"]


@pytest.mark.parametrize("name", OF_ONE)
def test_of_one(name: str) -> None:
    wrong = [line for d in DTYPES for line in compare(d, lambda o, x: getattr(o, name)(x), array(d))]
    assert not wrong


@pytest.mark.parametrize("name", CASES)
def test_of_two(name: str) -> None:
    pairs = [(a, b) for a in DTYPES for b in DTYPES]
    assert not [line for a, b in pairs for line in compare(f"{a}, {b}", CASES[name], array(a), array(b))]


@pytest.mark.parametrize("name", ["add", "divide", "power", "maximum", "arctan2", "logaddexp", "hypot", "where"])
def test_with_numbers(name: str) -> None:
    wrong = []
    for dtype in DTYPES:
        for number in NUMBERS:
            what = f"{dtype}, {number!r}"
            wrong += compare(what, CASES[name], array(dtype), number)
            wrong += compare(f"{what}, reversed", CASES[name], number, array(dtype))
    assert not wrong


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_arrays_and_numbers(name: str) -> None:
    function = getattr(operator, name)
    wrong = []
    # Bits are of integers: of each pair with a float JAX makes a long error.
    dtypes = DTYPES[:-4] if name == "and_" else DTYPES
    for a in dtypes:

        def left(o: Any, x: Any, y: Any) -> Any:
            return function(o.convert_to_tensor(x), y)

        def right(o: Any, x: Any, y: Any) -> Any:
            return function(y, o.convert_to_tensor(x))

        others: list[Any] = [array(b) for b in dtypes]
        # JAX's own `**` takes NumPy's integers for constants.
        others += [n for n in NUMBERS if not isinstance(n, list) and (name != "pow" or not isinstance(n, np.integer))]
        for other in others:
            what = f"{a}, {other.dtype if isinstance(other, np.ndarray) else repr(other)}"
            wrong += compare(what, left, array(a), other)
            if not (isinstance(other, np.ndarray) and other.dtype == ml_dtypes.bfloat16):
                wrong += compare(f"{what}, reversed", right, array(a), other)
    assert not wrong


def test_products_of_int8_and_booleans_are_right() -> None:
    wide = np.full((1, 300), 100, "int8")
    assert ops.matmul(wide, wide.T).numpy().tolist() == [[3_000_000]]
    assert ops.einsum("ij,kj->ik", wide, wide).numpy().tolist() == [[3_000_000]]
    assert (ops.convert_to_tensor(wide) @ wide.T).numpy().tolist() == [[3_000_000]]
    many = np.ones((1, 512), bool)
    for found in (ops.matmul(many, many.T), ops.einsum("ij,kj->ik", many, many), ops.dot(many, many.T)):
        assert found.numpy().tolist() == [[True]]


def test_sixty_four_bits_only_where_they_are_asked_for() -> None:
    numbers = np.arange(3.0)
    assert Variable(numbers).dtype == "float32"
    assert ops.mean(numbers).dtype == "float32"
    assert layers.Dense(2)(np.ones((1, 3))).dtype == "float32"
    assert layers.Lambda(lambda x: x * numbers)(np.ones((1, 3), "float32")).dtype == "float32"
    for given in (ops.ones(3), Variable(numbers), graphc.Input((3,))):
        for result in (given * numbers, numbers * given, given + np.float64(1), np.float64(1) + given):
            assert result.dtype == "float32"
            assert type(result) is not np.ndarray
    assert ops.convert_to_tensor(numbers, "float64").dtype == "float64"
    assert ops.cast(numbers, "int64").dtype == "int64"
    assert Variable(numbers, dtype="float64").dtype == "float64"
    assert (ops.cast(numbers, "float64") * ops.ones(3)).dtype == "float64"
    assert layers.Dense(2, dtype="float64")(np.ones((1, 3))).dtype == "float64"
    graphc.config.set_floatx("float64")
    try:
        assert ops.convert_to_tensor(numbers).dtype == "float64"
        assert ops.mean(np.arange(3)).dtype == "float64"
    finally:
        graphc.config.set_floatx("float32")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ops.convert_to_tensor(2**40),
        lambda: ops.convert_to_tensor(-(2**31) - 1),
        lambda: ops.convert_to_tensor([1, 2**40]),
        lambda: ops.convert_to_tensor(2**70),
        lambda: ops.convert_to_tensor(np.array([2**40])),
        lambda: ops.convert_to_tensor(np.array([2**63], "uint64")),
        lambda: ops.convert_to_tensor(300, "uint8"),
        lambda: ops.convert_to_tensor(-1, "uint8"),
        lambda: ops.array(2**31),
        lambda: ops.full((2,), 2**40, "int32"),
        lambda: ops.ones(2, "int8") + 200,
        lambda: ops.equal(np.ones(2, "uint8"), -1),
        lambda: Variable(2**40),
        lambda: Variable(np.array([2**40])),
        lambda: graphc.function(lambda x: x)(np.array([2**40])),
    ],
)
def test_an_integer_that_does_not_fit_is_an_error(make: Callable[[], Any]) -> None:
    with pytest.raises(DTypeError, match=r"does not fit|cannot be a tensor"):
        make()


def test_integers_that_fit() -> None:
    assert ops.convert_to_tensor(2**31 - 1).numpy() == 2**31 - 1
    assert ops.convert_to_tensor(2**40, "int64").numpy() == 2**40
    assert ops.convert_to_tensor(np.array([2**40]), "int64").numpy().tolist() == [2**40]
    assert ops.convert_to_tensor([2**40, 0.5]).dtype == "float32"
    assert ops.arange(np.float32(3.5)).dtype == "float32"


LOSSES = [
    name
    for name in dir(losses)
    if name.islower() and hasattr(keras.losses, name) and name not in ("get", "serialize", "deserialize")
]


@pytest.mark.parametrize("name", [name for name in LOSSES if callable(getattr(losses, name))])
def test_losses(name: str) -> None:
    wrong = []
    for dtype in ("bool", "int32", "float16", "bfloat16", "float32", "float64"):
        for target in ("int32", "float16", "float64"):
            predicted, wanted = array(dtype), array(target)
            wanted = wanted[:, 0] if name.startswith("sparse") else wanted
            expected = of_keras(lambda w=wanted, p=predicted: getattr(keras.losses, name)(w, p))
            found = getattr(losses, name)(wanted, predicted).dtype if expected else None
            wrong += [f"{dtype}, {target}: {found}, expected {expected}"] if found != expected else []
    assert not wrong
