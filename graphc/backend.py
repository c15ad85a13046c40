"""What Keras has in `keras.backend`: settings, dtypes and names. Called, it chooses where programs run.

Example:

>>> import graphc
>>> graphc.backend.epsilon()
1e-07
>>> with graphc.backend("numpy"):
...     graphc.backend.backend()
'numpy'
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import numpy as np

from graphc import config, dtypes, tracing
from graphc.compiler import chosen_backend
from graphc.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from graphc.utils import clear_session


class _Callable(ModuleType):
    """This module: Keras has a module where graphc has had a function."""

    def __call__(self, name: str) -> AbstractContextManager[Any]:
        """Chooses the backend inside a `with` block.

        Args:
            name: `"numpy"`, `"cpu"` or `"cuda"`.

        Raises:
            ArgumentError: if there is no backend of that name.
        """
        return config.override(backend=name)


sys.modules[__name__].__class__ = _Callable


def backend() -> str:
    """The name of the backend that programs are compiled for now.

    Raises:
        BackendError: if the one that was asked for is absent.
    """
    return chosen_backend()[0]


def is_keras_tensor(x: Any) -> bool:
    """Whether something is a symbolic tensor, as functional models are made of.

    Example:

    >>> import graphc
    >>> is_keras_tensor(graphc.Input((2,))), is_keras_tensor(graphc.ops.ones(2))
    (True, False)
    """
    return isinstance(x, tracing.KerasTensor)


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype that is given by a name, a NumPy dtype or a Python type; the default one for None.

    Raises:
        DTypeError: if there is no such dtype.

    Example:

    >>> standardize_dtype(None), standardize_dtype(float), standardize_dtype(int)
    ('float32', 'float32', 'int32')
    """
    return config.floatx() if dtype is None else dtypes.as_dtype(dtype).name


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype has floating-point elements."""
    return dtypes.as_dtype(dtype).is_float


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype has whole numbers as elements."""
    return dtypes.as_dtype(dtype).is_integer


def result_type(*types: Any) -> str:
    """The name of the dtype in which operands of some dtypes are combined.

    Args:
        *types: Dtypes; None stands for the default float dtype. Python's `bool`, `int`, `float` and `complex` count for
            less than the others, as numbers do among tensors.

    Raises:
        DTypeError: if there is no such dtype.

    Example:

    >>> result_type("int32", "float16"), result_type("int8", "uint8"), result_type("float16", float)
    ('float16', 'int16', 'float16')
    """
    return tracing.result_dtype(*map(_operand, types)).name if types else config.floatx()


def _operand(type: Any) -> Any:
    """Something of a dtype: a number of Python's for its types, a tensor for others."""
    if type in (bool, int, float, complex):
        return type()
    return tracing.Tensor(np.zeros((), dtypes.as_dtype(standardize_dtype(type)).numpy))


def get_uid(prefix: str = "") -> int:
    """How often a prefix was asked for, this time included.

    Args:
        prefix: Text.

    Example:

    >>> first = get_uid("part")
    >>> get_uid("part") - first
    1
    """
    return tracing.next_count(prefix) + 1


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]
