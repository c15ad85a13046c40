"""Further elementwise arithmetic and tests: divisors, neighbours, signs, closeness, limits of dtypes, bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError
from graphc.ops.elementwise import in_float, where
from graphc.ops.reductions import all as _all
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.conversion import float_dtype
from graphc.tracing.elementwise import broadcast_operands

__all__ = [
    "allclose",
    "fabs",
    "fmax",
    "fmin",
    "fmod",
    "gcd",
    "heaviside",
    "isclose",
    "isneginf",
    "isposinf",
    "lcm",
    "ldexp",
    "nextafter",
    "saturate_cast",
    "select",
    "signbit",
    "sinc",
    "view",
]


@operation
def fabs(x: Any) -> Tensor:
    """The absolute value as a float, elementwise."""
    tensor = in_float(x)
    if tensor.type.dtype.is_complex:
        raise DTypeError("`fabs` takes real numbers", got=tensor.dtype, hint="ops.abs")
    return bind("abs", tensor)


def _chosen(test: str, x1: Any, x2: Any) -> Tensor:
    """The operand for which a comparison with the other holds, and the one that is a number where one is NaN."""
    a, b = broadcast_operands(x1, x2)
    first = elementwise(test, a, b)
    if b.type.dtype.is_inexact:
        first = bind("logical_or", first, bind("isnan", b))
    return where(first, a, b)


@operation
def fmax(x1: Any, x2: Any) -> Tensor:
    """The larger of `x1` and `x2`, elementwise; where one is NaN, the other.

    Example:

    >>> fmax([1.0, float("nan")], 0.5).numpy()
    array([1. , 0.5], dtype=float32)
    """
    return _chosen("gt", as_tensor(x1), as_tensor(x2))


@operation
def fmin(x1: Any, x2: Any) -> Tensor:
    """The smaller of `x1` and `x2`, elementwise; where one is NaN, the other."""
    return _chosen("lt", as_tensor(x1), as_tensor(x2))


@operation
def fmod(x1: Any, x2: Any) -> Tensor:
    """`x1 - trunc(x1 / x2) * x2`, elementwise: the remainder with the sign of `x1`.

    Example:

    >>> fmod([7, -7], 3).numpy()
    array([ 1, -1], dtype=int32)
    """
    a, b = broadcast_operands(as_tensor(x1), as_tensor(x2))
    dtype = a.type.dtype
    if dtype.is_bool:
        a, b = _cast(a, dtypes.int32), _cast(b, dtypes.int32)
    if dtype.kind == "uint":
        return bind("mod", a, b)
    below = elementwise("lt", a, 0)
    rest = bind("mod", where(below, bind("neg", a), a), bind("abs", b))
    if dtype.is_float:  # a remainder of an infinite divisor is the number itself
        rest = where(bind("isinf", b), where(bind("isfinite", a), bind("abs", a), math.nan), rest)
    return where(below, bind("neg", rest), rest)


def _integers(op: str, x1: Any, x2: Any) -> list[Tensor]:
    operands = broadcast_operands(as_tensor(x1), as_tensor(x2))
    if not operands[0].type.dtype.is_integer:
        raise DTypeError(f"`{op}` takes integers", got=operands[0].dtype, hint='ops.cast(x, "int32")')
    return operands


@operation
def gcd(x1: Any, x2: Any) -> Tensor:
    """The greatest common divisor of integers, elementwise.

    Raises:
        DTypeError: if they are no integers.

    Example:

    >>> gcd([12, 7], 18).numpy()
    array([6, 1], dtype=int32)
    """
    return bind("gcd", *_integers("gcd", x1, x2))


@operation
def lcm(x1: Any, x2: Any) -> Tensor:
    """The least common multiple of integers, elementwise.

    Raises:
        DTypeError: if they are no integers.

    Example:

    >>> lcm([4, 6], 10).numpy()
    array([20, 30], dtype=int32)
    """
    a, b = _integers("lcm", x1, x2)
    if a.type.dtype.kind == "int":
        a, b = bind("abs", a), bind("abs", b)
    divisor = bind("gcd", a, b)
    return bind("mul", a, bind("floordiv", b, elementwise("maximum", divisor, 1)))


@operation
def heaviside(x1: Any, x2: Any) -> Tensor:
    """The unit step, elementwise: 0 where `x1` is negative, 1 where it is positive, and `x2` where it is 0.

    Example:

    >>> heaviside([-2.0, 0.0, 3.0], 0.5).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    first, second = as_tensor(x1), as_tensor(x2)
    a, b = broadcast_operands(first, second, dtype=float_dtype(first, second))
    at_zero = where(bind("isnan", a), a, b)
    return where(elementwise("lt", a, 0), 0, where(elementwise("gt", a, 0), 1, at_zero))


