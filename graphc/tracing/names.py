"""Names that nobody chose: `dense`, `dense_1`, ... as Keras counts them."""

from __future__ import annotations

import threading
from typing import Any

from graphc.errors import ArgumentError
from graphc.tracing.origins import describe, user_line


class _Counters:
    """How many objects of each prefix were named in this process.

    Keras's automatic names are process-wide by contract (the second `Dense` is `dense_1` wherever it is made), so one
    mutable cell is needed. It is this one; nothing computes with it.
    """

    __slots__ = ("counts", "lock")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()


_counters = _Counters()


def next_count(prefix: str) -> int:
    """How many names of a prefix were made before: 0, 1, 2 and so on."""
    with _counters.lock:
        count = _counters.counts.get(prefix, 0)
        _counters.counts[prefix] = count + 1
    return count


def auto_name(prefix: str) -> str:
    """The next name that starts with `prefix`: the prefix itself, then with `_1`, `_2` and so on."""
    count = next_count(prefix)
    return f"{prefix}_{count}" if count else prefix


def given_name(name: Any, prefix: str, slashes: bool = False) -> str:
    """The name that the user gave something, else an automatic one.

    Args:
        name: What the user gave; None for nothing.
        prefix: What automatic names start with.
        slashes: Whether the name may hold slashes, which part the names in a path.

    Raises:
        ArgumentError: if it is no text, or holds a slash.
    """
    if name is None or name == "":
        return auto_name(prefix)
    if not isinstance(name, str) or ("/" in name and not slashes):
        raise ArgumentError(
            "this cannot be a name",
            where=describe(user_line()),
            got=repr(name)[:80],
            expected="text" if slashes else "text without slashes",
            hint="choose another name, or leave it out",
        )
    return name


def reset_names() -> None:
    """Starts counting anew."""
    with _counters.lock:
        _counters.counts.clear()
