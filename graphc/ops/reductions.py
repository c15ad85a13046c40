"""Reductions over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc import config, dims, dtypes
from graphc.dtypes import DType
from graphc.errors import ArgumentError
from graphc.ops.elementwise import in_wide, where
from graphc.ops.shaping import ravel
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import broadcast_to as _broadcast_to
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.conversion import float_dtype
from graphc.tracing.shapes import axes_of, axis_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]


def remaining_axes(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that remain after a reduction."""
    return tuple(axis for axis in range(x.ndim) if axis not in axes)


def broadcast_reduced(reduced: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A reduced tensor broadcast along the reduced axes, to the shape of `x`."""
    return bind("broadcast", reduced, shape=x.shape, axes=remaining_axes(x, axes)) if axes else reduced


def reduce(op: str, x: Tensor, axis: Any, keepdims: bool = False) -> Tensor:
    """Applies a reduction primitive over axes in Keras's form."""
    axes = axes_of(axis, x.ndim, op)
    result = bind(op, x, axes=axes) if axes else x
    return restore_axes(result, x, axes) if keepdims else result


def restore_axes(reduced: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A reduced tensor with the reduced axes restored, with size 1."""
    return _reshape(reduced, tuple(1 if axis in axes else dim for axis, dim in enumerate(x.shape)))


def count(x: Tensor, axes: tuple[int, ...], dtype: DType) -> Tensor:
    """The number of elements that a reduction combines into one, as a scalar tensor."""
    total = dims.product(x.shape[axis] for axis in axes)
    return as_tensor(total, dtype)


def _number(x: Any) -> Tensor:
    """An operand of a sum: booleans and narrow integers are converted to 32 bits, as in Keras."""
    tensor = as_tensor(x)
    if tensor.type.dtype.is_bool or (tensor.type.dtype.kind == "int" and tensor.type.dtype.bits < 32):
        return _cast(tensor, dtypes.int32)
    if tensor.type.dtype.kind == "uint" and tensor.type.dtype.bits < 32:
        return _cast(tensor, dtypes.uint32)
    return tensor


@operation
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes.

    Args:
        x: Tensor.
        axis: Axis or axes; None: all.
        keepdims: Whether the reduced axes remain, with size 1.

    Example:

    >>> sum([[1, 2], [3, 4]], axis=0).numpy()
    array([4, 6], dtype=int32)
    """
    return reduce("sum", _number(x), axis, keepdims)


@operation
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over axes, computed in `dtype` if given."""
    tensor = _number(x) if dtype is None else as_tensor(x, dtypes.as_dtype(dtype))
    return reduce("prod", tensor, axis, keepdims)


@operation
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over axes: the sum divided by the count; the mean of integers is a float.

    Args:
        x: Tensor.
        axis: Axis or axes; None: all.
        keepdims: Whether the reduced axes remain, with size 1.

    Example:

    >>> mean([[1.0, 2.0], [3.0, 6.0]], axis=1).numpy()
    array([1.5, 4.5], dtype=float32)
    """
    return _cast(wide_mean(in_wide(x), axis, keepdims), float_dtype(x))


def wide_mean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean of a tensor whose dtype is wide enough to accumulate in."""
    axes = axes_of(axis, x.ndim, "mean")
    total = elementwise("div", reduce("sum", x, axes), count(x, axes, x.type.dtype))
    return restore_axes(total, x, axes) if keepdims else total


def _wide_var(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    axes = axes_of(axis, x.ndim, "var")
    distance = bind("sub", x, broadcast_reduced(wide_mean(x, axes), x, axes))
    return wide_mean(_squared_magnitude(distance), axes, keepdims)


def _squared_magnitude(x: Tensor) -> Tensor:
    """`abs(x) ** 2`, which is real."""
    if not x.type.dtype.is_complex:
        return bind("mul", x, x)
    return bind("add", *(bind("mul", part, part) for part in (bind("real", x), bind("imag", x))))


@operation
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance over axes: the mean of the squared distances from the mean.

    The distance of complex numbers is the magnitude of their difference.
    """
    return _cast(_wide_var(in_wide(x), axis, keepdims), float_dtype(x))


@operation
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes: the root of the variance."""
    return _cast(bind("sqrt", _wide_var(in_wide(x), axis, keepdims)), float_dtype(x).real)


def is_empty(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether a reduction over axes combines no elements."""
    return 0 in (x.shape[axis] for axis in axes)


def _extremum(op: str, x: Any, axis: Any, keepdims: bool, initial: Any) -> Tensor:
    tensor = as_tensor(x)
    if tensor.type.dtype.is_bool:
        op = "any" if op == "max" else "all"
    axes = axes_of(axis, tensor.ndim, op)
    if initial is not None and is_empty(tensor, axes):
        kept_shape = tuple(1 if a in axes else dim for a, dim in enumerate(tensor.shape) if keepdims or a not in axes)
        return _broadcast_to(as_tensor(initial, tensor.type.dtype), kept_shape)
    result = reduce(op, tensor, axis, keepdims)
    return result if initial is None else elementwise("maximum" if op in ("max", "any") else "minimum", result, initial)


@operation
def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The maximum over axes, and at least `initial` if given."""
    return _extremum("max", x, axis, keepdims, initial)


@operation
def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The minimum over axes, and at most `initial` if given."""
    return _extremum("min", x, axis, keepdims, initial)


@operation
def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The maximum over axes: an alias of `max`."""
    return _extremum("max", x, axis, keepdims, None)


@operation
def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The minimum over axes: an alias of `min`."""
    return _extremum("min", x, axis, keepdims, None)


@operation
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element over axes is True; numbers are True if they are not zero."""
    return reduce("any", _cast(as_tensor(x), dtypes.bool_), axis, keepdims)


@operation
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over axes are True; numbers are True if they are not zero."""
    return reduce("all", _cast(as_tensor(x), dtypes.bool_), axis, keepdims)


def _position(op: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    tensor = as_tensor(x)
    if axis is None and not keepdims:
        tensor, axis = ravel(tensor), 0
    return reduce(op, tensor, axis, keepdims)


@operation
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the maximum along an axis, the first of equal ones; None: in the flattened tensor.

    Example:

    >>> argmax([[1, 9, 9], [5, 2, 0]], axis=-1).numpy()
    array([1, 0], dtype=int32)
    """
    return _position("argmax", x, axis, keepdims)


@operation
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the minimum along an axis, the first of equal ones; None: in the flattened tensor."""
    return _position("argmin", x, axis, keepdims)


@operation
def count_nonzero(x: Any, axis: Any = None) -> Tensor:
    """The number of nonzero elements over axes."""
    return reduce("sum", _cast(_cast(as_tensor(x), dtypes.bool_), dtypes.int32), axis)


@operation
def average(x: Any, axis: Any = None, weights: Any = None) -> Tensor:
    """The weighted mean over axes: `sum(x * weights) / sum(weights)`.

    Args:
        x: Tensor.
        axis: Axis or axes; None: all.
        weights: Tensor of the shape of `x`, or of its size along the axis. None: equal weights.
    """
    if weights is None:
        return mean(x, axis)
    dtype = float_dtype(x, weights)
    tensor, weight = (as_tensor(part, dtype.accumulator) for part in (x, weights))
    if weight.ndim == 1 and tensor.ndim > 1:
        axes = axes_of(axis, tensor.ndim, "average")
        weight = _reshape(weight, tuple(dim if a in axes else 1 for a, dim in enumerate(tensor.shape)))
    weight = _broadcast_to(weight, tensor.shape)
    return _cast(operate("div", sum(operate("mul", tensor, weight), axis), sum(weight, axis)), dtype)


@operation
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`log(sum(exp(x)))` over axes, without overflow: the maximum is subtracted before and added after.

    Example:

    >>> logsumexp([1000.0, 1000.0]).numpy().item()
    1000.6931762695312
    """
    tensor, dtype = in_wide(x), float_dtype(x)
    axes = axes_of(axis, tensor.ndim, "logsumexp")
    if is_empty(tensor, axes):
        return _cast(bind("log", reduce("sum", tensor, axes, keepdims)), dtype)
    top = bind("stop_gradient", bind("max", tensor, axes=axes))
    # An infinite maximum would result in inf - inf.
    top = where(bind("isfinite", top), top, 0)
    total = bind("sum", bind("exp", bind("sub", tensor, broadcast_reduced(top, tensor, axes))), axes=axes)
    result = _cast(bind("add", bind("log", total), top), dtype)
    return restore_axes(result, tensor, axes) if keepdims else result


@operation
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The range over axes: the maximum minus the minimum."""
    return operate("sub", max(x, axis, keepdims), min(x, axis, keepdims))


@operation
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """A norm of vectors, `sum(abs(x) ** ord) ** (1 / ord)`, or of matrices.

    Args:
        x: Tensor.
        ord: None: the root of the sum of squares over the axes. Of vectors: a number; 0 counts what is not zero,
            `inf` and `-inf` are the largest and the least absolute value. Of matrices: `"fro"`, the same as None; 1 and
            `inf`: the largest sum of absolute values of a column, and of a row; -1 and `-inf`: the least; 2 and -2: the
            largest and the least singular value; `"nuc"`: the sum of all.
        axis: One axis, for vectors, or two, for matrices. None: all, which are then one or two where `ord` is given.
        keepdims: Whether the reduced axes remain, with size 1.

    Raises:
        ArgumentError: if there is no such norm.

    Example:

    >>> norm([3.0, 4.0]).numpy().item()
    5.0
    >>> norm([[1.0, -2.0], [3.0, 4.0]], ord=1).numpy().item()
    6.0
    """
    wide = in_wide(x)
    axes = tuple(range(wide.ndim)) if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
    axes = tuple(axis_of(a, wide.ndim, "norm") for a in axes)
    if ord is None or (ord in ("fro", "euclidean") and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        result = bind("sqrt", sum(_squared_magnitude(wide), axes, keepdims))
    elif len(axes) == 1 and isinstance(ord, int | float | np.number):
        result = _vector_norm(bind("abs", wide), float(ord), axes, keepdims)
    elif len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        # First the sums along one of the two axes, then the largest or least of them.
        along, other = axes if abs(ord) == 1 else reversed(axes)
        sums = sum(bind("abs", wide), along, keepdims=True)
        result = (max if ord > 0 else min)(sums, other, keepdims=True)
        result = result if keepdims else _reshape(result, tuple(wide.shape[a] for a in remaining_axes(wide, axes)))
    elif len(axes) == 2 and ord in (2, -2, "nuc"):
        result = _of_singular_values(wide, ord, axes, keepdims)
    else:
        raise ArgumentError(
            "`norm` has no such norm",
            got=f"ord {ord!r} over {len(axes)} axes",
            expected='None; over one axis a number; over two axes "fro", "nuc", 1, -1, 2, -2, inf or -inf',
        )
    return _cast(result, float_dtype(x).real)


def _of_singular_values(x: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """The largest, the least or the sum of the singular values of matrices, whose axes are given."""
    others = remaining_axes(x, axes)
    values = bind("singular_values", bind("transpose", x, order=(*others, *axes)))
    result = (sum if ord == "nuc" else max if ord > 0 else min)(values, axis=-1)
    shape = tuple(1 if axis in axes else x.shape[axis] for axis in range(x.ndim))
    return _reshape(result, shape) if keepdims else result


def _vector_norm(size: Tensor, ord: float, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """A norm of vectors, from their absolute values."""
    if ord in (math.inf, -math.inf):
        return max(size, axes, keepdims) if ord > 0 else min(size, axes, keepdims)
    if ord == 0:
        return sum(_cast(elementwise("ne", size, 0), size.type.dtype), axes, keepdims)
    if ord == 1:
        return sum(size, axes, keepdims)
    return operate("pow", sum(operate("pow", size, ord), axes, keepdims), 1.0 / ord)


def default_float() -> DType:
    """The default floating-point dtype."""
    return dtypes.as_dtype(config.floatx())
