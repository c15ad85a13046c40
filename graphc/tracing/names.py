"""Names that nobody chose: `dense`, `dense_1`, ... as Keras counts them."""

from __future__ import annotations

import re
import threading


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


def auto_name(prefix: str) -> str:
    """The next name that starts with `prefix`: the prefix itself, then with `_1`, `_2` and so on."""
    with _counters.lock:
        count = _counters.counts.get(prefix, 0)
        _counters.counts[prefix] = count + 1
    return f"{prefix}_{count}" if count else prefix


def reset_names() -> None:
    """Starts counting anew."""
    with _counters.lock:
        _counters.counts.clear()


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in layer names.

    Example:

    >>> snake_case("GlobalAveragePooling2D"), snake_case("ReLU"), snake_case("AdamW")
    ('global_average_pooling2d', 're_lu', 'adam_w')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
