"""Functions that NumPy lacks: exact to some units in the last place, the same in blocks, on `cpu` the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from graphc import dtypes
from graphc.compiler import compile
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType
from graphc.special_functions import BLOCK, Array, erf, erfc, erfinv, philox, philox_words

SIZES = np.concatenate([10.0 ** np.linspace(-30, 1, 400), np.linspace(0, 6, 2001)])
NUMBERS = np.concatenate([-SIZES, SIZES]).astype(np.float32)
# From the middle to the last float32 before 1.
TAILS = (1 - 2.0 ** -np.linspace(1, 24, 300)).astype(np.float32)
INSIDE = np.concatenate([NUMBERS[np.abs(NUMBERS) < 1], TAILS, -TAILS])


def _each(function: Callable[[float], float], x: Array) -> Array:
    return np.array([function(value) for value in x.astype(np.float64).tolist()])


@pytest.mark.parametrize(("name", "found", "exact"), [("erf", erf, math.erf), ("erfc", erfc, math.erfc)])
def test_error_functions_of_float32_are_near_those_of_the_c_library(
    name: str, found: Callable[[Array], Array], exact: Callable[[float], float]
) -> None:
    got = found(NUMBERS)
    assert got.dtype == np.float32 and found(NUMBERS.astype(np.float64)).dtype == np.float64
    np.testing.assert_allclose(got, _each(exact, NUMBERS), rtol=4e-7, atol=1e-44)
    np.testing.assert_array_equal(found(NUMBERS.astype(np.float64)), _each(exact, NUMBERS))


def test_the_inverse_of_the_error_function_of_float32() -> None:
    np.testing.assert_allclose(erfinv(INSIDE), erfinv(INSIDE.astype(np.float64)), rtol=5e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(dtype: str) -> None:
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(erf(ends), [0, 0, 1, -1, np.nan])
        assert np.signbit(erf(ends)).tolist()[:2] == [False, True]
        np.testing.assert_array_equal(erfc(ends), [1, 1, 0, 2, np.nan])
        found = erfinv(np.array([0.0, 1, -1, 1.5, -2, np.nan], dtype))
    np.testing.assert_array_equal(found, [0, np.inf, -np.inf, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("function", [erf, erfc, erfinv])
@pytest.mark.parametrize("count", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_blocks_make_no_difference(function: Callable[[Array], Array], count: int) -> None:
    x = np.linspace(-0.999, 0.999, 2 * count, dtype=np.float32).reshape(2, count)[:, ::-1]
    whole = np.concatenate([function(x[row, i : i + 1000]) for row in range(2) for i in range(0, count, 1000)])
    np.testing.assert_array_equal(function(x), whole.reshape(x.shape))


def test_c_computes_the_same_inverse() -> None:
    builder = Builder()
    x = builder.input("x", TensorType(INSIDE.shape, dtypes.float32))
    ends = builder.input("ends", TensorType((3,), dtypes.float32))
    graph = builder.finish([builder.apply("erfinv", x), builder.apply("erfinv", ends)])
    got, at_ends = compile(graph, "cpu").run({"x": INSIDE, "ends": np.array([1, -1, 2], np.float32)}, {}, {})
    np.testing.assert_allclose(got, erfinv(INSIDE), rtol=5e-7)
    np.testing.assert_array_equal(at_ends, [np.inf, -np.inf, np.nan])


def test_philox_gives_the_words_of_its_authors() -> None:
    """The known answers of Random123, of which each is the first word."""
    ones = 0xFFFFFFFF
    assert int(philox((0, 0, 0, 0), (0, 0))) == 0x6627E8D5
    assert int(philox((ones,) * 4, (ones,) * 2)) == 0x408F276D
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert int(philox(pi, (0xA4093822, 0x299F31D0))) == 0xD16CFE09


@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 3])
def test_words_are_those_of_their_positions(count: int) -> None:
    expected = philox((np.arange(count, dtype=np.uint32), 0, 0, 0), (5, 6))
    got = philox_words(count, (5, 6))
    assert got.dtype == np.uint32
    np.testing.assert_array_equal(got, expected)
