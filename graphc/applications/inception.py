"""Blocks of the Inception family: chains of convolutions side by side."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import concatenated, conv_norm_relu

# A chain of convolutions: the filters and the kernel of each, and 2 where it halves the image.
Chain = tuple[tuple[Any, ...], ...]
Branches = tuple[Chain, ...]


def chained(x: Any, chain: Chain) -> Any:
    """Convolutions one after the other; those that halve the image are not padded."""
    for filters, kernel, *halving in chain:
        x = conv_norm_relu(x, filters, kernel, 2 if halving else 1, "valid" if halving else "same")
    return x


def averaged(x: Any, filters: int) -> Any:
    """The mean around each position, then a convolution."""
    return conv_norm_relu(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def mixed(x: Any, branches: Branches, pooled_filters: int | None, name: str) -> Any:
    """Chains side by side, beside a pooled image.

    Args:
        x: Images.
        branches: The chains.
        pooled_filters: The filters of the convolution after average pooling. None: max pooling, which halves the image.
        name: The name of the result.
    """
    parts = [chained(x, chain) for chain in branches]
    if pooled_filters is None:
        parts.append(layers.MaxPooling2D(3, strides=2)(x))
    else:
        parts.append(averaged(x, pooled_filters))
    return concatenated(parts, name)


def stem(x: Any) -> Any:
    """The first layers."""
    x = conv_norm_relu(x, 32, 3, 2, "valid")
    x = conv_norm_relu(x, 32, 3, 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(conv_norm_relu(x, 64, 3))
    x = conv_norm_relu(x, 80, 1, 1, "valid")
    return layers.MaxPooling2D(3, strides=2)(conv_norm_relu(x, 192, 3, 1, "valid"))
