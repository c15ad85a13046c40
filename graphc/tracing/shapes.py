"""Shapes: broadcasting, reshaping, and equality of unknown sizes while shapes are inferred."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.graph.types import TensorType
from graphc.tracing.origins import current_origin, describe
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
    return _assumed(x, shape) if len(sizes) > 1 and may_be_equal(sizes) else bind("reshape", x, shape=shape)


def _assumed(x: Tensor, shape: Shape) -> Tensor:
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
        _assumed(x, tuple(common.get(axis, size) for axis, size in zip(axes, x.shape, strict=True)))
        for x, axes in zip(tensors, names, strict=True)
    ]


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """The tensor broadcast to a shape; the caller has checked that it can be."""
    if x.shape == shape:
        return x
    offset = len(shape) - x.ndim
    pairs = list(zip(x.shape, shape[offset:], strict=True))
    x = _assumed(x, tuple(whole if dim != 1 and may_be_equal((dim, whole)) else dim for dim, whole in pairs))
    kept = [axis for axis, dim in enumerate(x.shape) if dim == shape[axis + offset]]
    x = reshape(x, tuple(x.shape[axis] for axis in kept))
    axes = tuple(axis + offset for axis in kept)
    return x if axes == tuple(range(len(shape))) else bind("broadcast", x, shape=shape, axes=axes)
