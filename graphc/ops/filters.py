"""Filters over neighbouring pixels: blurring, edges, patches, and how alike two images are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_wide, where
from graphc.ops.functions import exp, floor
from graphc.ops.image_parts import batched, unbatched
from graphc.ops.reductions import mean
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import moveaxis, stack, transpose
from graphc.ops.windows import channels_first, depthwise_conv, padding_name, padding_of, tuple_of
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["extract_patches", "extract_patches_3d", "gaussian_blur", "sobel_edges", "ssim"]


def _filtered(x: Tensor, kernel: Tensor, axis: int, padding: str) -> Tensor:
    """Images with the channels last, each of which is filtered along an axis."""
    window = (kernel.shape[0], 1) if axis == 1 else (1, kernel.shape[0])
    weights = bind("broadcast", _reshape(kernel, window), shape=(*window, x.shape[3], 1), axes=(0, 1))
    return depthwise_conv(x, weights, padding=padding, data_format="channels_last")


def _bell(size: int, width: Any) -> Tensor:
    """A normal curve over a number of positions, of sum 1."""
    places = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    ratio = as_tensor(places) / as_tensor(width, dtypes.float32)
    weights = exp(-0.5 * ratio * ratio)
    return as_tensor(weights / _sum(weights))


def curve_of_width(widest: int, sigma: Tensor) -> Tensor:
    """A normal curve over an odd number of positions about `6 * sigma`, which is computed, and 0 beyond them."""
    reach = floor(_cast(floor(6 * sigma), dtypes.float32) / 2)
    inside = elementwise("le", np.abs(np.arange(widest, dtype=np.float32) - (widest - 1) // 2), reach)
    weights = where(inside, _bell(widest, sigma), 0)
    return as_tensor(weights / _sum(weights))


def smoothed(x: Tensor, curve: Tensor) -> Tensor:
    """Images with the channels last, blurred by a curve along the width and the height."""
    return _filtered(_filtered(x, curve, 2, "same"), curve, 1, "same")


@operation
def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Tensor:
    """Images blurred by a normal curve in each direction; outside of them there are zeros.

    Args:
        images: An image or a batch of them.
        kernel_size: The width and the height of the kernel.
        sigma: The standard deviation of the curve along the width and the height.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        ShapeError: if the rank is neither 3 nor 4.
        ArgumentError: if the size is no two positive integers.

    Example:

    >>> gaussian_blur(np.ones((3, 3, 1))).numpy()[1, 1].round(3).tolist()
    [1.0]
    """
    x, first = batched("gaussian_blur", images, data_format)
    widths = tuple_of(kernel_size, 2, "kernel_size")
    spread = as_tensor(sigma, dtypes.float32)
    if spread.ndim == 0:
        spread = bind("broadcast", spread, shape=(2,), axes=())
    blurred = in_wide(x)
    for i, axis in ((0, 2), (1, 1)):
        blurred = _filtered(blurred, _bell(widths[i], spread[i]), axis, "same")
    return unbatched(_cast(blurred, x.type.dtype), first, as_tensor(images).ndim)


@operation
def sobel_edges(images: Any, data_format: str | None = None) -> Tensor:
    """How quickly images get brighter downwards and to the right, by Sobel's filters.

    Args:
        images: A batch of images; outside of them there are zeros.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor with one more axis, of size 2: downwards, and to the right.

    Raises:
        ShapeError: if the rank is not 4.

    Example:

    >>> sobel_edges(np.eye(3).reshape(1, 3, 3, 1)).numpy()[0, 1, 1, 0].tolist()
    [0.0, 0.0]
    """
    x = as_tensor(images)
    if x.ndim != 4:
        raise ShapeError("`sobel_edges` takes a batch of images", got=str(x.type), expected="rank 4")
    rows = 2 if channels_first(data_format) else 1

    def around(tensor: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """The values before, at and after each position."""
        size = tensor.shape[axis]
        low = tuple(int(a == axis) for a in range(4))
        padded = bind("pad", tensor, low=low, high=low, interior=(0,) * 4, value=0)
        before, at, after = (padded[(slice(None),) * axis + (slice(i, i + size),)] for i in range(3))
        return before, at, after

    edges = []
    for axis, across in ((rows, rows + 1), (rows + 1, rows)):
        before, _, after = around(x, axis)
        low, at, high = around(after - before, across)
        edges.append(low + 2 * at + high)
    return stack(edges, -1)


# ---- patches


def _patches(op: str, x: Tensor, size: Sequence[int], strides: Any, dilation: Any, padding: str, first: bool) -> Tensor:
    """The parts of images under a sliding window, each as the channels of a pixel."""
    count = len(size)
    whole = x.ndim == count + 2
    if not whole and x.ndim != count + 1:
        raise ShapeError(
            f"`{op}` of this size takes images", got=str(x.type), expected=f"rank {count + 1} or {count + 2}"
        )
    x = x if whole else _reshape(x, (1, *x.shape))
    x = moveaxis(x, 1, -1) if first else x
    steps = tuple(size) if not strides else tuple_of(strides, count, "strides")
    spacing = tuple_of(dilation, count, "dilation_rate")
    extents = [(part - 1) * apart + 1 for part, apart in zip(size, spacing, strict=True)]
    border = padding_of(padding_name(padding), x.shape[1:-1], extents, steps)
    low, high = ((0, *(pair[end] for pair in border), 0) for end in (0, 1))
    if any(pair != (0, 0) for pair in border):
        x = bind("pad", x, low=low, high=high, interior=(0,) * x.ndim, value=False if x.type.dtype.is_bool else 0)
    numbers = [
        dims.floordiv(extent - window, step) + 1
        for extent, window, step in zip(x.shape[1:-1], extents, steps, strict=True)
    ]
    if tuple(size) == steps and set(spacing) == {1}:
        tiles = _tiled(x, size, numbers)
    else:
        tiles = _slid(x, size, steps, spacing, numbers)
    tiles = _reshape(tiles, (x.shape[0], *numbers, int(np.prod(size)) * x.shape[-1]))
    tiles = moveaxis(tiles, -1, 1) if first else tiles
    return tiles if whole else _reshape(tiles, tiles.shape[1:])


def _tiled(x: Tensor, size: Sequence[int], numbers: Sequence[Any]) -> Tensor:
    """Patches side by side: only axes change."""
    count = len(size)
    x = x[(slice(None), *(slice(0, number * part) for number, part in zip(numbers, size, strict=True)))]
    split = [part for pair in zip(numbers, size, strict=True) for part in pair]
    outer, inner = (tuple(range(start, 2 * count + 1, 2)) for start in (1, 2))
    return transpose(_reshape(x, (x.shape[0], *split, x.shape[-1])), (0, *outer, *inner, 2 * count + 1))


def _slid(
    x: Tensor, size: Sequence[int], steps: Sequence[int], spacing: Sequence[int], numbers: Sequence[Any]
) -> Tensor:
    """Patches that overlap or are apart: one part of the image for each place in the window."""
    parts = []
    for place in np.ndindex(*size):
        start = [i * apart for i, apart in zip(place, spacing, strict=True)]
        stop = [at + (number - 1) * step + 1 for at, number, step in zip(start, numbers, steps, strict=True)]
        key = tuple(slice(a, b, c) for a, b, c in zip(start, stop, steps, strict=True))
        parts.append(x[(slice(None), *key)])
    return stack(parts, -2)


@operation
def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The parts of images under a sliding window, each as the channels of a pixel.

    Args:
        images: An image or a batch of them; volumes, if `size` has three parts.
        size: The height and the width of the window: a number, two, or for volumes three.
        strides: The distance of two windows. None: `size`.
        dilation_rate: The spacing of the elements of a window.
        padding: `"valid"`: windows lie inside of the image; `"same"`: there are zeros around it.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor `[batch, rows, columns, height * width * channels]`, or with the channels first.

    Raises:
        ArgumentError: if the size or the strides are no positive integers.
        ShapeError: if the rank does not fit.

    Example:

    >>> extract_patches(np.arange(16.0).reshape(1, 4, 4, 1), 2).numpy()[0, 0].tolist()
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
    """
    if not isinstance(size, int | np.integer | list | tuple) or (
        isinstance(size, list | tuple) and len(size) not in (2, 3)
    ):
        raise ArgumentError("the size of a patch is one integer, two or three", got=repr(size))
    count = 2 if isinstance(size, int | np.integer) else len(size)
    window = tuple_of(size, count, "size")
    first = channels_first(data_format)
    return _patches("extract_patches", as_tensor(images), window, strides, dilation_rate, padding, first)


