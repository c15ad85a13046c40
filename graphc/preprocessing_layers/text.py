"""Texts as indices of their words: `TextVectorization`."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.kinds import KINDS, refuse_unsupported
from graphc.parameters import Kind, configured
from graphc.preprocessing_layers.host import HostLayer, batches_of, is_batch, text_array
from graphc.preprocessing_layers.vocabulary import StringLookup, without_paths
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import Array, Tensor, describe

_MODULE = "keras.layers"
_PUNCTUATION = re.compile(r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']")
# As in TensorFlow, letters and white space are those of ASCII.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_WORDS = re.compile(r"[^ \t\n\r\f\v]+")
_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation", None)
_SPLIT = ("whitespace", "character", None)
_FUNCTION = Kind("", deserialize_keras_object, serialize_keras_object)


@exported(_MODULE)
@configured
class TextVectorization(HostLayer):
    """Texts as the indices of their words in a vocabulary, or as counts of the words.

    Each text is standardized, split into words, these are put together into n-grams, and looked up: index 0 is
    padding, 1 are words that are not in the vocabulary.

    Args:
        max_tokens: The largest number of indices. None: any.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"`, None, or a function of an array
            of texts. Only letters of ASCII are lowered.
        split: `"whitespace"`, `"character"`, None, or a function of an array of texts that returns lists of words.
        ngrams: The lengths of the sequences of words that are tokens: a tuple, or the largest one.
        output_mode: `"int"`: indices; `"multi_hot"`, `"count"`, `"tf_idf"`: as of `StringLookup`.
        output_sequence_length: The length of the rows of indices. None: that of the longest text.
        pad_to_max_tokens: Whether encodings have `max_tokens` elements.
        vocabulary: The words, or the path of a file with one in each line. None: `adapt` collects them.
        idf_weights: The weight of each word, for `"tf_idf"`.
        sparse: Not supported.
        ragged: Not supported.
        encoding: How bytes are decoded.
        name: Its name.

    Example:

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["The cat sat.", "The dog!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
    >>> layer(["the cat", "a dog"]).numpy().tolist()
    [[2, 5, 0, 0], [1, 4, 0, 0]]
    """

    max_tokens: int | None = None
    standardize: Any = "lower_and_strip_punctuation"
    split: Any = "whitespace"
    ngrams: Any = None
    output_mode: str = "int"
    output_sequence_length: int | None = None
    pad_to_max_tokens: bool = False
    vocabulary: Any = None
    idf_weights: Any = None
    sparse: bool = False
    ragged: bool = False
    encoding: str = "utf-8"
    name: Any = None

    _kinds = MappingProxyType({**KINDS, "standardize": _FUNCTION, "split": _FUNCTION})

    def _prepare(self) -> None:
        refuse_unsupported(self, "sparse", "ragged")
        for name, known in (("standardize", _STANDARDIZE), ("split", _SPLIT)):
            value = getattr(self, name)
            if not callable(value) and value not in known:
                raise ArgumentError(
                    f"unknown {name}",
                    where=describe(self._origin),
                    got=repr(value),
                    expected=f"{', '.join(map(repr, known))} or a function",
                )
        if self.output_sequence_length is not None and self.output_mode != "int":
            raise ArgumentError("output_sequence_length goes with output_mode='int'", got=self.output_mode)
        self.ngrams = tuple(self.ngrams) if isinstance(self.ngrams, list) else self.ngrams
        self._lookup_layer = StringLookup(
            max_tokens=self.max_tokens,
            vocabulary=self.vocabulary,
            idf_weights=self.idf_weights,
            pad_to_max_tokens=self.pad_to_max_tokens,
            mask_token="",
            output_mode=self.output_mode,
            encoding=self.encoding,
        )

    # ---- words

    def _documents(self, inputs: Any) -> list[list[str]]:
        """The tokens of each text."""
        texts = text_array(inputs, self.encoding)
        if texts.ndim > 1 and texts.shape[-1] == 1 and self.split is not None:
            texts = texts[..., 0]
        if texts.ndim > 1 and self.split is not None:
            raise ShapeError(
                "TextVectorization takes texts, one each",
                layer=self.name,
                got=f"shape {texts.shape}",
                expected="rank 1, or a last axis of size 1",
            )
        words = self._split_texts(self._standardized(np.atleast_1d(texts)))
        if self.ngrams is None:
            return words
        sizes = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [[gram for size in sizes for gram in _grams(row, size)] for row in words]

    def _standardized(self, texts: Array) -> Array:
        if callable(self.standardize):
            return text_array(self.standardize(texts), self.encoding)
        if self.standardize in ("lower", "lower_and_strip_punctuation"):
            texts = _each(texts, lambda text: text.translate(_LOWER))
        if self.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
            texts = _each(texts, lambda text: _PUNCTUATION.sub("", text))
        return texts

    def _split_texts(self, texts: Array) -> list[list[str]]:
        if callable(self.split):
            rows: Iterable[Any] = self.split(texts)
            return [text_array(list(row), self.encoding).tolist() for row in rows]
        if self.split == "whitespace":
            return [_WORDS.findall(text) for text in texts.tolist()]
        if self.split == "character":
            return [list(text) for text in texts.tolist()]
        return [np.atleast_1d(row).tolist() for row in texts]

    # ---- the vocabulary

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Collects the vocabulary of texts: the most frequent words first.

        Args:
            data: Texts, as a list or array, or an iterable of batches of them.
            batch_size: Accepted as in Keras.
            steps: The number of batches. None: all.
        """
        self.reset_state()
        for batch in [data] if is_batch(data) else batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the words of a batch of texts."""
        self._lookup_layer.count(self._documents(data))

    def finalize_state(self) -> None:
        """Makes the vocabulary of the words that were counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forgets what was counted; the vocabulary stays."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The vocabulary: see `StringLookup.get_vocabulary`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of indices, those of padding and of unknown words included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary: see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # ---- looking up

    _input_dtype = "string"

    @property
    def _result_dtype(self) -> str:
        """The dtype of the result."""
        return self._lookup_layer._result_dtype

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the indices, or of their encoding."""
        shape = tuple(input_shape)
        if not shape:
            return self.compute_output_shape((1,))[1:]
        if self.output_mode == "int":
            return (shape[0], self.output_sequence_length)
        return self._lookup_layer.compute_output_shape((*shape[:1], None))

    def call(self, inputs: Any) -> Tensor:
        """The indices of the words of texts, or their encoding."""
        documents = self._documents(inputs)
        alone = np.ndim(inputs) == 0 and isinstance(inputs, str | bytes | np.ndarray)
        lengths = [len(tokens) for tokens in documents]
        found = self._lookup_layer.indices_of(np.array([t for tokens in documents for t in tokens], dtype=str))
        rows = np.split(found, np.cumsum(lengths)[:-1]) if lengths else []
        if self.output_mode == "int":
            result = _padded(rows, self.output_sequence_length)
            keeps = self.split is None and np.ndim(inputs) == 1 and self.ngrams is None
            if alone or (keeps and self.output_sequence_length is None):
                return ops.convert_to_tensor(result[0] if alone else result[:, 0])
            return ops.convert_to_tensor(result)
        # Padding is the index -1, which no encoding counts.
        encoded = self._lookup_layer.encoded(_padded(rows, None, -1))
        return encoded[0] if alone else encoded

    def load_assets(self, path: Any) -> None:
        """Reads the vocabulary from a model file of Keras: see `StringLookup`."""
        self._lookup_layer.load_assets(path)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer, with its vocabulary."""
        known = self._lookup_layer.get_config()
        own = {name: known[name] for name in ("vocabulary", "idf_weights")}
        return {**super().get_config(), **own, "vocabulary_size": self.vocabulary_size()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        return cls(**without_paths(cls.__name__, {k: v for k, v in config.items() if k != "vocabulary_size"}))


def _each(texts: Array, function: Callable[[str], str]) -> Array:
    """A function of each text of an array."""
    return np.array([function(text) for text in texts.ravel().tolist()], dtype=str).reshape(texts.shape)


def _grams(words: list[str], size: int) -> list[str]:
    return [" ".join(words[i : i + size]) for i in range(len(words) - size + 1)]


def _padded(rows: list[Array], length: int | None, padding: int = 0) -> Array:
    """Rows of one length, padded at the end or cut."""
    length = max((len(row) for row in rows), default=0) if length is None else length
    result = np.full((len(rows), length), padding, "int32")
    for place, row in zip(result, rows, strict=True):
        place[: len(row)] = row[:length]
    return result
