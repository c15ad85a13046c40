"""Random and given changes of single images, as arrays: the functions of `tf.keras.preprocessing.image`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.images import array_to_img, img_to_array, require_pillow

_FILL_MODES = ("nearest", "constant", "reflect", "wrap")


def apply_affine_transform(
    x: Any,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """An image rotated, shifted, sheared and zoomed around its centre.

    Args:
        x: Array of three axes.
        theta: Angle of the rotation, in degrees.
        tx: Shift from column to column, in pixels.
        ty: Shift from row to row.
        shear: Angle of the shear, in degrees.
        zx: Zoom of columns: below 1, they become wider.
        zy: Zoom of rows.
        row_axis: The axis of rows.
        col_axis: The axis of columns.
        channel_axis: The axis of channels.
        fill_mode: What is outside of the image: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: The value outside, for `"constant"`.
        order: 0: the value of the nearest pixel; 1: linear interpolation.

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if `x` is no image.

    Example:

    >>> apply_affine_transform(np.arange(4.0).reshape(1, 2, 2), tx=1)[0].tolist()
    [[1.0, 1.0], [3.0, 3.0]]
    """
    if sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2]:
        raise argument_error("the axes", (row_axis, col_axis, channel_axis), "0, 1 and 2")
    if fill_mode not in _FILL_MODES:
        raise argument_error("fill_mode", fill_mode, f"one of {_FILL_MODES}")
    if order not in (0, 1):
        raise argument_error("order", order, "0 or 1")
    image = np.asarray(x)
    if image.ndim != 3:
        raise DataError("this is no image", where=describe(user_line()), got=f"shape {image.shape}", expected="3 axes")
    angle, slant = np.deg2rad(theta), np.deg2rad(shear)
    turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    moved = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    sheared = np.array([[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]])
    matrix = turned @ moved @ sheared @ np.diag([zx, zy, 1])
    if np.array_equal(matrix, np.eye(3)):
        return image
    rows, columns = image.shape[row_axis], image.shape[col_axis]
    to_centre = np.array([[1, 0, columns / 2 - 0.5], [0, 1, rows / 2 - 0.5], [0, 0, 1]])
    matrix = to_centre @ matrix @ np.linalg.inv(to_centre)
    if col_axis > row_axis:
        # The matrix is one of columns and rows, in this order.
        swapped = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
        matrix = swapped @ matrix @ swapped
    planes = np.moveaxis(image, channel_axis, 0)
    return np.moveaxis(_sampled(planes, matrix, fill_mode, cval, order), 0, channel_axis)


def _sampled(planes: Array, matrix: Array, fill_mode: str, cval: float, order: int) -> Array:
    """The values of planes at the places to which a matrix takes the places of the result."""
    rows, columns = planes.shape[1:]
    grid = np.moveaxis(np.indices((rows, columns)), 0, -1)
    places = grid @ matrix[:2, :2].T + matrix[:2, 2]
    outside = np.zeros((rows, columns), bool)
    lower, shares = [], []
    for axis, size in enumerate((rows, columns)):
        place = places[..., axis]
        if fill_mode == "wrap" and size > 1:
            # The last pixel lies on the first one.
            place = np.where((place < 0) | (place > size - 1), np.mod(place, size - 1), place)
        outside |= (place < 0) | (place > size - 1)
        first = np.floor(place if order else place + 0.5)
        lower.append(first.astype(int))
        shares.append(place - first if order else np.zeros_like(place))
    result = np.zeros(planes.shape, float)
    for corner in np.ndindex(2, 2) if order else [(0, 0)]:
        weight = np.ones((rows, columns))
        indices = []
        for axis, size in enumerate((rows, columns)):
            weight = weight * (shares[axis] if corner[axis] else 1 - shares[axis])
            indices.append(_inside(lower[axis] + corner[axis], size, fill_mode))
        result += weight * planes[:, indices[0], indices[1]]
    if fill_mode == "constant":
        result[:, outside] = cval
    return result.astype(planes.dtype)


def _inside(index: Array, size: int, fill_mode: str) -> Array:
    """The index of the pixel that stands for one outside of the image."""
    if fill_mode == "reflect":
        index = np.mod(index, 2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)
    return np.clip(index, 0, size - 1)


def _place(row_axis: int, col_axis: int, channel_axis: int, fill_mode: str, cval: float, order: int) -> dict[str, Any]:
    axes = {"row_axis": row_axis, "col_axis": col_axis, "channel_axis": channel_axis}
    return {**axes, "fill_mode": fill_mode, "cval": cval, "order": order}


def random_rotation(
    x: Any,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image rotated by a random angle of at most `rg` degrees; the others are as of `apply_affine_transform`."""
    theta = np.random.uniform(-rg, rg)
    place = _place(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, theta=theta, **place)


def random_shift(
    x: Any,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image shifted at random, by at most these parts of its width and height."""
    ty = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    tx = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    place = _place(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, tx=tx, ty=ty, **place)


def random_shear(
    x: Any,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image sheared by a random angle of at most `intensity` degrees."""
    shear = np.random.uniform(-intensity, intensity)
    place = _place(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, shear=shear, **place)


def random_zoom(
    x: Any,
    zoom_range: Any,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image zoomed at random, along each axis by a number in a range."""
    low, high = _pair("zoom_range", zoom_range)
    zx, zy = (1.0, 1.0) if low == high == 1 else np.random.uniform(low, high, 2)
    place = _place(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, zx=zx, zy=zy, **place)


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise argument_error(name, value, "a pair of numbers")
    return value[0], value[1]


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> Array:
    """An image with a number added, within the range of its values.

    Example:

    >>> apply_channel_shift(np.array([[[0.0, 1.0]]]), 0.25).tolist()
    [[[0.25, 1.0]]]
    """
    image = np.asarray(x)
    return np.clip(image + intensity, image.min(), image.max())


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> Array:
    """An image with a random number added, of at most `intensity_range`, within the range of its values."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def apply_brightness_shift(x: Any, brightness: float, scale: bool = True) -> Array:
    """An image whose brightness is multiplied by a number, by Pillow.

    Args:
        x: Array of three axes.
        brightness: 1: as it is; 0: black.
        scale: Whether the smallest value becomes 0 and the largest 255.
    """
    require_pillow("apply_brightness_shift")
    image = np.asarray(x)
    low, high = image.min(), image.max()
    outside = bool(low < 0 or high > 255)
    picture = import_module("PIL.ImageEnhance").Brightness(array_to_img(image, scale=outside or scale))
    result = img_to_array(picture.enhance(brightness))
    return result / 255 * (high - low) + low if outside and not scale else result


def random_brightness(x: Any, brightness_range: Any, scale: bool = True) -> Array:
    """An image whose brightness is multiplied by a random number of a range."""
    low, high = _pair("brightness_range", brightness_range)
    return apply_brightness_shift(x, np.random.uniform(low, high), scale)
