"""Mean and variance, and tensors that are normalized by them or by their norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import config
from graphc.dtypes import DType
from graphc.errors import ArgumentError
from graphc.ops.elementwise import in_float, in_wide
from graphc.ops.reductions import broadcast_reduced, norm, restore_axes, wide_mean
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import axes_of, axis_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["batch_normalization", "layer_normalization", "moments", "normalize", "rms_normalization"]


@operation
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance over axes.

    Args:
        x: Tensor.
        axes: Axis or axes.
        keepdims: Whether the axes stay, with size 1.
        synchronized: Not supported yet.

    Raises:
        ArgumentError: if synchronized moments are requested.
    """
    if synchronized:
        raise ArgumentError("moments over several machines are not supported yet")
    given = in_float(x)
    tensor = in_wide(given)
    reduced = axes_of(axes, tensor.ndim, "moments")
    center = wide_mean(tensor, reduced)
    distance = bind("sub", tensor, broadcast_reduced(center, tensor, reduced))
    variance = wide_mean(bind("mul", distance, distance), reduced)
    if keepdims:
        center, variance = restore_axes(center, tensor, reduced), restore_axes(variance, tensor, reduced)
    return _narrowed(center, given.type.dtype), _narrowed(variance, given.type.dtype)


def _narrowed(x: Tensor, dtype: DType) -> Tensor:
    """Statistics in another dtype, clipped to the range of float16, as in Keras."""
    if dtype is x.type.dtype:
        return x
    largest = float(np.finfo(np.float16).max)
    return _cast(bind("clip", x, low=-largest, high=largest), dtype)


def _along(part: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A tensor along some axes of `x`, with size 1 in the other axes."""
    tensor = as_tensor(part, x.type.dtype)
    if tensor.ndim == x.ndim:
        return tensor
    return _reshape(tensor, tuple(dim if axis in axes else 1 for axis, dim in enumerate(x.shape)))


@operation
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, with statistics along one axis.

    Args:
        x: Tensor.
        mean: Vector along the axis.
        variance: Vector along the axis.
        axis: The axis along which the statistics are given.
        offset: Vector that is added. None: 0.
        scale: Vector that is multiplied. None: 1.
        epsilon: A small number that prevents division by 0.
    """
    given = in_float(x)
    tensor = in_wide(given)
    axes = (axis_of(axis, tensor.ndim, "batch_normalization"),)
    # The scale and shift are computed on vectors, so that each element takes one product and one sum.
    factor = bind("rsqrt", operate("add", as_tensor(variance, tensor.type.dtype), epsilon))
    if scale is not None:
        factor = operate("mul", factor, as_tensor(scale, tensor.type.dtype))
    shift = operate("neg", operate("mul", as_tensor(mean, tensor.type.dtype), factor))
    if offset is not None:
        shift = operate("add", shift, as_tensor(offset, tensor.type.dtype))
    result = operate("add", operate("mul", tensor, _along(factor, tensor, axes)), _along(shift, tensor, axes))
    return _cast(result, given.type.dtype)


@operation
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with statistics over axes (Ba et al., 2016).

    Args:
        x: Tensor.
        gamma: Scale, of the sizes of the axes. None: 1.
        beta: Offset, of the sizes of the axes. None: 0.
        axis: Axis or axes.
        epsilon: A small number that prevents division by 0. None: `config.epsilon()`.
    """
    if kwargs:
        raise ArgumentError("these arguments of `layer_normalization` are not supported yet", got=", ".join(kwargs))
    tensor = in_float(x)
    wide = in_wide(tensor)
    axes = axes_of(axis, tensor.ndim, "layer_normalization")
    center, variance = moments(wide, axes)
    factor = bind("rsqrt", operate("add", variance, config.epsilon() if epsilon is None else epsilon))
    result: Any = bind("sub", wide, broadcast_reduced(center, wide, axes)) * broadcast_reduced(factor, wide, axes)
    if gamma is not None:
        result = result * _along(gamma, wide, axes)
    if beta is not None:
        result = result + _along(beta, wide, axes)
    return _cast(result, tensor.type.dtype)


@operation
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Tensor:
    """`x / sqrt(mean(x * x) + epsilon) * scale` over axes (Zhang and Sennrich, 2019).

    Args:
        x: Tensor.
        scale: Scale, of the sizes of the axes. None: 1.
        axis: Axis or axes.
        epsilon: A small number that prevents division by 0. None: `config.epsilon()`.
    """
    tensor = in_float(x)
    wide = in_wide(tensor)
    axes = axes_of(axis, tensor.ndim, "rms_normalization")
    power = wide_mean(bind("mul", wide, wide), axes)
    factor = bind("rsqrt", operate("add", power, config.epsilon() if epsilon is None else epsilon))
    result = bind("mul", wide, broadcast_reduced(factor, wide, axes))
    if scale is not None:
        result = operate("mul", result, _along(scale, wide, axes))
    return _cast(result, tensor.type.dtype)


@operation
def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> Tensor:
    """Vectors normalized to norm one: `x / max(norm(x), epsilon)` along an axis.

    Args:
        x: Tensor.
        axis: Axis or axes.
        order: The order of the norm: `sum(abs(x) ** order) ** (1 / order)`.
        epsilon: The minimum norm to divide by. None: `config.epsilon()`.
    """
    given = in_float(x)
    tensor = in_wide(given)
    axes = axes_of(axis, tensor.ndim, "normalize")
    min_norm = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        total = bind("sum", bind("mul", tensor, tensor), axes=axes)
        factor = bind("rsqrt", elementwise("maximum", total, min_norm * min_norm))
        return _cast(bind("mul", tensor, broadcast_reduced(factor, tensor, axes)), given.type.dtype)
    length = elementwise("maximum", norm(tensor, order, axes), min_norm)
    return _cast(bind("div", tensor, broadcast_reduced(length, tensor, axes)), given.type.dtype)
