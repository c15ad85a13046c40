"""Where the steps of a loop come from, and how many of them are done in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from graphc.errors import ArgumentError
from graphc.models.data import Batch, Batches
from graphc.models.program import Program, StepProgram, step_sizes
from graphc.runtime.state import StateBuffer
from graphc.tracing import Array


class Programs(Protocol):
    """What a source needs of a model."""

    def program(self, mode: str, signature: Any, sizes: Mapping[str, int] | None = None) -> Program:
        """The compiled step for data of a kind."""


class Source(Protocol):
    """Where steps come from."""

    steps: int | None

    def prepare(self) -> Program:
        """Compiles what the first step needs."""

    def begin(self) -> None:
        """Starts a pass over the data."""

    def advance(self, most: int) -> tuple[int, Program | None, list[Array]]:
        """Does up to `most` steps; returns how many, the program and the last outputs; 0 where the data are over."""

    def again(self) -> bool:
        """Whether another pass can be started."""


def fitting_batch(batch_size: Any, samples: int) -> int:
    """How many samples a step takes: what was asked for, but no more than there are. None: 32.

    Raises:
        ArgumentError: if it is no positive integer.
    """
    if batch_size is None:
        batch_size = 32
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ArgumentError("batch_size is a positive integer", got=repr(batch_size))
    return min(int(batch_size), samples)


class ArraySource:
    """Steps over arrays.

    Args:
        model: The model.
        mode: `"train"` or `"test"`.
        data: The arrays.
        batch_size: How many samples a step takes. None: 32.
        shuffle: True: samples in a new order in each pass; `"batch"`: batches in a new order; False: as they are.
    """

    def __init__(self, model: Programs, mode: str, data: Batch, batch_size: int | None, shuffle: Any = False) -> None:
        size = fitting_batch(batch_size, data.size)
        if shuffle not in (True, False, "batch"):
            raise ArgumentError("shuffle is True, False or 'batch'", got=repr(shuffle))
        self.model, self.mode, self.data, self.shuffle = model, mode, data, shuffle
        self.batch_size = size
        self.steps: int | None = -(-data.size // self.batch_size)
        self._order = StateBuffer(np.arange(data.size, dtype=np.int32))
        self._done = self.steps
        self._program: StepProgram | None = None

    def prepare(self) -> StepProgram:
        """Compiles the step."""
        sizes = step_sizes(self.batch_size, self.data.size, self.data.size)
        program = self.model.program(self.mode, self.data.signature, sizes)
        assert isinstance(program, StepProgram)
        return program

    def begin(self) -> None:
        """Starts a pass over the data."""
        if self.shuffle is True:
            self._order.assign(np.random.permutation(self.data.size).astype(np.int32))
        elif self.shuffle == "batch":
            self._order.assign(_batches_shuffled(self.data.size, self.batch_size))
        self._program = self.prepare()
        self._program.start()
        self._done = 0

    def advance(self, most: int) -> tuple[int, Program | None, list[Array]]:
        """Does up to `most` steps."""
        assert self._done is not None and self.steps is not None
        if self._done >= self.steps:
            return 0, None, []
        full = self.data.size // self.batch_size
        if self._done < full:
            count, size = min(most, full - self._done), self.batch_size
        else:
            count, size = 1, self.data.size - full * self.batch_size
        assert self._program is not None
        outputs = self._program.run(self.data.buffers(), self._order, self.data.size, size, count)
        self._done += count
        return count, self._program, outputs

    def again(self) -> bool:
        """Arrays can be passed over any number of times."""
        return True


def _batches_shuffled(samples: int, batch: int) -> Array:
    """The positions of samples with whole batches in a random order; what fills no batch stays last."""
    full = samples // batch
    order = np.arange(samples, dtype=np.int32)
    order[: full * batch] = order[: full * batch].reshape(full, batch)[np.random.permutation(full)].reshape(-1)
    return order


class IterableSource:
    """Steps over the batches of an iterable.

    Args:
        model: The model.
        mode: `"train"`, `"test"` or `"predict"`.
        batches: The batches.
        shuffle: Whether batches of a source that has positions come in a new order in each pass.
    """

    def __init__(self, model: Programs, mode: str, batches: Batches, shuffle: bool = False) -> None:
        self.model, self.mode, self.batches, self.shuffle = model, mode, batches, shuffle
        self.steps = batches.steps
        self._running: Iterator[Batch] = iter(())
        self._passes = 0

    def prepare(self) -> Program:
        """Compiles the step for the first batch."""
        return self.model.program(self.mode, self.batches.peek().signature)

    def begin(self) -> None:
        """Starts a pass over the data."""
        mixed = self.shuffle and self.batches.indexed
        order = np.random.permutation(self.steps or 0).tolist() if mixed else None
        if self._passes:
            for hook in ("on_epoch_end",) if hasattr(self.batches.source, "on_epoch_end") else ():
                getattr(self.batches.source, hook)()
        self._passes += 1
        self._running = self.batches.batches(order)

    def advance(self, most: int) -> tuple[int, Program | None, list[Array]]:
        """Does one step."""
        batch = next(self._running, None)
        if batch is None:
            return 0, None, []
        program = self.model.program(self.mode, batch.signature)
        return 1, program, program.run_once(batch)

    def again(self) -> bool:
        """Only what has positions, or is no iterator itself, can be passed over again."""
        source = self.batches.source
        return self.batches.indexed or iter(source) is not source
