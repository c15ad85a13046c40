"""Images in other sizes: resized, scaled and moved, padded and cropped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide, maximum, where
from graphc.ops.functions import floor, sin
from graphc.ops.functions import round as _round
from graphc.ops.image_parts import image_axes, known, one_of
from graphc.ops.numbers import saturate_cast
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import moveaxis
from graphc.tracing import Tensor, as_tensor, bind, infers, operation
from graphc.tracing import cast as _cast

__all__ = ["crop_images", "pad_images", "resize", "scale_and_translate"]

# With more neighbours than this, all of which have weights, a product with a matrix is quicker than sums.
_NEIGHBOURS = 8
# The largest sum of weights that counts as none.
_NONE = 1000 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class _Functions:
    """What weights are computed with: NumPy, where all is known, or operations."""

    maximum: Callable[..., Any]
    where: Callable[..., Any]
    sin: Callable[..., Any]
    sum: Callable[..., Any]


_OF_ARRAYS, _OF_TENSORS = _Functions(np.maximum, np.where, np.sin, np.sum), _Functions(maximum, where, sin, _sum)


# ---- kernels: the weight of a neighbour at a distance


def _triangle(x: Any, f: _Functions) -> Any:
    return f.maximum(1.0 - x, 0.0)


def _cubic(x: Any, f: _Functions) -> Any:
    """Keys's kernel."""
    near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return f.where(x >= 2.0, 0.0, f.where(x >= 1.0, far, near))


def _lanczos(radius: float) -> Callable[[Any, _Functions], Any]:
    def kernel(x: Any, f: _Functions) -> Any:
        wave = radius * f.sin(math.pi * x) * f.sin(math.pi * x / radius)
        weight = f.where(x > 1e-3, wave / f.where(x > 1e-3, math.pi**2 * x * x, 1.0), 1.0)
        return f.where(x > radius, 0.0, weight)

    return kernel


_KERNELS: Mapping[str, Callable[[Any, _Functions], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), _triangle),
        **dict.fromkeys(("cubic", "bicubic", "tricubic"), _cubic),
        "lanczos3": _lanczos(3.0),
        "lanczos5": _lanczos(5.0),
    }
)


def _weights(method: str, size: Dim, count: int, scale: Any, shift: Any, antialias: bool) -> Any:
    """The weights `[count, size]` of the positions along an axis in each of the resampled ones.

    They are an array where the size, the scale and the shift are known, else a tensor.
    """
    known_size = isinstance(size, int) and not isinstance(scale, Tensor)
    f = _OF_ARRAYS if known_size else _OF_TENSORS
    positions: Any = (
        np.arange(float(size), dtype=np.float32).reshape(1, -1) if isinstance(size, int) else _positions(size)
    )
    step = np.float32(1.0) / np.float32(scale) if known_size else 1.0 / scale
    width = f.maximum(step, 1.0) if antialias else 1.0
    places: Any = np.arange(count, dtype=np.float32).reshape(-1, 1) + np.float32(0.5)
    sampled = (places if known_size else as_tensor(places)) * step - shift * step - 0.5
    weights = _KERNELS[method](abs(sampled - positions) / width, f)
    total = f.sum(weights, axis=1, keepdims=True)
    some = abs(total) > _NONE
    weights = f.where(some, weights / f.where(some, total, 1.0), 0.0)
    last = size - 0.5 if isinstance(size, int) else as_tensor(size, dtypes.float32) - 0.5
    return f.where((sampled >= -0.5) & (sampled <= last), weights, 0.0)


def _positions(size: Dim) -> Tensor:
    return _cast(bind("iota", shape=(1, size), dtype=dtypes.int32, axis=1), dtypes.float32)


