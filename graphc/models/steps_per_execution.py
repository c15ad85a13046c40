"""The number of steps in one execution of a compiled program."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# An execution of this length keeps the progress line moving and Ctrl-C working, at a negligible cost per call.
_SECONDS = 0.075


class StepsPerExecution:
    """The number of steps in one execution.

    Args:
        fixed: The number, if the user or a callback requires one. None: as many as take about 75 milliseconds.
    """

    def __init__(self, fixed: int | None) -> None:
        self.fixed = fixed
        self._next = 1

    @property
    def count(self) -> int:
        """The number of steps of the next execution."""
        return self.fixed or self._next

    @contextmanager
    def measured(self, steps: int) -> Iterator[None]:
        """Measures the time of an execution, from which the next number of steps follows."""
        start = time.perf_counter()
        yield
        each = max((time.perf_counter() - start) / steps, 1e-7)
        # The number grows gradually: the first execution may be slow for reasons that do not recur.
        self._next = max(1, min(int(_SECONDS / each), 8 * steps))
