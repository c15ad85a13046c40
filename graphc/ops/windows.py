"""Convolutions and pooling over any number of spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import config, dims
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide
from graphc.ops.shaping import broadcast_to, flip, moveaxis, reshape, swapaxes
from graphc.tracing import Tensor, as_tensor, bind, elementwise, infers, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate

__all__ = ["average_pool", "conv", "conv_transpose", "depthwise_conv", "max_pool", "separable_conv"]

Padding = tuple[tuple[Dim, Dim], ...]


def tuple_of(value: Any, count: int, name: str, least: int = 1) -> tuple[int, ...]:
    """A number for each spatial axis, from a single number or a tuple.

    Raises:
        ArgumentError: if the number of them differs, or one is too small.
    """
    parts = (value,) * count if isinstance(value, int | np.integer) else tuple(value)
    if len(parts) != count or not all(isinstance(part, int | np.integer) and part >= least for part in parts):
        kind = "a positive integer" if least else "an integer of 0 or more"
        raise ArgumentError(f"{name} is {kind}, or {count} of them", got=repr(value))
    return tuple(int(part) for part in parts)


def padding_name(padding: Any, allowed: Sequence[str] = ("valid", "same")) -> str:
    """The name of a padding in lower case.

    Raises:
        ArgumentError: if there is no such padding.
    """
    name = padding.lower() if isinstance(padding, str) else padding
    if name not in allowed:
        raise ArgumentError("unknown padding", got=repr(padding), expected=" or ".join(allowed))
    return str(name)


def padding_of(padding: str, sizes: Sequence[Dim], window: Sequence[int], strides: Sequence[int]) -> Padding:
    """The padding before and after each spatial axis.

    `"valid"` means none. `"same"` pads such that the size of the result is `ceil(size / stride)`; an odd element is
    added at the end.

    Raises:
        ArgumentError: if the padding is unknown.
        ShapeError: if the padding depends on an unknown size.
    """
    if padding_name(padding) == "valid":
        return ((0, 0),) * len(window)
    pairs: list[tuple[Dim, Dim]] = []
    for size, extent, stride in zip(sizes, window, strides, strict=True):
        if stride == 1:
            total = extent - 1
        elif isinstance(size, int):
            total = max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
        elif dims.mod(size, stride) == 0:
            total = max(extent - stride, 0)
        elif infers():
            # During inference the size of the result suffices; this padding results in the same size.
            total = extent - 1
        else:
            raise ShapeError("padding 'same' with a stride needs a known size", got=str(tuple(sizes)))
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def channels_first(data_format: str | None) -> bool:
    chosen = config.image_data_format() if data_format is None else str(data_format).lower()
    if chosen not in ("channels_first", "channels_last"):
        raise ArgumentError("unknown data_format", got=repr(data_format), expected="channels_first or channels_last")
    return chosen == "channels_first"


def channels_last(x: Tensor, first: bool) -> Tensor:
    return moveaxis(x, 1, -1) if first else x


def restore_format(x: Tensor, first: bool) -> Tensor:
    return moveaxis(x, -1, 1) if first else x


def _images(inputs: Any, kernel: Any) -> tuple[Tensor, Tensor]:
    dtype = result_dtype(inputs, kernel)
    x, w = as_tensor(inputs, dtype), as_tensor(kernel, dtype)
    if x.ndim != w.ndim or x.ndim < 3:
        raise ShapeError(
            "a convolution takes images and a kernel of one rank",
            got=f"images {x.type}, kernel {w.type}",
            expected="[batch, *spatial, channels] and [*window, channels, filters]",
        )
    return x, w


@operation
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Convolution (cross-correlation): at each position, the sum of products of the kernel and the window under it.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        kernel: Tensor `[*window, channels / groups, filters]`.
        strides: Stride of the kernel: a number, or one for each spatial axis.
        padding: `"valid"`: none; `"same"`: the result is as large as the input, divided by the strides.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.

    Raises:
        ShapeError: if the channels do not fit.

    Example:

    >>> conv([[[1.0], [2.0], [3.0]]], [[[1.0]], [[1.0]]]).numpy().reshape(-1)
    array([3., 5.], dtype=float32)
    """
    first = channels_first(data_format)
    x, w = _images(inputs, kernel)
    x = channels_last(x, first)
    rank = x.ndim - 2
    channels, per_group = x.shape[-1], w.shape[-2]
    if per_group == 0 or dims.mod(channels, per_group) != 0:
        raise ShapeError(
            "the channels do not fit the kernel", got=f"{channels} channels", expected=f"a multiple of {per_group}"
        )
    stride, dilation = tuple_of(strides, rank, "strides"), tuple_of(dilation_rate, rank, "dilation_rate")
    window = [(int(size) - 1) * d + 1 for size, d in zip(w.shape[:-2], dilation, strict=True)]
    result = bind(
        "conv",
        x,
        w,
        strides=stride,
        padding=padding_of(padding, x.shape[1:-1], window, stride),
        lhs_dilation=(1,) * rank,
        rhs_dilation=dilation,
        groups=dims.floordiv(channels, per_group),
    )
    return restore_format(result, first)


