"""Data sets with indexed batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any


class PyDataset:
    """A data set with indexed batches.

    Subclasses define `__getitem__` and `__len__`; an infinite one defines `num_batches` as None in place of `__len__`.
    Batches may change between epochs, in `on_epoch_begin` or `on_epoch_end`.

    Args:
        workers: Accepted as in Keras; batches are fetched in the training thread.
        use_multiprocessing: Likewise.
        max_queue_size: Likewise.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError("a PyDataset defines `__getitem__`")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None: infinite."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError("a PyDataset defines `__len__` or `num_batches`")

    def on_epoch_begin(self) -> None:
        """Called before an epoch of training, and before each evaluation or prediction."""

    def on_epoch_end(self) -> None:
        """Called after an epoch of training, and after each evaluation or prediction."""


Sequence = PyDataset
