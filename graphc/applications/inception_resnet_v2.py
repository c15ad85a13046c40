"""Inception with residuals, second version (Szegedy et al., 2017)."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import activate, channels, concatenated, conv, conv_norm_relu
from graphc.applications.building import Request, application, assembled, pooled
from graphc.applications.inception import Branches, chained, mixed, stem
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]


class CustomScaleLayer(layers.Layer):
    """`first + second * scale`.

    Args:
        scale: The factor of the second input.
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        """The sum."""
        return inputs[0] + inputs[1] * self.scale

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "scale": self.scale}


# By name: the chains of a residual block, its scale, and the number of blocks.
_RESIDUALS: tuple[tuple[str, Branches, float, int], ...] = (
    ("block35", (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))), 0.17, 10),
    ("block17", (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))), 0.1, 20),
    ("block8", (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))), 0.2, 10),
)
# What halves the image between them.
_SHRINKING: tuple[tuple[str, Branches], ...] = (
    ("mixed_6a", (((384, 3, 2),), ((256, 1), (256, 3), (384, 3, 2)))),
    ("mixed_7a", (((256, 1), (384, 3, 2)), ((256, 1), (288, 3, 2)), ((256, 1), (288, 3), (320, 3, 2)))),
)


def _residual(x: Any, branches: Branches, scale: float, name: str, last: bool) -> Any:
    both = concatenated([chained(x, chain) for chain in branches], f"{name}_mixed")
    x = CustomScaleLayer(1.0 if last else scale)([x, conv(both, channels(x), 1, f"{name}_conv", padding="same")])
    return x if last else activate(x, "relu", f"{name}_ac")


def _features(x: Any) -> Any:
    x = stem(x)
    x = mixed(x, (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3))), 64, "mixed_5b")
    for i, (name, branches, scale, count) in enumerate(_RESIDUALS):
        if i:
            shrinking, chains = _SHRINKING[i - 1]
            x = mixed(x, chains, None, shrinking)
        for number in range(1, count + 1):
            x = _residual(x, branches, scale, f"{name}_{number}", last=i == 2 and number == count)
    return conv_norm_relu(x, 1536, 1, name="conv_7b")


def _build(request: Request) -> Any:
    return assembled(
        request,
        _features,
        size=299,
        smallest=75,
        without_top=lambda x, request: pooled(x, request.pooling, named=False),
        weights="inception_resnet_v2",
    )


InceptionResNetV2 = application(
    "InceptionResNetV2", "InceptionResNetV2: Inception blocks with residuals.", "inception_resnet_v2", _build
)
preprocess_input = preparing("tf")
