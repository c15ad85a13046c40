"""Gather: reading elements at indices that are known at run time only.

Indices outside the axis are clamped, so that no program accesses memory outside its buffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import DTypeError, ShapeError
from graphc.exprs import Expr, Index, call, cast
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Reader
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import INTEGERS, Array, check_axes, linear_in, view
from graphc.primitives.batching import merged, move_axis

Grads = Sequence[Value | None]
Points = tuple[Dim, ...]


def check_indices(op: str, indices: TensorType) -> None:
    """Raises a `DTypeError` where indices are not integers."""
    if indices.dtype.name not in INTEGERS:
        raise DTypeError(f"`{op}` takes integer indices", got=str(indices), hint="cast them to int32")


def clamped(reader: Reader, index: Expr, extent: Dim) -> Dim:
    """An index clamped into an axis."""
    wide = cast(index, dtypes.int64)
    return reader.as_index(call("max", call("min", wide, Index(extent - 1)), Index(0)))


def added_up(indices: Value, rows: Value, size: Dim) -> Value:
    """Zeros with rows added at indices; halves are added up in float32 and rounded once."""
    wide, dtype = rows.dtype.accumulator, rows.dtype
    if wide is dtype:
        return rows.builder.apply("scatter_add", indices, rows, size=size)
    total = rows.builder.apply("scatter_add", indices, rows.builder.apply("cast", rows, dtype=wide), size=size)
    return rows.builder.apply("cast", total, dtype=dtype)


# ---- gather: `x[.., indices, ..]` along one axis


def _gather_infer(x: TensorType, indices: TensorType, axis: int) -> TensorType:
    check_indices("gather", indices)
    check_axes("gather", (axis,), x.rank)
    if x.shape[axis] == 0 and 0 not in indices.shape:
        raise ShapeError(f"nothing can be taken from axis {axis}, which is empty", got=f"{x}, at {indices}")
    return TensorType((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def _gather_eval(x: Array, indices: Array, axis: int) -> Array:
    return np.take(x, np.clip(indices.astype(np.int64), 0, x.shape[axis] - 1), axis)


def _gather_lower(reader: Reader, index: Points, axis: int) -> Expr:
    x, indices = reader.types
    end = axis + indices.rank
    place = clamped(reader, reader.read(1, index[axis:end]), x.shape[axis])
    return reader.read(0, (*index[:axis], place, *index[end:]))


def _gather_vjp(g: Value, n: Applied) -> Grads:
    (x, indices), axis = n.operands, n.attrs["axis"]
    if not x.dtype.is_inexact:
        return None, None
    count = dims.product(indices.shape)
    end = axis + indices.rank
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    first = (*range(axis, end), *range(axis), *range(end, g.rank))
    rows = g.builder.apply("transpose", g, order=first) if axis else g
    rows = g.builder.apply("reshape", rows, shape=(count, *rest))
    flat = g.builder.apply("reshape", indices, shape=(count,))
    total = added_up(flat, rows, x.shape[axis])
    back = (*range(1, axis + 1), 0, *range(axis + 1, x.rank))
    return (g.builder.apply("transpose", total, order=back) if axis else total), None


def _gather_cases() -> Iterable[Case]:
    yield Case(((5, 3), (4,)), {"axis": 0}, 0, 6, integer_operands=(1,))
    yield Case(((3, 5, 2), (2, 2)), {"axis": 1}, -1, 5, integer_operands=(1,))
    yield Case(((5, 3), ()), {"axis": 0}, 0, 4, integer_operands=(1,))
    # Indices along the innermost axis: compilers vectorise the clamping.
    yield Case(((3, 2), (8,)), {"axis": 1}, 0, 1, integer_operands=(1,))


def in_batch(indices: Value, size: Dim, length: Dim) -> Value:
    """Clamps indices `[batch, ..]` into an axis, and shifts them to the axis merged with the batch's."""
    b, shape = indices.builder, indices.shape

    def everywhere(number: Dim) -> Value:
        return b.broadcast(b.size(number, dtypes.int64), shape, ())

    wide = b.apply("cast", indices, dtype=dtypes.int64)
    inside = b.apply("maximum", b.apply("minimum", wide, everywhere(size - 1)), everywhere(0))
    number = b.apply("iota", shape=shape, axis=0, dtype=dtypes.int64)
    return b.apply("add", b.apply("mul", number, everywhere(size)), inside)


def _gather_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    (x, indices), axis = operands, attrs["axis"]
    if not indices.varies:
        return builder.apply("gather", x.value, indices.value, axis=axis + 1)
    if not x.varies:
        return move_axis(builder.apply("gather", x.value, indices.value, axis=axis), axis, 0)
    size = x.value.shape[axis + 1]
    joined = merged(x.value, axis)
    result = builder.apply("gather", joined, in_batch(indices.value, size, length), axis=axis)
    return move_axis(result, axis, 0)


gather = view(
    "gather",
    _gather_infer,
    _gather_eval,
    _gather_lower,
    _gather_vjp,
    _gather_cases,
    linear=linear_in(0),
    batch=_gather_batch,
)
