"""Data sources: they run the steps of `fit`, `evaluate` and `predict` over arrays or iterables of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from graphc.errors import DataError, DataWarning
from graphc.frames import warn
from graphc.models import positions
from graphc.models.arguments import shuffle_mode
from graphc.models.data import Batch, Batches
from graphc.models.program import Program, RowsProgram, step_sizes
from graphc.runtime.state import StateBuffer
from graphc.saving.training import random_state, set_random_state
from graphc.tracing import Array
from graphc.utils.arguments import whole_number


class Programs(Protocol):
    """The interface of a model that a source uses."""

    def program(self, mode: str, data_spec: Any, sizes: Mapping[str, int] | None = None) -> Program:
        """The compiled step for data of a spec."""


class Source(Protocol):
    """A source of steps."""

    @property
    def steps(self) -> int | None:
        """The number of steps in a pass over the data; None if it is unknown or infinite."""

    def prepare(self) -> Program:
        """Compiles the program of the first step."""

    def begin(self, resume: bool = False) -> None:
        """Starts an epoch: a new pass over the data, or with `resume` the rest of the previous pass."""

    def has_next(self) -> bool:
        """Whether there is another step in this pass. The next batch of an iterable is fetched and checked here."""

    def advance(self, max_steps: int) -> tuple[int, Program, list[Array]]:
        """Runs up to `max_steps` steps; returns their number, the program and the outputs of the last step."""

    def end(self) -> None:
        """Ends an epoch."""

    def position(self) -> dict[str, Any]:
        """Where it is in the data, for a checkpoint."""

    def go_to(self, position: Mapping[str, Any], within: bool) -> None:
        """Goes to a position that a source of the same data returned.

        Args:
            position: The position.
            within: Whether the pass goes on there; else the next one begins.
        """


def resolve_batch_size(batch_size: Any, samples: int, steps: int | None = None) -> int:
    """The number of samples in a step: the requested one, but at most the number of samples.

    Args:
        batch_size: The requested number. None: 32, or what results in the requested number of steps.
        samples: The number of samples.
        steps: The requested number of steps. None: any.

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
        batch_size: The number of samples in a step. None: 32, or what results in `steps` steps.
        shuffle: True: shuffles the samples in each pass; `"batch"`: whole batches; False: nothing.
        steps: The requested number of steps. None: any.
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
        self.batch_size = resolve_batch_size(batch_size, data.size, steps)
        self.model, self.mode, self.data, self.shuffle = model, mode, data, shuffle_mode(shuffle)
        self.steps: int = -(-data.size // self.batch_size)
        self._order = StateBuffer(np.arange(data.size, dtype=np.int32))
        self._done = self.steps
        self._program: RowsProgram | None = None

    def prepare(self) -> RowsProgram:
        """Compiles the step."""
        sizes = step_sizes(self.batch_size, self.data.size, self.data.size)
        program = self.model.program(self.mode, self.data.spec, sizes)
        assert isinstance(program, RowsProgram)
        if program is not self._program:
            program.prepare(self.data)
            self._program = program
        return program

    def begin(self, resume: bool = False) -> None:
        """Starts an epoch."""
        self.prepare()
        if resume and self.has_next():
            return
        if self.shuffle == "batch":
            self._order.assign(_batches_shuffled(self.data.size, self.batch_size))
        elif self.shuffle:
            self._order.assign(np.random.permutation(self.data.size).astype(np.int32))
        self._done = 0

    def has_next(self) -> bool:
        """Whether there is another step in this pass."""
        return self._done < self.steps

    def advance(self, max_steps: int) -> tuple[int, Program, list[Array]]:
        """Runs up to `max_steps` steps."""
        assert self._program is not None
        full, start = self.data.size // self.batch_size, self._done * self.batch_size
        if self._done < full:
            count, size = min(max_steps, full - self._done), self.batch_size
        else:
            count, size = 1, self.data.size - start
        outputs = self._program.run(self.data.buffers(), self._order, self.data.size, size, count, start)
        self._done += count
        return count, self._program, outputs

    def end(self) -> None:
        """Ends an epoch."""

    def position(self) -> dict[str, Any]:
        """The order of the samples, and how many steps of the pass are done."""
        return {
            "samples": self.data.size,
            "batch": self.batch_size,
            "done": self._done,
            "order": self._order.host().copy() if self.shuffle else None,
            "digest": self._digest(self._done),
        }

    def go_to(self, position: Mapping[str, Any], within: bool) -> None:
        """Goes to a position in these data.

        Raises:
            DataError: if it is one in other data.
        """
        done, order = position["done"], position["order"]
        found = {"samples": position["samples"], "samples in a batch": position["batch"]}
        expected = {"samples": self.data.size, "samples in a batch": self.batch_size}
        if found != expected or not 0 <= done <= self.steps:
            raise DataError("training cannot go on with these data", got=expected, expected=f"{found}, as before")
        visits = np.arange(self.data.size, dtype=np.int32) if order is None else np.asarray(order)
        if visits.dtype != np.int32 or not np.array_equal(np.sort(visits), np.arange(self.data.size)):
            raise DataError("the order of the samples in a checkpoint is none", got=f"{visits.dtype}{visits.shape}")
        self._order.assign(visits)
        self._done = done
        if self._digest(done) != position["digest"]:
            raise _other_data()

    def _digest(self, done: int) -> int | None:
        """A checksum of the batch before a step."""
        if not done:
            return None
        rows = self._order.host()[(done - 1) * self.batch_size : done * self.batch_size]
        return positions.digest({name: array[rows] for name, array in self.data.arrays.items()})


def _other_data() -> DataError:
    return DataError(
        "training cannot go on with these data",
        got="another batch than the one before the checkpoint",
        expected="the data, in the same order, that training began with",
        hint="a data set that changes by itself can keep its state: define state_dict and load_state_dict",
    )


def _batches_shuffled(samples: int, batch: int) -> Array:
    """The indices of the samples with the full batches in random order; a smaller last batch stays last."""
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
        shuffle: Whether the batches of a source with indices are shuffled in each pass.
    """

    def __init__(self, model: Programs, mode: str, batches: Batches, shuffle: bool = False) -> None:
        self.model, self.mode, self.batches, self.shuffle = model, mode, batches, shuffle
        self._next: Batch | None = None
        self._done: int | None = None
        # For checkpoints: the last batch, the random states when the pass began, and the calls of hooks with theirs.
        self._last: Batch | None = None
        self._random: dict[str, Any] | None = None
        self._calls: list[Any] = []

    @property
    def steps(self) -> int | None:
        """The number of batches; None if it is unknown or infinite."""
        return self.batches.steps

    def prepare(self) -> Program:
        """Compiles the step for the first batch."""
        batch = self.batches.peek()
        program = self.model.program(self.mode, batch.spec)
        program.prepare(batch)
        return program

    def begin(self, resume: bool = False) -> None:
        """Starts an epoch."""
        self._notify("on_epoch_begin")
        if resume and self._done is not None and self._unfinished():
            return
        if self.mode == "train":
            self._random = random_state()
        order = self._new_order()
        if self.batches.can_restart():
            self._next = None
        self.batches.begin(order)
        self._done = 0

    def _new_order(self) -> list[int] | None:
        """A random order of the batches, if they are to be shuffled and have indices."""
        count = self.steps
        return np.random.permutation(count).tolist() if self.shuffle and self.batches.indexed and count else None

    def _unfinished(self) -> bool:
        """Whether the previous pass has batches left; if their number is known, no batch is fetched."""
        return self._done < self.steps if self._done is not None and self.steps is not None else self.has_next()

    def has_next(self) -> bool:
        """Whether there is another batch in this pass."""
        if self._next is None:
            self._next = self.batches.next()
        return self._next is not None

    def advance(self, max_steps: int) -> tuple[int, Program, list[Array]]:
        """Runs one step."""
        batch, self._next = self._next, None
        assert batch is not None and self._done is not None
        self._last = batch
        program = self.model.program(self.mode, batch.spec)
        program.prepare(batch)
        self._done += 1
        return 1, program, program.run_once(batch)

    def end(self) -> None:
        """Ends an epoch."""
        self._notify("on_epoch_end")

    def _notify(self, hook: str) -> None:
        """Calls a hook of the data set, if it has one."""
        if not positions.has_hook(self.batches.source, hook):
            return
        if self.mode == "train" and not positions.has_state(self.batches.source):
            self._calls.append({"hook": hook, "random": random_state()})
        positions.call_hook(self.batches.source, hook)

    def position(self) -> dict[str, Any]:
        """How many batches of the pass are done, and what leads to the next one."""
        return {
            "done": self._done or 0,
            "random": self._random if self.batches.indexed else self.batches.begun,
            "iterations": positions.iterations(self.batches.source),
            "calls": self._calls,
            "state": positions.state_of(self.batches.source),
            "digest": None if self._last is None or self.batches.indexed else positions.digest(self._last.arrays),
        }

    def go_to(self, position: Mapping[str, Any], within: bool) -> None:
        """Goes to a position in these data, which are iterated again where they have no indices.

        Raises:
            DataError: if they are other data.
        """
        source, batches, done = self.batches.source, self.batches, position["done"]
        if position["state"] is not None:
            positions.set_state(source, position["state"])
            if not batches.can_restart():
                batches.forget()
        elif not batches.can_restart():
            warn(
                f"training goes on with the next batch that the {type(source).__name__} gives: it cannot be set back."
                f" {done} batches of its pass were used before the checkpoint was written; arrays, a PyDataset, or an"
                " iterator with state_dict and load_state_dict go on where they were",
                DataWarning,
            )
        elif not positions.replay_hooks(source, position["calls"]):
            warn("the data set was used after the checkpoint was written: its epochs may differ now", DataWarning)
        self._calls, self._done, self._random, self._next = list(position["calls"]), done, position["random"], None
        if not batches.can_restart():
            return
        if not within:
            batches.skip(position["iterations"])
        elif batches.indexed:
            set_random_state(position["random"])
            batches.restart(self._new_order(), done, again=True)
        else:
            self._iterate_to(position)

    def _iterate_to(self, position: Mapping[str, Any]) -> None:
        """Goes to a position of an iterable: in the iteration that is begun, or in a new one.

        The order of an iteration may depend on how many there were, or on random states when it begins.
        """
        source, batches = self.batches.source, self.batches
        done = 0 if position["state"] is not None else position["done"]
        if positions.iterations(source) != position["iterations"]:
            batches.skip(position["iterations"] - 1)
        for again in (False, True):
            set_random_state(position["random"])
            self._last = batches.restart(None, done, again)
            if not done or (self._last is not None and positions.digest(self._last.arrays) == position["digest"]):
                return
        raise _other_data()
