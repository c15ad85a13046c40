"""Matches targets, losses, metrics and weights, however a user nests them, with the outputs of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphc import tree
from graphc.errors import ArgumentError
from graphc.registration import choices
from graphc.tracing import describe, user_line


class Outputs:
    """The outputs of a model, in the order in which `tree.flatten` reads them, with their names.

    Args:
        structure: The outputs, or another structure that nests like them.
        names: The model's names of its outputs, in the same order. None: it has none.

    Attributes:
        leaves: The outputs.
        paths: The path of each in the structure: keys and positions.
        names: The name of each: its key in a flat dictionary, else the model's name, else `output_1`, `output_2` and
            so on.
        named: Whether logs show these names: generated ones are not shown.
    """

    def __init__(self, structure: Any, names: Sequence[str] | None = None) -> None:
        self.structure = structure
        self.leaves = tree.flatten(structure)
        self.paths = tree.paths(structure)
        count = len(self.leaves)
        flat = isinstance(structure, Mapping) and len(structure) == count
        self.named = flat or (names is not None and len(names) == count)
        if flat:
            self.names = [str(path[0]) for path in self.paths]
        elif self.named and names is not None:
            self.names = list(names)
        else:
            self.names = [f"output_{i + 1}" for i in range(count)]

    def __len__(self) -> int:
        return len(self.leaves)

    def loss_name(self, index: int, loss: str) -> str:
        """The name of an output's loss in logs, without the suffix `_loss`.

        Args:
            index: The index of the output.
            loss: The name of the loss, which is used if the output has no name.
        """
        path = list(self.paths[index])
        if not path or isinstance(path[-1], int):
            path[-1:] = [self.names[index] if self.named else loss]
        return "/".join(map(str, path))

    def metric_name(self, index: int, metric: str) -> str:
        """The name of an output's metric in logs."""
        return f"{self.names[index]}_{metric}" if self.named and len(self) > 1 else metric

    def match(self, given: Any, what: str, shared: bool = False, listed: bool = False) -> list[tuple[int, Any]]:
        """Matches the parts of a structure with the outputs.

        A dictionary is read by the keys of the outputs, or by their names; a list by position, in a structure like
        that of the outputs or flat.

        Args:
            given: The structure, as the user gave it.
            what: Its name in error messages.
            shared: Whether a single part, no list or dictionary, applies to all outputs.
            listed: Whether the part of one output may be a list.

        Returns:
            Pairs of an output's index and its part, in the order in which they were given.

        Raises:
            ArgumentError: if there are too few or too many, or a name is unknown.
        """
        return list(self._matched(given, self.structure, range(len(self)), what, shared, listed))

    def per_output(self, given: Any, what: str, shared: bool = False, listed: bool = False) -> list[Any]:
        """The result of `match` as a list with the part of each output; None for an output without one."""
        result: list[Any] = [None] * len(self)
        for index, part in self.match(given, what, shared, listed):
            result[index] = part
        return result

    def _matched(
        self, given: Any, structure: Any, indices: range, what: str, shared: bool, listed: bool
    ) -> Iterator[tuple[int, Any]]:
        if isinstance(given, Mapping):
            if isinstance(structure, Mapping) and set(given) <= set(structure):
                ranges = dict(_top_level(structure, indices))
                for key, part in given.items():
                    yield from self._matched(part, structure[key], ranges[key], what, shared, listed)
            else:
                yield from ((index, part) for key, part in given.items() for index in self._named(key, what))
        elif isinstance(given, list | tuple) and not (listed and not isinstance(structure, Mapping | list | tuple)):
            if isinstance(structure, list | tuple) and len(given) == len(structure):
                for (key, leaves), part in zip(_top_level(structure, indices), given, strict=True):
                    yield from self._matched(part, structure[key], leaves, what, shared, listed)
            elif len(given) == len(indices):
                yield from zip(indices, given, strict=True)
            else:
                raise self._count_error(what, f"{len(given)}", len(indices))
        elif shared or len(indices) == 1:
            yield from ((index, given) for index in indices)
        else:
            raise self._count_error(what, "1", len(indices))

    def _named(self, key: Any, what: str) -> list[int]:
        """The indices of the outputs of a name: several, if one layer computes them."""
        if key not in self.names:
            raise ArgumentError(
                f"{what} names an output that the model has not",
                where=describe(user_line()),
                got=repr(key),
                expected=f"one of {', '.join(map(repr, self.names))}",
                hint=choices(str(key), self.names),
            )
        return [index for index, name in enumerate(self.names) if name == key]

    def _count_error(self, what: str, got: str, wanted: int) -> ArgumentError:
        return ArgumentError(
            f"the number of {what} does not fit the model's outputs",
            where=describe(user_line()),
            got=got,
            expected=f"{wanted}: {', '.join(self.names)}",
            hint="give a list with one for each output, or a dictionary by output",
        )


def _top_level(structure: Any, indices: range) -> Iterator[tuple[Any, range]]:
    """The keys of a structure's upper level, each with the positions of the leaves below it."""
    start = indices.start
    for key in dict.fromkeys(path[0] for path in tree.paths(structure)):
        count = len(tree.flatten(structure[key]))
        yield key, range(start, start + count)
        start += count
