"""Layers with the options that architectures share, applied at once."""

from __future__ import annotations

from typing import Any

from graphc import config, layers


def channel_axis() -> int:
    """The axis of the channels in batches of images."""
    return 1 if config.image_data_format() == "channels_first" else -1


def channels(x: Any) -> int:
    """The number of channels of images."""
    return int(x.shape[channel_axis()])


def conv(x: Any, filters: int, kernel_size: Any, name: str | None = None, **options: Any) -> Any:
    """A convolution."""
    return layers.Conv2D(filters, kernel_size, name=name, **options)(x)


def norm(x: Any, name: str | None = None, **options: Any) -> Any:
    """Batch normalization of each channel."""
    return layers.BatchNormalization(axis=channel_axis(), name=name, **options)(x)


def activate(x: Any, activation: Any = "relu", name: str | None = None) -> Any:
    """An activation function."""
    return layers.Activation(activation, name=name)(x)


def conv_norm_relu(
    x: Any, filters: int, kernel_size: Any, strides: int = 1, padding: str = "same", name: str | None = None
) -> Any:
    """The convolutions of the Inception family: without bias, normalized without scale, then relu."""
    x = conv(x, filters, kernel_size, name, strides=strides, padding=padding, use_bias=False)
    x = norm(x, None if name is None else f"{name}_bn", scale=False)
    return activate(x, "relu", None if name is None else f"{name}_ac")


def concatenated(parts: list[Any], name: str | None = None) -> Any:
    """Images side by side along their channels."""
    return layers.Concatenate(axis=channel_axis(), name=name)(parts)


def padded_for_stride(x: Any, kernel_size: int, name: str | None) -> Any:
    """Zeros around images such that a convolution with stride 2 then sees what "same" padding of odd sizes shows it."""
    first = 2 if config.image_data_format() == "channels_first" else 1
    low = [
        kernel_size // 2 - (1 if size is None or x.shape[first] is None else 1 - size % 2)
        for size in x.shape[first : first + 2]
    ]
    return layers.ZeroPadding2D(tuple((one, kernel_size // 2) for one in low), name=name)(x)


def divisible(number: float, divisor: int = 8, least: float = 0.9) -> int:
    """The nearest multiple of a divisor, at least that and at least 90% of the number (or another share)."""
    nearest = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < least * number else nearest
