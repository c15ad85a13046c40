"""Inverted residual blocks with squeeze and excitation, of both versions of EfficientNet (Tan and Le, 2019, 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from graphc import config, initializers, layers
from graphc.applications.blocks import activate, conv, norm, padded_for_stride
from graphc.applications.building import Request, classified, pooled


def kernel_initializer() -> Any:
    """Of convolutions."""
    return initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks one after the other.

    Args:
        kernel: The size of the kernel.
        repeats: How many blocks.
        before: The filters of the input.
        filters: The filters of the output.
        expansion: How many times the channels are expanded inside of a block.
        strides: Of the first block.
        squeeze: The share of the input's channels to which the excitation is squeezed.
        fused: Whether one convolution expands and mixes neighbours.
    """

    kernel: int
    repeats: int
    before: int
    filters: int
    expansion: int
    strides: int
    squeeze: float = 0.25
    fused: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """In what the blocks of the two versions differ.

    Args:
        momentum: Of batch normalization.
        depthwise: The name of the convolution in each channel.
        pads: Whether images are padded by a layer of its own before they are halved.
    """

    momentum: float
    depthwise: str
    pads: bool


FIRST, SECOND = Version(0.99, "dwconv", True), Version(0.9, "dwconv2", False)


def mixed(x: Any, filters: int, kernel: int, name: str, version: Version, strides: int = 1) -> Any:
    """A convolution without bias, normalized; `name` has a place for `conv` or `bn`."""
    options = {"strides": strides, "padding": "same", "use_bias": False, "kernel_initializer": kernel_initializer()}
    return norm(conv(x, filters, kernel, name.format("conv"), **options), name.format("bn"), momentum=version.momentum)


def _depthwise(x: Any, stage: Stage, name: str, version: Version) -> Any:
    pads = version.pads and stage.strides == 2
    if pads:
        x = padded_for_stride(x, stage.kernel, f"{name}dwconv_pad")
    x = layers.DepthwiseConv2D(
        stage.kernel,
        strides=stage.strides,
        padding="valid" if pads else "same",
        use_bias=False,
        depthwise_initializer=kernel_initializer(),
        name=f"{name}{version.depthwise}",
    )(x)
    return activate(norm(x, f"{name}bn", momentum=version.momentum), "swish", f"{name}activation")


def _excited(x: Any, filters: int, squeezed: int, name: str) -> Any:
    """Images of which each channel is scaled by a function of the means of all channels."""
    factors = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    first = config.image_data_format() == "channels_first"
    factors = layers.Reshape((filters, 1, 1) if first else (1, 1, filters), name=f"{name}se_reshape")(factors)
    for number, activation, part in ((squeezed, "swish", "se_reduce"), (filters, "sigmoid", "se_expand")):
        options = {"padding": "same", "activation": activation, "kernel_initializer": kernel_initializer()}
        factors = conv(factors, number, 1, f"{name}{part}", **options)
    return layers.multiply([x, factors], name=f"{name}se_excite")


def _block(inputs: Any, stage: Stage, rate: float, name: str, version: Version) -> Any:
    x, filters = inputs, stage.before * stage.expansion
    expands = stage.expansion != 1
    if expands:
        kernel, strides = (stage.kernel, stage.strides) if stage.fused else (1, 1)
        x = mixed(x, filters, kernel, f"{name}expand_{{}}", version, strides)
        x = activate(x, "swish", f"{name}expand_activation")
    if not stage.fused:
        x = _depthwise(x, stage, name, version)
    if stage.squeeze > 0:
        x = _excited(x, filters, max(1, int(stage.before * stage.squeeze)), name)
    whole = stage.fused and not expands
    kernel, strides = (stage.kernel, stage.strides) if whole else (1, 1)
    x = mixed(x, stage.filters, kernel, f"{name}project_{{}}", version, strides)
    if whole:
        x = activate(x, "swish", f"{name}project_activation")
    if stage.strides != 1 or stage.before != stage.filters:
        return x
    if rate > 0:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.add([x, inputs], name=f"{name}add")


def staged(x: Any, stages: tuple[Stage, ...], depth: float, blocks: int, version: Version) -> Any:
    """All blocks; later ones are dropped more often, by up to 20%.

    Args:
        x: Images.
        stages: The stages.
        depth: By what the repeats of each are multiplied.
        blocks: The number of blocks by which rates are scaled.
        version: The version.
    """
    number = 0
    for i, stage in enumerate(stages, 1):
        for j in range(math.ceil(depth * stage.repeats)):
            part = stage if j == 0 else replace(stage, strides=1, before=stage.filters)
            x = _block(x, part, 0.2 * number / blocks, f"block{i}{chr(ord('a') + j)}_", version)
            number += 1
    return x


def classifier(dropout: float) -> Any:
    """The classifier: dropout and a dense layer on the mean of the features."""

    def top(x: Any, request: Request) -> Any:
        x = layers.Dropout(dropout, name="top_dropout")(pooled(x, "avg"))
        initializer = initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
        return classified(x, request, kernel_initializer=initializer)

    return top