def _transposed_padding(kernel: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """The padding of the dilated input of a transposed convolution, along one axis.

    With a window of `kernel` elements and a padding of `low` and `high`, the size of the result is
    `(size - 1) * stride + low + high + 2 - kernel`.
    """
    if padding_name(padding) == "valid":
        return kernel - 1, kernel - 1 + (max(stride - kernel, 0) if extra is None else extra)
    total = kernel + stride - 2 if extra is None else kernel + kernel % 2 - 2 + extra
    low = min(-(-total // 2), kernel - 1)
    return low, total - low


@operation
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Transposed convolution: each input element adds its product with the kernel to the result.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        kernel: Tensor `[*window, filters, channels]`.
        strides: The distance of neighboring inputs in the result: a number, or one for each spatial axis.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.

    Raises:
        ShapeError: if the channels do not fit.
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> conv_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]]).numpy().reshape(-1)
    array([ 1., 12., 20.], dtype=float32)
    """
    first = channels_first(data_format)
    x, w = _images(inputs, kernel)
    x = channels_last(x, first)
    rank = x.ndim - 2
    if x.shape[-1] != w.shape[-1]:
        raise ShapeError("the channels do not fit the kernel", got=f"{x.shape[-1]} channels", expected=f"{w.shape[-1]}")
    stride, dilation = tuple_of(strides, rank, "strides"), tuple_of(dilation_rate, rank, "dilation_rate")
    extra = (None,) * rank if output_padding is None else _extra(output_padding, rank)
    window = [(int(size) - 1) * d + 1 for size, d in zip(w.shape[:-2], dilation, strict=True)]
    result = bind(
        "conv",
        x,
        swapaxes(flip(w, tuple(range(rank))), -1, -2),
        strides=(1,) * rank,
        padding=tuple(
            _transposed_padding(size, step, padding, more)
            for size, step, more in zip(window, stride, extra, strict=True)
        ),
        lhs_dilation=stride,
        rhs_dilation=dilation,
        groups=1,
    )
    return restore_format(result, first)


def _extra(output_padding: Any, rank: int) -> tuple[int, ...]:
    parts = (output_padding,) * rank if isinstance(output_padding, int | np.integer) else tuple(output_padding)
    if len(parts) != rank or not all(isinstance(part, int | np.integer) and part >= 0 for part in parts):
        raise ArgumentError(f"output_padding is an integer of at least 0, or {rank}", got=repr(output_padding))
    return tuple(int(part) for part in parts)


@operation
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Depthwise convolution: each channel is convolved separately.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        kernel: Tensor `[*window, channels, multiplier]`.
        strides: As of `conv`.
        padding: As of `conv`.
        data_format: As of `conv`.
        dilation_rate: As of `conv`.
    """
    w = as_tensor(kernel)
    grouped = reshape(w, (*w.shape[:-2], 1, w.shape[-2] * w.shape[-1]))
    return conv(inputs, grouped, strides, padding, data_format, dilation_rate)


