"""Blocks of images: rearranged into channels and back, cut out and summed up again, and pooled to a given size."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dims
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide
from graphc.ops.reductions import max as _max
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import stack, transpose
from graphc.ops.windows import channels_first, channels_last, restore_format, tuple_of
from graphc.tracing import Tensor, as_tensor, bind, infers, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.indexing import sliced
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "depth_to_space", "fold", "space_to_depth", "unfold"]


def _image(op: str, x: Any, data_format: str, block_size: int) -> tuple[Tensor, bool]:
    """A batch of images with the channels last, and whether they were first."""
    tensor = as_tensor(x)
    if tensor.ndim != 4:
        raise ShapeError(f"`{op}` takes a batch of images", got=str(tensor.type), expected="rank 4")
    if block_size < 2:
        raise ArgumentError("`block_size` must be at least 2", got=block_size)
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError("unknown `data_format`", got=repr(data_format), expected="channels_last or channels_first")
    return tensor, data_format == "channels_first"


def _parts(op: str, size: Dim, by: int) -> Dim:
    if not infers() and dims.mod(size, by) != 0:
        raise ShapeError(f"the blocks of `{op}` do not fit", got=f"{size}", expected=f"a multiple of {by}")
    return dims.floordiv(size, by)


@operation
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Channels rearranged into blocks of pixels.

    Args:
        x: Tensor `[batch, height, width, channels]`, or `[batch, channels, height, width]`.
        block_size: The size of a block; the number of channels is a multiple of its square.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A tensor with `block_size` times as many rows and columns, and fewer channels.

    Raises:
        ShapeError: if `x` has no rank 4, or the channels do not divide.

    Example:

    >>> depth_to_space(np.arange(4).reshape(1, 1, 1, 4), 2).numpy().reshape(2, 2).tolist()
    [[0, 1], [2, 3]]
    """
    tensor, first = _image("depth_to_space", x, data_format, block_size)
    b = block_size
    if first:
        n, c, h, w = tensor.shape
        rest = _parts("depth_to_space", c, b * b)
        parted = transpose(_reshape(tensor, (n, rest, b, b, h, w)), (0, 1, 4, 2, 5, 3))
        return _reshape(parted, (n, rest, h * b, w * b))
    n, h, w, c = tensor.shape
    rest = _parts("depth_to_space", c, b * b)
    parted = transpose(_reshape(tensor, (n, h, w, b, b, rest)), (0, 1, 3, 2, 4, 5))
    return _reshape(parted, (n, h * b, w * b, rest))


@operation
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Blocks of pixels rearranged into channels: the inverse of `depth_to_space`.

    Args:
        x: Tensor `[batch, height, width, channels]`, or `[batch, channels, height, width]`.
        block_size: The size of a block, which divides height and width.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A tensor with fewer rows and columns, and `block_size**2` times as many channels.

    Raises:
        ShapeError: if `x` has no rank 4, or the blocks do not fit.

    Example:

    >>> space_to_depth(np.arange(4).reshape(1, 2, 2, 1), 2).shape
    (1, 1, 1, 4)
    """
    tensor, first = _image("space_to_depth", x, data_format, block_size)
    b = block_size
    n, *sizes = tensor.shape
    c, h, w = sizes if first else (sizes[2], *sizes[:2])
    rows, columns = _parts("space_to_depth", h, b), _parts("space_to_depth", w, b)
    if first:
        parted = transpose(_reshape(tensor, (n, c, rows, b, columns, b)), (0, 1, 3, 5, 2, 4))
        return _reshape(parted, (n, c * b * b, rows, columns))
    parted = transpose(_reshape(tensor, (n, rows, b, columns, b, c)), (0, 1, 3, 2, 4, 5))
    return _reshape(parted, (n, rows, columns, c * b * b))


def _sides(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    """Two numbers each."""
    named = {"kernel_size": kernel_size, "dilation": dilation, "stride": stride}
    window, spacing, step = (tuple_of(value, 2, name) for name, value in named.items())
    return [window, spacing, tuple_of(padding, 2, "padding", least=0), step]


@operation
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The blocks under a sliding window, each as a column.

    Args:
        x: Tensor `[batch, channels, height, width]`.
        kernel_size: The size of the window: a number, or two.
        dilation: The spacing of its elements.
        padding: The number of zeros at each side.
        stride: The distance of two windows.

    Returns:
        A tensor of shape `[batch, channels * window, number of windows]`.

    Raises:
        ShapeError: if `x` has no rank 4.

    Example:

    >>> unfold(np.arange(9.0).reshape(1, 1, 3, 3), 2).shape
    (1, 4, 4)
    """
    tensor = as_tensor(x)
    if tensor.ndim != 4:
        raise ShapeError("`unfold` takes images", got=str(tensor.type), expected="[batch, channels, height, width]")
    window, spacing, border, step = _sides(kernel_size, dilation, padding, stride)
    if any(border):
        low = (0, 0, *border)
        tensor = bind("pad", tensor, low=low, high=low, interior=(0,) * 4, value=0)
    n, c, *sizes = tensor.shape
    count = [dims.floordiv(z - d * (k - 1) - 1, s) + 1 for z, k, d, s in zip(sizes, window, spacing, step, strict=True)]
    blocks = []
    for place in np.ndindex(*window):
        start = [i * d for i, d in zip(place, spacing, strict=True)]
        stop = [at + (m - 1) * s + 1 for at, m, s in zip(start, count, step, strict=True)]
        blocks.append(sliced(tensor, (0, 0, *start), (n, c, *stop), (1, 1, *step)))
    return _reshape(stack(blocks, 2), (n, c * len(blocks), dims.product(count)))


