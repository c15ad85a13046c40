"""The kinds of arguments of layers: how they are converted, written to configurations, and documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from graphc import activations, constraints, initializers, regularizers
from graphc import config as settings
from graphc.errors import ArgumentError
from graphc.parameters import Kind
from graphc.registration import deserialize_keras_object, serialize_keras_object


def data_format_of(data_format: Any) -> str:
    """The data format: the given one, else the configured one.

    Raises:
        ArgumentError: if it is unknown.
    """
    chosen = settings.image_data_format() if data_format is None else str(data_format).lower()
    if chosen not in ("channels_first", "channels_last"):
        raise ArgumentError("unknown data_format", got=repr(data_format), expected="channels_first or channels_last")
    return str(chosen)


def positive(name: str) -> Callable[[Any], int]:
    """A function that refuses what is no positive integer."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ArgumentError(f"{name} is a positive integer", got=repr(value))
        return value

    return check


def _padding(padding: Any) -> Any:
    return padding.lower() if isinstance(padding, str) else padding


def _axes(axis: Any) -> Any:
    """Several axes are a list, as in JSON."""
    return list(axis) if isinstance(axis, list | tuple) else axis


_INITIALIZER = Kind("Initializer of the {}.", initializers.get, initializers.serialize)
_REGULARIZER = Kind("Regularizer of the {}.", regularizers.get, regularizers.serialize)
_CONSTRAINT = Kind("Constraint on the {}.", constraints.get, constraints.serialize)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "*_initializer": _INITIALIZER,
        "*_regularizer": _REGULARIZER,
        "*_constraint": _CONSTRAINT,
        "recurrent_initializer": replace(_INITIALIZER, doc="Initializer of the kernel of the state."),
        "recurrent_regularizer": replace(_REGULARIZER, doc="Regularizer of the kernel of the state."),
        "recurrent_constraint": replace(_CONSTRAINT, doc="Constraint on the kernel of the state."),
        "activation": Kind("Name or function. None: none.", activations.get, activations.serialize),
        "activity_regularizer": Kind(
            "Regularizer of the outputs.", encode=regularizers.serialize, attribute="activity_regularizer"
        ),
        "axis": Kind("The axis.", _axes),
        "cell": Kind("", deserialize_keras_object, serialize_keras_object),
        "cells": Kind("", deserialize_keras_object, serialize_keras_object),
        "center": Kind("Whether there is a `beta`."),
        "data_format": Kind('`"channels_last"` or `"channels_first"`. None: as configured.', data_format_of),
        "depth_multiplier": Kind("The number of outputs of each channel.", positive("depth_multiplier")),
        "dilation_rate": Kind("The spacing of the kernel's elements; 1: they are adjacent."),
        "dropout": Kind("The fraction of the inputs that is set to 0 in training, with one mask for all steps."),
        "epsilon": Kind("A small number that prevents division by 0."),
        "filters": Kind("The number of output channels."),
        "flash_attention": Kind(
            "Accepted as in Keras; the compiler decides how attention is computed.",
            attribute="_flash_attention",
            written=False,
        ),
        "go_backwards": Kind(
            "Whether the loop runs from the last step to the first, in which order sequences are then."
        ),
        "groups": Kind("The number of groups of channels; each group is convolved separately."),
        "implementation": Kind("1: a product for each gate; 2: one product for all.", written=False),
        "keepdims": Kind("Whether the spatial axes remain, with size 1."),
        "kernel_size": Kind("The size of the kernel: a number, or one for each spatial axis."),
        "padding": Kind(
            '`"valid"`: none; `"same"`: as many zeros as the result needs to be as large as the input.', _padding
        ),
        "pool_size": Kind("The size of the window: a number, or one for each spatial axis."),
        "rate": Kind("The fraction of the inputs that is set to 0."),
        "recurrent_activation": Kind("Function of the gates.", activations.get, activations.serialize),
        "recurrent_dropout": Kind("The fraction of the state that is set to 0 in training, likewise."),
        "return_sequences": Kind("Whether the outputs of all steps are returned, or the last one."),
        "return_state": Kind("Whether the last states are returned as well."),
        "scale": Kind("Whether there is a `gamma`."),
        "seed": Kind(
            "Integer, or a `SeedGenerator`. None: a random one.",
            deserialize_keras_object,
            serialize_keras_object,
            attribute="seed",
        ),
        "sliding_window": Kind("One more than the maximum distance of a key from a query. None: any distance."),
        "stateful": Kind("Whether the last states are the initial states of the next batch."),
        "strides": Kind("How far the kernel moves: a number, or one for each spatial axis."),
        "units": Kind("The number of outputs.", positive("units")),
        "unroll": Kind("Whether the loop is unrolled; the number of steps must then be known."),
        "use_bias": Kind("Whether a bias is added."),
        "use_cudnn": Kind("Accepted as in Keras; `True` is an error, as in Keras without cuDNN.", written=False),
        "use_gate": Kind("Whether heads are multiplied with `sigmoid(query @ W_g)` before the output projection."),
        # `weights` is a property of layers.
        "weights": Kind("A list with the initial values of the weights.", attribute="_initial_weights", written=False),
        "zero_output_for_mask": Kind("Whether the output of a masked step is 0, or that of the previous step."),
    }
)


def refuse_unsupported(layer: Any, *names: str) -> None:
    """Refuses arguments of Keras that are not supported.

    Raises:
        ArgumentError: if one of them is neither None nor False.
    """
    given = [name for name in names if getattr(layer, name) not in (None, False)]
    if given:
        raise ArgumentError(f"{given[0]} of {type(layer).__name__} is not supported", layer=layer.name)
