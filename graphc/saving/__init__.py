"""Saving: files of weights, and serialization of objects to configurations."""

from typing import TYPE_CHECKING

from graphc import lazy
from graphc.errors import ArgumentError
from graphc.registration import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from graphc.saving.weights import load as _load
from graphc.saving.weights import save as _save

if TYPE_CHECKING:
    from graphc.models import load_model, save_model
    from graphc.saving.file_editor import KerasFileEditor

CustomObjectScope = custom_object_scope
# With the models, so that all that a file may name is registered.
__getattr__, __dir__ = lazy.attributes(
    "graphc.saving",
    (),
    {**dict.fromkeys(("load_model", "save_model"), "graphc.models"), "KerasFileEditor": "graphc.saving.file_editor"},
)


def save_weights(model: object, filepath: object, overwrite: bool = True, max_shard_size: object = None) -> None:
    """Writes a model's weights to a file, or to several: `model.save_weights`.

    Raises:
        FileError: if the file cannot be written.
    """
    _save(model, filepath, overwrite, max_shard_size)


def load_weights(model: object, filepath: object, skip_mismatch: bool = False, **kwargs: object) -> None:
    """Reads a model's weights from a file: `model.load_weights`.

    Raises:
        FileError: if the file does not hold exactly the model's weights.
    """
    if kwargs:
        raise ArgumentError("`load_weights` takes no such argument", got=", ".join(kwargs))
    _load(model, filepath, skip_mismatch)


__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
