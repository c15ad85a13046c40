"""ConvNeXt: convolutional networks in the form of transformers (Liu et al., 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import initializers, layers, ops, random
from graphc.applications.blocks import channels, conv
from graphc.applications.building import Request, assembled, documented, only_channels_last, pooled
from graphc.applications.imagenet_utils import CLASSES
from graphc.applications.preparing import decode_predictions, unchanged
from graphc.models import Sequential

__all__ = [
    *(f"ConvNeXt{kind}" for kind in ("Base", "Large", "Small", "Tiny", "XLarge")),
    "decode_predictions",
    "preprocess_input",
]

_EPSILON = 1e-6
_DEEP = (3, 3, 27, 3)
_MORE = """
        include_preprocessing: Whether the model normalizes images of 3 channels itself, from 0 to 255."""


class StochasticDepth(layers.Layer):
    """Drops whole samples in training, and scales the others (Huang et al., 2016).

    Args:
        drop_path_rate: The share of samples that are dropped.
    """

    def __init__(self, drop_path_rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate
        self.seed_generator = random.SeedGenerator()

    def call(self, x: Any, training: bool | None = None) -> Any:
        """The samples, some of which are zeros."""
        if not training:
            return x
        keep = 1 - self.drop_path_rate
        kept = random.uniform((ops.shape(x)[0], *(1 for _ in x.shape[1:])), seed=self.seed_generator)
        return x / keep * ops.floor(kept + keep)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


class LayerScale(layers.Layer):
    """`x * gamma`, with a weight for each channel (Touvron et al., 2021).

    Args:
        init_values: The first value of the weights.
        projection_dim: The number of channels.
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights."""
        self.gamma = self.add_weight(shape=(self.projection_dim,), initializer=initializers.Constant(self.init_values))

    def call(self, x: Any) -> Any:
        """The scaled inputs."""
        return x * self.gamma

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "init_values": self.init_values, "projection_dim": self.projection_dim}


def _block(inputs: Any, filters: int, rate: float, name: str) -> Any:
    x = conv(inputs, filters, 7, f"{name}_depthwise_conv", padding="same", groups=filters)
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_layernorm")(x)
    x = layers.Dense(4 * filters, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(filters, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, filters, name=f"{name}_layer_scale")(x)
    drops = StochasticDepth(rate, name=f"{name}_stochastic_depth") if rate else None
    return inputs + (drops or layers.Activation("linear", name=f"{name}_identity"))(x)


def _shrinking(filters: tuple[int, ...], name: str) -> list[Any]:
    """What is before each stage: it makes images four times smaller, then twice as small."""

    def normalized(part: str) -> Any:
        return layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_{part}")

    stem = [layers.Conv2D(filters[0], 4, strides=4, name=f"{name}_stem_conv"), normalized("stem_layernorm")]
    models = [Sequential(stem, name=f"{name}_stem")]
    for i, number in enumerate(filters[1:]):
        between = layers.Conv2D(number, 2, strides=2, name=f"{name}_downsampling_conv_{i}")
        parts = [normalized(f"downsampling_layernorm_{i}"), between]
        models.append(Sequential(parts, name=f"{name}_downsampling_block_{i}"))
    return models


def _features(x: Any, depths: tuple[int, ...], filters: tuple[int, ...], name: str, drop_path_rate: float = 0.0) -> Any:
    rates = iter(np.linspace(0.0, drop_path_rate, sum(depths)).tolist())
    for i, shrinking in enumerate(_shrinking(filters, name)):
        x = shrinking(x)
        for j in range(depths[i]):
            x = _block(x, filters[i], next(rates), f"{name}_stage_{i}_block_{j}")
    return x


def _normalized(x: Any, name: str) -> Any:
    mean, deviation = np.array((0.485, 0.456, 0.406)) * 255, np.array((0.229, 0.224, 0.225)) * 255
    options = {"mean": mean.tolist(), "variance": (deviation**2).tolist(), "name": f"{name}_prestem_normalization"}
    return layers.Normalization(**options)(x)


def _convnext(kind: str, depths: tuple[int, ...], width: int) -> Callable[..., Any]:
    class_name, default_name = f"ConvNeXt{kind}", f"convnext_{kind.lower()}"
    filters = (width, 2 * width, 4 * width, 8 * width)

    def create(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = CLASSES,
        classifier_activation: Any = "softmax",
        name: str | None = default_name,
    ) -> Any:
        only_channels_last("ConvNeXt")
        prefix = name or default_name

        def features(x: Any) -> Any:
            prepared = _normalized(x, prefix) if include_preprocessing and channels(x) == 3 else x
            return _features(prepared, depths, filters, prefix)

        def top(x: Any, request: Request) -> Any:
            x = layers.GlobalAveragePooling2D(name=f"{prefix}_head_gap")(x)
            x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{prefix}_head_layernorm")(x)
            return layers.Dense(classes, activation=classifier_activation, name=f"{prefix}_head_dense")(x)

        def without_top(x: Any, request: Request) -> Any:
            return layers.LayerNormalization(epsilon=_EPSILON)(pooled(x, pooling, named=False))

        return assembled(
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
            features,
            top=top,
            without_top=without_top,
            weights=default_name,
        )

    return documented(create, class_name, f"{class_name}: {sum(depths)} blocks, from {width} channels on.", _MORE)


ConvNeXtTiny = _convnext("Tiny", (3, 3, 9, 3), 96)
ConvNeXtSmall = _convnext("Small", _DEEP, 96)
ConvNeXtBase = _convnext("Base", _DEEP, 128)
ConvNeXtLarge = _convnext("Large", _DEEP, 192)
ConvNeXtXLarge = _convnext("XLarge", _DEEP, 256)
preprocess_input = unchanged
