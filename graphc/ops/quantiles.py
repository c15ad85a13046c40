"""Medians and other quantiles."""

from __future__ import annotations

import math
from typing import Any

from graphc import dims, dtypes
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ops.elementwise import in_float, where
from graphc.ops.reductions import any as _any
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import moveaxis, take_along_axis
from graphc.tracing import Tensor, as_tensor, bind, bind_many, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import axes_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skips_nan: bool) -> Tensor:
    """Elements at the places `q * (n - 1)` of the sorted ones, or what is between two of them."""
    if method not in _METHODS:
        raise ArgumentError("there is no such method of quantiles", got=repr(method), expected=", ".join(_METHODS))
    tensor, share = as_tensor(x), in_float(q)
    if tensor.type.dtype.is_complex:
        raise DTypeError("quantiles are of real numbers", got=tensor.dtype)
    if share.ndim > 1:
        raise ShapeError("`q` is a number or a vector of numbers", got=str(share.type))
    tensor = in_float(tensor)
    axes = axes_of(axis, tensor.ndim, "quantile")
    if axis is not None and tensor.ndim == 0:
        axes = ()
    kept = [a for a in range(tensor.ndim) if a not in axes]
    lead = tuple(tensor.shape[a] for a in kept)
    count = dims.product(tensor.shape[a] for a in axes)
    if count == 0:
        raise ShapeError("quantiles of no elements have no value", got=f"{tensor.type}, over the axes {axes}")
    rows = _reshape(moveaxis(tensor, [*kept, *axes], list(range(tensor.ndim))), (*lead, count))
    rows, missing = bind_many("sort", rows)[0], bind("isnan", rows)
    exact = _cast(share, share.type.dtype.accumulator)
    if skips_nan:
        number: Any = _cast(_sum(_cast(bind("logical_not", missing), dtypes.int32), -1, True), exact.type.dtype)
        exact = _reshape(exact, (1,) * len(lead) + (dims.product(exact.shape),))
    else:
        number = as_tensor(count, exact.type.dtype)
        exact = _reshape(exact, (dims.product(exact.shape),))
    place = operate("mul", exact, operate("sub", number, 1))
    result = _cast(_between(rows, place, number, method), tensor.type.dtype)
    if not skips_nan:
        result = where(_any(missing, -1, True), math.nan, result)
    # The axis of the quantiles goes to the front, or away where there is one.
    result = moveaxis(result, -1, 0)
    sizes = tuple(1 if a in axes else dim for a, dim in enumerate(tensor.shape)) if keepdims else lead
    return _reshape(result, (*share.shape, *sizes))


def _between(rows: Tensor, place: Tensor, number: Tensor, method: str) -> Tensor:
    """Elements of sorted rows at places that may be fractions."""
    low, high = bind("floor", place), bind("ceil", place)
    share = bind("sub", place, low)
    last = operate("sub", number, 1)
    below, above = (_at(rows, elementwise("maximum", elementwise("minimum", side, last), 0)) for side in (low, high))
    if method in ("lower", "higher"):
        return below if method == "lower" else above
    if method == "nearest":
        return where(elementwise("le", share, 0.5), below, above)
    if method == "midpoint":
        return operate("mul", bind("add", below, above), 0.5)
    wide = (_cast(side, place.type.dtype) for side in (below, above))
    low_part, high_part = (operate("mul", side, part) for side, part in zip(wide, (1 - share, share), strict=True))
    return bind("add", low_part, high_part)


def _at(rows: Tensor, places: Tensor) -> Tensor:
    """The elements at whole places of the last axis: the same ones in all rows, or others in each."""
    places = _cast(places, dtypes.int32)
    if places.ndim == 1:
        return bind("gather", rows, places, axis=rows.ndim - 1)
    return take_along_axis(rows, places, -1)


@operation
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The values below which given shares of the elements lie; NaN where an element is.

    Args:
        x: Tensor.
        q: The shares, from 0 to 1: a number, or a vector of them.
        axis: Axis or axes; None: all.
        method: What is taken between two elements: `"linear"`: what lies between them in the same proportion;
            `"lower"`, `"higher"`, `"nearest"`: one of them; `"midpoint"`: their mean.
        keepdims: Whether the reduced axes remain, with size 1.

    Returns:
        A tensor; its first axis is that of `q`, if `q` is a vector.

    Raises:
        ArgumentError: if there is no such method.
        ShapeError: if there are no elements, or `q` is a matrix.

    Example:

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5).numpy().item()
    2.5
    """
    return _quantile(x, q, axis, method, keepdims, skips_nan=False)


@operation
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The values below which given percentages of the elements lie: `quantile(x, q / 100)`."""
    return _quantile(x, operate("div", in_float(q), 100), axis, method, keepdims, skips_nan=False)


@operation
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle of the sorted elements over axes, or the mean of the two in the middle; NaN where an element is.

    Args:
        x: Tensor.
        axis: Axis or axes; None: all.
        keepdims: Whether the reduced axes remain, with size 1.

    Example:

    >>> median([3.0, 1.0, 2.0]).numpy().item()
    2.0
    """
    return _quantile(x, 0.5, axis, "midpoint", keepdims, skips_nan=False)


@operation
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The values below which given shares of the elements that are not NaN lie: see `quantile`."""
    return _quantile(x, q, axis, method, keepdims, skips_nan=True)


@operation
def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The values below which given percentages of the elements that are not NaN lie: see `quantile`."""
    return _quantile(x, operate("div", in_float(q), 100), axis, method, keepdims, skips_nan=True)


@operation
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The median over axes of the elements that are not NaN; NaN where there is nothing else: see `median`."""
    return _quantile(x, 0.5, axis, "midpoint", keepdims, skips_nan=True)
