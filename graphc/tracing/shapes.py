"""Shapes that operands have together, and what is assumed of sizes that are not known while shapes are inferred."""

from __future__ import annotations

from collections.abc import Collection

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.tracing.origins import current_origin, describe
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
