"""What every device's programs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.plan import Plan
from graphc.runtime.counters import counters
from graphc.runtime.memory import Layout, solve
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]


class Program(ABC):
    """A compiled plan on a device, with the arena that its temporaries live in.

    Args:
        plan: What runs.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.launches = plan.launches()
        self.layout: Layout | None = None
        self.updated = {plan.buffers[id].name for step in plan.steps for id in step.writes} - {""}

    def reserve(self, sizes: Mapping[str, int]) -> Layout:
        """Makes the arena large enough for given sizes; what it held is lost."""
        if self.layout is None or not self.layout.covers(sizes):
            before = self.layout.sizes if self.layout else {}
            bounds = {name: max(value, before.get(name, 0)) for name, value in sizes.items()}
            old = self.layout.nbytes if self.layout else 0
            self.layout = solve(self.plan, bounds)
            self.allocate(self.layout.nbytes)
            counters().arena_bytes += self.layout.nbytes - old
        return self.layout

    @abstractmethod
    def allocate(self, nbytes: int) -> None:
        """Makes an arena of this size; the one before is freed."""

    @abstractmethod
    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; states are updated in place. Returns the last run's outputs, each flat."""
