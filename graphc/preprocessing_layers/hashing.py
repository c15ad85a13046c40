"""Strings and integers in buckets that a hash chooses: `Hashing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.parameters import configured
from graphc.preprocessing_layers.categories import Encoding
from graphc.preprocessing_layers.host import HostLayer, text_array
from graphc.preprocessing_layers.string_hashes import fingerprint, siphash
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
