"""Texts as lists of the numbers of their words: the common parts of the data sets of texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.datasets.fetch import Resource, fetch
from graphc.errors import DataError

Part = tuple[NDArray[Any], NDArray[Any]]
_Lists = list[list[int]]


@dataclass(frozen=True)
class Words:
    """How the words of a data set are numbered.

    Args:
        num_words: Words with this number and above are left out. None or 0: none.
        skip_top: Words with lower numbers are left out.
        maxlen: Texts of as many words and more are left out. None or 0: none.
        start_char: The number that each text begins with. None: none.
        oov_char: The number in the place of words that are left out. None: they are dropped.
        index_from: What is added to the number of each word.
    """

    num_words: int | None
    skip_top: int
    maxlen: int | None
    start_char: int | None
    oov_char: int | None
    index_from: int

    def numbered(self, texts: Any) -> _Lists:
        """Texts with their start, and words numbered from `index_from`."""
        shift = self.index_from or 0
        start = [] if self.start_char is None else [self.start_char]
        return [start + [word + shift for word in text] for text in texts]

    def shortened(self, texts: _Lists, labels: Any) -> tuple[_Lists, Any]:
        """Texts that are not too long, and their labels.

        Raises:
            DataError: if all are too long.
        """
        if not self.maxlen:
            return texts, labels
        kept = [i for i, text in enumerate(texts) if len(text) < self.maxlen]
        if not kept:
            raise DataError("all texts are too long", got=f"maxlen={self.maxlen}", hint="increase maxlen")
        return [texts[i] for i in kept], [labels[i] for i in kept]

    def limited(self, texts: _Lists) -> _Lists:
        """Texts without the words that are left out."""
        below = self.num_words or max(map(max, filter(None, texts)), default=0)
        if self.oov_char is None:
            return [[word for word in text if self.skip_top <= word < below] for text in texts]
        return [[word if self.skip_top <= word < below else self.oov_char for word in text] for text in texts]


def lists(texts: _Lists) -> NDArray[Any]:
    """An array whose elements are lists."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def shuffled(generator: np.random.RandomState, texts: NDArray[Any], labels: NDArray[Any]) -> Part:
    """Texts and labels in the same random order."""
    order = np.arange(len(texts))
    generator.shuffle(order)
    return texts[order], labels[order]


def word_index(file: Resource) -> dict[str, int]:
    """The number of each word.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the file has an unexpected content.
    """
    try:
        index: dict[str, int] = json.loads(fetch(file, group=".").content)
    except ValueError as error:
        raise DataError(f"{file.name} is not what it should be", got=str(error)) from error
    return index
