"""Activation functions, as compositions of elementwise operations."""

from __future__ import annotations

import math
import warnings
from typing import Any

from graphc import dtypes
from graphc.errors import DataWarning
from graphc.ops.elementwise import clip, in_float, in_wide, minus_abs, where
from graphc.ops.reductions import broadcast_reduced, is_empty
from graphc.ops.shaping import moveaxis, split
from graphc.tracing import Tensor, as_tensor, bind, bind_many, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.large import pointwise
from graphc.tracing.shapes import axes_of, axis_of

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
]

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _plus_exp(x: Tensor) -> Tensor:
    """`log(1 + exp(x))` without overflow; both terms have the derivatives from below at 0."""
    return bind("add", bind("relu", x), bind("log1p", bind("exp", minus_abs(x))))


@operation
def relu(x: Any) -> Tensor:
    """`max(x, 0)`; its gradient at 0 is 0.

    Example:

    >>> relu([-1.0, 0.0, 2.0]).numpy()
    array([0., 0., 2.], dtype=float32)
    """
    tensor = as_tensor(x)
    return bind("relu", _cast(tensor, dtypes.int32) if tensor.type.dtype.is_bool else tensor)


@pointwise
def relu6(x: Any) -> Tensor:
    """`min(max(x, 0), 6)`; its gradient at 0 and at 6 is 0."""
    tensor = in_float(x)
    return where(elementwise("ge", tensor, 6), 6, relu(tensor))


@pointwise
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """`x` where it is positive, else `negative_slope * x`."""
    tensor = in_float(x)
    return where(elementwise("ge", tensor, 0), tensor, tensor * negative_slope)


@operation
def sigmoid(x: Any) -> Tensor:
    """`1 / (1 + exp(-x))`.

    Example:

    >>> sigmoid([0.0, 1000.0]).numpy()
    array([0.5, 1. ], dtype=float32)
    """
    tensor = in_float(x)
    result = bind("sigmoid", tensor)
    result.logits = ("sigmoid", tensor, -1)
    return result


@pointwise
def softplus(x: Any) -> Tensor:
    """`log(1 + exp(x))`, without overflow."""
    return _plus_exp(in_float(x))


@pointwise
def log_sigmoid(x: Any) -> Tensor:
    """`log(sigmoid(x)) = -log(1 + exp(-x))`, without overflow."""
    return bind("neg", _plus_exp(bind("neg", in_float(x))))


@pointwise
def silu(x: Any) -> Tensor:
    """`x * sigmoid(x)`."""
    return operate("mul", in_float(x), sigmoid(x))


@pointwise
def tanh_shrink(x: Any) -> Tensor:
    """`x - tanh(x)`."""
    tensor = in_float(x)
    return operate("sub", tensor, bind("tanh", tensor))


@pointwise
def softsign(x: Any) -> Tensor:
    """`x / (1 + abs(x))`."""
    tensor = in_float(x)
    return operate("div", tensor, 1 + abs(tensor))


@pointwise
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """`x` where it is positive, else `alpha * (exp(x) - 1)`."""
    tensor = in_float(x)
    positive = elementwise("gt", tensor, 0)
    # The branch that is not selected must not overflow, or its gradient would be NaN.
    return where(positive, tensor, alpha * bind("expm1", where(positive, 0, tensor)))


@pointwise
def selu(x: Any) -> Tensor:
    """`scale * elu(x, alpha)` with constants that preserve mean and variance (Klambauer et al., 2017)."""
    return operate("mul", _SELU_SCALE, elu(x, _SELU_ALPHA))


@pointwise
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """`max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`."""
    tensor = in_float(x)
    positive = elementwise("gt", tensor, 0)
    return where(positive, tensor, alpha * bind("expm1", where(positive, 0, tensor) / alpha))


@pointwise
def gelu(x: Any, approximate: bool = True) -> Tensor:
    """`x * P(X <= x)` for a standard normal `X` (Hendrycks and Gimpel, 2016).

    Args:
        x: Tensor.
        approximate: Whether to use `0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`.

    Example:

    >>> gelu([-1.0, 0.0, 1.0]).numpy()
    array([-0.158808,  0.      ,  0.841192], dtype=float32)
    """
    tensor = in_float(x)
    if approximate:
        inner = math.sqrt(2 / math.pi) * (tensor + 0.044715 * (tensor * tensor * tensor))
        return 0.5 * tensor * (1 + bind("tanh", inner))  # type: ignore[no-any-return]
    return 0.5 * tensor * (1 + bind("erf", tensor * math.sqrt(0.5)))  # type: ignore[no-any-return]


@pointwise
def hard_sigmoid(x: Any) -> Tensor:
    """`min(max(x / 6 + 1 / 2, 0), 1)`."""
    return operate("div", relu6(operate("add", in_float(x), 3)), 6)


@pointwise
def hard_silu(x: Any) -> Tensor:
    """`x * hard_sigmoid(x)`."""
    return operate("mul", in_float(x), hard_sigmoid(x))


@pointwise
def hard_tanh(x: Any) -> Tensor:
    """`min(max(x, -1), 1)`."""
    tensor = as_tensor(x)
    return bind("clip", tensor, low=-1.0, high=1.0) if tensor.type.dtype.is_float else clip(tensor, -1, 1)


@pointwise
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """`x` where `abs(x) > threshold`, else 0."""
    tensor = in_float(x)
    return where(elementwise("gt", abs(tensor), threshold), tensor, 0)


@pointwise
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """`x` moved by `threshold` towards 0, and 0 where it would cross it."""
    tensor = in_float(x)
    lower = where(elementwise("lt", tensor, -threshold), tensor + threshold, 0)
    return where(elementwise("gt", tensor, threshold), tensor - threshold, lower)


