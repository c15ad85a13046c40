"""Symbolic sizes: whatever is simplified, the number stays the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphc import dims
from graphc.dims import Dim
from graphc.errors import VerificationError

SIZES = ("B", "N")
AXES = {"i": 5, "j": dims.size("B"), "k": dims.size("N") * 3}


def axis(name: str) -> Dim:
    """An axis of the table above."""
    return dims.axis(name, AXES[name])


def extend(parts: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
    """Larger expressions from smaller ones."""
    positive = st.integers(1, 7) | st.sampled_from([dims.size("B"), dims.size("N") * 2, dims.size("B") + 1])
    return (
        st.tuples(parts, parts).map(lambda p: p[0] + p[1])
        | st.tuples(parts, parts).map(lambda p: p[0] - p[1])
        | st.tuples(parts, parts).map(lambda p: p[0] * p[1])
        | st.tuples(parts, positive).map(lambda p: dims.floordiv(*p))
        | st.tuples(parts, positive).map(lambda p: dims.mod(*p))
        | st.tuples(parts, positive).map(lambda p: dims.floordiv(p[0], p[1]) * p[1] + dims.mod(p[0], p[1]))
    )


OF_SIZES = st.recursive(
    st.integers(-6, 30) | st.sampled_from([dims.size(name) for name in SIZES]), extend, max_leaves=6
)
OF_ALL = st.recursive(
    st.integers(-6, 30) | st.sampled_from([*(dims.size(name) for name in SIZES), *map(axis, AXES)]),
    extend,
    max_leaves=6,
)


@st.composite
def points(draw: Any) -> dict[str, int]:
    """Numbers for all symbols, axes within their extents."""
    sizes = {name: draw(st.integers(1, 9)) for name in SIZES}
    return sizes | {name: draw(st.integers(0, dims.evaluate(extent, sizes) - 1)) for name, extent in AXES.items()}


def reference(build: str, a: int, b: int) -> int:
    """What Python computes."""
    return {"+": a + b, "-": a - b, "*": a * b, "//": a // b, "%": a % b}[build]


@given(OF_ALL, OF_ALL, points())
def test_operators_mean_what_they_mean_for_numbers(a: Dim, b: Dim, point: dict[str, int]) -> None:
    x, y = dims.evaluate(a, point), dims.evaluate(b, point)
    assert dims.evaluate(a + b, point) == x + y
    assert dims.evaluate(a - b, point) == x - y
    assert dims.evaluate(a * b, point) == x * y


@given(OF_ALL, st.integers(1, 9) | st.sampled_from([dims.size("B"), dims.size("N") * 4]), points())
def test_quotient_and_remainder_are_floored(a: Dim, b: Dim, point: dict[str, int]) -> None:
    x, y = dims.evaluate(a, point), dims.evaluate(b, point)
    assert dims.evaluate(dims.floordiv(a, b), point) == x // y
    assert dims.evaluate(dims.mod(a, b), point) == x % y


@given(OF_ALL, points())
def test_bounds_hold(a: Dim, point: dict[str, int]) -> None:
    number = dims.evaluate(a, point)
    low, high = dims.lower_bound(a), dims.upper_bound(a)
    assert low is None or dims.evaluate(low, point) <= number
    assert high is None or dims.evaluate(high, point) >= number
    assert not dims.nonnegative(a) or number >= 0
    for extent in (7, dims.size("B")):
        assert not dims.known_in_range(a, extent) or 0 <= number < dims.evaluate(extent, point)


@given(OF_SIZES)
def test_text_reads_back(a: Dim) -> None:
    assert dims.parse(str(a)) == a


@given(OF_ALL, points())
def test_substitution_of_some_symbols_then_others(a: Dim, point: dict[str, int]) -> None:
    first = dims.substitute(a, {"B": point["B"], "i": point["i"]})
    assert dims.evaluate(first, point) == dims.evaluate(a, point)


@given(OF_ALL, OF_ALL)
def test_equal_expressions_are_equal(a: Dim, b: Dim) -> None:
    assert a + b == b + a
    assert hash(a + b) == hash(b + a)
    assert a * b == b * a
    assert (a + b) - b == a


def test_indices_through_reshapes_collapse() -> None:
    j = dims.axis("j", 784)
    assert 28 * (j // 28) + j % 28 == j
    i, batch = dims.axis("i", dims.size("B")), dims.size("B")
    assert (i * 784 + j) // 784 == i
    assert (i * 784 + j) % 784 == j
    assert dims.floordiv(batch * 12, 4) == 3 * batch


def test_what_is_known_of_sizes() -> None:
    batch = dims.size("B")
    assert dims.nonnegative(batch - dims.floordiv(batch, 2))
    assert not dims.nonnegative(dims.floordiv(batch, 2) * 3 - batch)
    assert dims.nonnegative(2 * batch - dims.floordiv(batch, 2) - dims.floordiv(batch, 3))
    assert dims.nonnegative(batch - 1)
    assert not dims.nonnegative(batch - 2)
    assert dims.nonnegative(dims.floordiv(batch + 1, 2) - 1)
    assert not dims.nonnegative(dims.floordiv(batch - 3, 2))
    assert dims.known_in_range(dims.axis("i", batch) + 2, batch + 2)
    assert not dims.known_in_range(dims.axis("i", batch) + 2, batch + 1)


@pytest.mark.parametrize("text", ["", "B +", "(B", "B B", "2B)", "B / 2", "B ** 2", "é"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        dims.parse(text)


def test_a_missing_symbol_is_named() -> None:
    with pytest.raises(VerificationError, match="not known"):
        dims.evaluate(dims.size("B") + 1, {"N": 2})


def test_a_symbolic_size_has_no_truth_value() -> None:
    with pytest.raises(VerificationError):
        bool(dims.size("B"))
