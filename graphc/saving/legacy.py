"""Weights in HDF5 files of the form that Keras had before its third version, and TensorFlow's.

Such a file has a group for each layer, with the names of the layers and of their weights as attributes. Layers and
weights are matched by their order, or by the names of the layers. A file is checked as a whole before the first weight
is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from graphc.errors import FileError, WeightsError
from graphc.registration import choices
from graphc.saving.files import Entry, converts, h5_entries, readable
from graphc.tracing import Array, Variable

_LAYERS, _WEIGHTS, _INNER = "layer_names", "weight_names", "model_weights"


def is_legacy(path: Path) -> bool:
    """Whether a file is an HDF5 file with the attributes of the old form."""
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        with h5py.File(path, "r") as file:
            return _has(file, _LAYERS) or _INNER in file
    except OSError:
        return False


def load(model: Any, path: Path, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Reads a model's weights from such a file.

    Args:
        model: The model, built.
        path: Path of the file.
        skip_mismatch: Whether to skip layers whose weights do not fit.
        by_name: Whether layers are matched by name; those that the file or the model lacks are then left out.

    Raises:
        FileError: if the file cannot be read.
        WeightsError: if it does not hold the weights of the model; no weight is then changed.
    """
    import h5py  # noqa: PLC0415

    with ExitStack() as stack:
        with readable(path):
            file = stack.enter_context(h5py.File(path, "r"))
            entries = h5_entries(file, path.stat().st_size)
            root, prefix = (file, "") if _has(file, _LAYERS) else (file[_INNER], f"{_INNER}/")
            stored = _stored(root, prefix, entries)
        chosen = _matched(model, path, stored, skip_mismatch, by_name)
        arrays: list[tuple[Variable, Array]] = [(variable, entry.read()) for variable, entry in chosen]
    for variable, array in arrays:
        variable.assign(array)


def _has(group: Any, name: str) -> bool:
    return name in group.attrs or f"{name}0" in group.attrs


def _names(group: Any, name: str) -> list[str]:
    """An attribute with names; long ones are in several parts."""
    parts = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{name}{len(parts)}"])
    return [text.decode("utf8") if isinstance(text, bytes) else str(text) for part in parts for text in list(part)]


def entries_of(path: Path, file: Any, name: str) -> list[Entry]:
    """The entries of a group of an open file, in the order of its attribute with their names."""
    with readable(path):
        entries = h5_entries(file, path.stat().st_size)
        return [entries[f"{name}/{weight}"] for weight in _names(file[name], _WEIGHTS)]


def _stored(root: Any, prefix: str, entries: dict[str, Entry]) -> dict[str, list[Entry]]:
    """The weights of each layer that has any, in the file's order."""
    found = {}
    for layer in _names(root, _LAYERS):
        weights = _names(root[layer], _WEIGHTS)
        keys = [f"{prefix}{layer}/{weight}" for weight in weights]
        missing = [key for key in keys if key not in entries]
        if missing:
            raise WeightsError("the file names a weight that it does not hold", got=missing[0])
        if keys:
            found[layer] = [entries[key] for key in keys]
    return found


def _matched(
    model: Any, path: Path, stored: dict[str, list[Entry]], skip: bool, by_name: bool
) -> list[tuple[Variable, Entry]]:
    layers = [layer for layer in model.layers if ordered(layer)]
    if not layers:
        raise FileError("the model has no weights yet", got=model.name, hint="build it before loading weights")
    if by_name:
        pairs = [(layer, stored[layer.name]) for layer in layers if layer.name in stored]
    elif len(layers) == len(stored):
        pairs = list(zip(layers, stored.values(), strict=True))
    else:
        raise WeightsError(
            f"{path.name} does not fit the model",
            layer=model.name,
            got=f"{len(stored)} layers with weights in the file",
            expected=f"{len(layers)}",
            hint="is it the file of another model, or with a classifier (include_top)? by_name=True loads what fits",
        )
    chosen: list[tuple[Variable, Entry]] = []
    for layer, weights in pairs:
        variables = ordered(layer)
        if _fits(variables, weights):
            chosen.extend(zip(variables, weights, strict=True))
        elif not skip:
            raise WeightsError(
                f"{path.name} does not fit the model",
                layer=layer.path if hasattr(layer, "path") else layer.name,
                got=f"weights {[(entry.dtype.name, entry.shape) for entry in weights]}",
                expected=f"{[(variable.type.dtype.name, variable.shape) for variable in variables]}",
                hint=choices(layer.name, stored) if layer.name not in stored else "skip_mismatch=True leaves it out",
            )
    return chosen


def _fits(variables: Sequence[Variable], weights: Sequence[Entry]) -> bool:
    pairs = zip(variables, weights, strict=False)
    return len(variables) == len(weights) and all(v.shape == entry.shape and converts(entry, v) for v, entry in pairs)


def ordered(layer: Any) -> list[Variable]:
    """The weights of a layer in the order of such files: those that are trained come first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]
