"""Gradients by variables, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import graphc


def gradients_of(loss: Callable[[], Any], variables: Sequence[Any]) -> list[Any]:
    """The gradients of a function's result by variables; zeros by those that it does not read."""
    with graphc.GradientTape() as tape:
        total = loss()
    return list(tape.gradient(total, list(variables), unconnected_gradients="zero"))
