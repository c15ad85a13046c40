"""Sorting along an axis."""

from __future__ import annotations

from typing import Any

from graphc.ops.shaping import moveaxis, ravel
from graphc.tracing import Tensor, as_tensor, bind_many, operation
from graphc.tracing.shapes import axis_of

__all__ = ["argsort", "sort"]


def _sorted(x: Any, axis: int | None, op: str) -> tuple[Tensor, Tensor]:
    """The elements in ascending order, and where each was."""
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = ravel(tensor), 0
    axis = axis_of(axis, tensor.ndim, op)
    values, order = bind_many("sort", moveaxis(tensor, axis, -1))
    return moveaxis(values, -1, axis), moveaxis(order, -1, axis)


@operation
def sort(x: Any, axis: int | None = -1) -> Tensor:
    """Sorts the elements along an axis in ascending order; NaN comes last.

    Args:
        x: Tensor.
        axis: The axis. None: `x` is flattened first.

    Example:

    >>> sort([[3, 1, 2], [0, 5, 4]]).numpy().tolist()
    [[1, 2, 3], [0, 4, 5]]
    """
    return _sorted(x, axis, "sort")[0]


@operation
def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The indices, of dtype int32, that sort `x` along an axis; equal elements stay in their order.

    Args:
        x: Tensor. A scalar has the one index 0.
        axis: The axis. None: `x` is flattened first.

    Example:

    >>> argsort([30, 10, 20]).numpy().tolist()
    [1, 2, 0]
    """
    tensor = as_tensor(x)
    return _sorted(tensor, None if tensor.ndim == 0 else axis, "argsort")[1]
