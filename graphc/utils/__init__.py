"""Helpers: seeds, labels, progress, data, images."""

from __future__ import annotations

import itertools
import random as _python_random
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DataError
from graphc.random import reset_default_generator
from graphc.registration import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from graphc.tracing import KerasTensor, Tensor, reset_names
from graphc.utils.arguments import argument_error, whole_number
from graphc.utils.images import save_img
from graphc.utils.progbar import Progbar

CustomObjectScope = custom_object_scope


def set_random_seed(seed: int) -> None:
    """Makes random numbers reproducible: initial weights, dropout, the order of samples.

    It seeds Python's `random` and NumPy's `numpy.random`, from which other seeds are drawn, and the default generator
    of random operations without a seed.

    Args:
        seed: Integer from 0 to `2 ** 32 - 1`.

    Raises:
        ArgumentError: if it is not such an integer.

    Example:

    >>> from graphc import initializers
    >>> set_random_seed(7)
    >>> a = initializers.GlorotUniform()((2,)).numpy()
    >>> set_random_seed(7)
    >>> bool((a == initializers.GlorotUniform()((2,)).numpy()).all())
    True
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= int(seed) < 2**32:
        raise ArgumentError("a seed is an integer from 0 to 2 ** 32 - 1", got=repr(seed))
    _python_random.seed(int(seed))
    np.random.seed(int(seed))
    reset_default_generator(int(seed))


def clear_session(free_memory: bool = True) -> None:
    """Resets the counters of automatic names, so that the next `Dense` is `dense` again.

    Args:
        free_memory: Accepted as in Keras; memory is freed with the last reference to it.
    """
    reset_names()


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot encoding of integer labels.

    Args:
        x: Array of integers.
        num_classes: The number of classes. None: one more than the largest label.

    Returns:
        A NumPy array of floats, with a further axis.

    Raises:
        ArgumentError: if `x` holds no integers.
        DataError: if a label is out of range.

    Example:

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    given = np.asarray(x.array if isinstance(x, Tensor) else x)
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
        raise argument_error("x", x, "an array of integers")
    labels = given.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    count = int(labels.max(initial=-1)) + 1 if num_classes is None else whole_number("num_classes", num_classes, 0)
    if labels.size and (labels.min() < 0 or labels.max() >= count):
        wrong = labels[(labels < 0) | (labels >= count)][0]
        raise DataError("a label is out of range", got=f"label {wrong}", expected=f"from 0 to {count - 1}")
    codes = np.zeros((labels.size, count))
    codes[np.arange(labels.size), labels.reshape(-1)] = 1
    return codes.reshape(*labels.shape, count)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Normalizes vectors of a NumPy array to norm one; zero vectors remain zero.

    Example:

    >>> normalize([[3.0, 4.0]]).round(2).tolist()
    [[0.6, 0.8]]
    """
    array = np.asarray(x)
    length = np.atleast_1d(np.linalg.norm(array, order, axis))
    length[length == 0] = 1
    return array / np.expand_dims(length, axis)


def is_keras_tensor(x: Any) -> bool:
    """Whether a value is a symbolic tensor."""
    return isinstance(x, KerasTensor)


class PyDataset:
    """A data set with indexed batches.

    Subclasses define `__getitem__` and `__len__`; an infinite one defines `num_batches` as None in place of `__len__`.
    Batches may change between epochs, in `on_epoch_begin` or `on_epoch_end`.

    Args:
        workers: Accepted as in Keras; batches are fetched in the training thread.
        use_multiprocessing: Likewise.
        max_queue_size: Likewise.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError("a PyDataset defines `__getitem__`")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None: infinite."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError("a PyDataset defines `__len__` or `num_batches`")

    def on_epoch_begin(self) -> None:
        """Called before an epoch of training, and before each evaluation or prediction."""

    def on_epoch_end(self) -> None:
        """Called after an epoch of training, and after each evaluation or prediction."""


Sequence = PyDataset

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
]
