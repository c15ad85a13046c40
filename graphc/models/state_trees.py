"""The variables of a model as a tree of dictionaries, by their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphc.errors import ArgumentError
from graphc.tracing import Variable, describe, user_line

_FORMATS = ("backend_tensor", "numpy_array")


class StateTrees:
    """The methods of a model that read and assign all of its state at once."""

    def _variables_by_kind(self) -> dict[str, list[Variable]]:
        raise NotImplementedError

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values of all variables, nested by the parts of their paths.

        Args:
            value_format: `"backend_tensor"` or `"numpy_array"`.

        Returns:
            A dictionary with `"trainable_variables"`, `"non_trainable_variables"`, `"optimizer_variables"` and
            `"metrics_variables"`, each a tree of dictionaries.

        Raises:
            ArgumentError: if two variables have the same path.

        Example:

        >>> from graphc import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(1, name="out")], name="net")
        >>> model.get_state_tree()["trainable_variables"]["net"]["out"]["bias"].numpy().tolist()
        [0.0]
        """
        if value_format not in _FORMATS:
            known = ", ".join(map(repr, _FORMATS))
            raise ArgumentError("there is no such value_format", got=repr(value_format), expected=known)
        return {kind: _tree(variables, value_format) for kind, variables in self._variables_by_kind().items()}

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Assigns values to variables.

        Args:
            state_tree: What `get_state_tree` returned, or a part of it.

        Raises:
            ArgumentError: if it has another kind of variables, or a path that the model has not; nothing is then
                assigned.
        """
        known = self._variables_by_kind()
        chosen: list[tuple[Variable, Any]] = []
        for kind, values in state_tree.items():
            if kind not in known:
                raise ArgumentError(
                    "there is no such kind of variables",
                    where=describe(user_line()),
                    got=repr(kind),
                    expected=", ".join(map(repr, known)),
                )
            variables = {variable.path: variable for variable in known[kind]}
            for path, value in _leaves(values, ""):
                if path not in variables:
                    raise ArgumentError("the model has no such variable", where=describe(user_line()), got=repr(path))
                chosen.append((variables[path], value))
        for variable, value in chosen:
            variable.assign(value)


def _tree(variables: Iterable[Variable], value_format: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    seen: set[str] = set()
    for variable in variables:
        if variable.path in seen:
            raise ArgumentError(
                "two variables of the model have the same path", got=repr(variable.path), hint="name their layers"
            )
        seen.add(variable.path)
        *parts, name = variable.path.split("/")
        place = result
        for part in parts:
            place = place.setdefault(part, {})
        place[name] = variable.value if value_format == "backend_tensor" else variable.numpy()
    return result


def _leaves(values: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value
