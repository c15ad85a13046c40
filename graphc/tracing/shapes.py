"""Shapes: broadcasting, reshaping, and equality of unknown sizes while shapes are inferred."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from operator import index
from typing import Any

import numpy as np

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.errors import ArgumentError, ShapeError
from graphc.graph.types import TensorType
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.scalars import sizes_of
from graphc.tracing.tensor import Tensor, bind
from graphc.tracing.trace import current_trace, infers


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape of operands by NumPy's broadcasting.

    Raises:
        ShapeError: if they do not fit.
    """
    rank = max(map(len, shapes))
    result: list[Dim] = []
    for axis in range(rank):
        sizes = {shape[axis - rank] for shape in shapes if axis - rank >= -len(shape)} - {1}
        if len(sizes) > 1 and not may_be_equal(sizes):
            origin = current_origin()
            raise ShapeError(
                "the operands do not broadcast",
                layer=origin.layer or None,
                where=describe(origin),
                got=" and ".join(map(str, shapes)),
                expected="in each axis, counted from the last, equal sizes or 1",
                hint="reshape one of them",
            )
        result.append(preferred_size(sizes) if sizes else 1)
    return tuple(result)


def may_be_equal(sizes: Collection[Dim]) -> bool:
    """During inference: whether sizes that differ symbolically may be equal. A later trace checks that they are."""
    if not infers():
        return False
    first, *others = sizes
    return all(dims.may_be_zero(first - other) for other in others)


def preferred_size(sizes: Collection[Dim]) -> Dim:
    """One of several sizes that are assumed to be equal: a number, if there is one."""
    return min(sizes, key=lambda size: not isinstance(size, int))


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """The elements in another shape, without a node if the shape is the same."""
    if x.shape == shape:
        return x
    value = x.traced
    if value is not None and value.builder.merging and value.builder.node(value.ref).op == "reshape":
        x = Tensor(value.builder.value(value.builder.node(value.ref).inputs[0]))
        if x.shape == shape:
            return x
    sizes = {dims.product(x.shape), dims.product(shape)}
    return assumed(x, shape) if len(sizes) > 1 and may_be_equal(sizes) else bind("reshape", x, shape=shape)


def assumed(x: Tensor, shape: Shape) -> Tensor:
    """A stand-in for a tensor, of a shape that it is assumed to have: see `InferenceTrace`."""
    trace = current_trace()
    if x.shape == shape or trace is None or not trace.infers:
        return x
    return Tensor(trace.stand_in(TensorType(shape, x.type.dtype)))


def unify_sizes(tensors: Sequence[Tensor], names: Sequence[Sequence[Hashable]]) -> list[Tensor]:
    """Gives axes of the same name one size, if their sizes may be equal, during inference.

    Args:
        tensors: Tensors.
        names: The names of the axes of each tensor.
    """
    if not infers():
        return list(tensors)
    sizes: dict[Hashable, set[Dim]] = {}
    for tensor, axes in zip(tensors, names, strict=True):
        for axis, size in zip(axes, tensor.shape, strict=True):
            sizes.setdefault(axis, set()).add(size)
    common = {axis: preferred_size(found) for axis, found in sizes.items() if 1 not in found and may_be_equal(found)}
    return [
        assumed(x, tuple(common.get(axis, size) for axis, size in zip(axes, x.shape, strict=True)))
        for x, axes in zip(tensors, names, strict=True)
    ]


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """The tensor broadcast to a shape; the caller has checked that it can be."""
    if x.shape == shape:
        return x
    offset = len(shape) - x.ndim
    pairs = list(zip(x.shape, shape[offset:], strict=True))
    x = assumed(x, tuple(whole if dim != 1 and may_be_equal((dim, whole)) else dim for dim, whole in pairs))
    kept = [axis for axis, dim in enumerate(x.shape) if dim == shape[axis + offset]]
    x = reshape(x, tuple(x.shape[axis] for axis in kept))
    axes = tuple(axis + offset for axis in kept)
    return x if axes == tuple(range(len(shape))) else bind("broadcast", x, shape=shape, axes=axes)


def axis_of(axis: Any, rank: int, op: str) -> int:
    """A non-negative axis.

    Raises:
        ArgumentError: if it is no integer.
        ShapeError: if there is no such axis.
    """
    try:
        position = index(axis)
    except TypeError:
        raise ArgumentError(f"an axis of `{op}` is an integer", got=repr(axis)[:80]) from None
    if not -rank <= position < rank:
        raise ShapeError(
            f"axis {position} is out of bounds for `{op}` of rank {rank}",
            got=position,
            expected=f"from {-rank} to {rank - 1}" if rank else "no axis",
        )
    return position % rank


def axes_of(axis: Any, rank: int, op: str) -> tuple[int, ...]:
    """Non-negative axes in ascending order; None means all axes."""
    if axis is None:
        return tuple(range(rank))
    several = isinstance(axis, list | tuple) or (isinstance(axis, np.ndarray) and axis.ndim == 1)
    return tuple(sorted(axis_of(a, rank, op) for a in (axis if several else (axis,))))


def dims_of(shape: Any) -> Shape:
    """A shape as a tuple of sizes; a graph may compute them, of other sizes and numbers."""
    if isinstance(shape, Tensor) and shape.traced is not None:
        return sizes_of(shape) or tuple(map(int, [shape]))
    parts = shape if isinstance(shape, list | tuple) else np.asarray(shape).reshape(-1)
    return tuple(map(_size, parts))


def _size(part: Any) -> Dim:
    if isinstance(part, dims.IntExpr):
        return part
    known = sizes_of(part) if isinstance(part, Tensor) and not part.ndim else None
    return int(part) if known is None else known[0]


def reshaped(x: Tensor, newshape: Any) -> Tensor:
    """The elements in another shape, one size of which may be -1: it is inferred."""
    shape = dims_of(newshape)
    unknown = [axis for axis, dim in enumerate(shape) if isinstance(dim, int) and dim == -1]
    if len(unknown) > 1:
        raise ShapeError(f"a new shape has at most one unknown dimension, -1: newshape={shape}", got=str(x.type))
    if any(isinstance(dim, int) and dim < -1 for dim in shape):
        raise ShapeError(f"a size is a non-negative integer, and one may be -1: newshape={shape}", got=str(x.type))
    if unknown:
        known = dims.product(dim for axis, dim in enumerate(shape) if axis not in unknown)
        total = dims.product(x.shape)
        if known == 0 or (dims.mod(total, known) != 0 and not may_be_equal((dims.mod(total, known), 0))):
            raise ShapeError("the elements do not fill the new shape", got=str(x.type), expected=f"{shape}")
        shape = tuple(dims.floordiv(total, known) if axis in unknown else dim for axis, dim in enumerate(shape))
    return reshape(x, shape)


def squeezed(x: Tensor, axis: Any = None) -> Tensor:
    """The tensor without some axes of size 1; None: without all of them."""
    ones = tuple(a for a, dim in enumerate(x.shape) if dim == 1)
    drop = ones if axis is None else axes_of(axis, x.ndim, "squeeze")
    if any(x.shape[a] != 1 and not may_be_equal((x.shape[a], 1)) for a in drop):
        raise ShapeError("only axes of size 1 can be squeezed", got=f"axes {drop} of {x.type}")
    return reshape(x, tuple(dim for a, dim in enumerate(x.shape) if a not in drop))


def transposed(x: Tensor) -> Tensor:
    """The tensor with its axes in reverse order."""
    return bind("transpose", x, order=tuple(reversed(range(x.ndim)))) if x.ndim > 1 else x
