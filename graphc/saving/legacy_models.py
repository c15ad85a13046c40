"""Whole models in HDF5 files of the form that Keras had before its third version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import FileError, WeightsError
from graphc.saving import legacy
from graphc.saving.files import DAMAGED, converts, h5_in_memory, written_aside
from graphc.tracing import Variable

_CONFIG, _TRAINING = "model_config", "training_config"
_MOST_TEXT = 1 << 26


def write(path: Path, model: Any, config: Mapping[str, Any], training: Mapping[str, Any] | None) -> None:
    """Writes a model to such a file.

    Args:
        path: Its path.
        model: The model.
        config: Its configuration.
        training: How it was compiled; None: this is left out, and the optimizer's state, too.

    Raises:
        FileError: if the file cannot be written; an existing one is then unchanged.
    """
    try:
        with written_aside(path) as aside:
            aside.write_bytes(_content(model, config, training))
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise FileError("the model cannot be written", got=f"{path}: {error}") from None


def _content(model: Any, config: Mapping[str, Any], training: Mapping[str, Any] | None) -> memoryview:
    with h5_in_memory() as (file, content):
        file.attrs["keras_version"], file.attrs["backend"] = "3.15.1", "jax"
        file.attrs[_CONFIG] = json.dumps(config).encode()
        layers = file.create_group("model_weights")
        owners = [layer for layer in getattr(model, "layers", []) if layer.weights]
        layers.attrs["layer_names"] = [layer.name.encode() for layer in owners]
        for layer in owners:
            _write_group(layers.create_group(layer.name), legacy.ordered(layer))
        if training is not None:
            optimizer = {key: training["optimizer"][key] for key in ("class_name", "config")}
            others = {key: value for key, value in training.items() if key != "optimizer"}
            file.attrs[_TRAINING] = json.dumps({**others, "optimizer_config": optimizer}).encode()
            if model.optimizer is not None and model.optimizer.built:
                _write_group(file.create_group("optimizer_weights"), model.optimizer.variables)
    return content.getbuffer()


def _write_group(group: Any, variables: Sequence[Variable]) -> None:
    for i, variable in enumerate(variables):
        group.create_dataset(f"{i}_{variable.name}", data=np.asarray(variable.numpy()))
    group.attrs["weight_names"] = [f"{i}_{variable.name}".encode() for i, variable in enumerate(variables)]


def configurations(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The configuration of the model in a file, and how it was compiled.

    Raises:
        FileError: if it is no such file.
    """
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

    if not path.is_file():
        raise WeightsError("there is no such file", got=str(path), hint="check the path")
    try:
        with h5py.File(path, "r") as file:
            found = [_json(file.attrs.get(name)) for name in (_CONFIG, _TRAINING)]
    except DAMAGED as error:
        raise FileError("the model file cannot be read", got=f"{path}: {str(error)[:200]}") from None
    if found[0] is None:
        raise FileError(
            "the file holds weights and no model", got=str(path), hint="build the model, and call its `load_weights`"
        )
    training = found[1]
    if training is not None:
        training = {"optimizer" if key == "optimizer_config" else key: value for key, value in training.items()}
    return found[0], training


def _json(text: Any) -> dict[str, Any] | None:
    if text is None:
        return None
    plain = text.decode() if isinstance(text, bytes) else str(text)
    if len(plain) > _MOST_TEXT:
        raise ValueError("the configuration is too long")
    config = json.loads(plain)
    if not isinstance(config, dict):
        raise ValueError("the configuration is none of a model")
    return config


def optimizer_state(path: Path, optimizer: Any) -> list[tuple[Variable, Any]]:
    """The variables of a built optimizer, with their arrays in a file; none if the file has not exactly these."""
    import h5py  # noqa: PLC0415

    with h5py.File(path, "r") as file:
        if "optimizer_weights" not in file:
            return []
        entries = legacy.entries_of(path, file, "optimizer_weights")
        pairs = list(zip(optimizer.variables, entries, strict=False))
        if len(entries) != len(optimizer.variables) or any(v.shape != e.shape or not converts(e, v) for v, e in pairs):
            return []
        return [(variable, entry.read()) for variable, entry in pairs]
