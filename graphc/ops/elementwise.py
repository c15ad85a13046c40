"""Arithmetic, comparisons, logic and selection on elements.

Operands broadcast as in NumPy and promote as in Keras: Python numbers are weakly typed.
"""

from __future__ import annotations

from typing import Any

from graphc import config, dtypes
from graphc.errors import ArgumentError
from graphc.ops.placing import nonzero
from graphc.tracing import Tensor, as_tensor, bind, broadcast_shapes, broadcast_to, elementwise, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.conversion import dtype_of, float_dtype
from graphc.tracing.elementwise import broadcast_operands, in_floats, on_numbers

__all__ = [
    "abs",
    "absolute",
    "add",
    "arctan2",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "clip",
    "divide",
    "divide_no_nan",
    "equal",
    "floor_divide",
    "greater",
    "greater_equal",
    "isfinite",
    "isinf",
    "isnan",
    "left_shift",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matmul",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "reciprocal",
    "right_shift",
    "sign",
    "square",
    "subtract",
    "true_divide",
    "where",
]


def in_float(x: Any) -> Tensor:
    """The operand as a real or complex float: unchanged if it is one, else in the default float dtype."""
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.is_inexact else _cast(tensor, dtypes.as_dtype(config.floatx()))


def in_wide(x: Any) -> Tensor:
    """The operand as floats wide enough to accumulate in: halves become float32.

    A float16 sum is infinite from 65,520 on, and counts in halves stop at 2,048 (bfloat16: at 256).
    """
    tensor = as_tensor(x)
    # Integers are cast directly: a default dtype of float16 could not hold large ones.
    wide = _cast(tensor, float_dtype(tensor).accumulator)
    if wide is not tensor and tensor.logits is not None:
        name, operand, axis = tensor.logits
        wide.logits = (name, in_wide(operand), axis)
    return wide


def minus_abs(x: Tensor) -> Tensor:
    """`-abs(x)`, which is `x` itself where `x` is 0: derivatives of every order at 0 are those from below.

    A function that is smooth at 0 has the right ones there, if all its parts are those from below; an average of both
    sides would be right for the first derivative alone.
    """
    return where(elementwise("gt", x, 0), bind("neg", x), x)


def float_function(op: str, x: Any) -> Tensor:
    """Applies a primitive to one operand as a float."""
    return bind(op, in_float(x))


def _logical(op: str, *operands: Any) -> Tensor:
    return bind(op, *broadcast_operands(*(_truth(x) for x in operands)))


def _truth(x: Any) -> Tensor:
    return _cast(as_tensor(x), dtypes.bool_)


# ---- arithmetic


@operation
def add(x1: Any, x2: Any) -> Tensor:
    """`x1 + x2`, elementwise; booleans combine by `or`.

    Example:

    >>> add([1, 2], 3).numpy()
    array([4, 5], dtype=int32)
    """
    return operate("add", x1, x2)


@operation
def subtract(x1: Any, x2: Any) -> Tensor:
    """`x1 - x2`, elementwise.

    Example:

    >>> subtract([5, 7], 3).numpy()
    array([2, 4], dtype=int32)
    """
    return operate("sub", x1, x2)


@operation
def multiply(x1: Any, x2: Any) -> Tensor:
    """`x1 * x2`, elementwise; booleans combine by `and`.

    Example:

    >>> multiply([2, 3], 4).numpy()
    array([ 8, 12], dtype=int32)
    """
    return operate("mul", x1, x2)


@operation
def divide(x1: Any, x2: Any) -> Tensor:
    """`x1 / x2`, elementwise; integers are divided as floats.

    Example:

    >>> divide([1, 3], 2).numpy()
    array([0.5, 1.5], dtype=float32)
    """
    return operate("div", x1, x2)


@operation
def true_divide(x1: Any, x2: Any) -> Tensor:
    """`x1 / x2`, elementwise: an alias of `divide`."""
    return operate("div", x1, x2)


@operation
def floor_divide(x1: Any, x2: Any) -> Tensor:
    """`floor(x1 / x2)`, elementwise.

    Example:

    >>> floor_divide([7, -7], 2).numpy()
    array([ 3, -4], dtype=int32)
    """
    return operate("floordiv", x1, x2)


