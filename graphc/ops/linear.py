"""Products of two tensors, each as one contraction."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import ShapeError
from graphc.ops.shaping import ravel
from graphc.tracing import Tensor, as_tensor, bind, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import axis_of, may_be_equal, unify_sizes
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["dot", "inner", "outer", "tensordot", "vdot"]


def _pair(x1: Any, x2: Any) -> tuple[Tensor, Tensor, DType]:
    """Two operands in the dtype in which their products are accumulated, and the dtype of the result."""
    dtype = result_dtype(x1, x2)
    formed = dtypes.int32 if dtype.is_bool else dtype
    return as_tensor(x1, formed), as_tensor(x2, formed), dtype


@operation
def dot(x1: Any, x2: Any) -> Tensor:
    """Contracts the last axis of `x1` with the second last of `x2` (or its only axis).

    Example:

    >>> dot([1, 2], [3, 4]).numpy().item()
    11
    """
    a, b, dtype = _pair(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return _cast(operate("mul", a, b), dtype)
    return _cast(_contracted(a, b, (a.ndim - 1,), (max(0, b.ndim - 2),)), dtype)


@operation
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """Sums of products over pairs of axes.

    Args:
        x1: Tensor.
        x2: Tensor.
        axes: The number of last axes of `x1` that are contracted with the first of `x2`, or two lists of axes.

    Example:

    >>> tensordot([[1, 2], [3, 4]], [[1, 0], [0, 1]], 2).numpy().item()
    5
    """
    a, b, dtype = _pair(x1, x2)
    if isinstance(axes, int):
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        sides = [side if isinstance(side, list | tuple) else (side,) for side in axes]
        left = tuple(axis_of(axis, a.ndim, "tensordot") for axis in sides[0])
        right = tuple(axis_of(axis, b.ndim, "tensordot") for axis in sides[1])
    return _cast(_contracted(a, b, left, right), dtype)


def _contracted(a: Tensor, b: Tensor, left: tuple[int, ...], right: tuple[int, ...]) -> Tensor:
    """Sums of products over pairs of axes, whose sizes are equal."""
    names: list[list[Any]] = [[(side, axis) for axis in range(x.ndim)] for side, x in enumerate((a, b))]
    for i, j in zip(left, right, strict=False):
        names[0][i] = names[1][j] = ("summed", i)
    a, b = unify_sizes((a, b), names)
    return bind("contract", a, b, lhs_batch=(), rhs_batch=(), lhs_contract=left, rhs_contract=right)


@operation
def outer(x1: Any, x2: Any) -> Tensor:
    """The product of each element of `x1` with each of `x2`, both flattened."""
    a, b, dtype = _pair(x1, x2)
    return _cast(operate("mul", _reshape(ravel(a), (*ravel(a).shape, 1)), ravel(b)), dtype)


@operation
def inner(x1: Any, x2: Any) -> Tensor:
    """Contracts the last axes of both.

    Raises:
        ShapeError: if they differ in size.
    """
    a, b, dtype = _pair(x1, x2)
    if a.ndim and b.ndim and a.shape[-1] != b.shape[-1] and not may_be_equal((a.shape[-1], b.shape[-1])):
        raise ShapeError("`inner` takes tensors with the same last dimension", got=f"{a.type} and {b.type}")
    return _cast(operate("mul", a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, [[-1], [-1]]), dtype)


@operation
def vdot(x1: Any, x2: Any) -> Tensor:
    """The sum of the products of the elements, both flattened; the first conjugated where it is complex."""
    first = as_tensor(x1)
    return dot(ravel(bind("conj", first) if first.type.dtype.is_complex else first), ravel(x2))
