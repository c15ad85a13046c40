"""Sorting along the last axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, LibraryRule, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import ORDERED, Array, check_dtype
from graphc.primitives.portable import sorted_rows

# About how many comparisons sorting takes for each element.
_COMPARISONS = 16


def _infer(x: TensorType) -> tuple[TensorType, TensorType]:
    check_dtype("sort", x, ORDERED)
    if x.rank == 0:
        raise ShapeError("`sort` takes an operand that has axes", got=str(x))
    return x, TensorType(x.shape, dtypes.int32)


def _eval(x: Array) -> tuple[Array, Array]:
    """The elements in ascending order, NaN last, and the position that each had; equal elements keep their order."""
    order = np.argsort(x.astype(dtypes.as_dtype(x.dtype).accumulator.numpy, copy=False), axis=-1, kind="stable")
    return np.take_along_axis(x, order, -1), order.astype(np.int32)


def _lower(types: Sequence[TensorType]) -> LibraryRule:
    return LibraryRule(types[0].elements * _COMPARISONS, portable=sorted_rows(types[0]))


def _vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Sequence[Value | None]:
    """Moves each element's cotangent back to the position that the element had."""
    g = given[0] if isinstance(given, tuple) else given
    if g is None or not g.dtype.is_float:
        return (None,)
    b, shape, size = g.builder, g.shape, g.shape[-1]
    _, inverse = b.apply_many("sort", n.results[1])
    total = dims.product(shape)
    row = b.apply("iota", shape=(dims.product(shape[:-1]), size), axis=0, dtype=dtypes.int32)
    start = b.apply("mul", row, b.broadcast(b.size(size, dtypes.int32), row.shape, ()))
    places = b.apply("add", b.apply("reshape", inverse, shape=row.shape), start)
    flat = b.apply("reshape", g, shape=(total,))
    return (b.apply("reshape", b.apply("gather", flat, places, axis=0), shape=shape),)


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    return tuple(Batched(value, True) for value in builder.apply_many("sort", operands[0].value))


def _cases() -> Iterable[Case]:
    for shape in ((7,), (3, 5), (2, 3, 1), (0, 4), (2, 0)):
        yield Case((shape,), {}, distinct=True, differentiable=0 not in shape)
    yield Case(((40,),), {}, -3, 3, differentiable=False)  # integers repeat


sort = register(Primitive("sort", Kind.LIBRARY, _infer, _eval, _lower, _vjp, _cases, ORDERED, batch=_batch))
