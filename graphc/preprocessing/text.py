"""The names of `tf.keras.preprocessing.text`: texts as lists of indices of words."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, StateError
from graphc.tracing import Array
from graphc.utils.arguments import argument_error

_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(input_text: str, filters: str = _FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    Args:
        input_text: The text.
        filters: Characters that separate words, as `split` does.
        lower: Whether the words are in lower case.
        split: What separates words.

    Example:

    >>> text_to_word_sequence("Well, it works.")
    ['well', 'it', 'works']
    """
    text = input_text.lower() if lower else input_text
    return [word for word in text.translate(dict.fromkeys(map(ord, filters), split)).split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Sequence[str]] | None = None,
) -> list[int]:
    """The words of a text as numbers from 1 to `n - 1`, by a hash: two words may have one number.

    Args:
        text: The text.
        n: One more than the largest number.
        hash_function: Function of a word, or `"md5"`. None: Python's `hash`, which differs between processes.
        filters: As of `text_to_word_sequence`, like the next two.
        lower: Likewise.
        split: Likewise.
        analyzer: Function that returns the words of a text. None: `text_to_word_sequence`.

    Example:

    >>> hashing_trick("one two one", 50, "md5")
    [9, 19, 9]
    """
    function = _md5 if hash_function == "md5" else hash_function or hash
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    return [int(function(word)) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(
    input_text: str,
    n: int,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Sequence[str]] | None = None,
) -> list[int]:
    """The words of a text as numbers from 1 to `n - 1`, by Python's `hash`: see `hashing_trick`.

    Example:

    >>> a, b, c = one_hot("one two one", 50)
    >>> a == c
    True
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


class Tokenizer:
    """Texts as lists of indices of words; the most frequent word of the texts it was fitted on has the index 1.

    Args:
        num_words: The number of words that count, plus 1. None: all.
        filters: Characters that separate words, as `split` does.
        lower: Whether words are in lower case.
        split: What separates words.
        char_level: Whether each character is a word.
        oov_token: The word, of index 1, that stands for words that are not known. None: they are left out.
        analyzer: Function that returns the words of a text. None: `text_to_word_sequence`.
        document_count: The number of texts that it was fitted on before.
        nb_words: The former name of `num_words`.

    Attributes:
        word_index: The index of each word.
        index_word: The word of each index.
        word_counts: How often each word occurs.
        word_docs: In how many texts each word occurs.
        index_docs: The same by index.
        document_count: The number of texts.

    Example:

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["to be or not to be", "to do"])
    >>> tokenizer.texts_to_sequences(["to be", "be quiet"])
    [[1, 2], [2]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = _FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Sequence[str]] | None = None,
        *,
        document_count: int = 0,
        nb_words: int | None = None,
    ) -> None:
        self.num_words = nb_words if num_words is None else num_words
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.document_count = document_count
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = defaultdict(int)
        self.index_docs: dict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> Sequence[str]:
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return text  # type: ignore[no-any-return]
            return [word.lower() for word in text] if isinstance(text, list) else text.lower()
        return (
            self.analyzer(text) if self.analyzer else text_to_word_sequence(text, self.filters, self.lower, self.split)
        )

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Counts the words of texts, and gives them indices, the most frequent ones first.

        Args:
            texts: Texts, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ordered = [word for word, _ in sorted(self.word_counts.items(), key=lambda item: -item[1])]
        ordered = ordered if self.oov_token is None else [self.oov_token, *ordered]
        self.word_index = {word: i for i, word in enumerate(ordered, 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Counts in how many lists of indices each index occurs, which `"tfidf"` needs."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for index in set(sequence):
                self.index_docs[index] += 1

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The indices of the words of texts."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """The indices of the words of texts, text by text."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            indices = (self.word_index.get(word) for word in self._words(text))
            found = (index if self._counts(index) else unknown for index in indices)
            yield [index for index in found if index is not None]

    def _counts(self, index: int | None) -> bool:
        return index is not None and (not self.num_words or index < self.num_words)

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Texts of the words that lists of indices stand for, with spaces between them."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Texts of the words that lists of indices stand for, one by one."""
        for sequence in sequences:
            words = (self.index_word.get(index) if self._counts(index) else None for index in sequence)
            known = (self.oov_token if word is None else word for word in words)
            yield " ".join(word for word in known if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> Array:
        """One row of numbers for each text: see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> Array:
        """One row of numbers for each list of indices, with one number for each index.

        Args:
            sequences: Lists of indices.
            mode: `"binary"`: whether it occurs; `"count"`: how often; `"freq"`: how often, divided by the length;
                `"tfidf"`: larger for what occurs often, and smaller for what occurs in many texts.

        Raises:
            ArgumentError: if there is no such mode.
            StateError: if it is not fitted.
        """
        if mode not in _MODES:
            raise argument_error("mode", mode, f"one of {_MODES}")
        columns = self.num_words or (len(self.word_index) + 1 if self.word_index else 0)
        if not columns or (mode == "tfidf" and not self.document_count):
            raise StateError("the Tokenizer is not fitted", hint="call `fit_on_texts` first, or pass num_words")
        result = np.zeros((len(sequences), columns))
        for row, sequence in zip(result, sequences, strict=True):
            for index, count in Counter(i for i in sequence if i < columns).items():
                row[index] = self._weight(mode, index, count, len(sequence))
        return result

    def _weight(self, mode: str, index: int, count: int, length: int) -> float:
        if mode == "tfidf":
            rarity = np.log(1 + self.document_count / (1 + self.index_docs.get(index, 0)))
            return float((1 + np.log(count)) * rarity)
        return {"binary": 1.0, "count": float(count), "freq": count / length}[mode]

    def get_config(self) -> dict[str, Any]:
        """The configuration, with what was counted as JSON."""
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        counted = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {name: getattr(self, name) for name in plain} | {
            name: json.dumps(getattr(self, name)) for name in counted
        }

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as text; `tokenizer_from_json` reads it.

        Args:
            **kwargs: Of `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer of which `to_json` made a text.

    Raises:
        ArgumentError: if the text is none of `to_json`.

    Example:

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["a b a"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'a': 1, 'b': 2}
    """
    try:
        config = dict(json.loads(json_string)["config"])
        counted = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
        by_index = {name: json.loads(config.pop(name)) for name in ("index_docs", "index_word")}
        made = Tokenizer(**config)
    except (ValueError, KeyError, TypeError) as error:
        raise ArgumentError("this is no text of `Tokenizer.to_json`", got=str(error)) from None
    made.word_counts = OrderedDict(counted["word_counts"])
    made.word_docs, made.word_index = defaultdict(int, counted["word_docs"]), counted["word_index"]
    # JSON has text as the keys of dictionaries.
    made.index_docs = defaultdict(int, {int(index): count for index, count in by_index["index_docs"].items()})
    made.index_word = {int(index): word for index, word in by_index["index_word"].items()}
    return made


__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]