@operation
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Separable convolution: a depthwise convolution, followed by a pointwise convolution.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        depthwise_kernel: Tensor `[*window, channels, multiplier]`.
        pointwise_kernel: Tensor `[*ones, channels * multiplier, filters]`.
        strides: As of `conv`.
        padding: As of `conv`.
        data_format: As of `conv`.
        dilation_rate: As of `conv`.
    """
    middle = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(middle, pointwise_kernel, 1, "valid", data_format)


def _pooled(
    combine: str, x: Tensor, pool_size: Any, strides: Any, padding: str
) -> tuple[Tensor, tuple[int, ...], tuple[int, ...], Padding]:
    rank = x.ndim - 2
    window = tuple_of(pool_size, rank, "pool_size")
    stride = window if strides is None else tuple_of(strides, rank, "strides")
    padding_pairs = padding_of(padding, x.shape[1:-1], window, stride)
    full = {
        "window": (1, *window, 1),
        "strides": (1, *stride, 1),
        "dilation": (1,) * x.ndim,
        "padding": ((0, 0), *padding_pairs, (0, 0)),
    }
    return bind("window_reduce", x, combine=combine, **full), window, stride, padding_pairs


@operation
def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The maximum of each window.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`; padding is never the maximum.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Example:

    >>> max_pool([[[1.0], [4.0], [3.0], [2.0]]], 2).numpy().reshape(-1)
    array([4., 3.], dtype=float32)
    """
    first = channels_first(data_format)
    return restore_format(
        _pooled("max", channels_last(as_tensor(inputs), first), pool_size, strides, padding)[0], first
    )


@operation
def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The mean of each window; padding does not count.

    Args:
        inputs: Tensor `[batch, *spatial, channels]`, or `[batch, channels, *spatial]`.
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Example:

    >>> average_pool([[[1.0], [4.0], [3.0], [2.0]]], 2).numpy().reshape(-1)
    array([2.5, 2.5], dtype=float32)
    """
    first = channels_first(data_format)
    given = in_float(inputs)
    x = channels_last(in_wide(given), first)
    total, window, stride, padding_pairs = _pooled("sum", x, pool_size, strides, padding)
    if all(low == high == 0 for low, high in padding_pairs):
        return restore_format(_cast(operate("mul", total, 1.0 / math.prod(window)), given.type.dtype), first)
    if not all(isinstance(size, int) for size in x.shape[1:-1]):
        ones = broadcast_to(as_tensor(1.0, x.type.dtype), (1, *x.shape[1:-1], 1))
        number = _pooled("sum", ones, pool_size, strides, padding)[0]
        return restore_format(_cast(elementwise("div", total, number), given.type.dtype), first)
    counts = [
        _window_counts(int(size), extent, step, *_numbers(low, high))
        for size, extent, step, (low, high) in zip(x.shape[1:-1], window, stride, padding_pairs, strict=True)
    ]
    shape = [1, *map(len, counts), 1]
    known = np.ones(shape, np.float32)
    for axis, along in enumerate(counts, 1):
        known = known * along.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    share = as_tensor((1.0 / known).astype(np.float32), x.type.dtype)
    return restore_format(_cast(elementwise("mul", total, share), given.type.dtype), first)


def _window_counts(size: int, window: int, stride: int, low: int, high: int) -> Any:
    """The number of elements of an axis, without padding, in each window."""
    starts = np.arange(0, size + low + high - window + 1, stride) - low
    return np.minimum(starts + window, size) - np.maximum(starts, 0)


def _numbers(*sizes: Dim) -> tuple[int, int]:
    """Two sizes as integers, if they are known."""
    low, high = sizes
    if not (isinstance(low, int) and isinstance(high, int)):
        raise ShapeError("padding 'same' needs known sizes", got=f"{low}, {high}")
    return low, high
