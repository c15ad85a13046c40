"""Reductions over axes in which NaN does not count."""

from __future__ import annotations

import math
from typing import Any

from graphc.ops.elementwise import in_wide, where
from graphc.ops.reductions import all as _all
from graphc.ops.reductions import argmax, argmin, max, mean, min, prod, std, sum, var
from graphc.tracing import Tensor, as_tensor, bind, operation
from graphc.tracing import cast as _cast
from graphc.tracing.conversion import float_dtype

__all__ = [
    "nanargmax",
    "nanargmin",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def filled(x: Any, number: float) -> tuple[Tensor, Tensor | None]:
    """The tensor with NaN replaced, and where it was; None for dtypes that have no NaN."""
    tensor = as_tensor(x)
    if not tensor.type.dtype.is_inexact:
        return tensor, None
    missing = bind("isnan", tensor)
    return where(missing, number, tensor), missing


@operation
def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes, with NaN taken for 0.

    Args:
        x: Tensor.
        axis: Axis or axes; None: all.
        keepdims: Whether the reduced axes remain, with size 1.

    Example:

    >>> nansum([1.0, float("nan"), 2.0]).numpy().item()
    3.0
    """
    return sum(filled(x, 0)[0], axis, keepdims)


@operation
def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The product over axes, with NaN taken for 1."""
    return prod(filled(x, 1)[0], axis, keepdims)


def _nan_extremum(x: Any, axis: Any, keepdims: bool, largest: bool) -> Tensor:
    tensor, missing = filled(x, -math.inf if largest else math.inf)
    result = (max if largest else min)(tensor, axis, keepdims)
    return result if missing is None else where(_all(missing, axis, keepdims), math.nan, result)


@operation
def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The maximum over axes of what is not NaN; NaN where there is nothing else.

    Example:

    >>> nanmax([1.0, float("nan"), 2.0]).numpy().item()
    2.0
    """
    return _nan_extremum(x, axis, keepdims, largest=True)


@operation
def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The minimum over axes of what is not NaN; NaN where there is nothing else."""
    return _nan_extremum(x, axis, keepdims, largest=False)


def _nan_position(x: Any, axis: int | None, keepdims: bool, largest: bool) -> Tensor:
    tensor, missing = filled(x, -math.inf if largest else math.inf)
    result = (argmax if largest else argmin)(tensor, axis, keepdims)
    return result if missing is None else where(_all(missing, axis, keepdims), -1, result)


@operation
def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the maximum along an axis of what is not NaN; -1 where there is nothing else.

    Example:

    >>> nanargmax([float("nan"), 1.0, 2.0]).numpy().item()
    2
    """
    return _nan_position(x, axis, keepdims, largest=True)


@operation
def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the minimum along an axis of what is not NaN; -1 where there is nothing else."""
    return _nan_position(x, axis, keepdims, largest=False)


def _mean_of_numbers(x: Tensor, missing: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """The mean of what is not missing, of a tensor that is wide enough to accumulate in, and 0 where it is missing."""
    present = _cast(bind("logical_not", missing), x.type.dtype)
    return bind("div", sum(where(missing, 0, x), axis, keepdims), sum(present, axis, keepdims))


@operation
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over axes of what is not NaN; NaN where there is nothing else.

    Example:

    >>> nanmean([1.0, float("nan"), 2.0]).numpy().item()
    1.5
    """
    tensor = as_tensor(x)
    if not tensor.type.dtype.is_inexact:
        return mean(tensor, axis, keepdims)
    wide = in_wide(tensor)
    return _cast(_mean_of_numbers(wide, bind("isnan", wide), axis, keepdims), tensor.type.dtype)


def _wide_nanvar(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    missing = bind("isnan", x)
    away = x - _mean_of_numbers(x, missing, axis, True)
    away = where(missing, 0, away)
    if x.type.dtype.is_complex:
        square: Tensor = bind("real", bind("mul", away, bind("conj", away)))
    else:
        square = bind("mul", away, away)
    return _mean_of_numbers(square, missing, axis, keepdims)


@operation
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance over axes of what is not NaN; NaN where there is nothing else."""
    tensor = as_tensor(x)
    if not tensor.type.dtype.is_inexact:
        return var(tensor, axis, keepdims)
    return _cast(_wide_nanvar(in_wide(tensor), axis, keepdims), float_dtype(tensor).real)


@operation
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes of what is not NaN: the root of `nanvar`."""
    tensor = as_tensor(x)
    if not tensor.type.dtype.is_inexact:
        return std(tensor, axis, keepdims)
    return _cast(bind("sqrt", _wide_nanvar(in_wide(tensor), axis, keepdims)), float_dtype(tensor).real)
