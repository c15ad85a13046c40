"""NASNet: cells found by search (Zoph et al., 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, channels, concatenated, conv, norm, padded_for_stride
from graphc.applications.building import Request, assembled, classified, documented, only_channels_last, pooled
from graphc.applications.imagenet_utils import CLASSES
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_NORM = {"momentum": 0.9997, "epsilon": 1e-3}


def _projected(x: Any, filters: int, name: str) -> Any:
    return conv(x, filters, 1, name, padding="same", use_bias=False, kernel_initializer="he_normal")


def _separable(x: Any, filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    """Two separable convolutions."""
    for i in (1, 2):
        x = activate(x)
        halves = i == 1 and strides == 2
        if halves:
            x = padded_for_stride(x, kernel, f"separable_conv_1_pad_{name}")
        x = layers.SeparableConv2D(
            filters,
            kernel,
            strides=strides if i == 1 else 1,
            padding="valid" if halves else "same",
            use_bias=False,
            name=f"separable_conv_{i}_{name}",
        )(x)
        x = norm(x, f"separable_conv_{i}_bn_{name}", **_NORM)
    return x


def _adjusted(before: Any, x: Any, filters: int, name: str) -> Any:
    """What the cell before got, in the size of what it computed and with a number of filters."""
    if before is None:
        return x
    if before.shape[-2] != x.shape[-2]:
        rectified = activate(before, "relu", f"adjust_relu_1_{name}")
        first = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(rectified)
        first = _projected(first, filters // 2, f"adjust_conv_1_{name}")
        second = layers.ZeroPadding2D(((0, 1), (0, 1)))(rectified)
        second = layers.Cropping2D(((1, 0), (1, 0)))(second)
        second = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(second)
        second = _projected(second, filters // 2, f"adjust_conv_2_{name}")
        return norm(concatenated([first, second]), f"adjust_bn_{name}", **_NORM)
    if channels(before) != filters:
        before = _projected(activate(before), filters, f"adjust_conv_projection_{name}")
        return norm(before, f"adjust_bn_{name}", **_NORM)
    return before


def _begun(x: Any, before: Any, filters: int, kind: str, name: str) -> tuple[Any, Any]:
    before = _adjusted(before, x, filters, name)
    return before, norm(_projected(activate(x), filters, f"{kind}_conv_1_{name}"), f"{kind}_bn_1_{name}", **_NORM)


def _same(x: Any, name: str) -> Any:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def _normal(x: Any, before: Any, filters: int, name: str) -> tuple[Any, Any]:
    """A cell that keeps the size; also what the next but one adjusts."""
    p, h = _begun(x, before, filters, "normal", name)

    def add(number: int, first: Any, second: Any) -> Any:
        return layers.add([first, second], name=f"normal_add_{number}_{name}")

    parts = [p]
    for number, source, kernel in ((1, h, 5), (2, p, 5)):
        left = _separable(source, filters, kernel, f"normal_left{number}_{name}")
        parts.append(add(number, left, _separable(p, filters, 3, f"normal_right{number}_{name}")))
    parts.append(add(3, _same(h, f"normal_left3_{name}"), p))
    left = _same(p, f"normal_left4_{name}")
    parts.append(add(4, left, _same(p, f"normal_right4_{name}")))
    parts.append(add(5, _separable(h, filters, 3, f"normal_left5_{name}"), h))
    return concatenated(parts, f"normal_concat_{name}"), x


def _reduction(x: Any, before: Any, filters: int, name: str) -> tuple[Any, Any]:
    """A cell that halves the size."""
    p, h = _begun(x, before, filters, "reduction", name)
    around = padded_for_stride(h, 3, f"reduction_pad_1_{name}")

    def separable(source: Any, kernel: int, part: str) -> Any:
        return _separable(source, filters, kernel, f"reduction_{part}_{name}", strides=2)

    first = separable(h, 5, "left1")
    first = layers.add([first, separable(p, 7, "right1")], name=f"reduction_add_1_{name}")
    second = layers.MaxPooling2D(3, strides=2, name=f"reduction_left2_{name}")(around)
    second = layers.add([second, separable(p, 7, "right2")], name=f"reduction_add_2_{name}")
    third = layers.AveragePooling2D(3, strides=2, name=f"reduction_left3_{name}")(around)
    third = layers.add([third, separable(p, 5, "right3")], name=f"reduction_add3_{name}")
    fourth = layers.add([second, _same(first, f"reduction_left4_{name}")])
    fifth = _separable(first, filters, 3, f"reduction_left4_{name}")
    largest = layers.MaxPooling2D(3, strides=2, name=f"reduction_right5_{name}")(around)
    fifth = layers.add([fifth, largest], name=f"reduction_add4_{name}")
    return concatenated([second, third, fourth, fifth], f"reduction_concat_{name}"), x


def _features(x: Any, filters: int, depth: int, stem: int, skips: bool) -> Any:
    """The cells: `depth` that keep the size, between those that halve it.

    Args:
        x: Images.
        filters: The filters of the first cells; each reduction doubles them.
        depth: How many cells there are between two reductions.
        stem: The filters of the first convolution.
        skips: Whether the cell after a reduction adjusts what the last cell before it got, and not its input.
    """
    x = conv(x, stem, 3, "stem_conv1", strides=2, use_bias=False, kernel_initializer="he_normal")
    x, before = norm(x, "stem_bn1", **_NORM), None
    for number, share in ((1, 4), (2, 2)):
        x, before = _reduction(x, before, filters // share, f"stem_{number}")
    for stage in range(3):
        if stage:
            x, reduced = _reduction(x, before, filters << stage, f"reduce_{stage * depth}")
            before = before if skips else reduced
        for i in range(depth):
            x, before = _normal(x, before, filters << stage, f"{stage * depth + i + (stage > 0)}")
    return activate(x)


def _nasnet(kind: str, size: int, filters: int, depth: int, stem: int, skips: bool) -> Callable[..., Any]:
    class_name, default_name = f"NASNet{kind}", f"nasnet_{kind.lower()}"

    def create(
        input_shape: Any = None,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        pooling: str | None = None,
        classes: int = CLASSES,
        classifier_activation: Any = "softmax",
        name: str | None = default_name,
    ) -> Any:
        only_channels_last("NASNet")
        if kind == "Mobile" and not include_top and input_shape is None:
            input_shape = (224, 224, 3)
        return assembled(
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
            lambda x: _features(x, filters, depth, stem, skips),
            size=size,
            top=lambda x, request: classified(pooled(x, "avg", named=False), request),
            without_top=lambda x, request: pooled(x, request.pooling, named=False),
            weights=default_name,
        )

    return documented(create, class_name, f"{class_name}: {3 * depth} cells found by search.")


NASNetMobile = _nasnet("Mobile", 224, 44, 4, 32, skips=False)
NASNetLarge = _nasnet("Large", 331, 168, 6, 96, skips=True)
preprocess_input = preparing("tf")