@operation
def mod(x1: Any, x2: Any) -> Tensor:
    """`x1 - floor(x1 / x2) * x2`, elementwise: the remainder with the sign of `x2`.

    Example:

    >>> mod([7, -7], 3).numpy()
    array([1, 2], dtype=int32)
    """
    return operate("mod", x1, x2)


@operation
def power(x1: Any, x2: Any) -> Tensor:
    """`x1 ** x2`, elementwise.

    Example:

    >>> power([1.0, 3.0], 2).numpy()
    array([1., 9.], dtype=float32)
    """
    return operate("pow", x1, x2)


@operation
def matmul(x1: Any, x2: Any) -> Tensor:
    """The matrix product; axes before the last two are a batch and broadcast.

    Example:

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]]).numpy()
    array([[11.]], dtype=float32)
    """
    return operate("matmul", x1, x2)


@operation
def negative(x: Any) -> Tensor:
    """`-x`, elementwise."""
    return operate("neg", x)


@operation
def absolute(x: Any) -> Tensor:
    """The absolute value, elementwise; real for complex numbers."""
    return operate("abs", x)


@operation
def abs(x: Any) -> Tensor:
    """The absolute value, elementwise: an alias of `absolute`."""
    return operate("abs", x)


@operation
def sign(x: Any) -> Tensor:
    """-1, 0 or 1 as `x` is negative, zero or positive, elementwise; `x / abs(x)` for complex numbers.

    Example:

    >>> sign([-2.0, 0.0, 5.0]).numpy()
    array([-1.,  0.,  1.], dtype=float32)
    """
    tensor = as_tensor(x)
    return minimum(tensor, 1) if tensor.type.dtype.kind == "uint" else bind("sign", tensor)


@operation
def square(x: Any) -> Tensor:
    """`x * x`, elementwise."""
    return on_numbers("mul", x, x)


@operation
def reciprocal(x: Any) -> Tensor:
    """`1 / x`, elementwise."""
    return operate("div", 1, x)


@operation
def divide_no_nan(x1: Any, x2: Any) -> Tensor:
    """`x1 / x2`, elementwise, and 0 where `x2` is 0.

    Example:

    >>> divide_no_nan([1.0, 2.0], [0.0, 4.0]).numpy()
    array([0. , 0.5], dtype=float32)
    """
    a, b = broadcast_operands(x1, x2, dtype=float_dtype(x1, x2))
    zero = elementwise("eq", b, 0)
    quotient = bind("div", a, where(zero, 1, b))
    return where(zero, 0, quotient)


@operation
def maximum(x1: Any, x2: Any) -> Tensor:
    """The larger of `x1` and `x2`, elementwise."""
    return elementwise("maximum", x1, x2)


@operation
def minimum(x1: Any, x2: Any) -> Tensor:
    """The smaller of `x1` and `x2`, elementwise."""
    return elementwise("minimum", x1, x2)


@operation
def arctan2(x1: Any, x2: Any) -> Tensor:
    """The angle of the point `(x2, x1)`, in radians between -pi and pi, elementwise."""
    # As in Keras, Python floats have the default dtype here.
    return in_floats("atan2", as_tensor(x1), as_tensor(x2))


# ---- comparisons and logic


