"""Files of weights.

Each weight has a key made from where its layer stands in the model, as in Keras's `.weights.h5` files
(`layers/dense/vars/0`), and not from names that depend on what else was made in the process: so a file fits a model
that is made anew. A file is checked as a whole before the first weight is changed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphc import dtypes
from graphc.errors import ArgumentError, DTypeError, FileError, WeightsError
from graphc.layers import Layer
from graphc.layers.weights import WeightOwner
from graphc.optimizers import Optimizer
from graphc.random import SeedGenerator
from graphc.registration import choices
from graphc.saving.files import Entry, kind_of, opened, write
from graphc.tracing import Array, Variable, describe, snake_case, user_line

# What every layer has holds no layers of its own; a model's optimizer is not among its weights.
_SKIPPED = frozenset({*dir(Layer), "optimizer", "_inbound_nodes", "history", "callbacks", "_graph", "_stack"})


class _Walk:
    """A way through all that a model is made of, in the order of Keras's files.

    Attributes:
        variables: The variables by their keys.
        optional: The keys of what a file may lack: the states of random operations, which Keras does not write.
        optimizers: Where optimizers stand, whose states are no weights.
    """

    def __init__(self, model: WeightOwner) -> None:
        self.variables: dict[str, Variable] = {}
        self.optional: set[str] = set()
        self.optimizers: set[str] = {"optimizer/"}
        self._seen: set[int] = set()
        self._visit(model, "")

    def _visit(self, part: Any, path: str) -> None:
        if isinstance(part, Optimizer):
            self.optimizers.add(path)
        if not isinstance(part, WeightOwner | SeedGenerator | list | tuple | dict | set) or id(part) in self._seen:
            return
        self._seen.add(id(part))
        if isinstance(part, SeedGenerator):
            self.optional.add(f"{path}vars/0")
            self.variables[f"{path}vars/0"] = part.state
        elif isinstance(part, WeightOwner):
            for i, variable in enumerate(part._own_variables()):
                self.variables[f"{path}vars/{i}"] = variable
            for name, child in _attributes(part):
                self._visit(child, f"{path}{name}/")
        else:
            self._visit_members(part, path)

    def _visit_members(self, container: Any, path: str) -> None:
        used: dict[str, int] = {}
        for member in _members(container):
            if not isinstance(member, WeightOwner | SeedGenerator | list | tuple | dict | set):
                continue
            owner = isinstance(member, WeightOwner | SeedGenerator)
            name = snake_case(type(member).__name__) if owner else "container"
            number = used.get(name, 0)
            used[name] = number + 1
            self._visit(member, f"{path}{name}_{number}/" if number else f"{path}{name}/")


def _attributes(owner: WeightOwner) -> Iterator[tuple[str, Any]]:
    """The attributes and properties of a layer that are its own: by name, those with an underscore last.

    The list of layers of a model that is a graph comes first; another model's comes where its name stands.
    """
    if getattr(owner, "_graph", None) is not None or hasattr(owner, "_stack"):
        yield "layers", getattr(owner, "layers", [])
    for name in sorted(dir(owner), key=lambda name: (name.startswith("_"), name)):
        if not name.startswith("__") and name not in _SKIPPED and name not in owner._internal:
            with suppress(Exception):  # a property of the user's may not be ready, or not meant for us
                yield name, getattr(owner, name)


def _members(container: Any) -> Iterable[Any]:
    if isinstance(container, dict):
        return list(container.values())
    # Sets have no order that is the same in the next process.
    return sorted(container, key=_natural) if isinstance(container, set) else list(container)


def _natural(member: Any) -> list[Any]:
    """`dense_2` comes before `dense_10`."""
    parts = re.split(r"(\d+)", str(getattr(member, "name", "")))
    return [int(part) if part.isdigit() else part for part in parts]


def named_variables(model: Any) -> dict[str, Variable]:
    """The variables of a model by their keys in files."""
    return _Walk(model).variables


# ---- saving


def save(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes a model's weights to a file.

    Args:
        model: The model.
        filepath: Path that ends with `.weights.safetensors` or `.weights.h5`.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        FileError: if the name has another ending, or the file cannot be written; one that was there is then unchanged.
    """
    path = _path(filepath)
    kind = kind_of(path)
    if not overwrite and path.exists():
        raise FileError("the file is there already", got=str(path), hint="pass overwrite=True")
    variables = named_variables(model)
    _warn_of_lost(model, variables)
    write(path, {key: variable.numpy() for key, variable in variables.items()}, kind)