def _resampled(x: Tensor, axis: int, weights: Any) -> Tensor:
    """The sums of the positions along an axis by their weights."""
    most = 0 if isinstance(weights, Tensor) else int(np.max(np.count_nonzero(weights, axis=1), initial=0))
    if not 0 < most <= _NEIGHBOURS or most >= weights.shape[1]:
        return _multiplied(x, axis, as_tensor(weights, x.type.dtype))
    # The neighbours with weights come first; the others have the weight 0.
    order = np.argsort(weights == 0, axis=1, kind="stable")[:, :most]
    factors = np.take_along_axis(weights, order, axis=1)
    shape = [-1 if a == axis else 1 for a in range(x.ndim)]
    total: Any = None
    for i in range(most):
        rows = bind("gather", x, as_tensor(order[:, i].astype(np.int32)), axis=axis)
        part = rows * as_tensor(factors[:, i].reshape(shape), x.type.dtype)
        total = part if total is None else total + part
    return as_tensor(total)


def _multiplied(x: Tensor, axis: int, weights: Tensor) -> Tensor:
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (axis,), "rhs_contract": (1,)}
    return moveaxis(bind("contract", x, weights, **axes), -1, axis)


def _nearest(x: Tensor, axis: int, count: int) -> Tensor:
    size = x.shape[axis]
    if isinstance(size, int):
        places = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * np.float32(size) / np.float32(count)
        indices = as_tensor(np.floor(places).astype(np.int32))
    else:
        halves = as_tensor(np.arange(count, dtype=np.float32) + np.float32(0.5))
        indices = _cast(floor(halves * as_tensor(size, dtypes.float32) / float(count)), dtypes.int32)
    return bind("gather", x, indices, axis=axis)


# ---- resize


def _sizes(size: Any) -> tuple[int, int]:
    parts = tuple(size) if isinstance(size, list | tuple | np.ndarray) else ()
    if len(parts) != 2 or not all(isinstance(part, int | np.integer) and part > 0 for part in parts):
        raise ArgumentError("`size` must have positive height and width", got=repr(size), expected="two integers")
    return int(parts[0]), int(parts[1])


def _cropped(x: Tensor, axes: Sequence[int], size: tuple[int, int]) -> Tensor:
    """The largest part in the middle that has the sides' ratio of a size."""
    height, width = known("resize", (x.shape[axis] for axis in axes))
    rows = max(min(height, int(float(width * size[0]) / size[1])), 1)
    columns = max(min(width, int(float(height * size[1]) / size[0])), 1)
    for axis, whole, part in ((axes[0], height, rows), (axes[1], width, columns)):
        start = int(float(whole - part) / 2)
        x = x[(slice(None),) * axis + (slice(start, start + part),)]
    return x


def _padded(x: Tensor, axes: Sequence[int], size: tuple[int, int], value: float) -> Tensor:
    """An image in the middle of one that has the sides' ratio of a size."""
    height, width = known("resize", (x.shape[axis] for axis in axes))
    rows = int(float(max(height, int(float(width * size[0]) / size[1])) - height) / 2)
    columns = int(float(max(width, int(float(height * size[1]) / size[0])) - width) / 2)
    border = [0] * x.ndim
    border[axes[0]], border[axes[1]] = rows, columns if rows == 0 else 0
    low = tuple(border)
    return bind("pad", x, low=low, high=low, interior=(0,) * x.ndim, value=x.type.dtype.numpy.type(value).item())


