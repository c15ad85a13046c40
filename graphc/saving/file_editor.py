"""A tool that shows, compares and changes what is in a file of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import rich.console

from graphc.errors import ArgumentError, FileError
from graphc.registration import choices
from graphc.saving import archive, files
from graphc.saving.weights import Walk, path_of
from graphc.tracing import Array

_VARIABLES = "vars"
Tree = dict[str, Any]


class KerasFileEditor:
    """Shows, compares and changes the weights in a file, which is useful where a model has got other layers since.

    The weights are in a tree of dictionaries: those of a layer are numbered, `"0"`, `"1"`, ..., and a path in it has
    slashes (`"layers/dense_1"`). Nothing is written before `save`.

    Args:
        filepath: Path of a `.keras`, `.weights.h5` or `.weights.safetensors` file.

    Attributes:
        weights_dict: The tree.
        config: The configuration in a model file; else None.
        metadata: What a model file tells of itself; else None.

    Raises:
        FileError: if the file cannot be read.

    Example:

    ```python
    editor = KerasFileEditor("model.weights.h5")
    editor.summary()
    editor.delete_object("layers/dense_2")
    editor.add_object("layers/einsum_dense", weights={"0": kernel, "1": bias})
    editor.save("edited.weights.h5")
    ```
    """

    def __init__(self, filepath: Any) -> None:
        path = path_of(filepath)
        self.filepath = str(path)
        self.config: dict[str, Any] | None = None
        self.metadata: dict[str, Any] | None = None
        self.model = None
        self.console = rich.console.Console(highlight=False)
        self.weights_dict: Tree = {}
        with ExitStack() as stack:
            if path.suffix == ".keras":
                file = stack.enter_context(archive.opened(path))
                self.config, self.metadata, entries = file.config(), file.metadata(), file.weights()
            else:
                entries = stack.enter_context(files.opened(path, files.kind_of(path)))
            for key, entry in entries.items():
                _insert(self.weights_dict, [part for part in key.split("/") if part != _VARIABLES], entry.read())
        self.console.print(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            version, date = self.metadata.get("keras_version"), self.metadata.get("date_saved")
            self.console.print(f"Saved with Keras {version} - date: {date}")

    def summary(self) -> None:
        """Prints the tree, with the shapes and dtypes of the weights."""
        self.console.print("Weights structure")
        for line in _lines(self.weights_dict, "  "):
            self.console.print(line, markup=False)

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Compares the weights in the file with those of a model, and prints what differs.

        Args:
            reference_model: The model.

        Returns:
            Dictionary with `"status"`, which is `"success"` or `"error"`, `"error_count"` and `"match_count"`. What
            lacks a whole layer counts as one error.
        """
        expected: Tree = {}
        walk = Walk(reference_model)
        for key, array in walk.arrays().items():
            if key not in walk.optional:
                _insert(expected, [part for part in key.split("/") if part != _VARIABLES], array)
        optimizer = getattr(reference_model, "optimizer", None)
        if optimizer is not None and "optimizer" in self.weights_dict:
            expected["optimizer"] = {str(i): v.numpy() for i, v in enumerate(optimizer.variables)}
        self.console.print("Running comparison")
        errors, matches = self._compared(self.weights_dict, expected, "")
        self.console.print(
            f"The file has all weights of the model: {matches}" if not errors else f"{errors} differences"
        )
        return {"status": "error" if errors else "success", "error_count": errors, "match_count": matches}

    def _compared(self, found: Any, expected: Any, path: str) -> tuple[int, int]:
        """The numbers of differences and of equal weights below a path."""
        groups = [isinstance(x, Mapping) for x in (found, expected)]
        if not any(groups):
            if found.shape == expected.shape:
                return 0, 1
            self.console.print(f"...{path}: shape {found.shape} in the file, {expected.shape} in the model")
            return 1, 0
        if not all(groups):
            self.console.print(f"...{path} is a weight here, and a group of weights there")
            return 1, 0
        errors = matches = 0
        for name in [*expected, *(name for name in found if name not in expected)]:
            inner = f"{path}/{name}"
            if name in found and name in expected:
                more, equal = self._compared(found[name], expected[name], inner)
                errors, matches = errors + more, matches + equal
            elif not (name in found and _without_weights(found[name])):
                where = "the model lacks" if name in found else "the file lacks"
                self.console.print(f"...{inner}: {where} it")
                errors += 1
        return errors, matches

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Renames an object, such as a layer.

        Args:
            object_name: Its path, or its name if no other object has it.
            new_name: The new name, without the path.
        """
        if "/" in new_name:
            raise ArgumentError("the new name is a name, not a path", got=new_name)
        group, name = self._find(object_name)
        renamed = {(new_name if key == name else key): value for key, value in group.items()}
        group.clear()
        group.update(renamed)

    def delete_object(self, object_name: str) -> None:
        """Removes an object, such as a layer.

        Args:
            object_name: Its path, or its name if no other object has it.
        """
        group, name = self._find(object_name)
        del group[name]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Adds an object, such as a layer.

        Args:
            object_path: Its path.
            weights: Its weights, by name: `{"0": kernel, "1": bias}`.
        """
        *above, name = object_path.split("/")
        group = self.weights_dict
        for part in above:
            if not isinstance(group.get(part), dict):
                raise ArgumentError("there is no such object in the file", got="/".join(above))
            group = group[part]
        group[name] = _checked(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Removes a weight of an object.

        Args:
            object_name: The path of the object, or its name if no other object has it.
            weight_name: The name of the weight, such as `"0"`.
        """
        group, name = self._find(object_name)
        if weight_name not in group[name]:
            raise ArgumentError("the object has no such weight", got=weight_name, expected=", ".join(group[name]))
        del group[name][weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Adds weights to an object, or replaces some.

        Args:
            object_name: The path of the object, or its name if no other object has it.
            weights: The weights, by name.
        """
        group, name = self._find(object_name)
        group[name].update(_checked(weights))

    def save(self, filepath: Any) -> None:
        """Writes the weights to a file.

        Args:
            filepath: Path that ends with `.weights.h5` or `.weights.safetensors`.

        Raises:
            FileError: if the file cannot be written.
        """
        path = path_of(filepath)
        files.write(path, dict(_flat(self.weights_dict, "")), files.kind_of(path))

    def resave_weights(self, filepath: Any) -> None:
        """Writes the weights to a file: `save`."""
        self.save(filepath)

    def _find(self, name: str) -> tuple[Tree, str]:
        """The group that holds an object, and the object's name in it.

        Raises:
            ArgumentError: if there is none of this name, or several.
        """
        found = [
            (group, known) for path, group, known in _objects(self.weights_dict, "") if name in (path, known, path[1:])
        ]
        exact = [(group, known) for path, group, known in _objects(self.weights_dict, "") if path[1:] == name]
        if "/" in name or (exact and len(found) > 1):
            found = exact
        if len(found) != 1:
            known = [path[1:] for path, _, _ in _objects(self.weights_dict, "")]
            raise ArgumentError(
                "there is no such object in the file" if not found else "several objects have this name",
                got=repr(name),
                hint=choices(name, known) if not found else "pass the whole path",
            )
        return found[0]


def _insert(tree: Tree, parts: list[str], array: Array) -> None:
    *above, name = parts
    for part in above:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise FileError("the file holds a weight that is a group, too", got="/".join(parts)[:80])
    tree[name] = array


def _checked(weights: Any) -> Tree:
    if not isinstance(weights, Mapping):
        raise ArgumentError("weights are a dictionary of names to arrays", got=type(weights).__name__)
    return {str(name): np.asarray(value) for name, value in weights.items()}


def _objects(tree: Tree, path: str) -> Iterator[tuple[str, Tree, str]]:
    """All groups, each with its path, the group that holds it and its name."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield f"{path}/{name}", tree, name
            yield from _objects(value, f"{path}/{name}")


def _without_weights(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_without_weights, value.values()))


def _flat(tree: Tree, path: str) -> Iterator[tuple[str, Array]]:
    """The arrays by their keys in a file: those of an object are in a group of its own."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}/")
        else:
            yield f"{path}{_VARIABLES}/{name}", value


def _lines(tree: Tree, indent: str) -> Iterator[str]:
    for i, (name, value) in enumerate(tree.items()):
        last = i == len(tree) - 1
        if isinstance(value, dict):
            yield f"{indent}{'└─' if last else '├─'} {name}"
            yield from _lines(value, indent + ("    " if last else "│   "))
        else:
            yield f"{indent}{'└─' if last else '├─'} {name}: shape={value.shape}, dtype={value.dtype}"
