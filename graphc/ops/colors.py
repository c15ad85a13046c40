"""Colors of images: gray, and hue, saturation and value."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, maximum, minimum, where
from graphc.ops.image_parts import image_axes
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import stack
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast

__all__ = ["hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"]


def _planes(op: str, images: Any, data_format: str | None) -> tuple[list[Tensor], int]:
    """The three planes of images, and their axis."""
    x = as_tensor(images)
    axis = image_axes(op, x, data_format)[2]
    if not x.type.dtype.is_float:
        raise ArgumentError(f"Invalid images dtype: expected float dtype by `{op}`", got=str(x.type))
    if isinstance(x.shape[axis], int) and x.shape[axis] != 3:
        problem = f"Input images must have 3 channels, but received images with {x.shape[axis]} channels."
        raise ShapeError(problem, got=str(x.type))
    return [x[tuple([slice(None)] * axis + [i])] for i in range(3)], axis


@operation
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Tensor:
    """Gray images: `0.2989 * red + 0.587 * green + 0.114 * blue`.

    Args:
        images: An image or a batch of them, with 3 channels, or with 1, which is returned as it is.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same dtype with 1 channel.

    Raises:
        ShapeError: if the rank or the number of channels is another.

    Example:

    >>> rgb_to_grayscale([[[10000.0, 0.0, 0.0]]]).numpy().round().tolist()
    [[[2989.0]]]
    """
    x = as_tensor(images)
    axis = image_axes("rgb_to_grayscale", x, data_format)[2]
    if x.shape[axis] not in (1, 3):
        raise ShapeError("`rgb_to_grayscale` takes images with 3 channels or 1", got=str(x.type))
    if x.shape[axis] == 1:
        return x
    floats = in_float(x)
    shape = [3 if a == axis else 1 for a in range(x.ndim)]
    weights = as_tensor(np.array((0.2989, 0.5870, 0.1140)).reshape(shape), floats.type.dtype)
    return _cast(_sum(floats * weights, axis=axis, keepdims=True), x.type.dtype)


@operation
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Tensor:
    """Hue, saturation and value of colors, from 0 to 1.

    Args:
        images: An image or a batch of them: floats from 0 to 1, with 3 channels.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if the rank or the number of channels is another.
        ArgumentError: if the images are no floats.

    Example:

    >>> rgb_to_hsv([[[0.0, 0.5, 0.5]]]).numpy().tolist()
    [[[0.5, 1.0, 0.5]]]
    """
    planes, axis = _planes("rgb_to_hsv", images, data_format)
    tiny = float(ml_dtypes.finfo(planes[0].type.dtype.numpy).eps)  # type: ignore[no-untyped-call]
    red, green, blue = (where(elementwise("lt", bind("abs", plane), tiny), 0.0, plane) for plane in planes)
    value = maximum(maximum(red, green), blue)
    spread = value - minimum(minimum(red, green), blue)
    bright, colored = elementwise("gt", value, 0), elementwise("gt", spread, 0)
    saturation = where(bright, spread / where(bright, value, 1.0), 0.0)
    scale = 1.0 / (6.0 * where(colored, spread, 1.0))
    hue = where(elementwise("eq", value, green), scale * (blue - red) + 2.0 / 6.0, scale * (red - green) + 4.0 / 6.0)
    hue = where(elementwise("eq", value, red), scale * (green - blue), hue)
    hue = where(colored, hue, 0.0) + _cast(elementwise("lt", hue, 0), hue.type.dtype)
    return stack([hue, saturation, value], axis)


@operation
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Tensor:
    """Red, green and blue of colors in hue, saturation and value.

    Args:
        images: An image or a batch of them: floats from 0 to 1, with 3 channels.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if the rank or the number of channels is another.
        ArgumentError: if the images are no floats.

    Example:

    >>> hsv_to_rgb([[[0.0, 1.0, 0.5]]]).numpy().tolist()
    [[[0.5, 0.0, 0.0]]]
    """
    (hue, saturation, value), axis = _planes("hsv_to_rgb", images, data_format)
    sixth = (hue % 1.0) * 6.0
    parts = (abs(sixth - 3.0) - 1.0, 2.0 - abs(sixth - 2.0), 2.0 - abs(sixth - 4.0))
    pale = 1.0 - saturation
    return stack([value * (pale + saturation * bind("clip", part, low=0.0, high=1.0)) for part in parts], axis)