@operation
def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The image that consists of blocks under a sliding window, added up where they overlap.

    Args:
        x: Tensor `[batch, channels * window, number of windows]`: see `unfold`.
        output_size: The height and width of the image.
        kernel_size: The size of the window: a number, or two.
        dilation: The spacing of its elements.
        padding: The number of elements at each side that are cut off.
        stride: The distance of two windows.

    Returns:
        A tensor of shape `[batch, channels, height, width]`.

    Raises:
        ShapeError: if the blocks do not fit.

    Example:

    >>> fold(np.ones((1, 4, 4)), 3, 2).numpy().reshape(3, 3).tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    tensor = as_tensor(x)
    size = tuple_of(output_size, 2, "output_size")
    window, spacing, border, step = _sides(kernel_size, dilation, padding, stride)
    whole = [z + 2 * p for z, p in zip(size, border, strict=True)]
    rows, columns = ((z - d * (k - 1) - 1) // s + 1 for z, k, d, s in zip(whole, window, spacing, step, strict=True))
    taps = window[0] * window[1]
    if tensor.ndim != 3 or not (
        infers() or (dims.mod(tensor.shape[1], taps) == 0 and tensor.shape[2] == rows * columns)
    ):
        expected = f"[batch, channels * {taps}, {rows * columns}]"
        raise ShapeError("the blocks of `fold` do not fit", got=str(tensor.type), expected=expected)
    n, c = tensor.shape[0], dims.floordiv(tensor.shape[1], taps)
    parted = _reshape(tensor, (n, c, *window, rows, columns))
    total: Tensor | None = None
    for i, j in np.ndindex(*window):
        block = parted[:, :, i, j]
        start = (i * spacing[0], j * spacing[1])
        end = [at + (m - 1) * s + 1 for at, m, s in zip(start, (rows, columns), step, strict=True)]
        high = tuple(z - e for z, e in zip(whole, end, strict=True))
        interior = (0, 0, *(s - 1 for s in step))
        placed = bind("pad", block, low=(0, 0, *start), high=(0, 0, *high), interior=interior, value=0)
        total = placed if total is None else operate("add", total, placed)
    assert total is not None
    low, high = (0, 0, *border), (n, c, *(p + z for p, z in zip(border, size, strict=True)))
    return sliced(total, low, high)


def _adaptive(op: str, inputs: Any, output_size: Any, data_format: str | None, largest: bool) -> Tensor:
    """Pools each spatial axis by itself: the windows of an axis start and end at nearly equal distances."""
    first = channels_first(data_format)
    given = as_tensor(inputs) if largest else in_float(inputs)
    x = channels_last(given if largest else in_wide(given), first)
    if not 3 <= x.ndim <= 5:
        raise ShapeError(f"`{op}` pools one to three spatial axes", got=str(given.type))
    sizes = tuple_of(output_size, x.ndim - 2, "output_size")
    for axis, size in enumerate(sizes, 1):
        extent = x.shape[axis]
        if not isinstance(extent, int):
            raise ShapeError(f"`{op}` takes spatial axes of known size", got=str(given.type))
        x = _pooled_axis(x, axis, extent, size, largest)
    return restore_format(_cast(x, given.type.dtype), first)


def _pooled_axis(x: Tensor, axis: int, extent: int, size: int, largest: bool) -> Tensor:
    if size == extent:
        return x
    starts = np.arange(size) * extent // size
    ends = -(-np.arange(1, size + 1) * extent // size)
    width = int((ends - starts).max())
    places = starts[:, None] + np.arange(width)
    inside = places < ends[:, None]
    # A window that is shorter reads its last element again.
    places = np.minimum(places, ends[:, None] - 1).astype(np.int32)
    taken = bind("gather", x, as_tensor(places), axis=axis)
    if largest:
        return _max(taken, axis + 1)
    share = inside / inside.sum(1, keepdims=True)
    share = share.reshape(*share.shape, *(1,) * (x.ndim - 1 - axis))
    return _sum(operate("mul", taken, as_tensor(share, x.type.dtype)), axis + 1)


@operation
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Tensor:
    """The means of as many windows as the result has elements, spread evenly over the input.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`, with one to three spatial axes
            of known size.
        output_size: The sizes of the result: a number, or one for each spatial axis.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ShapeError: if the number of axes or a size does not fit.

    Example:

    >>> adaptive_average_pool([[[1.0], [2.0], [3.0], [4.0]]], 2).numpy().reshape(-1)
    array([1.5, 3.5], dtype=float32)
    """
    return _adaptive("adaptive_average_pool", inputs, output_size, data_format, largest=False)


@operation
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Tensor:
    """The maxima of as many windows as the result has elements: see `adaptive_average_pool`."""
    return _adaptive("adaptive_max_pool", inputs, output_size, data_format, largest=True)
