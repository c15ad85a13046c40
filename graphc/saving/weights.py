"""Files of weights.

The key of a weight is the path of its layer in the model, as in Keras's `.weights.h5` files (`layers/dense/vars/0`).
It does not depend on automatic names, and so a file fits a model that is created again. A file is checked as a whole
before the first weight is changed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from graphc.errors import ArgumentError, FileError, WeightsError
from graphc.layers import Layer
from graphc.layers.weights import WeightOwner
from graphc.optimizers import Optimizer
from graphc.random import SeedGenerator
from graphc.registration import choices
from graphc.saving import archive, legacy, own, sharded
from graphc.saving.files import Entry, converts, kind_of, opened, write
from graphc.tracing import Array, Variable, describe, snake_case, user_line

_OPTIMIZER = "optimizer/"
# Keras's names of classes that have a public name besides.
_OTHER_NAMES = MappingProxyType({"GroupQueryAttention": "GroupedQueryAttention"})
# Attributes of the base class do not contain sublayers; the optimizer's variables are not weights.
_SKIPPED = frozenset({*dir(Layer), "optimizer", "_inbound_nodes", "history", "callbacks", "_graph", "_stack"})


class Walk:
    """A traversal of the parts of a model, in the order of Keras's files.

    Attributes:
        variables: The variables by their keys.
        optional: The keys that a file may lack: states of seed generators, which Keras does not always write.
        optimizers: The optimizers by path, besides that of `compile`; their variables are not weights.
        writing: The layers that write arrays themselves, by the path of these.
        with_files: The layers that write files, by path.
    """

    def __init__(self, model: WeightOwner) -> None:
        self.variables: dict[str, Variable] = {}
        self.optional: set[str] = set()
        self.optimizers: dict[str, Optimizer] = {}
        self.writing: dict[str, WeightOwner] = {}
        self.with_files: dict[str, Any] = {}
        self._seen: set[int] = {id(getattr(model, "optimizer", None))}
        self._visit(model, "")

    def _visit(self, part: Any, path: str) -> None:
        if isinstance(part, Optimizer) and id(part) not in self._seen:
            self.optimizers[path] = part
            self._seen.add(id(part))
        if not isinstance(part, WeightOwner | SeedGenerator | list | tuple | dict | set) or id(part) in self._seen:
            return
        self._seen.add(id(part))
        if isinstance(part, SeedGenerator):
            self.optional.add(f"{path}vars/0")
            self.variables[f"{path}vars/0"] = part.state
        elif isinstance(part, WeightOwner):
            if own.writes_files(part):
                self.with_files[path] = part
            if own.writes_arrays(part):
                self.writing[f"{path}vars/"] = part
            else:
                self.variables |= {f"{path}vars/{i}": variable for i, variable in enumerate(part._own_variables())}
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
            name = _name_in_files(type(member)) if owner else "container"
            number = used.get(name, 0)
            used[name] = number + 1
            self._visit(member, f"{path}{name}_{number}/" if number else f"{path}{name}/")

    def arrays(self) -> dict[str, Array]:
        """The values of the variables, and what layers write themselves, by key."""
        found = {key: variable.numpy() for key, variable in self.variables.items()}
        for path, part in self.writing.items():
            found |= {path + name: array for name, array in own.arrays_of(part).items()}
        return found

    def written(self) -> set[int]:
        """The identities of the variables that are in a file."""
        others = (variable for part in self.writing.values() for variable in part._own_variables())
        return {id(variable) for variable in (*self.variables.values(), *others)}


def _attributes(owner: WeightOwner) -> Iterator[tuple[str, Any]]:
    """The attributes and properties of a layer that may contain parts, sorted by name, private ones last.

    The layers of a functional model come first; those of another model are in the order of names.
    """
    if getattr(owner, "_graph", None) is not None or hasattr(owner, "_stack"):
        yield "layers", getattr(owner, "layers", [])
    for name in sorted(dir(owner), key=lambda name: (name.startswith("_"), name)):
        if not name.startswith("__") and name not in _SKIPPED and name not in owner._internal:
            with suppress(Exception):  # a property of the user's may raise
                yield name, getattr(owner, name)


def _members(container: Any) -> Iterable[Any]:
    if isinstance(container, dict):
        return list(container.values())
    # The order of a set differs between processes.
    return sorted(container, key=_natural_key) if isinstance(container, set) else list(container)


def _name_in_files(cls: type) -> str:
    return snake_case(_OTHER_NAMES.get(cls.__name__, cls.__name__))


def _natural_key(member: Any) -> list[Any]:
    """A sort key by which `dense_2` precedes `dense_10`."""
    parts = re.split(r"(\d+)", str(getattr(member, "name", "")))
    return [int(part) if part.isdigit() else part for part in parts]


def named_variables(model: Any) -> dict[str, Variable]:
    """The variables of a model by their keys in files."""
    return Walk(model).variables


# ---- saving


def save(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
    """Writes a model's weights to a file, or to several.

    Args:
        model: The model.
        filepath: Path that ends with `.weights.safetensors` or `.weights.h5`; with `.weights.json` for several files.
        overwrite: Whether an existing file may be replaced.
        max_shard_size: The largest size of a file in GB, where weights are in several; the file at `filepath` tells
            then which weights are in which. None: one file.

    Raises:
        FileError: if the name has another ending, or the file cannot be written; an existing one is then unchanged.
    """
    path = path_of(filepath)
    if max_shard_size is not None:
        path = sharded.path_of(path)
    kind = "json" if max_shard_size is not None else kind_of(path)
    if not overwrite and path.exists():
        raise FileError("the file is there already", got=str(path), hint="pass overwrite=True")
    walk = Walk(model)
    _warn_about_missing(model, walk)
    if max_shard_size is not None:
        sharded.write(path, walk.arrays(), max_shard_size)
    else:
        write(path, walk.arrays(), kind)


def path_of(filepath: Any) -> Path:
    """A path as it was given.

    Raises:
        ArgumentError: if it is none.
    """
    try:
        return Path(filepath)
    except TypeError:
        raise ArgumentError(
            "this is no path", where=describe(user_line()), got=repr(filepath)[:80], expected="text or a pathlib.Path"
        ) from None


def _warn_about_missing(model: Any, walk: Walk) -> None:
    saved = walk.written()
    missing = [variable.path for variable in model.weights if id(variable) not in saved]
    if missing:
        warnings.warn(
            f"{len(missing)} weights of {model.name!r} are not in the file, {missing[0]!r} among them: they belong to a"
            " layer"
            " in an attribute whose name begins with two underscores",
            stacklevel=4,
        )


# ---- loading


def load(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Reads a model's weights from a file.

    Args:
        model: The model.
        filepath: Path of the file, or of a model file, `.keras`; `.weights.json` for weights in several files; `.h5`
            and `.hdf5` without `.weights` are of the form before Keras 3.
        skip_mismatch: Whether to skip weights that are missing or have another shape.

    Raises:
        FileError: if the file does not hold exactly the model's weights; no weight is then changed.
    """
    path = path_of(filepath)
    if path.name.endswith((".h5", ".hdf5")) and not path.name.endswith(".weights.h5"):
        legacy.load(model, path, skip_mismatch)
        return
    walk = Walk(model)
    with _entries(path) as entries:
        chosen = read(matched(model, walk, path, entries, skip_mismatch))
        stored = stores(walk, entries)
    assign(chosen, stored)


