"""Automatic names: `dense`, `dense_1`, ... numbered as in Keras."""

from __future__ import annotations

import threading
from typing import Any

from graphc.errors import ArgumentError
from graphc.tracing.origins import describe, user_line


class _Counters:
    """The number of automatic names of each prefix in this process.

    Keras's automatic names are process-wide by contract (the second `Dense` is `dense_1` wherever it is created), which
    needs one mutable cell. It is this one; no computation depends on it.
    """

    __slots__ = ("counts", "lock")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()


_counters = _Counters()


def next_count(prefix: str) -> int:
    """The number of earlier names of a prefix: 0, 1, 2 and so on."""
    with _counters.lock:
        count = _counters.counts.get(prefix, 0)
        _counters.counts[prefix] = count + 1
    return count


def auto_name(prefix: str) -> str:
    """The next name that starts with `prefix`: the prefix itself, then with `_1`, `_2` and so on."""
    count = next_count(prefix)
    return f"{prefix}_{count}" if count else prefix


def given_name(name: Any, prefix: str, slashes: bool = False) -> str:
    """The name that the user chose, else an automatic one.

    Args:
        name: The name that the user chose, or None.
        prefix: The prefix of automatic names.
        slashes: Whether the name may contain slashes, which separate names in paths.

    Raises:
        ArgumentError: if it is not text, or contains a slash.
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
    """Resets the counters."""
    with _counters.lock:
        _counters.counts.clear()