@operation
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether `abs(x1 - x2) <= atol + rtol * abs(x2)`, elementwise; infinities are close to themselves.

    Args:
        x1: Tensor.
        x2: Tensor.
        rtol: The relative tolerance.
        atol: The absolute tolerance.
        equal_nan: Whether NaN is close to NaN.

    Example:

    >>> isclose([1.0, 2.0], [1.000001, 2.1]).numpy()
    array([ True, False])
    """
    first, second = as_tensor(x1), as_tensor(x2)
    if not (first.type.dtype.is_inexact or second.type.dtype.is_inexact):
        first, second = in_float(first), in_float(second)
    a, b = broadcast_operands(first, second)
    near = elementwise("le", bind("abs", bind("sub", a, b)), operate("add", operate("mul", bind("abs", b), rtol), atol))
    # The distance to an infinity is no number, or infinite, as is the tolerance.
    near = bind("logical_and", near, bind("logical_and", bind("isfinite", a), bind("isfinite", b)))
    near = bind("logical_or", near, bind("eq", a, b))
    if not equal_nan:
        return near
    return bind("logical_or", near, bind("logical_and", bind("isnan", a), bind("isnan", b)))


@operation
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close: `all(isclose(x1, x2, rtol, atol, equal_nan))`.

    Example:

    >>> bool(allclose([1.0, 2.0], [1.0, 2.000001]))
    True
    """
    return _all(isclose(x1, x2, rtol, atol, equal_nan))


def _is_endless(op: str, x: Any, number: float) -> Tensor:
    tensor = as_tensor(x)
    if tensor.type.dtype.is_complex:
        raise DTypeError(f"`{op}` takes real numbers", got=tensor.dtype)
    return elementwise("eq", in_float(tensor), number)


@operation
def isneginf(x: Any) -> Tensor:
    """Whether elements are negative infinity."""
    return _is_endless("isneginf", x, -math.inf)


@operation
def isposinf(x: Any) -> Tensor:
    """Whether elements are positive infinity."""
    return _is_endless("isposinf", x, math.inf)


@operation
def ldexp(x1: Any, x2: Any) -> Tensor:
    """`x1 * 2 ** x2`, elementwise, without overflow of the power.

    Args:
        x1: Tensor of floats; integers become floats.
        x2: Tensor of integers.

    Raises:
        DTypeError: if `x2` has no integers.

    Example:

    >>> ldexp([1.5, 3.0], [2, -1]).numpy()
    array([6. , 1.5], dtype=float32)
    """
    exponent = as_tensor(x2)
    if not exponent.type.dtype.is_integer:
        raise DTypeError("the exponents of `ldexp` are integers", got=exponent.dtype, hint='ops.cast(x2, "int32")')
    number = in_float(x1)
    wide = number.type.dtype.accumulator
    # Beyond these no result is neither 0 nor infinite; a third of them is the exponent of a number.
    most = 2200 if wide.bits == 64 else 290
    if exponent.type.dtype.bits > 8:
        exponent = elementwise("minimum", exponent, most)
        exponent = exponent if exponent.type.dtype.kind == "uint" else elementwise("maximum", exponent, -most)
    exponent = _cast(exponent, dtypes.int32)
    third = elementwise("floordiv", exponent, 3)
    rest = bind("sub", exponent, bind("add", third, third))
    result = operate("mul", _cast(number, wide), bind("exp2", _cast(third, wide)))
    for part in (third, rest):
        result = operate("mul", result, bind("exp2", _cast(part, wide)))
    return _cast(result, number.type.dtype)