def _path(filepath: Any) -> Path:
    try:
        return Path(filepath)
    except TypeError:
        raise ArgumentError(
            "this is no path", where=describe(user_line()), got=repr(filepath)[:80], expected="text or a pathlib.Path"
        ) from None


def _warn_of_lost(model: Any, variables: Mapping[str, Variable]) -> None:
    kept = {id(variable) for variable in variables.values()}
    lost = [variable.path for variable in model.weights if id(variable) not in kept]
    if lost:
        warnings.warn(
            f"{len(lost)} weights of {model.name!r} are not in the file, {lost[0]!r} among them: they belong to a layer"
            " in an attribute whose name begins with two underscores",
            stacklevel=4,
        )


# ---- loading


def load(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Reads a model's weights from a file.

    Args:
        model: The model.
        filepath: Path of the file.
        skip_mismatch: Whether to leave out weights that are missing or have another shape.

    Raises:
        FileError: if the file does not hold exactly the model's weights; then no weight has been changed.
    """
    path = _path(filepath)
    kind = kind_of(path)
    walk = _Walk(model)
    if not walk.variables:
        raise FileError("the model has no weights yet", got=model.name, hint="build it before loading weights")
    with opened(path, kind) as entries:
        weights = {key: entry for key, entry in entries.items() if not key.startswith(tuple(walk.optimizers))}
        chosen = [
            (variable, weights[key])
            for key, variable in walk.variables.items()
            if _fits(path, key, variable, weights, skip_mismatch or (key in walk.optional and key not in weights))
        ]
        if not skip_mismatch:
            _refuse_unknown(model, walk, weights)
        # All are read before the first is changed: the file may be damaged further on.
        arrays: list[tuple[Variable, Array]] = [(variable, entry.read()) for variable, entry in chosen]
    for variable, array in arrays:
        variable.assign(array)


def _fits(path: Path, key: str, variable: Variable, entries: Mapping[str, Entry], lenient: bool) -> bool:
    """Whether the file has the array for a variable; an error where it must and has not."""
    entry = entries.get(key)
    if entry is not None and entry.shape == variable.shape and _converts(entry, variable):
        return True
    if lenient:
        return False
    raise WeightsError(
        f"{path.name} does not fit the model",
        layer=variable.path,
        got="no such weight" if entry is None else f"{entry.dtype} of shape {entry.shape}",
        expected=f"{key}: {variable.type.dtype.name} of shape {variable.shape}",
        hint=choices(key, entries) if entry is None else "is it the file of another model?",
    )


def _converts(entry: Entry, variable: Variable) -> bool:
    """Whether an array can be taken for a variable without losing more than digits."""
    try:
        given = dtypes.as_dtype(entry.dtype)
    except DTypeError:
        return False
    wanted = variable.type.dtype
    return (
        given.is_complex <= wanted.is_complex
        and given.is_inexact <= wanted.is_inexact
        and wanted.is_bool <= given.is_bool
    )


def _refuse_unknown(model: Any, walk: _Walk, entries: Mapping[str, Entry]) -> None:
    unknown = [key for key in entries if key not in walk.variables]
    if unknown:
        raise WeightsError(
            f"the file holds a weight that {model.name!r} has not",
            got=f"{unknown[0]} of shape {entries[unknown[0]].shape}",
            expected=f"only {len(walk.variables)} weights",
            hint="is it the file of another model? skip_mismatch=True loads what fits",
        )
