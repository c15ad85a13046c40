"""Layers as configurations and back."""

from __future__ import annotations

from typing import Any

from graphc.registration import deserialize_keras_object, serialize_keras_object


def serialize(layer: Any) -> Any:
    """A layer as a configuration."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The layer that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
