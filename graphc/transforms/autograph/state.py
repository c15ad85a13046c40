"""The variables, attributes and elements that a block of code assigns, as the runtime reads and sets them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any, Final, NamedTuple

import numpy as np

from graphc.errors import ControlFlowError
from graphc.tracing import current_origin, describe


class Undefined:
    """The value of a variable that has none."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()


class Info(NamedTuple):
    """What the transformer knows of an `if` or a loop.

    Args:
        names: The variables that it assigns.
        live: Those that are read after it.
        head: Those that the next iteration of a loop reads.
        kept: Those that other functions read, so that they may be read later.
        local: Those that are not read after the iteration of the loop, or of the loop around an `if`.
        exits: The flags by which its blocks leave that iteration, or the function.
        global_names: The global variables that it assigns.
        raises: Whether a block raises an exception whatever its values are.
        guarded: Whether a handler of the function may catch exceptions of the blocks.
    """

    names: tuple[str, ...]
    live: tuple[str, ...]
    head: tuple[str, ...]
    kept: tuple[str, ...]
    local: tuple[str, ...]
    exits: tuple[str, ...]
    global_names: tuple[str, ...]
    raises: bool
    guarded: bool


Places = tuple[
    tuple[tuple[str, Callable[[], Any], bool, Callable[[], Any]], ...], tuple[tuple[str, Callable[[], Any]], ...]
]


@dataclass(frozen=True)
class Slot:
    """A variable of the user's function.

    Args:
        name: Its name.
        cell: The cell that holds it.
    """

    name: str
    cell: CellType

    def get(self) -> Any:
        """Its value, or `UNDEFINED`."""
        try:
            return self.cell.cell_contents
        except ValueError:
            return UNDEFINED

    def set(self, value: Any) -> None:
        """Assigns a value; `UNDEFINED` deletes the variable."""
        if value is UNDEFINED:
            del self.cell.cell_contents
        else:
            self.cell.cell_contents = value


@dataclass(frozen=True)
class AttributeSlot:
    """An attribute of an object.

    Args:
        name: Its text, as `self.x`.
        owner: The object.
        key: The attribute's name.
    """

    name: str
    owner: Any
    key: str

    def get(self) -> Any:
        """Its value, or `UNDEFINED`."""
        return getattr(self.owner, self.key, UNDEFINED)

    def set(self, value: Any) -> None:
        """Assigns a value; `UNDEFINED` deletes the attribute."""
        if value is not UNDEFINED:
            if self.get() is not value:
                setattr(self.owner, self.key, value)
        elif hasattr(self.owner, self.key):
            delattr(self.owner, self.key)


@dataclass(frozen=True)
class ItemSlot:
    """An element of a list or a dictionary.

    Args:
        name: Its text, as `d["k"]`.
        owner: The list or the dictionary.
        key: The index or key.
    """

    name: str
    owner: Any
    key: Any

    def get(self) -> Any:
        """Its value, or `UNDEFINED`."""
        try:
            return self.owner[self.key]
        except (KeyError, IndexError):
            return UNDEFINED

    def set(self, value: Any) -> None:
        """Assigns a value; `UNDEFINED` deletes the key."""
        if value is not UNDEFINED:
            self.owner[self.key] = value
        elif isinstance(self.owner, dict):
            self.owner.pop(self.key, None)


AnySlot = Slot | AttributeSlot | ItemSlot


class State:
    """What blocks of code assign, and the containers that they must not change.

    Args:
        functions: The functions whose bodies are the blocks.
        info: What the transformer knows.
        places: The attributes, elements and containers, as functions that return their parts.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]], info: Info, places: Places) -> None:
        cells: dict[str, CellType] = {}
        for function in functions:
            assert isinstance(function, FunctionType)
            cells |= dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self.slots: list[AnySlot] = [Slot(name, cells[name]) for name in info.names if name in cells]
        for text, owner, is_attribute, key in places[0]:
            slot = _place(text, owner, is_attribute, key)
            if slot is not None:
                self.slots.append(slot)
        self._variables = {name: Slot(name, cell) for name, cell in cells.items()}
        self._containers = places[1]

    def get(self) -> list[Any]:
        """The values of all slots."""
        return [slot.get() for slot in self.slots]

    def set(self, values: Sequence[Any]) -> None:
        """Assigns all slots."""
        for slot, value in zip(self.slots, values, strict=True):
            slot.set(value)

    def snapshot(self) -> Snapshot:
        """The elements of the lists, dictionaries and sets that the blocks can see, and of arrays that they assign."""
        found = {name: slot.get() for name, slot in self._variables.items() if not name.startswith("@")}
        assigned = {slot.name for slot in self.slots}
        found = {name: value for name, value in found.items() if name in assigned or not isinstance(value, np.ndarray)}
        for text, container in self._containers:
            try:
                found[text] = container()
            except Exception:  # the block may define it
                continue
        return Snapshot(found)


def _place(text: str, owner: Callable[[], Any], is_attribute: bool, key: Callable[[], Any]) -> AnySlot | None:
    """The slot of an attribute or element; None if what it belongs to does not exist, or is no plain container."""
    try:
        base, name = owner(), key()
        if is_attribute:
            return AttributeSlot(text, base, name)
        plain = isinstance(base, dict | list) and isinstance(name, str | int)
        return ItemSlot(text, base, name) if plain else None
    except Exception:  # the block may define it, or raises the same error again
        return None


class Snapshot:
    """The elements of containers at one moment.

    Args:
        values: Variables and other values by their text; those that are containers are remembered.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self._held = {
            text: (value, _elements(value)) for text, value in values.items() if isinstance(value, _CONTAINERS)
        }

    def check(self, construct: str) -> None:
        """Raises an error if a container has changed since, and restores it.

        Raises:
            ControlFlowError: if one has.
        """
        for text, (value, elements) in self._held.items():
            now = _elements(value)
            if len(now) != len(elements) or not all(map(_same, now, elements)):
                _restore(value, elements)
                origin = current_origin()
                raise ControlFlowError(
                    f"the {type(value).__name__} `{text}` is changed inside {construct} on traced values, whose code is"
                    " traced once and not run for each iteration or choice",
                    layer=origin.layer or None,
                    where=describe(origin),
                    got=f"{len(now)} elements, {len(elements)} before" if len(now) != len(elements) else "new elements",
                    hint="assign tensors to variables instead; to collect a value of each iteration, use `ops.scan`,"
                    " which stacks them, or write rows of a tensor with `ops.slice_update`",
                )


_CONTAINERS = (list, dict, set, deque, np.ndarray)


def _same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, bytes) and a == b)


def _elements(container: Any) -> list[Any]:
    if isinstance(container, np.ndarray):
        return [container.tobytes()]
    if isinstance(container, dict):
        return [part for item in container.items() for part in item]
    return sorted(container, key=id) if isinstance(container, set) else list(container)


def _restore(container: Any, elements: list[Any]) -> None:
    if isinstance(container, np.ndarray):
        container[...] = np.frombuffer(elements[0], container.dtype).reshape(container.shape)
        return
    container.clear()
    if isinstance(container, dict):
        container.update(zip(elements[::2], elements[1::2], strict=True))
    elif isinstance(container, set):
        container.update(elements)
    else:
        container.extend(elements)
