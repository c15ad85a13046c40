"""MobileNet: convolutions in each channel, then across channels (Howard et al., 2017)."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import conv, norm
from graphc.applications.building import DOCUMENTATION, Request, assembled, pooled
from graphc.applications.imagenet_utils import CLASSES
from graphc.applications.mobile import image_shape, trained_size
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

_SIZES = (128, 160, 192, 224)
# The filters of each block, and those that halve the image.
_FILTERS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVING = (2, 4, 6, 12)


def _rectified(x: Any, name: str) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(norm(x, f"{name}_bn"))


def _block(x: Any, filters: int, depth_multiplier: int, number: int) -> Any:
    halves = number in _HALVING
    if halves:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=2 if halves else 1,
        padding="valid" if halves else "same",
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = _rectified(x, f"conv_dw_{number}")
    return _rectified(conv(x, filters, 1, f"conv_pw_{number}", padding="same", use_bias=False), f"conv_pw_{number}")


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = CLASSES,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet: convolutions in each channel, then across channels."""
    request = Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)
    shape, rows = image_shape(request, _SIZES)
    key, rows = trained_size(
        request, "mobilenet", shape, rows, _SIZES, alpha, (0.25, 0.5, 0.75, 1.0), fits=depth_multiplier == 1
    )

    def features(x: Any) -> Any:
        x = conv(x, int(32 * alpha), 3, "conv1", strides=2, padding="same", use_bias=False)
        x = _rectified(x, "conv1")
        for number, filters in enumerate(_FILTERS, 1):
            x = _block(x, int(filters * alpha), depth_multiplier, number)
        return x

    def top(x: Any, request: Request) -> Any:
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = conv(layers.Dropout(dropout, name="dropout")(x), classes, 1, "conv_preds", padding="same")
        x = layers.Reshape((classes,), name="reshape_2")(x)
        return layers.Activation(classifier_activation, name="predictions")(x)

    return assembled(
        request.named(f"mobilenet_{alpha:0.2f}_{rows}"),
        features,
        shape=shape,
        top=top,
        without_top=lambda x, request: pooled(x, request.pooling, named=False),
        weights=key,
    )


MobileNet.__doc__ = f"{MobileNet.__doc__}" + DOCUMENTATION.format(
    more="""
        alpha: By what the number of filters is multiplied.
        depth_multiplier: How many filters each channel has.
        dropout: The rate of dropout before the classifier."""
)
preprocess_input = preparing("tf")
