"""The interface of programs of all devices."""

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
        plan: The plan.
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
        """Runs the plan on one slice of the inputs after the other; states are updated in place.

        Args:
            inputs: The arrays, whose first axis is split into `steps` equal slices.
            states: The buffer of each state.
            sizes: A value for each symbolic size: those of a slice.
            steps: The number of slices.
            results: Receives the outputs: an array for each, split likewise.
        """
        run_slices(self.run, inputs, states, sizes, steps, results)


Run = Callable[[Mapping[str, Array], Mapping[str, StateBuffer], Mapping[str, int], int], list[Array]]


def run_slices(
    run: Run,
    inputs: Mapping[str, Array],
    states: Mapping[str, StateBuffer],
    sizes: Mapping[str, int],
    steps: int,
    results: Sequence[Array],
) -> None:
    """Implements `Program.sweep` by one call of `run` for each slice."""
    for step in range(steps):
        outputs = run({name: _slice(array, step, steps) for name, array in inputs.items()}, states, sizes, 1)
        for result, output in zip(results, outputs, strict=True):
            place = _slice(result, step, steps)
            place[...] = output.reshape(place.shape)


def _slice(array: Array, step: int, steps: int) -> Array:
    length = len(array) // steps
    return array[step * length : (step + 1) * length]
