"""What every device's programs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.plan import Plan
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]


class Program(ABC):
    """A compiled plan on a device.

    Args:
        plan: What runs.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.launches = plan.launches()
        self.updated = {plan.buffers[id].name for step in plan.steps for id in step.writes} - {""}

    @abstractmethod
    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; states are updated in place. Returns the last run's outputs, each flat."""

    def sweep(
        self,
        inputs: Mapping[str, Array],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        steps: int,
        results: Sequence[Array],
    ) -> None:
        """Runs the plan on one piece of the inputs after the other; states are updated in place.

        Args:
            inputs: The arrays, whose first axis is cut into `steps` equal pieces.
            states: The buffer of each state.
            sizes: A value for each symbolic size: those of a piece.
            steps: How many pieces.
            results: Gets the outputs: an array for each, cut likewise.
        """
        run_pieces(self.run, inputs, states, sizes, steps, results)


Run = Callable[[Mapping[str, Array], Mapping[str, StateBuffer], Mapping[str, int], int], list[Array]]


def run_pieces(
    run: Run,
    inputs: Mapping[str, Array],
    states: Mapping[str, StateBuffer],
    sizes: Mapping[str, int],
    steps: int,
    results: Sequence[Array],
) -> None:
    """What `Program.sweep` does, as one call of `run` for each piece."""
    for step in range(steps):
        outputs = run({name: _piece(array, step, steps) for name, array in inputs.items()}, states, sizes, 1)
        for result, output in zip(results, outputs, strict=True):
            place = _piece(result, step, steps)
            place[...] = output.reshape(place.shape)


def _piece(array: Array, step: int, steps: int) -> Array:
    length = len(array) // steps
    return array[step * length : (step + 1) * length]
