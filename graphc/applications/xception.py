"""Xception: separable convolutions with residuals (Chollet, 2017)."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, conv, norm
from graphc.applications.building import Request, application, assembled, pooled
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def _separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return norm(x, f"{name}_bn")


def _shrinking(x: Any, filters: tuple[int, int], name: str, rectified: bool = True) -> Any:
    """Two separable convolutions that halve the image, and a projection beside them."""
    kept = norm(conv(x, filters[1], 1, strides=2, padding="same", use_bias=False))
    if rectified:
        x = activate(x, "relu", f"{name}_sepconv1_act")
    x = _separable(x, filters[0], f"{name}_sepconv1")
    x = activate(x, "relu", f"{name}_sepconv2_act")
    x = _separable(x, filters[1], f"{name}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.add([x, kept])


def _features(x: Any) -> Any:
    for i, (filters, strides) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{i}"
        x = norm(conv(x, filters, 3, name, strides=strides, use_bias=False), f"{name}_bn")
        x = activate(x, "relu", f"{name}_act")
    for block, filters in ((2, 128), (3, 256), (4, 728)):
        x = _shrinking(x, (filters, filters), f"block{block}", rectified=block > 2)
    for block in range(5, 13):
        kept = x
        for i in (1, 2, 3):
            name = f"block{block}_sepconv{i}"
            x = _separable(activate(x, "relu", f"{name}_act"), 728, name)
        x = layers.add([x, kept])
    x = _shrinking(x, (728, 1024), "block13")
    for i, filters in ((1, 1536), (2, 2048)):
        name = f"block14_sepconv{i}"
        x = activate(_separable(x, filters, name), "relu", f"{name}_act")
    return x


def _build(request: Request) -> Any:
    return assembled(
        request,
        _features,
        size=299,
        smallest=71,
        without_top=lambda x, request: pooled(x, request.pooling, named=False),
        weights="xception",
    )


Xception = application("Xception", "Xception: separable convolutions with residuals.", "xception", _build)
preprocess_input = preparing("tf")
