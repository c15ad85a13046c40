"""Shapes: broadcasting, reshaping, and what is assumed of unknown sizes while shapes are inferred."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.graph.types import TensorType
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.tensor import Tensor, bind
from graphc.tracing.trace import InferenceTrace, current_trace


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that operands of these shapes have after NumPy's broadcasting.

    Raises:
        ShapeError: if they do not fit.
    """
    rank = max(map(len, shapes))
    result: list[Dim] = []
    for axis in range(rank):
        sizes = {shape[axis - rank] for shape in shapes if axis - rank >= -len(shape)} - {1}
        if len(sizes) > 1 and not may_agree(sizes):
            origin = current_origin()
            raise ShapeError(
                "the operands do not broadcast",
                layer=origin.layer or None,
                where=describe(origin),
                got=" and ".join(map(str, shapes)),
                expected="in each axis, counted from the last, equal sizes or 1",
                hint="reshape one of them",
            )
        result.append(likeliest(sizes) if sizes else 1)
    return tuple(result)


def may_agree(sizes: Collection[Dim]) -> bool:
    """Whether sizes that differ may turn out to be equal, where that is left to be checked later."""
    if not isinstance(current_trace(), InferenceTrace):
        return False
    first, *others = sizes
    return all(dims.may_be_zero(first - other) for other in others)


def likeliest(sizes: Collection[Dim]) -> Dim:
    """Of sizes that are assumed to be equal, one that is a number if there is one."""
    return min(sizes, key=lambda size: not isinstance(size, int))


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """The same elements in another shape, without a node where nothing changes."""
    if x.shape == shape:
        return x
    value = x.traced
    if value is not None and value.builder.node(value.ref).op == "reshape":
        x = Tensor(value.builder.value(value.builder.node(value.ref).inputs[0]))
        if x.shape == shape:
            return x
    sizes = {dims.product(x.shape), dims.product(shape)}
    return _assumed(x, shape) if len(sizes) > 1 and may_agree(sizes) else bind("reshape", x, shape=shape)


def _assumed(x: Tensor, shape: Shape) -> Tensor:
    """The tensor in a shape that it is assumed to have: see `InferenceTrace`."""
    trace = current_trace()
    if x.shape == shape or not isinstance(trace, InferenceTrace):
        return x
    return Tensor(trace.stand_in(TensorType(shape, x.type.dtype)))


def alike(tensors: Sequence[Tensor], names: Sequence[Sequence[Hashable]]) -> list[Tensor]:
    """Tensors whose axes of the same name must have the same size, sizes that may turn out to be so assumed to be.

    Args:
        tensors: Tensors.
        names: For each the names of its axes.
    """
    if not isinstance(current_trace(), InferenceTrace):
        return list(tensors)
    sizes: dict[Hashable, set[Dim]] = {}
    for tensor, axes in zip(tensors, names, strict=True):
        for axis, size in zip(axes, tensor.shape, strict=True):
            sizes.setdefault(axis, set()).add(size)
    common = {axis: likeliest(found) for axis, found in sizes.items() if 1 not in found and may_agree(found)}
    return [
        _assumed(x, tuple(common.get(axis, size) for axis, size in zip(axes, x.shape, strict=True)))
        for x, axes in zip(tensors, names, strict=True)
    ]


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """The tensor repeated to a shape by NumPy's rules, which the caller has checked."""
    if x.shape == shape:
        return x
    offset = len(shape) - x.ndim
    pairs = list(zip(x.shape, shape[offset:], strict=True))
    x = _assumed(x, tuple(whole if dim != 1 and may_agree((dim, whole)) else dim for dim, whole in pairs))
    kept = [axis for axis, dim in enumerate(x.shape) if dim == shape[axis + offset]]
    x = reshape(x, tuple(x.shape[axis] for axis in kept))
    axes = tuple(axis + offset for axis in kept)
    return x if axes == tuple(range(len(shape))) else bind("broadcast", x, shape=shape, axes=axes)
