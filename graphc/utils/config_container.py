"""A container of named values."""

from __future__ import annotations

import difflib
import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from graphc.errors import StateError


class Config:
    """Named values, as attributes and as the entries of a dictionary.

    Args:
        **kwargs: The values.

    Example:

    >>> config = Config(learning_rate=0.1)
    >>> config.momentum = 0.9
    >>> config["momentum"], config.as_dict()
    (0.9, {'learning_rate': 0.1, 'momentum': 0.9})
    """

    def __init__(self, **kwargs: Any) -> None:
        # Set past `__setattr__`, which is for the values.
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether values may not be changed."""
        return bool(object.__getattribute__(self, "_frozen"))

    def freeze(self) -> None:
        """Forbids changes."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allows changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changed(self) -> dict[str, Any]:
        if self.frozen:
            raise _FrozenError("this config is frozen: its values cannot be changed", hint="call `unfreeze()`")
        return self._values()

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = object.__getattribute__(self, "_config")
        return values

    def as_dict(self) -> dict[str, Any]:
        """A dictionary of the values."""
        return dict(self._values())

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._values())

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._values().keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._values().values()

    def items(self) -> ItemsView[str, Any]:
        """Names and values."""
        return self._values().items()

    def pop(self, *args: Any) -> Any:
        """Removes a value, and returns it."""
        return self._changed().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several values."""
        self._changed().update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        """A value, or another one where there is none of this name."""
        return self._values().get(keyname, value)

    def __setattr__(self, name: str, value: Any) -> None:
        self._changed()[name] = value

    def __getattr__(self, name: str) -> Any:
        # Copies are made before there are values.
        values = self.__dict__.get("_config", {})
        if name in values:
            return values[name]
        near = difflib.get_close_matches(name, values, n=1, cutoff=0.7)
        raise AttributeError(f"there is no value {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __setitem__(self, key: str, item: Any) -> None:
        self._changed()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __delitem__(self, key: str) -> None:
        del self._changed()[key]

    def __repr__(self) -> str:
        return f"<Config {self._values()}>"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._values()))

    def __len__(self) -> int:
        return len(self._values())

    def __contains__(self, item: object) -> bool:
        return item in self._values()


class _FrozenError(StateError, ValueError):
    """A change of a frozen config; a `ValueError`, as in Keras."""
