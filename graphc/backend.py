"""The functions of `keras.backend`: settings, dtypes and names. The module can be called to choose a backend.

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
from graphc.utils.session import clear_session, is_keras_tensor, standardize_dtype


class _Callable(ModuleType):
    """The class of this module, which can also be called: `graphc.backend("numpy")`."""

    def __call__(self, name: str) -> AbstractContextManager[Any]:
        """A context in which programs are compiled for a backend.

        Args:
            name: `"numpy"`, `"cpu"` or `"cuda"`.

        Raises:
            ArgumentError: if there is no backend of that name.
        """
        return config.override(backend=name)


sys.modules[__name__].__class__ = _Callable


def backend() -> str:
    """The name of the current backend.

    Raises:
        BackendError: if the requested one is absent.
    """
    return chosen_backend()[0]


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is floating-point."""
    return dtypes.as_dtype(dtype).is_float


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is an integer dtype."""
    return dtypes.as_dtype(dtype).is_integer


def result_type(*types: Any) -> str:
    """The name of the dtype to which operands of some dtypes are promoted.

    Args:
        *types: Dtypes; None stands for the default float dtype. Python's `bool`, `int`, `float` and `complex` are
            weakly typed, as Python numbers are.

    Raises:
        DTypeError: if there is no such dtype.

    Example:

    >>> result_type("int32", "float16"), result_type("int8", "uint8"), result_type("float16", float)
    ('float16', 'int16', 'float16')
    """
    return tracing.result_dtype(*map(_operand, types)).name if types else config.floatx()


def _operand(type: Any) -> Any:
    """A value of a dtype: a Python number for a Python type, else a tensor."""
    if type in (bool, int, float, complex):
        return type()
    return tracing.Tensor(np.zeros((), dtypes.as_dtype(standardize_dtype(type)).numpy))


def get_uid(prefix: str = "") -> int:
    """The number of names with a prefix, including this one.

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
