"""Partial sums and products along an axis, differences, and areas under curves."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, where
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import ravel
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.conversion import float_dtype
from graphc.tracing.indexing import sliced
from graphc.tracing.shapes import axis_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["cumprod", "cumsum", "diff", "nancumprod", "nancumsum", "trapezoid"]


def _cumulative(op: str, x: Any, axis: int | None, dtype: Any, missing: int | None = None) -> Tensor:
    tensor = as_tensor(x)
    if missing is not None and tensor.type.dtype.is_inexact:
        tensor = where(bind("isnan", tensor), missing, tensor)
    if dtype is not None:
        tensor = _cast(tensor, dtypes.as_dtype(dtype))
    elif tensor.type.dtype.is_bool:
        tensor = _cast(tensor, dtypes.int32)
    if axis is None:
        tensor, axis = ravel(tensor), 0
    elif tensor.ndim == 0:
        tensor = _reshape(tensor, (1,))
    if tensor.type.dtype.is_bool:  # asked for: sums are "or", products are "and"
        return _cast(_cumulative(op, _cast(tensor, dtypes.int32), axis, None), dtypes.bool_)
    return bind(op, tensor, axis=axis_of(axis, tensor.ndim, op), reverse=False)


@operation
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The sums of the elements up to each one, along an axis.

    Args:
        x: Tensor.
        axis: The axis. None: `x` is flattened first.
        dtype: The dtype in which it is computed. None: that of `x`; int32 for booleans.

    Example:

    >>> cumsum([1, 2, 3]).numpy()
    array([1, 3, 6], dtype=int32)
    """
    return _cumulative("cumsum", x, axis, dtype)


@operation
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The products of the elements up to each one, along an axis.

    Args:
        x: Tensor.
        axis: The axis. None: `x` is flattened first.
        dtype: The dtype in which it is computed. None: that of `x`; int32 for booleans.

    Example:

    >>> cumprod([1, 2, 3]).numpy()
    array([1, 2, 6], dtype=int32)
    """
    return _cumulative("cumprod", x, axis, dtype)


@operation
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The sums of the elements up to each one, along an axis, with NaN taken for 0: see `cumsum`."""
    return _cumulative("cumsum", x, axis, dtype, 0)


@operation
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The products of the elements up to each one, along an axis, with NaN taken for 1: see `cumprod`."""
    return _cumulative("cumprod", x, axis, dtype, 1)


def _neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The elements but the last, and those but the first, along an axis."""
    extent = x.shape[axis]
    none, one = (0,) * x.ndim, tuple(int(a == axis) for a in range(x.ndim))
    if extent == 0:
        return x, x
    short = tuple(dim - 1 if a == axis else dim for a, dim in enumerate(x.shape))
    return sliced(x, none, short), sliced(x, one, x.shape)


@operation
def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """The differences of neighbours along an axis, `a[i + 1] - a[i]`, taken `n` times.

    Args:
        a: Tensor of rank 1 or more; of booleans the result tells where neighbours differ.
        n: How many times.
        axis: The axis.

    Raises:
        ArgumentError: if `n` is negative.
        ShapeError: if `a` is a scalar.

    Example:

    >>> diff([1, 4, 9]).numpy()
    array([3, 5], dtype=int32)
    """
    tensor = as_tensor(a)
    if n < 0:
        raise ArgumentError("`diff` takes differences a number of times", got=n, expected="0 or more")
    if tensor.ndim == 0 and n:
        raise ShapeError("`diff` takes tensors of rank 1 or more", got=str(tensor.type))
    for _ in range(n):
        before, after = _neighbours(tensor, axis_of(axis, tensor.ndim, "diff"))
        tensor = elementwise("ne" if tensor.type.dtype.is_bool else "sub", after, before)
    return tensor


@operation
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule: `sum((y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]))`.

    Args:
        y: Tensor: the values.
        x: Where the values are: a vector along the axis, or a tensor of the shape of `y`. None: at equal distances.
        dx: The distance between two values, if `x` is None.
        axis: The axis.

    Example:

    >>> trapezoid([1.0, 2.0, 3.0]).numpy().item()
    4.0
    """
    dtype = float_dtype(as_tensor(y)) if x is None else float_dtype(as_tensor(y), as_tensor(x))
    values = as_tensor(y, dtype.accumulator)
    axis = axis_of(axis, values.ndim, "trapezoid")
    before, after = _neighbours(values, axis)
    width = as_tensor(dx if x is None else x, dtype.accumulator)
    if x is not None and width.ndim == 1:
        first, second = _neighbours(width, 0)
        width = bind("sub", second, first)
        width = _reshape(width, tuple(width.shape[0] if a == axis else 1 for a in range(values.ndim)))
    elif x is not None:
        first, second = _neighbours(width, axis_of(axis, width.ndim, "trapezoid"))
        width = bind("sub", second, first)
    total = _sum(operate("mul", bind("add", before, after), width), axis)
    return _cast(operate("mul", total, in_float(0.5)), dtype)