@operation
def equal(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 == x2`, elementwise."""
    return elementwise("eq", x1, x2)


@operation
def not_equal(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 != x2`, elementwise."""
    return elementwise("ne", x1, x2)


@operation
def less(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 < x2`, elementwise."""
    return elementwise("lt", x1, x2)


@operation
def less_equal(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 <= x2`, elementwise."""
    return elementwise("le", x1, x2)


@operation
def greater(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 > x2`, elementwise."""
    return elementwise("gt", x1, x2)


@operation
def greater_equal(x1: Any, x2: Any) -> Tensor:
    """Whether `x1 >= x2`, elementwise."""
    return elementwise("ge", x1, x2)


@operation
def logical_and(x1: Any, x2: Any) -> Tensor:
    """Whether both are True, elementwise; numbers are True if they are not zero."""
    return _logical("logical_and", x1, x2)


@operation
def logical_or(x1: Any, x2: Any) -> Tensor:
    """Whether at least one is True, elementwise."""
    return _logical("logical_or", x1, x2)


@operation
def logical_xor(x1: Any, x2: Any) -> Tensor:
    """Whether exactly one is True, elementwise."""
    return _logical("logical_xor", x1, x2)


@operation
def logical_not(x: Any) -> Tensor:
    """Whether `x` is False, elementwise."""
    return bind("logical_not", _truth(x))


@operation
def isnan(x: Any) -> Tensor:
    """Whether elements are NaN."""
    return float_function("isnan", x)


@operation
def isinf(x: Any) -> Tensor:
    """Whether elements are infinite."""
    return float_function("isinf", x)


@operation
def isfinite(x: Any) -> Tensor:
    """Whether elements are neither NaN nor infinite."""
    return float_function("isfinite", x)


@operation
def bitwise_and(x: Any, y: Any) -> Tensor:
    """The bits that both have."""
    return elementwise("bit_and", x, y)


@operation
def bitwise_or(x: Any, y: Any) -> Tensor:
    """The bits that one or both have."""
    return elementwise("bit_or", x, y)


@operation
def bitwise_xor(x: Any, y: Any) -> Tensor:
    """The bits that exactly one has."""
    return elementwise("bit_xor", x, y)


@operation
def left_shift(x: Any, y: Any) -> Tensor:
    """The bits of `x` shifted left by `y`; 0 where `y` is negative, or not less than the number of bits."""
    return on_numbers("shift_left", x, y)


@operation
def right_shift(x: Any, y: Any) -> Tensor:
    """The bits of `x` shifted right by `y`, filled with the sign bit.

    Where `y` is negative, or not less than the number of bits, nothing but the sign is left.
    """
    return on_numbers("shift_right", x, y)


@operation
def bitwise_left_shift(x: Any, y: Any) -> Tensor:
    """An alias of `left_shift`."""
    return on_numbers("shift_left", x, y)


@operation
def bitwise_right_shift(x: Any, y: Any) -> Tensor:
    """An alias of `right_shift`."""
    return on_numbers("shift_right", x, y)


@operation
def bitwise_not(x: Any) -> Tensor:
    """The bits of `x` inverted."""
    return operate("invert", x)


@operation
def bitwise_invert(x: Any) -> Tensor:
    """An alias of `bitwise_not`."""
    return operate("invert", x)


@operation
def where(condition: Any, x1: Any = None, x2: Any = None) -> Tensor:
    """`x1` where the condition is True, else `x2`, elementwise; all three broadcast.

    Args:
        condition: Tensor of booleans; numbers are True if they are not zero.
        x1: The values where the condition is True. None, as `x2`: the result is `nonzero(condition)`.
        x2: The values where it is False.

    Raises:
        ArgumentError: if only one of `x1` and `x2` is given.

    Example:

    >>> where([True, False], 1.0, 2.0).numpy()
    array([1., 2.], dtype=float32)
    """
    if x1 is None and x2 is None:
        return nonzero(condition)  # type: ignore[return-value]
    if x1 is None or x2 is None:
        raise ArgumentError("`where` takes both x1 and x2, or none of them")
    then, otherwise = broadcast_operands(x1, x2)
    test = _truth(condition)
    shape = broadcast_shapes(test.shape, then.shape)
    return bind("select", *(broadcast_to(part, shape) for part in (test, then, otherwise)))


@operation
def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """`min(max(x, x_min), x_max)`, elementwise.

    Example:

    >>> clip([-2.0, 0.5, 2.0], -1, 1).numpy()
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    wanted = result_dtype(x, x_min, x_max)
    if isinstance(x_min, int | float) and isinstance(x_max, int | float) and not wanted.is_float:
        # Limits out of the range of the dtype have no effect.
        return bind("clip", as_tensor(x, dtypes.int32 if wanted.is_bool else wanted), low=int(x_min), high=int(x_max))
    return minimum(maximum(_cast(as_tensor(x), dtypes.int32) if dtype_of(x).is_bool else x, x_min), x_max)
