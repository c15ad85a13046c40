"""Matches targets, losses, metrics and weights, however a user nests them, with the outputs of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from graphc import tree
from graphc.errors import ArgumentError
from graphc.registration import choices
from graphc.tracing import describe, user_line


class Place(NamedTuple):
    """A place in the structure of the outputs, at which there is one output, or a structure of several.

    Args:
        path: The keys and positions that lead to it.
        indices: The indices of its outputs.
    """

    path: tuple[Any, ...]
    indices: range


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

    def loss_name(self, place: Place, loss: str) -> str:
        """The name of the loss at a place in logs, without the suffix `_loss`.

        Args:
            place: The place.
            loss: The name of the loss, which is used for an output that has no name.
        """
        path = list(place.path)
        if tree.is_nested(self.at(place)):
            path = path or ["_".join(self.names)]
        elif not path or isinstance(path[-1], int):
            path[-1:] = [self.names[place.indices[0]] if self.named else loss]
        return "/".join(map(str, path))

    def at(self, place: Place) -> Any:
        """The output at a place, or the structure of the outputs there."""
        return reduce(getitem, place.path, self.structure)

    def picked(self, place: Place, leaves: Sequence[Any]) -> Any:
        """The leaves at a place, in the structure that the outputs have there.

        Args:
            place: The place.
            leaves: One leaf for each output of the model.
        """
        return tree.pack_sequence_as(self.at(place), [leaves[index] for index in place.indices])

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

    def places(self, given: Any, what: str) -> list[tuple[Place, Any]]:
        """Matches the parts of a structure with places in the structure of the outputs.

        A dictionary is read by the keys of the outputs there, or by the names of outputs. A list that has one part for
        each output is read by position. Another list has parts that all apply to the same place, which may hold a
        structure. A single part applies to each output.

        Args:
            given: The structure, as the user gave it.
            what: Its name in error messages.

        Returns:
            Pairs of a place and the part for it, in the order in which they were given.

        Raises:
            ArgumentError: if there are too few or too many, or a name is unknown.
        """
        if not isinstance(given, Mapping | list | tuple):
            return [(self._leaf(index), given) for index in range(len(self))]
        return list(self._placed(given, Place((), range(len(self))), what))

    def _leaf(self, index: int) -> Place:
        return Place(tuple(self.paths[index]), range(index, index + 1))

    def _placed(self, given: Any, place: Place, what: str) -> Iterator[tuple[Place, Any]]:
        structure = self.at(place)
        if isinstance(given, Mapping):
            if isinstance(structure, Mapping) and set(given) <= set(structure):
                yield from self._placed_by_key(given.items(), place, what)
            else:
                for key, part in given.items():
                    for index in self._named(key, what):
                        yield from self._placed(part, self._leaf(index), what)
        elif not isinstance(given, list | tuple):
            yield place, given
        elif _is_flat(given) and len(given) == len(place.indices):
            yield from zip(map(self._leaf, place.indices), given, strict=True)
        elif _fits(given, structure):
            yield from self._placed_by_key(enumerate(given), place, what)
        elif _is_flat(given) and isinstance(structure, list | tuple):
            raise self._count_error(what, f"{len(given)}", len(place.indices))
        else:
            for part in given:
                yield from self._placed(part, place, what)

    def _placed_by_key(self, items: Iterable[tuple[Any, Any]], place: Place, what: str) -> Iterator[tuple[Place, Any]]:
        ranges = dict(_top_level(self.at(place), place.indices))
        for key, part in items:
            yield from self._placed(part, Place((*place.path, key), ranges[key]), what)

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


def _is_flat(given: Sequence[Any]) -> bool:
    return not any(isinstance(part, Mapping | list | tuple) for part in given)


def _fits(given: Sequence[Any], structure: Any) -> bool:
    """Whether a list has one part for each part of a structure; lists and dictionaries in it say where they belong."""
    if not isinstance(structure, list | tuple) or len(given) != len(structure):
        return False
    nested = zip(map(tree.is_nested, given), map(tree.is_nested, structure), strict=True)
    return isinstance(structure, type(given)) or all(inner for part, inner in nested if part)


def _top_level(structure: Any, indices: range) -> Iterator[tuple[Any, range]]:
    """The keys of a structure's upper level, each with the positions of the leaves below it."""
    start = indices.start
    for key in dict.fromkeys(path[0] for path in tree.paths(structure)):
        count = len(tree.flatten(structure[key]))
        yield key, range(start, start + count)
        start += count
