"""The functions of `keras.backend`: settings, dtypes and names, and those from before Keras 3.

The module can be called to choose a backend.

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

from graphc import config, dtypes, lazy, ops, tracing
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


# Functions of `keras.backend` from before Keras 3, which programs still use: functions of `ops` under the same name, or
# under another one, and those with a definition of their own. Imported when they are used.
_OPS = (
    *("abs", "cast", "cos", "exp", "log", "sin", "tanh", "sigmoid", "softplus", "softsign", "softmax", "sign"),
    *("round", "square", "sum", "prod", "max", "min", "maximum", "minimum", "equal", "not_equal", "greater"),
    *("greater_equal", "less", "less_equal", "dot", "transpose", "reshape", "squeeze", "stack", "shape"),
    *("stop_gradient", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"),
    "one_hot",
)
_RENAMED = {
    **{"conv2d": "conv", "conv3d": "conv", "depthwise_conv2d": "depthwise_conv"},
    **{"separable_conv2d": "separable_conv", "eval": "convert_to_numpy"},
}
_LEGACY = (
    *("constant", "variable", "eye", "zeros", "ones", "zeros_like", "ones_like", "arange", "cast_to_floatx"),
    *("get_value", "batch_get_value", "set_value", "batch_set_value", "update", "update_add", "update_sub"),
    *("moving_average_update", "dtype", "int_shape", "ndim", "count_params", "is_sparse", "to_dense", "gradients"),
    *("all", "any", "mean", "std", "var", "argmax", "argmin", "cumsum", "cumprod", "in_top_k", "clip", "sqrt"),
    *("pow", "elu", "relu", "hard_sigmoid", "dropout", "l2_normalize", "bias_add", "switch", "concatenate"),
    *("expand_dims", "flatten", "batch_flatten", "permute_dimensions", "repeat", "repeat_elements", "reverse"),
    *("gather", "tile", "temporal_padding", "spatial_2d_padding", "spatial_3d_padding", "batch_dot", "conv1d"),
    *("pool2d", "random_normal", "random_uniform", "truncated_normal", "random_bernoulli"),
    *("random_normal_variable", "random_uniform_variable", "map_fn", "foldl", "foldr"),
)
_NETWORKS = (
    *("pool3d", "conv2d_transpose", "resize_images", "resize_volumes", "batch_normalization", "ctc_batch_cost"),
    *("ctc_decode", "binary_focal_crossentropy", "categorical_focal_crossentropy", "rnn"),
)


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        return getattr(ops, _RENAMED[name])
    return _get(name)


_get, __dir__ = lazy.attributes(
    __name__,
    (),
    {
        **dict.fromkeys(_OPS, "graphc.ops"),
        **dict.fromkeys(_LEGACY, "graphc.legacy_backend"),
        **dict.fromkeys(_NETWORKS, "graphc.legacy_networks"),
        "name_scope": "graphc.utils.scopes",
    },
)


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
