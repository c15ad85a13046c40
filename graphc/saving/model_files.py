"""Whole models in files: the configuration, the weights, and how the model was compiled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.errors import ArgumentError, FileError, GraphcError, StateError, WeightsError
from graphc.frames import warn
from graphc.layers import Layer
from graphc.layers.weights import weight_limit
from graphc.registration import custom_object_scope, deserialize_keras_object, serialize_whole, shared_objects
from graphc.saving import archive, legacy, legacy_models, own, training, weights
from graphc.saving.files import Entry
from graphc.tracing import Variable

_OPTIMIZER = "optimizer/vars/"
_LEGACY = (".h5", ".hdf5")


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any) -> None:
    """Writes a model to a file: its configuration, its weights, and the optimizer with its state.

    What is written while `fit` runs is a checkpoint, too: see `graphc.checkpoint`.

    Args:
        model: The model.
        filepath: Path that ends with `.keras`, or with `.h5`: the form before Keras 3; of a folder, if `zipped` is
            False.
        overwrite: Whether an existing file may be replaced.
        zipped: Whether the file is a ZIP archive; False: a folder is written, whose name has another ending.
        **kwargs: `include_optimizer`: whether the optimizer is written.

    Raises:
        FileError: if the file cannot be written, or exists and may not be replaced.
        StateError: if the model cannot be written, as its layers have no configurations.
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    kwargs.pop("save_format", None)
    if kwargs:
        raise ArgumentError("`save` takes no such argument", got=", ".join(kwargs))
    as_folder = zipped is not None and not zipped
    path = _folder_path(filepath) if as_folder else _model_path(filepath)
    _check_absent(path, overwrite)
    config = _config(model, include_optimizer)
    if path.suffix in _LEGACY and not as_folder:
        compiled = config.pop("compile_config", None)
        legacy_models.write(path, model, config, compiled)
        return
    fits = getattr(model, "_progress", None) is not None and model._progress.source is not None
    _write(model, path, config, include_optimizer, fits, not as_folder)


def _check_absent(path: Path, overwrite: bool) -> None:
    if not overwrite and path.exists():
        raise FileError("the file is there already", got=str(path), hint="pass overwrite=True")


def _write(
    model: Any, path: Path, config: dict[str, Any] | None, include_optimizer: bool, with_training: bool, zipped: bool
) -> None:
    walk = weights.Walk(model)
    arrays = walk.arrays()
    if include_optimizer and getattr(model, "compiled", False) and model.optimizer is not None:
        arrays |= {f"{_OPTIMIZER}{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)}
    if include_optimizer:
        for place, optimizer in walk.optimizers.items():
            arrays |= {f"{place}vars/{i}": v.numpy() for i, v in enumerate(optimizer.variables)}
    state = training.state_of(model, walk.written()) if with_training else None
    archive.write(path, config, arrays, own.files_of(walk.with_files), state, zipped)


def _folder_path(filepath: Any) -> Path:
    path = weights.path_of(filepath)
    if path.suffix in (".keras", *_LEGACY):
        raise ArgumentError("the name of a folder with a model has another ending", got=path.name, hint="zipped=True")
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or (path / archive.CONFIG).exists())):
        raise FileError("there is something else than a folder with a model", got=str(path))
    return path


def _model_path(filepath: Any) -> Path:
    path = weights.path_of(filepath)
    if path.suffix not in (".keras", *_LEGACY) or ".weights." in path.name:
        raise ArgumentError(
            "the name of a model file ends with .keras, or .h5",
            got=path.name,
            hint="use `save_weights` for weights alone" if ".weights." in path.name else None,
        )
    return path


def _config(model: Any, include_optimizer: bool) -> dict[str, Any]:
    config: dict[str, Any] = serialize_whole(model)
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
    path = weights.path_of(filepath)
    if not path.is_dir() or path.suffix == ".keras":
        path = _model_path(path)
        if path.suffix in _LEGACY:
            return _load_legacy(path, custom_objects, compile, safe_mode)
    with archive.opened(path) as file:
        config, entries = file.config(), file.weights()
        with weight_limit(sum(math.prod(entry.shape) for entry in entries.values())):
            model = _model_of(config, custom_objects, compile, safe_mode, path)
        walk = weights.Walk(model)
        chosen = weights.matched(model, walk, path, entries) if _has_weights(model, walk, entries) else []
        if compile and getattr(model, "compiled", False):
            chosen += _state_of_optimizer(model, path, entries)
        arrays, stored = weights.read(chosen), weights.stores(walk, entries)
        files = file.files() if walk.with_files else {}
    weights.assign(arrays, stored)
    own.load_files(walk.with_files, files)
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


