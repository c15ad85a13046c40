"""Tokenizers and windows of series of `tf.keras.preprocessing`, beside those of Keras."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pytest

from graphc.errors import ArgumentError, DataError, StateError
from graphc.preprocessing import sequence, text

os.environ.setdefault("KERAS_BACKEND", "jax")
from keras.src.legacy.preprocessing import sequence as their_sequence
from keras.src.legacy.preprocessing import text as their_text

TEXTS = ["The cat sat on the mat.", "The dog ate my homework!", "", "A\tdog & a cat, a  BIRD"]
LISTS = [["A", "b", "a"], ["c", "B"]]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "few": {"num_words": 4},
    "unknown": {"num_words": 4, "oov_token": "?"},
    "letters": {"char_level": True, "num_words": 9},
    "case": {"lower": False, "filters": ".", "split": "a"},
    "analyzer": {"analyzer": lambda x: x.split("a")},
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_tokenizers(kind: str) -> None:
    mine, theirs = text.Tokenizer(**OPTIONS[kind]), their_text.Tokenizer(**OPTIONS[kind])
    for tokenizer in (mine, theirs):
        tokenizer.fit_on_texts(TEXTS[:3])
    for name in ("word_index", "index_word", "word_counts", "word_docs", "index_docs", "document_count"):
        assert getattr(mine, name) == getattr(theirs, name), name
    sequences = theirs.texts_to_sequences(TEXTS)
    assert mine.texts_to_sequences(TEXTS) == sequences
    assert mine.sequences_to_texts([*sequences, [1, 99]]) == theirs.sequences_to_texts([*sequences, [1, 99]])
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_allclose(mine.texts_to_matrix(TEXTS, mode), theirs.texts_to_matrix(TEXTS, mode))
    assert mine.to_json() == theirs.to_json()
    again = text.tokenizer_from_json(theirs.to_json())
    again.analyzer = mine.analyzer
    assert again.texts_to_sequences(TEXTS) == sequences


def test_lists_of_words_and_sequences() -> None:
    mine, theirs = text.Tokenizer(10), their_text.Tokenizer(10)
    for tokenizer in (mine, theirs):
        tokenizer.fit_on_texts(LISTS)
        tokenizer.fit_on_sequences([[1, 2, 1], [3]])
    assert mine.texts_to_sequences(LISTS) == theirs.texts_to_sequences(LISTS)
    assert mine.index_docs == theirs.index_docs


def test_hashes_of_words() -> None:
    for value in TEXTS:
        assert text.text_to_word_sequence(value) == their_text.text_to_word_sequence(value)
        assert text.hashing_trick(value, 20, "md5") == their_text.hashing_trick(value, 20, "md5")
        assert text.one_hot(value, 20) == their_text.one_hot(value, 20)


def test_errors_of_tokenizers() -> None:
    with pytest.raises(StateError, match="not fitted"):
        text.Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(ArgumentError, match="mode"):
        text.Tokenizer(3).texts_to_matrix(["a"], "other")
    for wrong in ("", "[]", '{"config": {}}', "{"):
        with pytest.raises(ArgumentError, match="to_json"):
            text.tokenizer_from_json(wrong)


SERIES = np.arange(40.0).reshape(20, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"length": 4},
        {"length": 4, "batch_size": 5, "stride": 2, "sampling_rate": 2},
        {"length": 3, "start_index": 2, "end_index": 12, "reverse": True, "batch_size": 3},
        {"length": 3, "shuffle": True, "batch_size": 4},
    ],
)
def test_windows_of_series(options: dict[str, Any]) -> None:
    mine = sequence.TimeseriesGenerator(SERIES, SERIES[:, 0], **options)
    theirs = their_sequence.TimeseriesGenerator(SERIES, SERIES[:, 0], **options)
    assert len(mine) == len(theirs)
    for i in range(len(theirs)):
        batches = []
        for generator in (mine, theirs):
            np.random.seed(i)
            batches.append(generator[i])
        for one, other in zip(*batches, strict=True):
            np.testing.assert_array_equal(one, other)
    assert '"length": ' in mine.to_json()


def test_errors_of_windows() -> None:
    with pytest.raises(DataError, match="each step has a target"):
        sequence.TimeseriesGenerator(SERIES, SERIES[1:], 3)
    with pytest.raises(ArgumentError, match="no window"):
        sequence.TimeseriesGenerator(SERIES, SERIES, 30)


def test_pairs_of_words() -> None:
    table = sequence.make_sampling_table(30)
    np.testing.assert_allclose(table, their_sequence.make_sampling_table(30))
    words = [0, 3, 7, 7, 2, 0, 9]
    for options in ({"seed": 3}, {"categorical": True, "seed": 1}, {"sampling_table": table * 50, "shuffle": False}):
        found = []
        for module in (sequence, their_sequence):
            random.seed(0)
            found.append(module.skipgrams(words, 30, **options))
        assert found[0] == found[1]
