"""Positions in data that `fit` iterates over: what a checkpoint keeps of them, and how a new iteration gets there.

Data in arrays or with indices are found again by the order of the pass. What is iterated is iterated again. Data sets
may keep a state of their own: they return it from `state_dict` or `get_state`, and take it by `load_state_dict` or
`set_state`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.saving.training import set_random_state
from graphc.tracing import Array
from graphc.utils.py_dataset import PyDataset

_STATES = (("state_dict", "load_state_dict"), ("get_state", "set_state"))
_HOOKS = ("on_epoch_begin", "on_epoch_end")
# Where an object notes what it was asked for: the same one may be used by the next `fit`, or a new one.
_CALLS, _ITERATIONS = "_graphc_calls", "_graphc_iterations"


def digest(arrays: Mapping[str, Array]) -> int:
    """A checksum of the arrays of a batch."""
    total = 0
    for name in sorted(arrays):
        array = arrays[name]
        plain = np.array(array.tolist()).astype("U") if array.dtype == object else array
        total = zlib.crc32(np.ascontiguousarray(plain).tobytes(), total)
    return total


def has_state(source: Any) -> bool:
    """Whether a data set keeps a state of its own."""
    return any(hasattr(source, get) and hasattr(source, put) for get, put in _STATES)


def state_of(source: Any) -> Any:
    """The state that a data set keeps, as numbers, texts and arrays in dictionaries and lists; None if it keeps none.

    Raises:
        DataError: if it holds something else.
    """
    get = next((get for get, put in _STATES if hasattr(source, get) and hasattr(source, put)), None)
    return None if get is None else {"state": _plain(getattr(source, get)())}


def set_state(source: Any, state: Any) -> None:
    """Gives a data set the state that `state_of` returned."""
    for get, put in _STATES:
        if hasattr(source, get) and hasattr(source, put):
            getattr(source, put)(_given(state["state"]))
            return


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"__bytes__": np.frombuffer(value, np.uint8)}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, bool | int | float | str | np.generic) or value is None:
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value
    raise DataError(
        "the state of a data set cannot be kept in a checkpoint",
        got=type(value).__name__,
        expected="numbers, texts, bytes and arrays, in dictionaries and lists",
    )


def _given(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value["__bytes__"].tobytes() if "__bytes__" in value else {key: _given(x) for key, x in value.items()}
    return [_given(part) for part in value] if isinstance(value, list) else value


# ---- hooks of data sets that change what they give


def has_hook(source: Any, hook: str) -> bool:
    """Whether a data set does something at the beginning or the end of an epoch."""
    own = getattr(type(source), hook, None) is not getattr(PyDataset, hook)
    return hasattr(source, hook) and (own or hook in getattr(source, "__dict__", {}))


def call_hook(source: Any, hook: str) -> None:
    """Calls a hook, and counts the calls."""
    getattr(source, hook)()
    note(source, _CALLS, noted(source, _CALLS) + 1)


def replay_hooks(source: Any, calls: list[Mapping[str, Any]]) -> bool:
    """Calls the hooks that a checkpoint has noted and a data set did not get yet, with the random states of then.

    Args:
        source: The data set.
        calls: The calls: `"hook"`, and the states of random generators before it.

    Returns:
        Whether the data set had not gone further than that.
    """
    known = noted(source, _CALLS)
    for call in calls[known:]:
        if call["hook"] not in _HOOKS:
            raise ValueError(f"no hook of a data set: {call['hook']!r}")
        set_random_state(call["random"])
        call_hook(source, call["hook"])
    return known <= len(calls)


def begun(source: Any) -> Any:
    """A new iterator of an iterable, which counts them."""
    note(source, _ITERATIONS, noted(source, _ITERATIONS) + 1)
    return iter(source)


def iterations(source: Any) -> int:
    """How many iterations of an iterable were begun."""
    return noted(source, _ITERATIONS)


def counts(source: Any) -> bool:
    """Whether a number can be noted in a data set."""
    return hasattr(source, "__dict__")


def noted(source: Any, name: str) -> int:
    """A number that is noted in a data set."""
    return int(getattr(source, "__dict__", {}).get(name, 0))


def note(source: Any, name: str, number: int) -> None:
    """Notes a number in a data set, if it has attributes."""
    if counts(source):
        source.__dict__[name] = number