def _model_of(
    config: Mapping[str, Any], custom_objects: Any, compiles: bool, safe_mode: bool, path: Path | None
) -> Any:
    """The model of a configuration, from a file or a text.

    Raises:
        FileError: if it is none.
    """
    try:
        with shared_objects():
            model = deserialize_keras_object(dict(config), custom_objects, safe_mode)
        if not isinstance(model, Layer):
            raise FileError("the file holds no model", got=f"{path or 'a text'}: {type(model).__name__}")
        given = config.get("compile_config")
        if compiles and given and hasattr(model, "compile_from_config"):
            with custom_object_scope(custom_objects or {}):
                model.compile_from_config(given)
    except RecursionError:
        raise FileError("the configuration in the model file is nested too deeply", got=str(path or "a text")) from None
    except GraphcError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise FileError(
            "the configuration in the model file is not that of a model", got=f"{path or 'a text'}: {error!r:.300}"
        ) from error
    return model


def _state_of_optimizer(model: Any, path: Path, entries: Mapping[str, Entry]) -> list[tuple[Variable, Entry]]:
    """The variables of the optimizer, with their entries; none, with a warning, if the file has another number."""
    optimizer = model.optimizer
    states = _states(entries, _OPTIMIZER)
    if not states or optimizer is None:
        return []
    optimizer.build(model.trainable_variables)
    variables = optimizer.variables
    if {f"{_OPTIMIZER}{i}" for i in range(len(variables))} != set(states):
        warn(f"{path.name} has {len(states)} states of the optimizer, which needs {len(variables)}: it starts anew")
        return []
    return _fitting(path, _OPTIMIZER, variables, states)


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
    if not isinstance(config, dict):
        raise ArgumentError("this is no configuration of a model", got=json_string[:80])
    return _model_of(config, custom_objects, True, True, None)


# ---- checkpoints


def save_checkpoint(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes a checkpoint: see `graphc.checkpoint.save`."""
    path = weights.path_of(filepath)
    if not model.built:
        raise StateError("a checkpoint needs a model with weights", layer=model.name, hint="call `build` before")
    _check_absent(path, overwrite)
    _write(model, path, _config(model, True) if path.suffix == ".keras" else None, True, True, True)


def restore_checkpoint(model: Any, filepath: Any) -> tuple[int, int]:
    """Restores a checkpoint: see `graphc.checkpoint.restore`."""
    path = weights.path_of(filepath)
    if not model.built:
        raise StateError("a checkpoint needs a model with weights", layer=model.name, hint="call `build` before")
    with archive.opened(path) as file:
        entries, state = file.weights(), file.training()
        if state is None:
            raise FileError(
                "the file is no checkpoint",
                got=str(path),
                hint="a model file is one if it was written while `fit` ran; load_model reads others",
            )
        walk = weights.Walk(model)
        chosen = weights.matched(model, walk, path, entries)
        chosen += _optimizer_of(model, path, entries)
        late = {}
        for place, optimizer in walk.optimizers.items():
            states = _states(entries, f"{place}vars/")
            if len(optimizer.variables) == len(states):
                chosen += _fitting(path, f"{place}vars/", optimizer.variables, states)
            else:
                late[place] = [states[f"{place}vars/{i}"].read() for i in range(len(states))]
        arrays, stored = weights.read(chosen), weights.stores(walk, entries)
        restored, others = training.restored(model, state, walk.written())
    restored.optimizers = late
    weights.assign([*arrays, *others], stored)
    model._restored = restored
    return restored.epoch, restored.batch


def _states(entries: Mapping[str, Entry], start: str) -> dict[str, Entry]:
    return {key: entry for key, entry in entries.items() if key.startswith(start)}


def _fitting(
    path: Path, start: str, variables: Sequence[Variable], states: Mapping[str, Entry]
) -> list[tuple[Variable, Entry]]:
    """The variables of an optimizer, with their entries."""
    keys = [f"{start}{i}" for i in range(len(variables))]
    return [
        (v, states[key]) for key, v in zip(keys, variables, strict=True) if weights.fits(path, key, v, states, False)
    ]


def _optimizer_of(model: Any, path: Path, entries: Mapping[str, Entry]) -> list[tuple[Variable, Entry]]:
    """The variables of the optimizer, with their entries; an error if the checkpoint has others."""
    states = _states(entries, _OPTIMIZER)
    if model.optimizer is None:
        if states:
            raise FileError("the checkpoint is one of a compiled model", got=str(path), hint="compile the model before")
        return []
    if states and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    variables = model.optimizer.variables
    if len(states) not in (0, len(variables)):
        raise WeightsError(
            "this checkpoint is not one of this model's optimizer",
            got=f"{path}: {len(states)} variables",
            expected=f"{len(variables)} of {type(model.optimizer).__name__}",
        )
    return _fitting(path, _OPTIMIZER, variables, states) if states else []
