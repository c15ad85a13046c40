"""Configurations in the form from before Keras 3: see `graphc.utils.legacy`."""

from graphc.utils.legacy import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