@operation
def nextafter(x1: Any, x2: Any) -> Tensor:
    """The next number of the dtype after `x1` towards `x2`, elementwise; `x2` where both are equal.

    Example:

    >>> bool(nextafter(1.0, 2.0) == 1 + 2**-23)
    True
    """
    first, second = as_tensor(x1), as_tensor(x2)
    a, b = broadcast_operands(first, second, dtype=float_dtype(first, second))
    if a.type.dtype.bits >= 32:
        return bind("nextafter", a, b)
    # The bits of a half, as an integer, are one more or less, away from 0 or towards it.
    bits = bind("bitcast", a, dtype=dtypes.uint16)
    outward = bind("eq", elementwise("lt", a, b), elementwise("gt", a, 0))
    moved = elementwise("add", bits, where(outward, as_tensor(1, dtypes.uint16), as_tensor(0xFFFF, dtypes.uint16)))
    least = where(elementwise("lt", b, 0), as_tensor(0x8001, dtypes.uint16), as_tensor(1, dtypes.uint16))
    moved = where(elementwise("eq", a, 0), least, moved)
    result = where(bind("eq", a, b), b, bind("bitcast", moved, dtype=a.type.dtype))
    return where(bind("logical_or", bind("isnan", a), bind("isnan", b)), math.nan, result)


@operation
def signbit(x: Any) -> Tensor:
    """Whether elements have a minus sign, -0.0 included.

    Example:

    >>> signbit([-1.0, -0.0, 0.0]).numpy()
    array([ True,  True, False])
    """
    tensor = as_tensor(x)
    if tensor.type.dtype.is_complex:
        raise DTypeError("`signbit` takes real numbers", got=tensor.dtype)
    return bind("signbit", tensor) if tensor.type.dtype.is_float else elementwise("lt", tensor, 0)


@operation
def sinc(x: Any) -> Tensor:
    """`sin(pi * x) / (pi * x)`, and 1 at 0, elementwise."""
    angle = operate("mul", in_float(x), math.pi)
    at_zero = elementwise("eq", angle, 0)
    safe = where(at_zero, 1, angle)
    # At 0 the first terms of its series, which have its derivatives there.
    series = operate("sub", 1, operate("mul", bind("mul", angle, angle), 1 / 6))
    return where(at_zero, series, bind("div", bind("sin", safe), safe))


@operation
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """For each element the value of the first condition that holds, and `default` where none does.

    Args:
        condlist: Tensors of booleans.
        choicelist: As many tensors of values; all broadcast.
        default: The value where no condition holds.

    Raises:
        ArgumentError: if there are no conditions, or not as many values.

    Example:

    >>> select([[True, False, False], [True, True, False]], [1, 2], 3).numpy()
    array([1, 2, 3], dtype=int32)
    """
    if len(condlist) != len(choicelist) or len(condlist) == 0:
        raise ArgumentError(
            "`select` takes a value for each condition",
            got=f"{len(condlist)} conditions and {len(choicelist)} values",
        )
    dtype = result_dtype(*choicelist, default)
    result = as_tensor(default, dtype)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, as_tensor(choice, dtype), result)
    return result


def _limits(dtype: DType) -> tuple[float, float]:
    if dtype.is_bool:
        return 0, 1
    if dtype.is_integer:
        return int(np.iinfo(dtype.numpy).min), int(np.iinfo(dtype.numpy).max)
    limits: Any = ml_dtypes.finfo(dtype.numpy)  # type: ignore[no-untyped-call]
    return float(limits.min), float(limits.max)


@operation
def saturate_cast(x: Any, dtype: Any) -> Tensor:
    """Casts to another dtype; what is out of its range becomes its least or largest number.

    Example:

    >>> saturate_cast([-1, 256], "uint8").numpy()
    array([  0, 255], dtype=uint8)
    """
    tensor, wanted = as_tensor(x), dtypes.as_dtype(dtype)
    have = tensor.type.dtype
    if have.is_complex or wanted.is_complex or have.is_bool:
        return _cast(tensor, wanted)
    (least, most), (low, high) = _limits(have), _limits(wanted)
    if have.is_float and wanted.is_integer:
        return _cast(tensor, wanted)  # casts of floats to integers saturate
    if low > least or high < most:
        tensor = bind("clip", tensor, low=max(low, least), high=min(high, most))
    return _cast(tensor, wanted)


@operation
def view(x: Any, dtype: Any = None) -> Tensor:
    """The bits of the elements as elements of another dtype.

    Args:
        x: Tensor.
        dtype: The dtype. If its elements are larger or smaller, the last axis has fewer or more of them. None: that of
            `x`.

    Raises:
        ShapeError: if the bytes of the last axis are no whole number of such elements.

    Example:

    >>> view([1.0], "int32").numpy()
    array([1065353216], dtype=int32)
    """
    tensor = as_tensor(x)
    wanted = tensor.type.dtype if dtype is None else dtypes.as_dtype(dtype)
    return tensor if wanted is tensor.type.dtype else bind("bitcast", tensor, dtype=wanted)
