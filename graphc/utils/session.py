"""The state of the process: seeds, and names that are given automatically."""

from __future__ import annotations

import random as _python_random
from typing import Any

import numpy as np

from graphc import config, dtypes
from graphc.errors import ArgumentError
from graphc.random import reset_default_generator
from graphc.registration import custom_object_scope
from graphc.tracing import KerasTensor, reset_names

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


def is_keras_tensor(x: Any) -> bool:
    """Whether a value is a symbolic tensor.

    Example:

    >>> import graphc
    >>> is_keras_tensor(graphc.Input((2,))), is_keras_tensor(graphc.ops.ones(2))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, given as a name, a NumPy dtype or a Python type; None: the default float dtype.

    Raises:
        DTypeError: if there is no such dtype.

    Example:

    >>> standardize_dtype(None), standardize_dtype(float), standardize_dtype(int)
    ('float32', 'float32', 'int32')
    """
    return config.floatx() if dtype is None else dtypes.as_dtype(dtype).name
