"""Eager operations take short cuts: their results, dtypes, errors and gradients are those of the same code traced."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, config, ops, random
from graphc.errors import DTypeError, GraphcError, ShapeError
from graphc.tracing import as_tensor
from graphc.tracing.large import has_compiler

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "pow": lambda x, y: x**y,
    "less": lambda x, y: x < y,
    "equal": lambda x, y: x == y,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "arctan2": ops.arctan2,
    "where": lambda x, y: ops.where(x > y, x, y),
}
DTYPES = ("bool", "uint8", "int8", "int32", "float16", "bfloat16", "float32")


def _operands(dtype: str) -> list[tuple[str, Any, Any]]:
    rng = np.random.default_rng(0)
    x = ops.cast(rng.integers(1, 5, (2, 3)), dtype)
    y = ops.cast(rng.integers(1, 4, (2, 3)), dtype)
    row, one = ops.cast(rng.integers(1, 4, (3,)), dtype), ops.cast(2, dtype)
    return [
        ("the same shape", x, y),
        ("a row", x, row),
        ("a row first", row, x),
        ("a column", x, y[:, :1]),
        ("a scalar", x, one),
        ("a float", x, 2.5),
        ("a float first", 0.5, x),
        ("an int", x, 3),
        ("an int first", 3, x),
        ("a bool", x, True),
        ("zero", x, -0.0),
        ("a variable", x, Variable(y, dtype=dtype)),
        ("an array", x, np.array([1, 2, 3], np.int32)),
        ("a list", x, [1, 2, 3]),
        ("a NumPy number", x, np.float32(1.5)),
        ("another dtype", x, as_tensor(np.array([1.5, 2.5, 3.5], np.float32))),
        ("no elements", x[:0], row),
    ]


def _outcome(run: Callable[[], Any]) -> Any:
    """A result, or the kind of error."""
    try:
        return run()
    except GraphcError as error:
        return type(error)


def _comparable(tensor: Any) -> Any:
    """NumPy does not know that NaNs of bfloat16 are equal."""
    return tensor.numpy().astype(np.float32) if tensor.dtype == "bfloat16" else tensor.numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_short_cuts_compute_what_is_traced(name: str, dtype: str) -> None:
    for kind, x, y in _operands(dtype):
        run = partial(BINARY[name], x, y)
        eager = _outcome(run)
        with graphc.backend("numpy"):
            traced = _outcome(graphc.function(run))
        if isinstance(eager, type) or isinstance(traced, type):
            assert eager is traced, (kind, eager, traced)
            continue
        assert (eager.dtype, eager.shape) == (traced.dtype, traced.shape), kind
        np.testing.assert_array_equal(_comparable(eager), _comparable(traced), err_msg=kind)


@pytest.mark.parametrize(
    ("dtype", "number"), [("uint8", 300), ("uint8", -1), ("int8", 128), ("int32", 2**40), ("float32", 10**400)]
)
def test_numbers_that_a_dtype_cannot_hold(dtype: str, number: int) -> None:
    with pytest.raises(DTypeError):
        ops.cast([1, 2], dtype) + number


def test_shapes_that_do_not_fit_are_errors_with_the_users_line() -> None:
    x, y = ops.ones((2, 3)), ops.ones((2, 4))
    for _ in range(2):  # what is remembered is not the error
        with pytest.raises(ShapeError, match="do not broadcast") as caught:
            x + y
        assert "test_eager" in str(caught.value)
        with pytest.raises(GraphcError):
            ops.reshape(x, (5,))


def test_nothing_warns() -> None:
    x = as_tensor(np.array([3e38, -3e38, 0.0, np.nan], np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in (x * x, x + 1e300, x / 0.0, ops.exp(x), ops.log(x), ops.sum(x * 1e9), ops.matmul(x, x)):
            result.numpy()
        ops.cast(x, "float16")
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        np.float32(3e38) * np.float32(10)  # the user's own setting is as it was


def test_tapes_see_operations_that_take_short_cuts() -> None:
    v = Variable([1.0, 2.0])
    x = as_tensor(np.array([[3.0, 4.0], [5.0, 6.0]], np.float32))
    with graphc.GradientTape() as tape:
        loss = ops.sum((x * v + 1.5) * v / 2.0 - v)
    np.testing.assert_allclose(tape.gradient(loss, v), ops.sum(x * v + 0.75 - 1, axis=0) + [0.0, 0.0], rtol=1e-6)


# ---- large random tensors

LARGE = (1000, 1001)
DRAWS: dict[str, Callable[..., Any]] = {
    "uniform": lambda seed: random.uniform(LARGE, -0.03, 0.05, seed=seed),
    "uniform from 0 to 1": lambda seed: random.uniform(LARGE, seed=seed),
    "float16": lambda seed: random.uniform(LARGE, dtype="float16", seed=seed),
    "normal": lambda seed: random.normal(LARGE, 1.0, 0.02, seed=seed),
    "truncated normal": lambda seed: random.truncated_normal(LARGE, stddev=0.02, seed=seed),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_large_random_tensors_are_those_of_the_interpreter(draw: str) -> None:
    assert has_compiler()
    with graphc.backend("numpy"):
        assert not has_compiler()
        expected = DRAWS[draw](7)
    got = DRAWS[draw](7)
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype) and got.shape == LARGE
    wide, reference = got.numpy().astype("float64"), expected.numpy().astype("float64")
    step = 2e-6 if got.dtype == "float32" else 2e-3
    np.testing.assert_allclose(wide, reference, rtol=step, atol=step * np.abs(reference).max())


def test_generators_count_on_after_large_draws() -> None:
    for backend in ("cpu", "numpy"):
        with graphc.backend(backend):
            generator = random.SeedGenerator(3)
            first, second = (random.uniform(LARGE, seed=generator) for _ in range(2))
            assert not np.array_equal(first, second)
            np.testing.assert_array_equal(generator.state.numpy(), [3, 2])
    with config.override(backend="numpy"):
        np.testing.assert_array_equal(second.numpy(), random.uniform(LARGE, seed=as_tensor(np.array([3, 1]), None)))


def test_large_draws_of_one_seed_do_not_depend_on_the_shape() -> None:
    flat = random.normal((1001 * 1000,), seed=5).numpy()
    np.testing.assert_array_equal(random.normal(LARGE, seed=5).numpy().reshape(-1), flat)
