"""The names of `keras.preprocessing.sequence`, and those that only `tf.keras` has."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DataError
from graphc.tracing import Array, describe, user_line
from graphc.utils.py_dataset import PyDataset
from graphc.utils.sequences import pad_sequences


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, each with the target that follows it.

    Args:
        data: The series: an array, or a list, of shape (steps, ...).
        targets: A target for each step.
        length: The length of windows, in steps of the series.
        sampling_rate: The distance of the steps in a window.
        stride: The distance of windows.
        start_index: The first step that is used.
        end_index: The last one. None: the last of all.
        shuffle: Whether windows are drawn at random.
        reverse: Whether the steps of a window are in reverse order.
        batch_size: The number of windows in a batch.
        **kwargs: Of `PyDataset`.

    Raises:
        DataError: if there is not one target for each step.
        ArgumentError: if no window fits.

    Example:

    >>> x, y = TimeseriesGenerator(np.arange(6), np.arange(6), length=3, batch_size=2)[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise DataError(
                "each step has a target",
                where=describe(user_line()),
                got=f"{len(data)} steps and {len(targets)} targets",
            )
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride, self.batch_size = sampling_rate, stride, batch_size
        self.shuffle, self.reverse = shuffle, reverse
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ArgumentError(
                "no window fits into the series",
                where=describe(user_line()),
                got=f"windows of {length} in steps {start_index} to {self.end_index}",
            )

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[row - self.length : row : self.sampling_rate] for row in rows])
        targets = np.array([self.targets[row] for row in rows])
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self) -> dict[str, Any]:
        """The arguments, with the series and the targets as JSON."""
        series = {name: json.dumps(np.asarray(getattr(self, name)).tolist()) for name in ("data", "targets")}
        names = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle", "reverse", "batch_size")
        return series | {name: getattr(self, name) for name in names}

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as text.

        Args:
            **kwargs: Of `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Array:
    """The probability of keeping the word of each rank in word2vec, if frequencies follow Zipf's law.

    Args:
        size: The number of words.
        sampling_factor: The frequency from which on words are left out.

    Returns:
        Array of shape (size,).

    Example:

    >>> make_sampling_table(3).round(4).tolist()
    [0.0032, 0.0032, 0.0055]
    """
    rank = np.maximum(np.arange(size), 1)
    # The inverse of the frequency, with Euler's constant.
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words of a text, with the label 1, and pairs with a word drawn at random, with the label 0.

    Args:
        sequence: The indices of the words of the text; 0 is no word.
        vocabulary_size: One more than the largest index.
        window_size: How far apart two words of a pair are at most.
        negative_samples: The number of pairs drawn at random for each other one.
        shuffle: Whether the pairs are shuffled.
        categorical: Whether labels are `[0, 1]` and `[1, 0]`.
        sampling_table: The probability of using the word of each index: see `make_sampling_table`.
        seed: Of the order.

    Example:

    >>> skipgrams([1, 2], 3, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1]], [1, 1])
    """
    couples: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        near = range(max(0, i - window_size), min(len(sequence), i + window_size + 1))
        couples += [[word, sequence[j]] for j in near if j != i and sequence[j]]
    together, apart = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [together] * len(couples)
    words = [couple[0] for couple in couples]
    random.shuffle(words)
    drawn = int(len(couples) * negative_samples)
    couples += [[words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(drawn)]
    labels += [apart] * drawn
    if shuffle:
        order = list(range(len(couples)))
        random.Random(random.randint(0, 10**7) if seed is None else seed).shuffle(order)
        couples, labels = [couples[i] for i in order], [labels[i] for i in order]
    return couples, labels


__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]
