"""EfficientNet, second version: its first blocks expand and mix neighbours at once (Tan and Le, 2021)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, channel_axis, channels, divisible
from graphc.applications.building import Request, assembled, documented
from graphc.applications.efficient import SECOND, Stage, classifier, mixed, staged
from graphc.applications.imagenet_utils import CLASSES
from graphc.applications.preparing import decode_predictions, unchanged

__all__ = [
    *(f"EfficientNetV2{kind}" for kind in ("B0", "B1", "B2", "B3", "L", "M", "S")),
    "decode_predictions",
    "preprocess_input",
]


def _stages(*rows: tuple[int, ...]) -> tuple[Stage, ...]:
    """Stages of kernels of 3, from `(repeats, before, filters, expansion, strides)`; the first three are fused."""
    return tuple(
        Stage(3, repeats, before, filters, expansion, strides, squeeze=0.0 if i < 3 else 0.25, fused=i < 3)
        for i, (repeats, before, filters, expansion, strides) in enumerate(rows)
    )


_B = _stages(
    (1, 32, 16, 1, 1), (2, 16, 32, 4, 2), (2, 32, 48, 4, 2), (3, 48, 96, 4, 2), (5, 96, 112, 6, 1), (8, 112, 192, 6, 2)
)
_STAGES = MappingProxyType(
    {
        **dict.fromkeys(("B0", "B1", "B2", "B3"), _B),
        "S": _stages(
            (2, 24, 24, 1, 1),
            (4, 24, 48, 4, 2),
            (4, 48, 64, 4, 2),
            (6, 64, 128, 4, 2),
            (9, 128, 160, 6, 1),
            (15, 160, 256, 6, 2),
        ),
        "M": _stages(
            (3, 24, 24, 1, 1),
            (5, 24, 48, 4, 2),
            (5, 48, 80, 4, 2),
            (7, 80, 160, 4, 2),
            (14, 160, 176, 6, 1),
            (18, 176, 304, 6, 2),
            (5, 304, 512, 6, 1),
        ),
        "L": _stages(
            (4, 32, 32, 1, 1),
            (7, 32, 64, 4, 2),
            (7, 64, 96, 4, 2),
            (10, 96, 192, 4, 2),
            (19, 192, 224, 6, 1),
            (25, 224, 384, 6, 2),
            (7, 384, 640, 6, 1),
        ),
    }
)
_MORE = """
        include_preprocessing: Whether the model scales images itself, from 0 to 255."""


def _efficientnet(kind: str, width: float, depth: float, size: int) -> Callable[..., Any]:
    class_name, default_name = f"EfficientNetV2{kind}", f"efficientnetv2-{kind.lower()}"
    stages = tuple(
        replace(stage, before=_round(stage.before * width), filters=_round(stage.filters * width))
        for stage in _STAGES[kind]
    )
    blocks = sum(stage.repeats for stage in stages)

    def scaled(x: Any) -> Any:
        if not kind.startswith("B") or channels(x) != 3:
            return layers.Rescaling(1 / 128, offset=-1)(x)
        x = layers.Rescaling(1 / 255)(x)
        variances = [deviation**2 for deviation in (0.229, 0.224, 0.225)]
        return layers.Normalization(mean=[0.485, 0.456, 0.406], variance=variances, axis=channel_axis())(x)

    def features(x: Any) -> Any:
        x = mixed(x, stages[0].before, 3, "stem_{}", SECOND, strides=2)
        x = staged(activate(x, "swish", "stem_activation"), stages, depth, blocks, SECOND)
        return activate(mixed(x, _round(1280 * width), 1, "top_{}", SECOND), "swish", "top_activation")

    def create(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = CLASSES,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str | None = default_name,
    ) -> Any:
        return assembled(
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
            lambda x: features(scaled(x) if include_preprocessing else x),
            size=size,
            top=classifier(0.2),
            weights=default_name,
        )

    return documented(create, class_name, f"{class_name}: for images of {size}x{size}.", _MORE)


def _round(filters: float) -> int:
    return divisible(filters, least=0.0)


EfficientNetV2B0 = _efficientnet("B0", 1.0, 1.0, 224)
EfficientNetV2B1 = _efficientnet("B1", 1.0, 1.1, 240)
EfficientNetV2B2 = _efficientnet("B2", 1.1, 1.2, 260)
EfficientNetV2B3 = _efficientnet("B3", 1.2, 1.4, 300)
EfficientNetV2S = _efficientnet("S", 1.0, 1.0, 384)
EfficientNetV2M = _efficientnet("M", 1.0, 1.0, 480)
EfficientNetV2L = _efficientnet("L", 1.0, 1.0, 480)
preprocess_input = unchanged
