"""The training step of a multilayer perceptron, and runs of it; the graph itself is the one that benchmarks time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.mlp_step import Mlp
from graphc.compiler import Executable
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]

__all__ = ["Mlp", "Training", "train"]


@dataclass(frozen=True)
class Training:
    """What a few steps leave: the loss of each, and all states."""

    losses: list[float]
    states: dict[str, Array]


def train(executable: Executable, mlp: Mlp, batches: Sequence[int]) -> Training:
    """Trains from the same beginning, one step for each of some batch sizes."""
    samples = sum(batches)
    inputs = mlp.data(samples)
    states = {name: StateBuffer(value) for name, value in mlp.states().items()}
    losses = [float(executable.run(inputs, states, {"B": batch, "N": samples})[0]) for batch in batches]
    return Training(losses, {name: state.host().copy() for name, state in states.items()})
