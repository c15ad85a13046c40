"""How many steps are done in one call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# A call that lasts this long lets the progress line move and Ctrl-C through, and costs nothing to make.
_SECONDS = 0.075


class Pace:
    """How many steps are done in one call.

    Args:
        fixed: A number that the user or a callback demands. None: as many as take about 75 milliseconds.
    """

    def __init__(self, fixed: int | None) -> None:
        self.fixed = fixed
        self._next = 1

    @property
    def steps(self) -> int:
        """How many steps the next call does."""
        return self.fixed or self._next

    @contextmanager
    def measured(self, steps: int) -> Iterator[None]:
        """Measures a call of so many steps, for the number of the next one."""
        start = time.perf_counter()
        yield
        each = max((time.perf_counter() - start) / steps, 1e-7)
        # Grown step by step: the first call may be slow for reasons that do not come again.
        self._next = max(1, min(int(_SECONDS / each), 8 * steps))
