"""EfficientNet: networks scaled in width, depth and size of images together (Tan and Le, 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, channel_axis, conv, divisible, norm, padded_for_stride
from graphc.applications.building import Request, application, assembled
from graphc.applications.efficient import FIRST, Stage, classifier, kernel_initializer, mixed, staged
from graphc.applications.preparing import decode_predictions, unchanged

__all__ = [*(f"EfficientNetB{i}" for i in range(8)), "decode_predictions", "preprocess_input"]

_STAGES = (
    Stage(3, 1, 32, 16, 1, 1),
    Stage(3, 2, 16, 24, 6, 2),
    Stage(5, 2, 24, 40, 6, 2),
    Stage(3, 3, 40, 80, 6, 2),
    Stage(5, 3, 80, 112, 6, 1),
    Stage(5, 4, 112, 192, 6, 2),
    Stage(3, 1, 192, 320, 6, 1),
)
_DEVIATIONS = (0.229, 0.224, 0.225)


def _efficientnet(number: int, width: float, depth: float, size: int, dropout: float) -> Callable[..., Any]:
    class_name = f"EfficientNetB{number}"
    stages = tuple(
        replace(stage, before=divisible(stage.before * width), filters=divisible(stage.filters * width))
        for stage in _STAGES
    )
    blocks = sum(math.ceil(depth * stage.repeats) for stage in stages)

    def build(request: Request) -> Any:
        def features(x: Any) -> Any:
            x = layers.Normalization(axis=channel_axis())(layers.Rescaling(1 / 255)(x))
            if request.weights == "imagenet":
                # In training, images were divided by the variances and not by the deviations.
                x = layers.Rescaling([1 / math.sqrt(one) for one in _DEVIATIONS])(x)
            x = padded_for_stride(x, 3, "stem_conv_pad")
            options = {"strides": 2, "use_bias": False, "kernel_initializer": kernel_initializer()}
            x = norm(conv(x, divisible(32 * width), 3, "stem_conv", **options), "stem_bn")
            x = staged(activate(x, "swish", "stem_activation"), stages, depth, blocks, FIRST)
            return activate(mixed(x, divisible(1280 * width), 1, "top_{}", FIRST), "swish", "top_activation")

        return assembled(request, features, size=size, top=classifier(dropout), weights=class_name.lower())

    text = f"{class_name}: for images of {size}x{size}, from 0 to 255, which the model scales itself."
    return application(class_name, text, class_name.lower(), build)


EfficientNetB0 = _efficientnet(0, 1.0, 1.0, 224, 0.2)
EfficientNetB1 = _efficientnet(1, 1.0, 1.1, 240, 0.2)
EfficientNetB2 = _efficientnet(2, 1.1, 1.2, 260, 0.3)
EfficientNetB3 = _efficientnet(3, 1.2, 1.4, 300, 0.3)
EfficientNetB4 = _efficientnet(4, 1.4, 1.8, 380, 0.4)
EfficientNetB5 = _efficientnet(5, 1.6, 2.2, 456, 0.4)
EfficientNetB6 = _efficientnet(6, 1.8, 2.6, 528, 0.5)
EfficientNetB7 = _efficientnet(7, 2.0, 3.1, 600, 0.5)
preprocess_input = unchanged
