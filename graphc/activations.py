"""Activation functions by name. They are implemented in `graphc.ops`; some have other defaults here, as in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from graphc import ops
from graphc.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)
from graphc.registration import deserialize_keras_object, exported_functions, resolve, serialize_keras_object
from graphc.tracing import Tensor, operation


@operation
def linear(x: Any) -> Any:
    """The identity."""
    return x


@operation
def exponential(x: Any) -> Tensor:
    """`exp(x)`.

    Example:

    >>> exponential([0.0]).numpy()
    array([1.], dtype=float32)
    """
    return ops.exp(x)


@operation
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """`x * P(X <= x)` for a standard normal `X`; exact unless `approximate`.

    Example:

    >>> gelu([0.0]).numpy()
    array([0.], dtype=float32)
    """
    return ops.gelu(x, approximate)


@operation
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """`x` from a threshold on, else `negative_slope * (x - threshold)`; at most `max_value`.

    Args:
        x: Tensor.
        negative_slope: The slope below the threshold.
        max_value: The maximum of the result. None: no maximum.
        threshold: The input above which the function is the identity.

    Example:

    >>> relu([-2.0, 1.0, 9.0], negative_slope=0.5, max_value=6.0).numpy()
    array([-1.,  1.,  6.], dtype=float32)
    """
    if negative_slope and max_value is None and threshold == 0:
        return ops.leaky_relu(x, negative_slope)
    if threshold:
        result = ops.where(ops.greater(x, threshold), x, 0)
    else:
        result = ops.relu6(x) if max_value == 6 else ops.relu(x)
    if max_value is not None and (threshold or max_value != 6):
        result = ops.minimum(result, max_value)
    return result - negative_slope * ops.relu(ops.subtract(threshold, x)) if negative_slope else result


_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, leaky_relu),
    *(linear, log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus),
    *(softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, swish, tanh, tanh_shrink, threshold),
)
exported_functions(_FUNCTIONS)
_NAMES: Mapping[str, Any] = MappingProxyType({function.__name__: function for function in _FUNCTIONS})


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration or a function to an activation function; None resolves to `linear`.

    Raises:
        ArgumentError: if it cannot be resolved.

    Example:

    >>> get("relu")([-1.0, 1.0]).numpy()
    array([0., 1.], dtype=float32)
    """
    return linear if identifier is None else resolve("activation", identifier, _NAMES)


def serialize(activation: Any) -> Any:
    """An activation as a configuration: the name of a built-in function, a dictionary for a user's function."""
    name = getattr(activation, "__name__", None)
    if name is not None and _NAMES.get(name) is activation:
        return {"hard_swish": "hard_silu", "swish": "silu"}.get(name, name)
    if name in _NAMES and getattr(activation, "__module__", "").startswith("graphc."):
        return name  # the function of `ops` that has the name of an activation
    return serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The activation that a configuration describes."""
    return get(config) if isinstance(config, str) else deserialize_keras_object(config, custom_objects)
