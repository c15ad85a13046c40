"""Residual networks, in both versions (He et al., 2015 and 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, conv, norm
from graphc.applications.building import Request, application, assembled

_EPSILON = 1.001e-5
_FILTERS = (64, 128, 256, 512)
# By the name's number: how many blocks each stack has.
_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _normalized(x: Any, name: str) -> Any:
    return norm(x, f"{name}_bn", epsilon=_EPSILON)


def _rectified(x: Any, name: str) -> Any:
    return activate(_normalized(x, name), "relu", f"{name}_relu")


def _first_version(x: Any, filters: int, strides: int, projects: bool, name: str) -> Any:
    """A block that is normalized after each convolution."""
    kept = x
    if projects:
        kept = _normalized(conv(x, 4 * filters, 1, f"{name}_0_conv", strides=strides), f"{name}_0")
    x = _rectified(conv(x, filters, 1, f"{name}_1_conv", strides=strides), f"{name}_1")
    x = _rectified(conv(x, filters, 3, f"{name}_2_conv", padding="same"), f"{name}_2")
    x = _normalized(conv(x, 4 * filters, 1, f"{name}_3_conv"), f"{name}_3")
    return activate(layers.Add(name=f"{name}_add")([kept, x]), "relu", f"{name}_out")


def _second_version(x: Any, filters: int, strides: int, projects: bool, name: str) -> Any:
    """A block that is normalized before each convolution."""
    before = _rectified(x, f"{name}_preact")
    if projects:
        kept = conv(before, 4 * filters, 1, f"{name}_0_conv", strides=strides)
    else:
        kept = layers.MaxPooling2D(1, strides=strides)(x) if strides > 1 else x
    x = _rectified(conv(before, filters, 1, f"{name}_1_conv", use_bias=False), f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = _rectified(conv(x, filters, 3, f"{name}_2_conv", strides=strides, use_bias=False), f"{name}_2")
    return layers.Add(name=f"{name}_out")([kept, conv(x, 4 * filters, 1, f"{name}_3_conv")])


def _stacked(x: Any, block: Callable[..., Any], stack: int, depth: int) -> Any:
    """The blocks of a stack: the first version halves the image in the first block, the second in the last."""
    second = block is _second_version
    halves = stack < 3 if second else stack > 0
    for i in range(depth):
        strides = 2 if halves and i == (depth - 1 if second else 0) else 1
        x = block(x, _FILTERS[stack], strides, i == 0, f"conv{stack + 2}_block{i + 1}")
    return x


def resnet(depth: int, second: bool = False) -> Callable[..., Any]:
    """A function that makes a residual network of 50, 101 or 152 layers."""
    class_name = f"ResNet{depth}{'V2' if second else ''}"

    def features(x: Any) -> Any:
        x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
        x = conv(x, 64, 7, "conv1_conv", strides=2)
        x = x if second else _rectified(x, "conv1")
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        for stack, blocks in enumerate(_DEPTHS[depth]):
            x = _stacked(x, _second_version if second else _first_version, stack, blocks)
        return _rectified(x, "post") if second else x

    def build(request: Request) -> Any:
        return assembled(request, features, weights=class_name.lower())

    text = f"{class_name}: a residual network of {depth} layers{', normalized before convolutions' if second else ''}."
    return application(class_name, text, class_name.lower(), build)
