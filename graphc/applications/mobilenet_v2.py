"""MobileNet, second version: inverted residuals (Sandler et al., 2018)."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import channels, conv, divisible, norm, padded_for_stride
from graphc.applications.building import DOCUMENTATION, Request, assembled, classified, pooled
from graphc.applications.imagenet_utils import CLASSES
from graphc.applications.mobile import check_same_size, image_shape, trained_size
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

_SIZES = (96, 128, 160, 192, 224)
_NORM = {"epsilon": 1e-3, "momentum": 0.999}
# The filters of the blocks of each stage, their number, and the strides of the first.
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


def _rectified(x: Any, norm_name: str, name: str) -> Any:
    return layers.ReLU(6.0, name=name)(norm(x, norm_name, **_NORM))


def _block(inputs: Any, filters: int, strides: int, number: int) -> Any:
    x, prefix = inputs, f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = conv(x, 6 * channels(x), 1, f"{prefix}expand", padding="same", use_bias=False)
        x = _rectified(x, f"{prefix}expand_BN", f"{prefix}expand_relu")
    if strides == 2:
        x = padded_for_stride(x, 3, f"{prefix}pad")
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        use_bias=False,
        padding="same" if strides == 1 else "valid",
        name=f"{prefix}depthwise",
    )(x)
    x = _rectified(x, f"{prefix}depthwise_BN", f"{prefix}depthwise_relu")
    x = conv(x, filters, 1, f"{prefix}project", padding="same", use_bias=False)
    x = norm(x, f"{prefix}project_BN", **_NORM)
    if strides == 1 and channels(inputs) == filters:
        return layers.Add(name=f"{prefix}add")([inputs, x])
    return x


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = CLASSES,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNetV2: inverted residuals, expanded 6 times inside."""
    request = Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)
    check_same_size(request)
    shape, rows = image_shape(request, _SIZES)
    alphas = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
    key, rows = trained_size(request, "mobilenet_v2", shape, rows, _SIZES, alpha, alphas)

    def features(x: Any) -> Any:
        x = conv(x, divisible(32 * alpha), 3, "Conv1", strides=2, padding="same", use_bias=False)
        x = _rectified(x, "bn_Conv1", "Conv1_relu")
        number = 0
        for filters, count, strides in _STAGES:
            for i in range(count):
                x = _block(x, divisible(int(filters * alpha)), strides if i == 0 else 1, number)
                number += 1
        x = conv(x, divisible(1280 * alpha) if alpha > 1 else 1280, 1, "Conv_1", use_bias=False)
        return _rectified(x, "Conv_1_bn", "out_relu")

    return assembled(
        request.named(f"mobilenetv2_{alpha:0.2f}_{rows}"),
        features,
        shape=shape,
        top=lambda x, request: classified(pooled(x, "avg", named=False), request),
        without_top=lambda x, request: pooled(x, request.pooling, named=False),
        weights=key,
    )


MobileNetV2.__doc__ = f"{MobileNetV2.__doc__}" + DOCUMENTATION.format(
    more="""
        alpha: By what the number of filters is multiplied."""
)
preprocess_input = preparing("tf")
