"""`x.at[key]`: updates of parts of tensors, as new tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphc.errors import ArgumentError
from graphc.tracing.origins import current_origin, describe

if TYPE_CHECKING:
    from graphc.tracing.operators import Operators


class At:
    """The parts of a tensor: `x.at[key]` is one of them."""

    __slots__ = ("_x",)

    def __init__(self, x: Operators) -> None:
        self._x = x

    def __getitem__(self, key: Any) -> Part:
        return Part(self._x, key)


class Part:
    """The part `x[key]` of a tensor; its methods return the whole tensor with that part changed.

    The key is any key of `x[key]`, with indices that a graph computes as well. Values are cast to the dtype of the
    tensor and broadcast to the part. Where an index occurs several times, `set` takes the last value, and the others
    combine all of them. Values at indices of arrays and computed indices that are out of bounds are dropped; a block
    whose start is computed is moved into bounds.

    Args:
        x: The tensor.
        key: The key.
    """

    __slots__ = ("_key", "_x")

    def __init__(self, x: Operators, key: Any) -> None:
        self._x, self._key = x, key

    def _update(self, how: str, values: Any, hints: Mapping[str, Any]) -> Any:
        unknown = set(hints) - {"indices_are_sorted", "unique_indices", "mode"}
        if unknown or hints.get("mode") not in (None, "drop"):
            raise ArgumentError(
                "`.at[...]` does not take this argument",
                where=describe(current_origin()),
                got=", ".join(f"{name}={value!r}" for name, value in hints.items()),
                expected='mode="drop", indices_are_sorted or unique_indices',
            )
        return self._x._operate(f"at_{how}", self._x, self._key, values)

    def get(self) -> Any:
        """The part: `x[key]`."""
        return self._x[self._key]

    def set(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] = values`."""
        return self._update("set", values, hints)

    def add(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] += values`."""
        return self._update("add", values, hints)

    def subtract(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] -= values`."""
        return self._update("subtract", values, hints)

    def multiply(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] *= values`."""
        return self._update("multiply", values, hints)

    mul = multiply

    def divide(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] /= values`."""
        return self._update("divide", values, hints)

    def power(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] **= values`."""
        return self._update("power", values, hints)

    def min(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] = minimum(x[key], values)`."""
        return self._update("min", values, hints)

    def max(self, values: Any, **hints: Any) -> Any:
        """The tensor with `x[key] = maximum(x[key], values)`."""
        return self._update("max", values, hints)

    def apply(self, function: Callable[[Any], Any], **hints: Any) -> Any:
        """The tensor with `x[key] = function(x[key])`; once for an index that occurs several times."""
        return self._update("set", function(self.get()), hints)
