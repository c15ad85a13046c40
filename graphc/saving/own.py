"""What layers of a user's own write to model files themselves: arrays, and files besides them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.layers.weights import WeightOwner
from graphc.saving.archive import inside
from graphc.tracing import Array

_ARRAYS = ("save_own_variables", "load_own_variables")


def writes_arrays(part: WeightOwner) -> bool:
    """Whether the class of a layer defines how its variables are saved, or loaded."""
    return any(getattr(type(part), name) is not getattr(WeightOwner, name) for name in _ARRAYS)


def writes_files(part: Any) -> bool:
    """Whether a layer saves or loads files of its own."""
    return hasattr(part, "save_assets") or hasattr(part, "load_assets")


def arrays_of(part: WeightOwner) -> dict[str, Array]:
    """What the `save_own_variables` of a layer stores, by name.

    Raises:
        ArgumentError: if it stores something else than arrays.
    """
    store: dict[str, Any] = {}
    part.save_own_variables(store)
    arrays = {str(name): np.asarray(value) for name, value in store.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject or array.dtype.kind not in "biufcV":
            raise ArgumentError(
                "`save_own_variables` stores arrays of numbers", layer=part.name, got=f"{name}: {array.dtype}"
            )
    return arrays


@contextmanager
def kept(parts: Iterator[WeightOwner]) -> Iterator[None]:
    """A context in which variables of some layers are assigned: after an error they have their values of before."""
    before = [(variable, variable.numpy()) for part in parts for variable in part.variables]
    try:
        yield
    except BaseException:
        for variable, array in before:
            variable.assign(array)
        raise


def files_of(parts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that layers save, by their names in a model file.

    Args:
        parts: The layers, by their paths in the model.
    """
    found: dict[str, bytes] = {}
    for path, part in parts.items():
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    found[path + file.relative_to(folder).as_posix()] = file.read_bytes()
    return found


def load_files(parts: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Lets layers load the files that they saved.

    Args:
        parts: The layers, by their paths in the model.
        files: The contents of the files, by name.

    Raises:
        FileError: if a name leads out of the folder of the files.
    """
    for path, part in parts.items():
        if not hasattr(part, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                if name.startswith(path):
                    target = Path(folder, *inside(name[len(path) :]))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
            part.load_assets(folder)
