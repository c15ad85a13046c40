"""Blocks at positions that are known at run time only: reading one, and replacing one.

A block lies at one start in each of some axes, given as scalars, and spans the others. Starts are clamped, so that the
block is within the tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.exprs import TRUE, Expr, both, compare, select
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Reader
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import Array, check_axes, check_rank, full_like, linear_in, view
from graphc.primitives.batching import shifted, vectorized
from graphc.primitives.indexing import check_indices, clamped

Grads = Sequence[Value | None]
Points = tuple[Dim, ...]
Axes = tuple[int, ...]


def _check(op: str, x: TensorType, starts: Sequence[TensorType], axes: Axes, sizes: Shape) -> None:
    check_axes(op, axes, x.rank)
    if not len(starts) == len(axes) == len(sizes):
        raise ShapeError(f"`{op}` takes a start for each of its axes", got=f"{len(starts)} starts for the axes {axes}")
    for start, axis, size in zip(starts, axes, sizes, strict=True):
        check_indices(op, start)
        check_rank(op, start, 0)
        if not (dims.nonnegative(size) and dims.nonnegative(x.shape[axis] - size)):
            got = f"{size} in axis {axis}"
            raise ShapeError(f"a block of `{op}` is larger than the tensor", got=got, expected=f"at most {x}")


def _placed(shape: tuple[int, ...], starts: Sequence[Array], axes: Axes, sizes: Sequence[int]) -> tuple[slice, ...]:
    place = [slice(None)] * len(shape)
    for start, axis, size in zip(starts, axes, sizes, strict=True):
        first = min(max(int(start), 0), shape[axis] - size)
        place[axis] = slice(first, first + size)
    return tuple(place)


def _offsets(reader: Reader, first: int, axes: Axes, sizes: Shape) -> dict[int, Dim]:
    """The start of the block along each axis, from operand number `first` on."""
    shape = reader.types[0].shape
    return {
        axis: clamped(reader, reader.read(first + i, ()), shape[axis] - size + 1)
        for i, (axis, size) in enumerate(zip(axes, sizes, strict=True))
    }


def _inside(builder: Builder, start: Batched, room: Dim) -> Batched:
    """A start, clamped from 0 to `room`."""

    def everywhere(number: Dim) -> Value:
        return builder.broadcast(builder.size(number, dtypes.int64), start.value.shape, ())

    wide = builder.apply("cast", start.value, dtype=dtypes.int64)
    least = builder.apply("minimum", wide, everywhere(room))
    return Batched(builder.apply("maximum", least, everywhere(0)), start.varies)


def _beside(builder: Builder, op: str, start: Batched, count: Dim) -> Value:
    """The numbers from 0 below `count`, in each element of the batch with its start added or subtracted."""
    shape: Shape = (*start.value.shape, count)
    numbers = builder.apply("iota", shape=shape, axis=len(shape) - 1, dtype=dtypes.int64)
    return builder.apply(op, numbers, builder.broadcast(start.value, shape, tuple(range(len(shape) - 1))))


# ---- dynamic_slice: the block at a start


def _slice_infer(x: TensorType, *starts: TensorType, axes: Axes, sizes: Shape) -> TensorType:
    _check("dynamic_slice", x, starts, axes, sizes)
    block = dict(zip(axes, sizes, strict=True))
    return TensorType(tuple(block.get(axis, extent) for axis, extent in enumerate(x.shape)), x.dtype)


def _slice_eval(x: Array, *starts: Array, axes: Axes, sizes: tuple[int, ...]) -> Array:
    return x[_placed(x.shape, starts, axes, sizes)]


def _slice_lower(reader: Reader, index: Points, axes: Axes, sizes: Shape) -> Expr:
    offsets = _offsets(reader, 1, axes, sizes)
    return reader.read(0, tuple(i + offsets.get(axis, 0) for axis, i in enumerate(index)))


def _slice_vjp(g: Value, n: Applied) -> Grads:
    x, *starts = n.operands
    if not x.dtype.is_inexact:
        return (None,) * len(n.operands)
    nothing = full_like(x, 0)
    whole = g.builder.apply("dynamic_update_slice", nothing, g, *starts, axes=n.attrs["axes"])
    return (whole, *(None for _ in starts))


def _slice_cases() -> Iterable[Case]:
    yield Case(((5, 3), ()), {"axes": (0,), "sizes": (2,)}, -2, 6, integer_operands=(1,))
    yield Case(((4, 9), (), ()), {"axes": (1, 0), "sizes": (6, 1)}, -1, 4, integer_operands=(1, 2))
    yield Case(((7,), ()), {"axes": (0,), "sizes": (7,)}, 0, 3, integer_operands=(1,))


def _slice_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    (x, *starts), axes, sizes = operands, attrs["axes"], attrs["sizes"]
    if not any(start.varies for start in starts):
        values = (operand.value for operand in operands)
        return builder.apply("dynamic_slice", *values, axes=shifted(axes), sizes=sizes)
    for start, axis, size in zip(starts, axes, sizes, strict=True):
        first = _inside(builder, start, x.value.shape[axis + x.varies] - size)
        places = Batched(_beside(builder, "add", first, size), start.varies)
        (x,) = vectorized(builder, "gather", Attrs({"axis": axis}), [x, places], length)
    return x.spread(length)


dynamic_slice = view(
    "dynamic_slice",
    _slice_infer,
    _slice_eval,
    _slice_lower,
    _slice_vjp,
    _slice_cases,
    linear=linear_in(0),
    batch=_slice_batch,
)

# ---- dynamic_update_slice: a tensor with the block at a start replaced


def _sizes(update: TensorType, axes: Axes) -> Shape:
    return tuple(update.shape[axis] for axis in axes)


def _update_infer(x: TensorType, update: TensorType, *starts: TensorType, axes: Axes) -> TensorType:
    check_rank("dynamic_update_slice", update, x.rank)
    _check("dynamic_update_slice", x, starts, axes, _sizes(update, axes))
    spanned = (axis for axis in range(x.rank) if axis not in axes)
    if x.dtype is not update.dtype or any(x.shape[axis] != update.shape[axis] for axis in spanned):
        expected = f"the dtype of {x}, and its sizes outside of the axes {axes}"
        raise ShapeError("a block does not fit", got=str(update), expected=expected)
    return x


def _update_eval(x: Array, update: Array, *starts: Array, axes: Axes) -> Array:
    out = x.copy()
    out[_placed(x.shape, starts, axes, [update.shape[axis] for axis in axes])] = update
    return out


def _update_lower(reader: Reader, index: Points, axes: Axes) -> Expr:
    sizes = _sizes(reader.types[1], axes)
    place = list(index)
    condition: Expr = TRUE
    for (axis, start), size in zip(_offsets(reader, 2, axes, sizes).items(), sizes, strict=True):
        place[axis] = index[axis] - start
        condition = both(condition, compare("ge", place[axis], 0))
        condition = both(condition, compare("lt", place[axis], size))
    with reader.guarded(condition):
        inside = reader.read(1, tuple(place))
    return select(condition, inside, reader.read(0, index)) if condition != TRUE else inside


def _update_vjp(g: Value, n: Applied) -> Grads:
    (x, update, *starts), axes, b = n.operands, n.attrs["axes"], g.builder
    if not x.dtype.is_inexact:
        return (None,) * len(n.operands)
    kept = b.apply("dynamic_update_slice", g, full_like(update, 0), *starts, axes=axes)
    block = b.apply("dynamic_slice", g, *starts, axes=axes, sizes=_sizes(update.type, axes))
    return (kept, block, *(None for _ in starts))


def _update_cases() -> Iterable[Case]:
    yield Case(((5, 3), (2, 3), ()), {"axes": (0,)}, -2, 6, integer_operands=(2,))
    yield Case(((4, 9), (1, 6), (), ()), {"axes": (1, 0)}, -1, 4, integer_operands=(2, 3))


def _update_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    (x, update, *starts), axes = operands, attrs["axes"]
    whole = x.spread(length)
    if not any(start.varies for start in starts):
        values = (start.value for start in starts)
        block = update.spread(length)
        return builder.apply("dynamic_update_slice", whole, block, *values, axes=shifted(axes))
    replaced = builder.full(True, whole.shape, dtypes.bool_)
    for start, axis in zip(starts, axes, strict=True):
        size, extent = update.value.shape[axis + update.varies], whole.shape[axis + 1]
        first = _inside(builder, start, extent - size)
        offsets = _beside(builder, "sub", first, extent)
        least, end = (builder.broadcast(builder.size(n, dtypes.int64), offsets.shape, ()) for n in (0, size))
        within = builder.apply("logical_and", builder.apply("ge", offsets, least), builder.apply("lt", offsets, end))
        within = builder.broadcast(within, whole.shape, (0, axis + 1) if start.varies else (axis + 1,))
        replaced = builder.apply("logical_and", replaced, within)
        places = Batched(offsets, start.varies)
        # Offsets outside of the block are clamped to it; what they read is not taken.
        (update,) = vectorized(builder, "gather", Attrs({"axis": axis}), [update, places], length)
    return builder.apply("select", replaced, update.spread(length), whole)


dynamic_update_slice = view(
    "dynamic_update_slice",
    _update_infer,
    _update_eval,
    _update_lower,
    _update_vjp,
    _update_cases,
    linear=linear_in(0, 1),
    batch=_update_batch,
)
