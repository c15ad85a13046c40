"""Densely connected networks (Huang et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, channels, concatenated, conv, norm
from graphc.applications.building import Request, application, assembled, only_channels_last
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_GROWTH = 32


def _rectified(x: Any, norm_name: str, name: str) -> Any:
    return activate(norm(x, norm_name, epsilon=1.001e-5), "relu", name)


def _dense_block(x: Any, depth: int, name: str) -> Any:
    """Layers each of which sees what all before it computed."""
    for i in range(1, depth + 1):
        part = f"{name}_block{i}"
        new = _rectified(x, f"{part}_0_bn", f"{part}_0_relu")
        new = conv(new, 4 * _GROWTH, 1, f"{part}_1_conv", use_bias=False)
        new = _rectified(new, f"{part}_1_bn", f"{part}_1_relu")
        new = conv(new, _GROWTH, 3, f"{part}_2_conv", padding="same", use_bias=False)
        x = concatenated([x, new], f"{part}_concat")
    return x


def _transition(x: Any, name: str) -> Any:
    x = _rectified(x, f"{name}_bn", f"{name}_relu")
    x = conv(x, channels(x) // 2, 1, f"{name}_conv", use_bias=False)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _densenet(class_name: str, depths: tuple[int, ...]) -> Callable[..., Any]:
    def features(x: Any) -> Any:
        x = layers.ZeroPadding2D(3)(x)
        x = _rectified(conv(x, 64, 7, "conv1_conv", strides=2, use_bias=False), "conv1_bn", "conv1_relu")
        x = layers.ZeroPadding2D(1)(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for i, depth in enumerate(depths, 2):
            x = _dense_block(x, depth, f"conv{i}")
            if i < len(depths) + 1:
                x = _transition(x, f"pool{i}")
        return _rectified(x, "bn", "relu")

    def build(request: Request) -> Any:
        only_channels_last("DenseNet")
        return assembled(request, features, weights=class_name.lower())

    text = f"{class_name}: dense blocks of {', '.join(map(str, depths))} layers."
    return application(class_name, text, class_name.lower(), build)


DenseNet121 = _densenet("DenseNet121", (6, 12, 24, 16))
DenseNet169 = _densenet("DenseNet169", (6, 12, 32, 32))
DenseNet201 = _densenet("DenseNet201", (6, 12, 48, 32))
preprocess_input = preparing("torch")
