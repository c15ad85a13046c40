"""Reuters: 11,228 newswires of 46 topics, as numbers of words.

Source: the Reuters-21578 collection of D. Lewis; chosen and numbered by the authors of Keras.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphc.datasets.fetch import KERAS, Resource, fetch
from graphc.datasets.pickles import read_lists
from graphc.datasets.words import Part, Words, lists, shuffled, word_index

FILE = Resource(
    "reuters.npz",
    f"{KERAS}reuters.npz",
    "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    limit=16 << 20,
    packed=False,
)
WORDS = Resource(
    "reuters_word_index.json",
    f"{KERAS}reuters_word_index.json",
    "4d44cc38712099c9e383dc6e5f11a921",
    limit=8 << 20,
    packed=False,
)
TOPICS = (
    *("cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar"),
    *("trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp"),
    *("meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel"),
    *("rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog"),
    "lead",
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Part, Part]:
    """Loads Reuters: from the local cache, else a download.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.
        num_words: Words with this number and above are left out; the most frequent word is number 1. None: none.
        skip_top: Words with lower numbers are left out.
        maxlen: Newswires of as many words and more are left out. None: none.
        test_split: The part of the newswires for testing.
        seed: Of the order of the newswires.
        start_char: The number that each newswire begins with. None: none.
        oov_char: The number in the place of words that are left out. None: they are dropped.
        index_from: What is added to the number of each word.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of numbers, and of topics from 0 to 45.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content, or all newswires are too long.
    """
    texts, labels = read_lists(fetch(replace(FILE, name=path), group=".").content, ("x", "y"), path)
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    texts, labels = shuffled(np.random.RandomState(seed), texts, labels)
    kept, of_kept = words.shortened(words.numbered(texts), labels)
    limited, topics = words.limited(kept), np.array(of_kept)
    boundary = int(len(limited) * (1 - test_split))
    return (lists(limited[:boundary]), topics[:boundary]), (lists(limited[boundary:]), topics[boundary:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word; `load_data` adds `index_from` to them.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    return word_index(replace(WORDS, name=path))


def get_label_names() -> tuple[str, ...]:
    """The names of the topics.

    Example:

    >>> get_label_names()[3], len(get_label_names())
    ('earn', 46)
    """
    return TOPICS
