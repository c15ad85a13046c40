"""Partial results along an axis: cumulative sums, products, maxima and minima, from either end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.exprs import Expr
from graphc.graph.builder import Applied, Value
from graphc.graph.registry import Case, Kind, Primitive, Reader, ScanRule, register
from graphc.graph.types import TensorType
from graphc.primitives.base import NUMBERS, REALS, Array, accumulator, check_axes, check_dtype, full_like, together
from graphc.primitives.batching import over_axes
from graphc.primitives.indexing import added_up

Grads = Sequence[Value | None]


def _infer(name: str, allowed: Sequence[str]) -> Callable[..., TensorType]:
    def infer(x: TensorType, axis: int, reverse: bool) -> TensorType:
        check_dtype(name, x, allowed)
        check_axes(name, (axis,), x.rank)
        return x

    return infer


def _eval(combine: str, function: np.ufunc) -> Callable[..., Array]:
    def evaluate(x: Array, axis: int, reverse: bool) -> Array:
        dtype = dtypes.as_dtype(x.dtype)
        wide = x.astype(dtype.accumulator.numpy, copy=False)
        ordered = np.flip(wide, axis) if reverse else wide
        with np.errstate(all="ignore"):
            total = function.accumulate(ordered, axis, dtype=accumulator(combine, dtype).numpy).astype(wide.dtype)
        return (np.flip(total, axis) if reverse else total).astype(x.dtype)

    return evaluate


def _lower(combine: str) -> Callable[..., ScanRule]:
    def element(reader: Reader, index: tuple[Dim, ...]) -> Expr:
        return reader.read(0, index)

    def lower(types: Sequence[TensorType], axis: int, reverse: bool) -> ScanRule:
        return ScanRule(axis, combine, reverse, element)

    return lower


def _sum_back(value: Value, n: Applied) -> Value:
    """Sums, from the other end, of the cotangents of all results in which an element is a term."""
    return value.builder.apply("cumsum", value, axis=n.attrs["axis"], reverse=not n.attrs["reverse"])


def _sum_vjp(g: Value, n: Applied) -> Grads:
    return (_sum_back(g, n),)


def _prod_vjp(g: Value, n: Applied) -> Grads:
    """The derivatives of products, which are the products without one factor, also where factors are zero.

    Before the first zero a result without a factor is the result divided by it; at the first zero it is the
    product with a one in its place; after it all results are zero.
    """
    x, b = n.operands[0], g.builder
    one, nothing = full_like(x, 1), full_like(x, 0)
    zero = b.apply("eq", x, nothing)
    count = b.apply("cumsum", b.apply("cast", zero, dtype=x.dtype), **n.attrs)
    first = b.apply("logical_and", zero, b.apply("eq", count, one))
    before = b.apply("div", _sum_back(b.apply("mul", g, n.result), n), b.apply("select", zero, one, x))
    without = b.apply("cumprod", b.apply("select", first, one, x), **n.attrs)
    at = _sum_back(b.apply("mul", g, without), n)
    return (b.apply("select", first, at, b.apply("select", zero, nothing, before)),)


def _extremum_vjp(g: Value, n: Applied) -> Grads:
    """Adds each result's cotangent to the element that it equals; of equal elements, to the last one scanned."""
    x, b = n.operands[0], g.builder
    axis, reverse = n.attrs["axis"], n.attrs["reverse"]
    count = dims.product(x.shape)
    along = b.apply("iota", shape=x.shape, axis=axis, dtype=dtypes.int32)
    size = b.broadcast(b.size(x.shape[axis] - 1, dtypes.int32), x.shape, ())
    attained = b.apply("eq", x, n.result)
    # Positions grow in the direction of the scan: the latest that attained an extremum is the largest.
    none = size if reverse else full_like(along, 0)
    met = b.apply("select", attained, along, none)
    source = b.apply("cummin" if reverse else "cummax", met, axis=axis, reverse=reverse)
    stride = b.broadcast(b.size(dims.product(x.shape[axis + 1 :]), dtypes.int32), x.shape, ())
    here = b.apply("reshape", b.apply("iota", shape=(count,), axis=0, dtype=dtypes.int32), shape=x.shape)
    place = b.apply("add", here, b.apply("mul", b.apply("sub", source, along), stride))
    places, rows = (b.apply("reshape", value, shape=(count,)) for value in (place, g))
    return (b.apply("reshape", added_up(places, rows, count), shape=x.shape),)


def _cases() -> Iterable[Case]:
    for shape, axis in (((5,), 0), ((3, 4), 1), ((2, 5, 3), 1)):
        for reverse in (False, True):
            yield Case((shape,), {"axis": axis, "reverse": reverse}, 0.5, 1.5, distinct=True)


def _cumulative(
    name: str,
    combine: str,
    function: np.ufunc,
    vjp: Callable[[Value, Applied], Grads],
    allowed: tuple[str, ...],
    **traits: Any,
) -> Primitive:
    rules: tuple[Any, ...] = (_infer(name, allowed), _eval(combine, function), _lower(combine), vjp, _cases, allowed)
    return register(Primitive(name, Kind.SCAN, *rules, batch=over_axes(name), **traits))


cumsum = _cumulative("cumsum", "sum", np.add, _sum_vjp, NUMBERS, linear=together)
cumprod = _cumulative("cumprod", "prod", np.multiply, _prod_vjp, NUMBERS)
cummax = _cumulative("cummax", "max", np.maximum, _extremum_vjp, REALS)
cummin = _cumulative("cummin", "min", np.minimum, _extremum_vjp, REALS)