@operation
def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The parts of volumes under a sliding window, each as the channels of a voxel: see `extract_patches`.

    Args:
        volumes: A volume or a batch of them.
        size: The depth, the height and the width of the window: a number, or three.
        strides: The distance of two windows. None: `size`.
        dilation_rate: The spacing of the elements of a window.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor `[batch, depth, rows, columns, window * channels]`, or with the channels first.

    Example:

    >>> extract_patches_3d(np.zeros((2, 10, 10, 10, 3)), 3).shape
    (2, 3, 3, 3, 81)
    """
    window = tuple_of(size, 3, "size")
    first = channels_first(data_format)
    return _patches("extract_patches_3d", as_tensor(volumes), window, strides, dilation_rate, padding, first)


# ---- likeness


@operation
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Tensor:
    """The structural similarity of images (Wang et al., 2004), 1 for equal ones.

    It is the mean over windows of `(2 m1 m2 + c1) (2 s12 + c2) / ((m1^2 + m2^2 + c1) (s1^2 + s2^2 + c2))`, with
    means `m`, variances `s^2` and the covariance `s12`.

    Args:
        image1: An image or a batch of them.
        image2: Likewise.
        max_val: The range of the pixels.
        filter_size: The size of the windows.
        filter_sigma: The standard deviation of the normal curve that weights their pixels.
        k1: `c1 = (k1 * max_val)^2`.
        k2: `c2 = (k2 * max_val)^2`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A number for each image.

    Raises:
        ShapeError: if the rank is neither 3 nor 4.

    Example:

    >>> ssim(np.ones((12, 12, 1)), np.ones((12, 12, 1))).numpy().round(4).item()
    1.0
    """
    x, _ = batched("ssim", image1, data_format)
    y, _ = batched("ssim", image2, data_format)
    dtype = x.type.dtype
    x, y = in_wide(x), in_wide(y)
    bell = _bell(filter_size, filter_sigma)

    def means(tensor: Tensor) -> Tensor:
        return _filtered(_filtered(tensor, bell, 1, "valid"), bell, 2, "valid")

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean_x, mean_y = means(x), means(y)
    variances = means(x * x) - mean_x * mean_x + means(y * y) - mean_y * mean_y
    covariance = means(x * y) - mean_x * mean_y
    above = (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)
    below = (mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2)
    found = _cast(mean(above / below, axis=(1, 2, 3)), dtype)
    return found if as_tensor(image1).ndim == 4 else found[0]
