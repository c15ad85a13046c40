"""Where the steps of a loop come from, and how many of them are done in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from graphc.models.arguments import way_to_shuffle
from graphc.models.data import Batch, Batches
from graphc.models.program import Program, StepProgram, step_sizes
from graphc.runtime.state import StateBuffer
from graphc.tracing import Array
from graphc.utils.arguments import whole_number


class Programs(Protocol):
    """What a source needs of a model."""

    def program(self, mode: str, data_spec: Any, sizes: Mapping[str, int] | None = None) -> Program:
        """The compiled step for data of a kind."""


class Source(Protocol):
    """Where steps come from."""

    @property
    def steps(self) -> int | None:
        """How many steps a pass over the data has; None where that is not known, or there is no end."""

    def prepare(self) -> Program:
        """Compiles what the first step needs."""

    def begin(self, go_on: bool = False) -> None:
        """Starts an epoch: a pass over the data, or where `go_on` is set what is left of the one before."""

    def more(self) -> bool:
        """Whether there is another step in this pass. A batch that an iterable gives is checked here."""

    def advance(self, most: int) -> tuple[int, Program, list[Array]]:
        """Does up to `most` steps, where there are more; returns how many, the program and the last outputs."""

    def end(self) -> None:
        """Ends an epoch."""


def fitting_batch(batch_size: Any, samples: int, steps: int | None = None) -> int:
    """How many samples a step takes: what was asked for, but no more than there are.

    Args:
        batch_size: What was asked for. None: 32, or what makes the steps that were asked for.
        samples: How many samples there are.
        steps: How many steps were asked for. None: any number.

    Raises:
        ArgumentError: if it is no positive integer.
    """
    if batch_size is None:
        batch_size = -(-samples // steps) if steps else 32
    return min(int(whole_number("batch_size", batch_size, 1)), samples)


class ArraySource:
    """Steps over arrays.

    Args:
        model: The model.
        mode: `"train"` or `"test"`.
        data: The arrays.
        batch_size: How many samples a step takes. None: 32, or what makes `steps` steps.
        shuffle: True: samples in a new order in each pass; `"batch"`: batches in a new order; False: as they are.
        steps: How many steps were asked for. None: any number.
    """

    def __init__(
        self,
        model: Programs,
        mode: str,
        data: Batch,
        batch_size: int | None,
        shuffle: Any = False,
        steps: int | None = None,
    ) -> None:
        self.batch_size = fitting_batch(batch_size, data.size, steps)
        self.model, self.mode, self.data, self.shuffle = model, mode, data, way_to_shuffle(shuffle)
        self.steps: int = -(-data.size // self.batch_size)
        self._order = StateBuffer(np.arange(data.size, dtype=np.int32))
        self._done = self.steps
        self._program: StepProgram | None = None

    def prepare(self) -> StepProgram:
        """Compiles the step."""
        sizes = step_sizes(self.batch_size, self.data.size, self.data.size)
        program = self.model.program(self.mode, self.data.spec, sizes)
        assert isinstance(program, StepProgram)
        if program is not self._program:
            program.check(self.data)
            self._program = program
        return program

    def begin(self, go_on: bool = False) -> None:
        """Starts an epoch."""
        self.prepare()
        if go_on and self.more():
            return
        if self.shuffle == "batch":
            self._order.assign(_batches_shuffled(self.data.size, self.batch_size))
        elif self.shuffle:
            self._order.assign(np.random.permutation(self.data.size).astype(np.int32))
        self._done = 0

    def more(self) -> bool:
        """Whether there is another step in this pass."""
        return self._done < self.steps

    def advance(self, most: int) -> tuple[int, Program, list[Array]]:
        """Does up to `most` steps."""
        assert self._program is not None
        full, start = self.data.size // self.batch_size, self._done * self.batch_size
        if self._done < full:
            count, size = min(most, full - self._done), self.batch_size
        else:
            count, size = 1, self.data.size - start
        outputs = self._program.run(self.data.buffers(), self._order, self.data.size, size, count, start)
        self._done += count
        return count, self._program, outputs

    def end(self) -> None:
        """Ends an epoch."""


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
        self._next: Batch | None = None
        self._done: int | None = None

    @property
    def steps(self) -> int | None:
        """How many batches there are; None where that is not known, or there is no end."""
        return self.batches.steps

    def prepare(self) -> Program:
        """Compiles the step for the first batch."""
        batch = self.batches.peek()
        program = self.model.program(self.mode, batch.spec)
        program.check(batch)
        return program

    def begin(self, go_on: bool = False) -> None:
        """Starts an epoch."""
        self._tell("on_epoch_begin")
        if go_on and self._done is not None and self._left():
            return
        count = self.steps
        order = np.random.permutation(count).tolist() if self.shuffle and self.batches.indexed and count else None
        if self.batches.restarts():
            self._next = None
        self.batches.begin(order)
        self._done = 0

    def _left(self) -> bool:
        """Whether the pass before has batches left; one that knows their number need not be asked for the next."""
        return self._done < self.steps if self._done is not None and self.steps is not None else self.more()

    def more(self) -> bool:
        """Whether there is another batch in this pass."""
        if self._next is None:
            self._next = self.batches.next()
        return self._next is not None

    def advance(self, most: int) -> tuple[int, Program, list[Array]]:
        """Does one step."""
        batch, self._next = self._next, None
        assert batch is not None and self._done is not None
        program = self.model.program(self.mode, batch.spec)
        program.check(batch)
        self._done += 1
        return 1, program, program.run_once(batch)

    def end(self) -> None:
        """Ends an epoch."""
        self._tell("on_epoch_end")

    def _tell(self, hook: str) -> None:
        """Calls a method that a data set may have."""
        if hasattr(self.batches.source, hook):
            getattr(self.batches.source, hook)()
