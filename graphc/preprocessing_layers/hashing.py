"""Strings and integers in buckets that a hash chooses: `Hashing`, `HashedCrossing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dtype_policies
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.parameters import configured, declared_config
from graphc.preprocessing_layers.categories import Encoding
from graphc.preprocessing_layers.host import HostLayer, text_array
from graphc.preprocessing_layers.string_hashes import combined, fingerprint, siphash
from graphc.registration import exported
from graphc.tracing import Tensor, as_tensor, describe

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class Hashing(Encoding, HostLayer):
    """Strings or integers as the numbers of buckets that a hash of them chooses.

    The hash is FarmHash's fingerprint of the text, or SipHash-2-4 with a key, modulo the number of buckets.

    Args:
        num_bins: The number of buckets, that of the mask included.
        mask_value: What is put in the first bucket, and nothing else. None: there is no such bucket.
        salt: The key of the hash, two integers or one twice. None: a hash without a key.
        output_mode: `"int"`, or how the numbers are encoded: see `CategoryEncoding`.
        sparse: Not supported.

    Example:

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel().tolist()
    [1, 0, 1, 1, 2]
    """

    num_bins: int
    mask_value: Any = None
    salt: Any = None
    output_mode: str = "int"
    sparse: bool = False

    def _prepare(self) -> None:
        super()._prepare()
        if not isinstance(self.num_bins, int) or self.num_bins < 1:
            raise ArgumentError("num_bins is a positive integer", where=describe(self._origin), got=repr(self.num_bins))
        if isinstance(self.salt, int):
            self.salt = [self.salt, self.salt]
        if self.salt is not None and (not isinstance(self.salt, list | tuple) or len(self.salt) != 2):
            raise ArgumentError("salt is one integer or two", where=describe(self._origin), got=repr(self.salt))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the encoded numbers."""
        return self._encoded_shape(tuple(input_shape), self.num_bins)

    def call(self, inputs: Any) -> Tensor:
        """The numbers of the buckets, encoded."""
        texts = text_array(inputs)
        distinct, places = np.unique(texts, return_inverse=True)
        buckets = np.array([self._bucket(text) for text in distinct.tolist()], "int32")
        return as_tensor(self._encoded(buckets[places].reshape(texts.shape), self.num_bins))

    def _bucket(self, text: str) -> int:
        masks = self.mask_value is not None
        if masks and text == str(self.mask_value):
            return 0
        code = text.encode()
        number = fingerprint(code) if self.salt is None else siphash(self.salt, code)
        return int(masks) + number % max(self.num_bins - masks, 1)


@exported(_MODULE)
@configured
class HashedCrossing(Encoding, HostLayer):
    """Tuples of strings or integers, one of each input, as the numbers of buckets that a hash of them chooses.

    Args:
        num_bins: The number of buckets.
        output_mode: `"int"`, or `"one_hot"`: a vector with a 1 at the number.
        sparse: Not supported.

    Call arguments:
        inputs: A list of two inputs or more, of the same shape: `()`, `(batch,)` or `(batch, 1)`.

    Raises:
        ArgumentError: if the number of buckets is not positive, or there are less than two inputs.
        DTypeError: if an input holds neither strings nor integers.
        ShapeError: if the shapes differ, or are others.

    Example:

    >>> HashedCrossing(5)((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102])).numpy().tolist()
    [1, 4, 1, 1, 3]
    """

    _modes = ("int", "one_hot")
    num_bins: int
    output_mode: str = "int"
    sparse: bool = False
    name: Any = None
    dtype: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if self.output_mode == "int" and self.dtype_policy == dtype_policies.get(None):
            self._dtype_policy = dtype_policies.get("int64")
        if not isinstance(self.num_bins, int) or self.num_bins < 1:
            raise ArgumentError("num_bins is a positive integer", where=describe(self._origin), got=repr(self.num_bins))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the encoded numbers."""
        return self._encoded_shape(tuple(input_shape[0]), self.num_bins)

    def call(self, inputs: Any) -> Tensor:
        """The numbers of the buckets, encoded."""
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise self._located(ArgumentError("a HashedCrossing takes a list of two inputs or more", got=repr(inputs)))
        columns = [self._column(part) for part in inputs]
        shape = columns[0].shape
        if len(shape) > 2 or shape[1:] not in ((), (1,)) or any(column.shape != shape for column in columns):
            raise self._located(
                ShapeError(
                    "the inputs of a HashedCrossing do not fit",
                    got=", ".join(str(column.shape) for column in columns),
                    expected="the same for all: (), (batch,) or (batch, 1)",
                )
            )
        rows = zip(*(self._numbers(column) for column in columns), strict=True)
        buckets = np.array([combined(row) % self.num_bins for row in rows], "int32")
        return as_tensor(self._encoded(buckets.reshape(shape), self.num_bins))

    def _column(self, given: Any) -> Any:
        array = given.numpy() if isinstance(given, Tensor) else np.asarray(given)
        column = array if array.dtype.kind in "iu" else text_array(given)
        if array.dtype.kind not in "iuSUOT":
            raise self._located(
                DTypeError("a HashedCrossing takes strings and integers", got=f"an input of {array.dtype}")
            )
        return column

    def _numbers(self, column: Any) -> list[int]:
        """A number of 64 bits for each element: integers themselves, and hashes of strings."""
        if column.dtype.kind in "iu":
            return [int(number) & 0xFFFFFFFFFFFFFFFF for number in column.ravel()]
        distinct, places = np.unique(column, return_inverse=True)
        hashes = [fingerprint(text.encode()) for text in distinct.tolist()]
        return [hashes[place] for place in places.ravel()]

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return declared_config(self) | {"name": self.name, "dtype": self.dtype}