@pointwise
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """`x` where it is above the threshold, else `default_value`."""
    return where(elementwise("gt", x, threshold), x, default_value)


@pointwise
def squareplus(x: Any, b: float = 4) -> Tensor:
    """`(x + sqrt(x * x + b)) / 2` (Barron, 2021)."""
    tensor = in_float(x)
    return (tensor + bind("sqrt", tensor * tensor + b)) / 2  # type: ignore[no-any-return]


@pointwise
def sparse_plus(x: Any) -> Tensor:
    """0 up to -1, `x` from 1 on, and `(x + 1) ** 2 / 4` between."""
    tensor = in_float(x)
    middle = (tensor + 1) * (tensor + 1) / 4
    return where(elementwise("le", tensor, -1), 0, where(elementwise("lt", tensor, 1), middle, tensor))


@pointwise
def sparse_sigmoid(x: Any) -> Tensor:
    """0 up to -1, 1 from 1 on, and `(x + 1) / 2` between."""
    tensor = in_float(x)
    return 0.5 * clip(tensor + 1, 0, 2)  # type: ignore[no-any-return]


@operation
def glu(x: Any, axis: int = -1) -> Tensor:
    """The first half along an axis, times the sigmoid of the second."""
    first, second = split(in_float(x), 2, axis)
    return operate("mul", first, sigmoid(second))


@pointwise
def mish(x: Any) -> Tensor:
    """`x * tanh(log(1 + exp(x)))`."""
    tensor = in_float(x)
    return operate("mul", tensor, bind("tanh", _plus_exp(tensor)))


def softmax_parts(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """`exp(x - max(x))` and, without the axes, `1 / sum(exp(x - max(x)))`: their product is the softmax.

    Both are in float32 if `x` is a half, since the sum can be as large as the number of elements.
    """
    x = in_wide(x)
    top = bind("stop_gradient", bind("max", x, axes=axes))
    powers = bind("exp", bind("sub", x, broadcast_reduced(top, x, axes)))
    total = bind("sum", powers, axes=axes)
    return powers, operate("div", 1.0, total)


@operation
def softmax(x: Any, axis: Any = -1) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis or axes; the maximum is subtracted first.

    Args:
        x: Tensor.
        axis: Axis or axes.

    Example:

    >>> softmax([0.0, 0.0]).numpy()
    array([0.5, 0.5], dtype=float32)
    """
    tensor = in_float(x)
    axes = axes_of(axis, tensor.ndim, "softmax")
    if is_empty(tensor, axes):
        return tensor
    if len(axes) == 1 and tensor.shape[axes[0]] == 1:
        warnings.warn(
            f"the softmax along axis {axis} of {tensor.type}, which has one element, is 1: did you mean `sigmoid`?",
            DataWarning,
            stacklevel=3,
        )
    powers, factor = softmax_parts(tensor, axes)
    result = _cast(bind("mul", powers, broadcast_reduced(factor, tensor, axes)), tensor.type.dtype)
    if len(axes) == 1:
        result.logits = ("softmax", tensor, axes[0])
    return result


@operation
def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """`log(softmax(x)) = x - log(sum(exp(x)))` along an axis, without overflow."""
    given = in_float(x)
    tensor = in_wide(given)
    axes = axes_of(axis, tensor.ndim, "log_softmax")
    if is_empty(tensor, axes):
        return given
    top = bind("stop_gradient", bind("max", tensor, axes=axes))
    shifted = bind("sub", tensor, broadcast_reduced(top, tensor, axes))
    total = bind("log", bind("sum", bind("exp", shifted), axes=axes))
    return _cast(bind("sub", shifted, broadcast_reduced(total, tensor, axes)), given.type.dtype)


@operation
def swish(x: Any) -> Tensor:
    """`x * sigmoid(x)`: an alias of `silu`."""
    return silu(x)


@operation
def hard_swish(x: Any) -> Tensor:
    """`x * hard_sigmoid(x)`: an alias of `hard_silu`."""
    return hard_silu(x)


@operation
def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The nearest point of the probability simplex along an axis: `max(x - tau, 0)` (Martins and Astudillo, 2016).

    Args:
        x: Tensor.
        axis: The axis.

    Example:

    >>> sparsemax([1.0, 0.5, -1.0]).numpy()
    array([0.75, 0.25, 0.  ], dtype=float32)
    """
    given = in_float(x)
    tensor = in_wide(given)
    axis = axis_of(axis, tensor.ndim, "sparsemax")
    rows = moveaxis(tensor, axis, -1)
    descending = bind("reverse", bind_many("sort", rows)[0], axes=(rows.ndim - 1,))
    total = bind("cumsum", descending, axis=rows.ndim - 1, reverse=False)
    rank = elementwise("add", bind("iota", shape=rows.shape, axis=rows.ndim - 1, dtype=rows.type.dtype), 1)
    # The largest elements are in the support: as many as exceed what would be subtracted from them.
    inside = elementwise("gt", bind("sub", descending, bind("div", elementwise("sub", total, 1), rank)), 0)
    last = bind("cast", inside, dtype=rows.type.dtype)
    number = bind("sum", last, axes=(rows.ndim - 1,))
    kept = bind("sum", where(inside, descending, 0), axes=(rows.ndim - 1,))
    tau = bind("div", elementwise("sub", kept, 1), number)
    spread = bind("broadcast", tau, shape=rows.shape, axes=tuple(range(rows.ndim - 1)))
    return _cast(moveaxis(bind("relu", bind("sub", rows, spread)), -1, axis), given.type.dtype)