@contextmanager
def _entries(path: Path) -> Iterator[Mapping[str, Entry]]:
    """A context with the entries of a file of weights, or of those in a model file."""
    if path.suffix == ".keras":
        with archive.opened(path) as file:
            yield file.weights()
    elif path.name.endswith(sharded.ENDING):
        with sharded.opened(path) as entries:
            yield entries
    else:
        with opened(path, kind_of(path)) as entries:
            yield entries


def read(chosen: Iterable[tuple[Variable, Entry]]) -> list[tuple[Variable, Array]]:
    """All arrays: they are read before the first weight is changed, since the file may be damaged."""
    return [(variable, entry.read()) for variable, entry in chosen]


def stores(walk: Walk, entries: Mapping[str, Entry]) -> list[tuple[WeightOwner, dict[str, Array]]]:
    """The layers that load arrays themselves, each with those that it stored, by name."""
    return [
        (part, {key[len(path) :]: entry.read() for key, entry in entries.items() if key.startswith(path)})
        for path, part in walk.writing.items()
    ]


def assign(arrays: list[tuple[Variable, Array]], stored: list[tuple[WeightOwner, dict[str, Array]]]) -> None:
    """Assigns what a file holds to the variables of a model; none is changed if a layer refuses what it stored."""
    with own.kept(part for part, _ in stored):
        for part, store in stored:
            part.load_own_variables(store)
    for variable, array in arrays:
        variable.assign(array)


def matched(
    model: Any, walk: Walk, path: Path, entries: Mapping[str, Entry], skip_mismatch: bool = False
) -> list[tuple[Variable, Entry]]:
    """The variables of a model, each with its entry in a file.

    Raises:
        FileError: if the file does not hold exactly the model's weights.
    """
    if not walk.variables and not walk.writing:
        raise FileError("the model has no weights yet", got=model.name, hint="build it before loading weights")
    others = (_OPTIMIZER, *walk.optimizers, *walk.writing)
    weights = {key: entry for key, entry in entries.items() if not key.startswith(others)}
    chosen = [
        (variable, weights[key])
        for key, variable in walk.variables.items()
        if fits(path, key, variable, weights, skip_mismatch or (key in walk.optional and key not in weights))
    ]
    if not skip_mismatch:
        _reject_unknown(model, walk, weights)
    return chosen


def fits(path: Path, key: str, variable: Variable, entries: Mapping[str, Entry], lenient: bool) -> bool:
    """Whether the file has a fitting array for a variable; an error if it has not, unless `lenient`."""
    entry = entries.get(key)
    if entry is not None and entry.shape == variable.shape and converts(entry, variable):
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


def _reject_unknown(model: Any, walk: Walk, entries: Mapping[str, Entry]) -> None:
    unknown = [key for key in entries if key not in walk.variables]
    if unknown:
        raise WeightsError(
            f"the file holds a weight that {model.name!r} has not",
            got=f"{unknown[0]} of shape {entries[unknown[0]].shape}",
            expected=f"only {len(walk.variables)} weights",
            hint="is it the file of another model? skip_mismatch=True loads what fits",
        )
