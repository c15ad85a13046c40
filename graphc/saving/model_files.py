"""Whole models in files: the configuration, the weights, and how the model was compiled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc.errors import ArgumentError, FileError, GraphcError, WeightsError
from graphc.frames import warn
from graphc.layers import Layer
from graphc.registration import custom_object_scope, deserialize_keras_object, serialize_keras_object
from graphc.saving import archive, legacy, legacy_models, own, weights
from graphc.saving.files import Entry
from graphc.tracing import Variable

_OPTIMIZER = "optimizer/vars/"
_LEGACY = (".h5", ".hdf5")


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any) -> None:
    """Writes a model to a file: its configuration, its weights, and the optimizer with its state.

    Args:
        model: The model.
        filepath: Path that ends with `.keras`, or with `.h5`: the form before Keras 3.
        overwrite: Whether an existing file may be replaced.
        zipped: True or None: the file is a ZIP archive. Folders are not written.
        **kwargs: `include_optimizer`: whether the optimizer is written.

    Raises:
        FileError: if the file cannot be written, or exists and may not be replaced.
        StateError: if the model cannot be written, as its layers have no configurations.
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    kwargs.pop("save_format", None)
    if kwargs:
        raise ArgumentError("`save` takes no such argument", got=", ".join(kwargs))
    if zipped is not None and not zipped:
        raise ArgumentError("a model is written to a file, not to a folder", got="zipped=False", hint="leave it out")
    path = _model_path(filepath)
    if not overwrite and path.exists():
        raise FileError("the file is there already", got=str(path), hint="pass overwrite=True")
    config = _config(model, include_optimizer)
    if path.suffix != ".keras":
        training = config.pop("compile_config", None)
        legacy_models.write(path, model, config, training)
        return
    walk = weights.Walk(model)
    arrays = walk.arrays()
    if include_optimizer and getattr(model, "compiled", False) and model.optimizer is not None:
        arrays |= {f"{_OPTIMIZER}{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)}
    archive.write(path, config, arrays, own.files_of(walk.with_files))


def _model_path(filepath: Any) -> Path:
    try:
        path = Path(filepath)
    except TypeError:
        raise ArgumentError("this is no path", got=repr(filepath)[:80]) from None
    if path.suffix not in (".keras", *_LEGACY) or ".weights." in path.name:
        raise ArgumentError(
            "the name of a model file ends with .keras, or .h5",
            got=path.name,
            hint="use `save_weights` for weights alone" if ".weights." in path.name else None,
        )
    return path


def _config(model: Any, include_optimizer: bool) -> dict[str, Any]:
    config: dict[str, Any] = serialize_keras_object(model)
    if not include_optimizer:
        config.pop("compile_config", None)
    return config


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Reads a model that `save_model` wrote, or Keras.

    Args:
        filepath: Path of the file.
        custom_objects: Classes and functions of the user that the model needs, by name.
        compile: Whether to compile the model as it was, with the state of its optimizer.
        safe_mode: Accepted as in Keras; code in files is never run.

    Raises:
        FileError: if it is no such file, or does not hold what it should.
    """
    path = _model_path(filepath)
    if path.suffix in _LEGACY:
        return _load_legacy(path, custom_objects, compile, safe_mode)
    with archive.opened(path) as (config, entries):
        model = _model_of(config, custom_objects, compile, safe_mode, path)
        walk = weights.Walk(model)
        chosen = weights.matched(model, walk, path, entries) if _has_weights(model, walk, entries) else []
        if compile and getattr(model, "compiled", False):
            chosen += _state_of_optimizer(model, path, entries)
        arrays, stored = weights.read(chosen), weights.stores(walk, entries)
    weights.assign(arrays, stored)
    if walk.with_files:
        own.load_files(walk.with_files, archive.files(path))
    return model


def _has_weights(model: Any, walk: weights.Walk, entries: Mapping[str, Entry]) -> bool:
    """Whether a model has weights to read; an error if only the file has some."""
    if walk.variables or walk.writing:
        return True
    if any(not key.startswith("optimizer/") for key in entries):
        raise WeightsError(
            "the file holds weights, and the model has none before it is built",
            layer=model.name,
            hint="save it after its first call, or define `build`",
        )
    return False


def _load_legacy(path: Path, custom_objects: Any, compiles: bool, safe_mode: bool) -> Any:
    config, training = legacy_models.configurations(path)
    model = _model_of({**config, "compile_config": training}, custom_objects, compiles, safe_mode, path)
    if model.weights:
        legacy.load(model, path)
    if compiles and model.compiled and model.optimizer is not None:
        model.optimizer.build(model.trainable_variables)
        for variable, array in legacy_models.optimizer_state(path, model.optimizer):
            variable.assign(array)
    return model


def _model_of(config: Mapping[str, Any], custom_objects: Any, compiles: bool, safe_mode: bool, path: Path) -> Any:
    try:
        model = deserialize_keras_object(dict(config), custom_objects, safe_mode)
        if not isinstance(model, Layer):
            raise FileError("the file holds no model", got=f"{path}: {type(model).__name__}")
        given = config.get("compile_config")
        if compiles and given and hasattr(model, "compile_from_config"):
            with custom_object_scope(custom_objects or {}):
                model.compile_from_config(given)
    except RecursionError:
        raise FileError("the configuration in the model file is nested too deeply", got=str(path)) from None
    except GraphcError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise FileError(
            "the configuration in the model file is not that of a model", got=f"{path}: {error!r}"
        ) from error
    return model


def _state_of_optimizer(model: Any, path: Path, entries: Mapping[str, Entry]) -> list[tuple[Variable, Entry]]:
    """The variables of the optimizer, with their entries; none, with a warning, if the file has another number."""
    optimizer = model.optimizer
    states = {key: entry for key, entry in entries.items() if key.startswith(_OPTIMIZER)}
    if not states:
        return []
    optimizer.build(model.trainable_variables)
    variables = {f"{_OPTIMIZER}{i}": variable for i, variable in enumerate(optimizer.variables)}
    if set(variables) != set(states):
        warn(f"{path.name} has {len(states)} states of the optimizer, which needs {len(variables)}: it starts anew")
        return []
    return [(v, states[key]) for key, v in variables.items() if weights.fits(path, key, v, states, False)]


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """Creates a model from the result of `to_json`; its weights are new.

    Args:
        json_string: The text.
        custom_objects: Classes and functions of the user, by name.

    Example:

    >>> from graphc import Sequential, layers
    >>> model_from_json(Sequential([layers.Input((3,)), layers.Dense(2)]).to_json()).count_params()
    8
    """
    try:
        config = json.loads(json_string)
    except (ValueError, RecursionError) as error:
        raise ArgumentError("this is no JSON", got=str(error)) from None
    return deserialize_keras_object(config, custom_objects)
