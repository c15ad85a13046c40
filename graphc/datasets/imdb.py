"""IMDB: 50,000 reviews of films, half of them positive, as numbers of words.

Source: A. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011; numbered by the authors of Keras.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from graphc.datasets.fetch import KERAS, Resource, fetch
from graphc.datasets.pickles import read_lists
from graphc.datasets.words import Part, Words, lists, shuffled, word_index
from graphc.errors import ArgumentError

FILE = Resource(
    "imdb.npz",
    f"{KERAS}imdb.npz",
    "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    limit=64 << 20,
    packed=False,
)
WORDS = Resource(
    "imdb_word_index.json", f"{KERAS}imdb_word_index.json", "bfafd718b763782e994055a2d397834f", 8 << 20, packed=False
)


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> tuple[Part, Part]:
    """Loads IMDB: from the local cache, else a download.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.
        num_words: Words with this number and above are left out; the most frequent word is number 1. None: none.
        skip_top: Words with lower numbers are left out.
        maxlen: Reviews of as many words and more are left out. None: none.
        seed: Of the order of the reviews.
        start_char: The number that each review begins with. None: none.
        oov_char: The number in the place of words that are left out. None: they are dropped.
        index_from: What is added to the number of each word.
        **kwargs: `nb_words`, an old name of `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of 25,000 lists of numbers, and labels of 0 and 1.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content, or all reviews are too long.

    Example:

    ```python
    (x_train, y_train), _ = graphc.datasets.imdb.load_data(num_words=10000)
    x_train = graphc.utils.pad_sequences(x_train, 200)
    ```
    """
    num_words = kwargs.pop("nb_words", num_words)
    if kwargs:
        raise ArgumentError("load_data takes no such argument", got=", ".join(kwargs))
    names = ("x_train", "y_train", "x_test", "y_test")
    content = fetch(replace(FILE, name=path), group=".").content
    x_train, y_train, x_test, y_test = read_lists(content, names, path)
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    generator = np.random.RandomState(seed)
    train, test = (shuffled(generator, x, y) for x, y in ((x_train, y_train), (x_test, y_test)))
    parts = [words.shortened(words.numbered(x), y) for x, y in (train, test)]
    boundary = len(parts[0][0])
    texts, labels = words.limited(parts[0][0] + parts[1][0]), np.concatenate([parts[0][1], parts[1][1]])
    return (lists(texts[:boundary]), labels[:boundary]), (lists(texts[boundary:]), labels[boundary:])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word; `load_data` adds `index_from` to them.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    return word_index(replace(WORDS, name=path))