@operation
def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Images in another size.

    Each pixel of the result is a sum of those around its place in the image, weighted by a kernel of their distance.

    Args:
        images: An image or a batch of them.
        size: The new height and width.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: Whether kernels are as much wider as the image becomes smaller.
        crop_to_aspect_ratio: Whether images are first cropped to the ratio of the new height and width.
        pad_to_aspect_ratio: Whether images are first padded to that ratio.
        fill_mode: `"constant"`.
        fill_value: The pixels that are added.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same dtype; integers are rounded.

    Raises:
        ArgumentError: if an argument is unknown, or images are to be both cropped and padded.
        ShapeError: if the rank is neither 3 nor 4.

    Example:

    >>> resize([[[0.0], [4.0]]], (1, 4)).numpy().ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    x = as_tensor(images)
    wanted = _sizes(size)
    axes = image_axes("resize", x, data_format)[:2]
    one_of("interpolation", interpolation, ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic"))
    one_of("fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("images are either cropped or padded to a ratio of sides, and not both")
    if infers() and not all(isinstance(x.shape[axis], int) for axis in axes):
        crop_to_aspect_ratio = pad_to_aspect_ratio = False  # neither changes the shape of the result
    if crop_to_aspect_ratio:
        x = _cropped(x, axes, wanted)
    if pad_to_aspect_ratio:
        x = _padded(x, axes, wanted, fill_value)
    changed = [(axis, count) for axis, count in zip(axes, wanted, strict=True) if x.shape[axis] != count]
    if interpolation == "nearest":
        for axis, count in changed:
            x = _nearest(x, axis, count)
        return x
    dtype, resized = x.type.dtype, in_wide(x)
    for axis, count in changed:
        whole = x.shape[axis]
        scale = count / whole if isinstance(whole, int) else float(count) / as_tensor(whole, dtypes.float32)
        weights = _weights(interpolation, whole, count, scale, 0.0, antialias)
        resized = _resampled(resized, axis, weights)
    return saturate_cast(_round(resized) if dtype.is_integer else resized, dtype)


@operation
def scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Tensor:
    """Images that are scaled, then moved: what was at `x` is at `x * scale + translation`.

    Centers of pixels are at `0.5`, `1.5` and so on. What comes from outside of the image is 0.

    Args:
        images: Tensor.
        output_shape: The shape of the result, of the same rank.
        scale: Tensor `[K]`: the scale along each of the axes.
        translation: Tensor `[K]`: by how many pixels of the result it is moved along each of them.
        spatial_dims: The K axes.
        method: `"linear"`, `"cubic"` (also as `"bilinear"`, `"trilinear"`, `"bicubic"`, `"tricubic"`), `"lanczos3"` or
            `"lanczos5"`.
        antialias: Whether kernels are as much wider as the image becomes smaller.

    Returns:
        A tensor of floats of the given shape.

    Raises:
        ArgumentError: if the method is unknown.
        ShapeError: if the shapes do not fit.

    Example:

    >>> scale_and_translate([[1.0, 2.0]], (1, 4), [2.0], [0.0], (1,), "linear").numpy().tolist()
    [[1.0, 1.25, 1.75, 2.0]]
    """
    one_of("method", method, _KERNELS)
    x = as_tensor(images)
    shape, axes = tuple(output_shape), tuple(int(axis) % max(x.ndim, 1) for axis in spatial_dims)
    scales, shifts = (as_tensor(part, dtypes.float32) for part in (scale, translation))
    if len(shape) != x.ndim or scales.shape != (len(axes),) or shifts.shape != (len(axes),):
        raise ShapeError(
            "`scale_and_translate` takes a scale and a translation for each of its axes",
            got=f"{x.type}, output_shape={shape}, spatial_dims={axes}, scale {scales.type}, translation {shifts.type}",
        )
    resized = in_float(x)
    dtype = resized.type.dtype
    resized = in_wide(resized)
    for i, axis in enumerate(axes):
        weights = _weights(method, x.shape[axis], int(shape[axis]), scales[i], shifts[i], antialias)
        resized = _resampled(resized, axis, weights)
    return _cast(resized, dtype)


# ---- padding and cropping


def _ends(op: str, whole: Dim, low: Any, high: Any, target: Any, names: tuple[str, str, str]) -> tuple[Dim, Dim, Dim]:
    """Of an axis: the parts at both ends, and the size of the result, two of which are given."""
    given = {name: part for name, part in zip(names, (low, high, target), strict=True) if part is not None}
    if len(given) != 2:
        raise ArgumentError(
            f"Must specify exactly two of {', '.join(names)} in `{op}`",
            got=", ".join(f"{n}={p}" for n, p in given.items()) or "none",
        )
    difference = whole - target if target is not None and op == "crop_images" else None
    if op == "pad_images":
        difference = None if target is None else target - whole
    if target is None:
        target = whole - low - high if op == "crop_images" else whole + low + high
    elif low is None:
        low = difference - high
    else:
        high = difference - low
    for name, part in zip(names, (low, high, target), strict=True):
        if isinstance(part, int) and part < 0:
            raise ArgumentError(f"{name} must be >= 0 in `{op}`", got=part, expected=f"what fits a size of {whole}")
    return low, high, target


@operation
def pad_images(
    images: Any,
    top_padding: Any = None,
    left_padding: Any = None,
    bottom_padding: Any = None,
    right_padding: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """Images with rows and columns of zeros around them.

    Args:
        images: An image or a batch of them.
        top_padding: The rows above; two of top, bottom and height are given, and two of left, right and width.
        left_padding: The columns on the left.
        bottom_padding: The rows below.
        right_padding: The columns on the right.
        target_height: The height of the result.
        target_width: The width of the result.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if not two of them are given, or one is negative.
        ShapeError: if the rank is neither 3 nor 4.

    Example:

    >>> pad_images(np.ones((1, 1, 1)), 1, 0, target_height=2, target_width=2).numpy()[..., 0].tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    x = as_tensor(images)
    rows, columns, _ = image_axes("pad_images", x, data_format)
    names = ("top_padding", "bottom_padding", "target_height"), ("left_padding", "right_padding", "target_width")
    zero = False if x.type.dtype.is_bool else 0
    top, bottom, height = _ends("pad_images", x.shape[rows], top_padding, bottom_padding, target_height, names[0])
    left, right, width = _ends("pad_images", x.shape[columns], left_padding, right_padding, target_width, names[1])
    if infers() and not all(isinstance(end, int) for end in (top, bottom, left, right)):
        # That the result is not smaller is known when the sizes are.
        shape = tuple(height if a == rows else width if a == columns else x.shape[a] for a in range(x.ndim))
        return bind("broadcast", as_tensor(zero, x.type.dtype), shape=shape, axes=())
    low: list[Dim] = [0] * x.ndim
    high: list[Dim] = [0] * x.ndim
    low[rows], high[rows], low[columns], high[columns] = top, bottom, left, right
    return bind("pad", x, low=tuple(low), high=tuple(high), interior=(0,) * x.ndim, value=zero)


@operation
def crop_images(
    images: Any,
    top_cropping: Any = None,
    left_cropping: Any = None,
    bottom_cropping: Any = None,
    right_cropping: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """A part of images.

    Args:
        images: An image or a batch of them.
        top_cropping: The rows to leave out above; two of top, bottom and height are given, and two of left, right and
            width.
        left_cropping: The columns on the left.
        bottom_cropping: The rows below.
        right_cropping: The columns on the right.
        target_height: The height of the result.
        target_width: The width of the result.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if not two of them are given, or one is negative.
        ShapeError: if the rank is neither 3 nor 4.

    Example:

    >>> crop_images(np.arange(9.0).reshape(3, 3, 1), 0, 1, target_height=1, target_width=2).numpy().ravel().tolist()
    [1.0, 2.0]
    """
    x = as_tensor(images)
    rows, columns, _ = image_axes("crop_images", x, data_format)
    names = ("top_cropping", "bottom_cropping", "target_height"), ("left_cropping", "right_cropping", "target_width")
    top, _, height = _ends("crop_images", x.shape[rows], top_cropping, bottom_cropping, target_height, names[0])
    left, _, width = _ends("crop_images", x.shape[columns], left_cropping, right_cropping, target_width, names[1])
    key = [slice(None)] * x.ndim
    key[rows], key[columns] = slice(top, top + height), slice(left, left + width)
    return as_tensor(x[tuple(key)])
