"""Lookup of strings and integers in vocabularies: `StringLookup` and `IntegerLookup`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, DataError, StateError
from graphc.parameters import configured
from graphc.preprocessing_layers.categories import Encoding
from graphc.preprocessing_layers.host import HostLayer, batches_of, is_batch, text_array
from graphc.preprocessing_layers.string_hashes import fingerprint, siphash
from graphc.registration import exported
from graphc.tracing import Array, Tensor, describe

_MODULE = "keras.layers"
_FORMER_MODES = MappingProxyType({"binary": "multi_hot", "tf-idf": "tf_idf"})


class IndexLookup(Encoding, HostLayer):
    """The base class of lookups in a vocabulary: a mask token, then indices of unknown tokens, then the tokens."""

    _modes = ("int", "one_hot", "multi_hot", "count", "tf_idf")
    max_tokens: int | None
    num_oov_indices: int
    mask_token: Any
    oov_token: Any
    vocabulary: Any
    idf_weights: Any
    invert: bool
    pad_to_max_tokens: bool
    oov_method: str
    salt: Any

    def _prepare(self) -> None:
        self.output_mode = _FORMER_MODES.get(self.output_mode, self.output_mode)
        super()._prepare()
        self._check_arguments()
        self.salt = [self.salt, self.salt] if isinstance(self.salt, int) else self.salt
        self._tokens: list[Any] = []
        self._indices: dict[Any, int] = {}
        self._idf: Array | None = None
        self.input_vocabulary, self._is_given = self.vocabulary, self.vocabulary is not None
        self.reset_state()
        if self.vocabulary is not None:
            self.set_vocabulary(self.vocabulary, self.idf_weights)

    def _check_arguments(self) -> None:
        problems = {
            "max_tokens is above 1": self.max_tokens is not None and self.max_tokens <= 1,
            "pad_to_max_tokens needs max_tokens": self.pad_to_max_tokens and self.max_tokens is None,
            "num_oov_indices is 0 or more": self.num_oov_indices < 0,
            "a lookup of indices has output_mode='int'": self.invert and self.output_mode != "int",
            "idf_weights are for output_mode='tf_idf'": self.idf_weights is not None and self.output_mode != "tf_idf",
            "oov_method is 'floormod' or 'farmhash'": self.oov_method not in ("floormod", "farmhash"),
        }
        for problem, is_so in problems.items():
            if is_so:
                raise ArgumentError(problem, layer=self.name, where=describe(self._origin))

    # ---- tokens

    def _array(self, values: Any) -> Array:
        """Values as an array of tokens."""
        raise NotImplementedError

    @property
    def _first_unknown(self) -> int:
        """The index of the first unknown token: 1 behind that of the mask token."""
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _first_token(self) -> int:
        return self._first_unknown + self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The vocabulary.

        Args:
            include_special_tokens: Whether the mask token and that for unknown tokens come first, so that the place of
                a token is its index.
        """
        special = [self.mask_token] * self._first_unknown + [self.oov_token] * self.num_oov_indices
        return [*(special if include_special_tokens else ()), *self._tokens]

    def vocabulary_size(self) -> int:
        """The number of indices, those of special tokens included."""
        return self._first_token + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary.

        Args:
            vocabulary: The tokens, with the special tokens in front or without, or the path of a text file with a
                token in each line.
            idf_weights: The weight of each token, for `output_mode="tf_idf"`.

        Raises:
            ArgumentError: if a token occurs twice, there are too many, or the weights do not fit.
        """
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ArgumentError(
                "output_mode='tf_idf' goes with idf_weights, which no other does", layer=self.name, got=self.output_mode
            )
        given = self._array(_lines(vocabulary) if isinstance(vocabulary, str | Path) else vocabulary).ravel().tolist()
        special = [self.mask_token] * self._first_unknown + [self.oov_token] * self.num_oov_indices
        has_special = bool(special) and given[: len(special)] == special
        tokens = given[len(special) :] if has_special else given
        self._check_tokens(given, tokens)
        self._keep(tokens)
        if idf_weights is not None:
            weights = np.asarray(idf_weights, settings.floatx())
            if weights.shape != (len(given),):
                raise ArgumentError("each token has a weight", got=weights.shape, expected=f"({len(given)},)")
            self._keep_weights(weights, 0 if has_special else self._first_token)

    def _check_tokens(self, given: Sequence[Any], tokens: Sequence[Any]) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        special = self.mask_token if self.mask_token in tokens else self.oov_token if self.invert else None
        if not given:
            raise ArgumentError("the vocabulary is empty", layer=self.name)
        if repeated:
            raise ArgumentError("a vocabulary has a token twice", layer=self.name, got=repr(repeated[:5]))
        if special is not None and special in tokens:
            raise ArgumentError(
                "special tokens come first in a vocabulary, all of them or none",
                layer=self.name,
                got=repr(special),
                expected=repr(self.get_vocabulary()[: self._first_token]),
            )
        if self.max_tokens is not None and self._first_token + len(tokens) > self.max_tokens:
            raise ArgumentError(
                "the vocabulary is larger than max_tokens",
                layer=self.name,
                got=self._first_token + len(tokens),
                expected=f"{self.max_tokens} at most",
            )

    def _keep(self, tokens: Sequence[Any]) -> None:
        self._tokens = list(tokens)
        self._indices = {token: self._first_token + i for i, token in enumerate(tokens)}

    def _keep_weights(self, weights: Array, in_front: int) -> None:
        behind = (self.max_tokens or 0) - in_front - len(weights) if self.pad_to_max_tokens else 0
        front = np.full(in_front, weights.mean() if len(weights) else 0, weights.dtype)
        self._idf = np.concatenate([front, weights, np.zeros(behind, weights.dtype)])

    def load_assets(self, path: Any) -> None:
        """Reads the vocabulary from a model file of Keras, which keeps one that was adapted beside the configuration.

        Args:
            path: The folder of the layer's files.
        """
        file = Path(path, "vocabulary.txt")
        if not self._tokens and file.is_file():
            self._keep(self._array(_lines(file)[self._first_token :]).ravel().tolist())

    # ---- adapting

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Collects the vocabulary of data: the tokens, the most frequent ones first.

        Args:
            data: Tokens, as a list or array of samples, or an iterable of batches.
            steps: The number of batches. None: all.

        Raises:
            StateError: if the vocabulary was given.
        """
        self.reset_state()
        if is_batch(data):
            tokens = self._array(data)
            self.update_state(tokens[:, np.newaxis] if tokens.ndim == 1 else tokens)
        else:
            for batch in batches_of(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the tokens of a batch."""
        tokens = self._array(data)
        tokens = tokens.reshape(1, -1) if tokens.ndim < 2 else tokens
        self.count(row.ravel().tolist() for row in tokens)

    def count(self, documents: Iterable[list[Any]]) -> None:
        """Counts the tokens of documents."""
        if self._is_given:
            raise StateError("`adapt` of a layer whose vocabulary is given", layer=self.name)
        for tokens in documents:
            self._counts.update(tokens)
            if self.output_mode == "tf_idf":
                self._documents.update(set(tokens))
            self._number += 1

    def finalize_state(self) -> None:
        """Makes the vocabulary of the tokens that were counted."""
        if self._is_given or not self._counts:
            return
        for special in (self.mask_token, self.oov_token):
            self._counts.pop(special, None)
        # Of equally frequent tokens, those that are last in alphabetical order come first.
        ordered = [token for token, _ in sorted(self._counts.items(), key=lambda x: (x[1], x[0]), reverse=True)]
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - self._first_token]
        self._keep(ordered)
        if self.output_mode == "tf_idf":
            seen = np.array([self._documents[token] for token in ordered], settings.floatx())
            self._keep_weights(np.log(1 + self._number / (1 + seen)), self._first_token)
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was counted; the vocabulary stays."""
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] = Counter()
        self._number = 0

    # ---- looking up

    @property
    def _depth(self) -> int:
        """The number of elements of encodings."""
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the encoded indices."""
        return self._encoded_shape(tuple(input_shape), self._depth)

    def call(self, inputs: Any) -> Tensor | Array:
        """The indices of tokens, encoded; with `invert`, the tokens of indices."""
        if self.invert:
            return self._tokens_of(inputs)
        return self.encoded(self.indices_of(self._array(inputs)))

    def encoded(self, indices: Array) -> Tensor:
        """Indices as the mode says."""
        if self.output_mode != "tf_idf":
            return ops.convert_to_tensor(self._encoded(indices, self._depth))
        if self._idf is None:
            raise StateError("the weights of the tokens are not known", layer=self.name, hint="call `adapt` first")
        one_hot = ops.one_hot(indices, self._depth, dtype=self.compute_dtype)
        return ops.multiply(ops.sum(one_hot, axis=1 if indices.ndim > 1 else 0), self._idf)

    def indices_of(self, tokens: Array) -> Array:
        """The index of each token."""
        # Each distinct token is looked up once.
        distinct, places = np.unique(tokens, return_inverse=True)
        found = np.array([self._index(token) for token in distinct.tolist()], "int32")
        return found[places].reshape(tokens.shape)

    def _index(self, token: Any) -> int:
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else -1
        known = self._indices.get(token)
        if known is not None:
            return known
        if self.num_oov_indices == 0:
            raise DataError(
                "a token is not in the vocabulary", layer=self.name, got=repr(token), hint="pass num_oov_indices=1"
            )
        return self._first_unknown + (self._bucket(token) if self.num_oov_indices > 1 else 0)

    def _bucket(self, token: Any) -> int:
        if not isinstance(token, str) and self.oov_method == "floormod":
            return int(token) % self.num_oov_indices
        text = str(token).encode()
        return (fingerprint(text) if self.salt is None else siphash(self.salt, text)) % self.num_oov_indices

    def _tokens_of(self, inputs: Any) -> Array:
        indices = np.asarray(inputs.numpy() if isinstance(inputs, Tensor) else inputs)
        table = dict(enumerate(self._tokens, self._first_token))
        if self.mask_token is not None:
            table[0] = self.mask_token
        found = [table.get(index, self.oov_token) for index in indices.ravel().tolist()]
        return np.array(found).reshape(indices.shape)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer, with its vocabulary."""
        config = super().get_config() | {"vocabulary_size": self.vocabulary_size() if self._tokens else None}
        if self._is_given:
            given = {name: _plain(config[name]) for name in ("vocabulary", "idf_weights")}
            # A file may be elsewhere when the configuration is read, and is not read from there.
            return (
                config | given | ({"vocabulary": self.get_vocabulary()} if isinstance(given["vocabulary"], str) else {})
            )
        return config | {
            "vocabulary": self.get_vocabulary() if self._tokens else None,
            "idf_weights": None if self._idf is None else self._idf[: self.vocabulary_size()].tolist(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        return cls(**without_paths(cls.__name__, {k: v for k, v in config.items() if k != "vocabulary_size"}))


def _plain(values: Any) -> Any:
    """Values as a list, as in JSON."""
    return np.asarray(values).tolist() if isinstance(values, list | tuple | np.ndarray) else values


def without_paths(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a lookup, which names no file: whoever wrote it could have any file read.

    Raises:
        ArgumentError: if it names one.
    """
    for name in ("vocabulary", "idf_weights"):
        if isinstance(config.get(name), str | Path):
            raise ArgumentError(
                f"the configuration of a {kind} names a file, which is not read",
                layer=str(config.get("name")),
                got=repr(config[name])[:80],
                expected="the tokens",
                hint="create the layer with the tokens, or with the path",
            )
    return config


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError as error:
        raise ArgumentError("the file of the vocabulary cannot be read", got=f"{path}: {error}") from None


@exported(_MODULE)
@configured
class StringLookup(IndexLookup):
    """Strings as their indices in a vocabulary, or the other way round.

    Indices begin with the mask token, if there is one, and those of unknown strings; then come the tokens.

    Args:
        max_tokens: The largest number of indices. None: any.
        num_oov_indices: The number of indices for unknown strings, which are chosen by a hash. 0: they are an error.
        mask_token: The string with the index 0. None: there is none.
        oov_token: What stands for unknown strings in the vocabulary.
        vocabulary: The tokens, or the path of a file with one in each line. None: `adapt` collects them.
        idf_weights: The weight of each token, for `"tf_idf"`.
        invert: Whether to look up the strings of indices.
        output_mode: `"int"`: indices; `"one_hot"`, `"multi_hot"`, `"count"`: see `CategoryEncoding`; `"tf_idf"`:
            counts, times weights that are larger for tokens in few samples.
        pad_to_max_tokens: Whether encodings have `max_tokens` elements.
        sparse: Not supported.
        encoding: How bytes are decoded.
        name: Its name.
        salt: Two integers, the key of the hash of unknown strings. None: a hash without a key.
        oov_method: Of integers: how the index of unknown ones is chosen.

    Example:

    >>> StringLookup(vocabulary=["a", "b"])([["a", "z"], ["b", "a"]]).numpy().tolist()
    [[1, 0], [2, 1]]
    """

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = "[UNK]"
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: str = "int"
    pad_to_max_tokens: bool = False
    sparse: bool = False
    encoding: str = "utf-8"
    name: Any = None
    salt: Any = None
    oov_method: str = "floormod"

    _input_dtype = "string"

    @property
    def _result_dtype(self) -> str:
        """The dtype of the result."""
        return "string" if self.invert else super()._result_dtype

    def _array(self, values: Any) -> Array:
        return text_array(values, self.encoding)


@exported(_MODULE)
@configured
class IntegerLookup(IndexLookup):
    """Integers as their indices in a vocabulary, or the other way round: see `StringLookup`.

    Args:
        max_tokens: The largest number of indices. None: any.
        num_oov_indices: The number of indices for unknown integers. 0: they are an error.
        mask_token: The integer with the index 0. None: there is none.
        oov_token: What stands for unknown integers in the vocabulary.
        vocabulary: The integers, or the path of a file with one in each line. None: `adapt` collects them.
        vocabulary_dtype: `"int64"`.
        idf_weights: The weight of each integer, for `"tf_idf"`.
        invert: Whether to look up the integers of indices.
        output_mode: As of `StringLookup`.
        sparse: Not supported.
        pad_to_max_tokens: Whether encodings have `max_tokens` elements.
        oov_method: How the index of unknown integers is chosen: by their remainder (`"floormod"`) or a hash
            (`"farmhash"`).
        salt: Two integers, the key of the hash. None: a hash without a key.
        name: Its name.

    Example:

    >>> IntegerLookup(vocabulary=[12, 36])([[12, 7], [36, 12]]).numpy().tolist()
    [[1, 0], [2, 1]]
    """

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = -1
    vocabulary: Any = None
    vocabulary_dtype: str = "int64"
    idf_weights: Any = None
    invert: bool = False
    output_mode: str = "int"
    sparse: bool = False
    pad_to_max_tokens: bool = False
    oov_method: str = "floormod"
    salt: Any = None
    name: Any = None

    _input_dtype = "int64"

    def _prepare(self) -> None:
        if self.vocabulary_dtype != "int64":
            raise ArgumentError("vocabulary_dtype is 'int64'", layer=self.name, got=repr(self.vocabulary_dtype))
        if self.salt is not None and self.oov_method != "farmhash":
            raise ArgumentError("salt goes with oov_method='farmhash'", layer=self.name, got=self.oov_method)
        super()._prepare()

    def _array(self, values: Any) -> Array:
        array = np.asarray(values.numpy() if isinstance(values, Tensor) else values)
        return array.astype("int64")
