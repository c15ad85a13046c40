"""Elementwise functions, computed in floats: integers are cast to the default float dtype."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes

from graphc.ops.elementwise import float_function, in_float, minus_abs, where
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing.arithmetic import operate, rounded
from graphc.tracing.conversion import float_dtype
from graphc.tracing.elementwise import broadcast_operands
from graphc.tracing.large import pointwise

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "nan_to_num",
    "rad2deg",
    "round",
    "rsqrt",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
]


def _rounding(op: str, x: Any) -> Tensor:
    """Applies a rounding primitive; integers are returned unchanged."""
    tensor = as_tensor(x)
    return bind(op, tensor) if tensor.type.dtype.is_inexact else tensor


@operation
def exp(x: Any) -> Tensor:
    """e to the power of `x`, elementwise."""
    return float_function("exp", x)


@operation
def exp2(x: Any) -> Tensor:
    """2 to the power of `x`, elementwise."""
    return float_function("exp2", x)


@operation
def expm1(x: Any) -> Tensor:
    """`exp(x) - 1`, exact also near 0, elementwise."""
    return float_function("expm1", x)


@operation
def log(x: Any) -> Tensor:
    """The natural logarithm, elementwise."""
    return float_function("log", x)


@operation
def log2(x: Any) -> Tensor:
    """The logarithm to base 2, elementwise."""
    return float_function("log2", x)


@operation
def log10(x: Any) -> Tensor:
    """The logarithm to base 10, elementwise."""
    return float_function("log10", x)


@operation
def log1p(x: Any) -> Tensor:
    """`log(1 + x)`, exact also near 0, elementwise."""
    return float_function("log1p", x)


@operation
def sqrt(x: Any) -> Tensor:
    """The square root, elementwise."""
    return float_function("sqrt", x)


@operation
def rsqrt(x: Any) -> Tensor:
    """`1 / sqrt(x)`, elementwise."""
    return float_function("rsqrt", x)


@operation
def cbrt(x: Any) -> Tensor:
    """The cube root, elementwise."""
    return float_function("cbrt", x)


@operation
def sin(x: Any) -> Tensor:
    """The sine of an angle in radians, elementwise."""
    return float_function("sin", x)


@operation
def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians, elementwise."""
    return float_function("cos", x)


@operation
def tan(x: Any) -> Tensor:
    """The tangent of an angle in radians, elementwise."""
    return float_function("tan", x)


@operation
def arcsin(x: Any) -> Tensor:
    """The angle in radians that has the sine `x`, elementwise."""
    return float_function("asin", x)


@operation
def arccos(x: Any) -> Tensor:
    """The angle in radians that has the cosine `x`, elementwise."""
    return float_function("acos", x)


@operation
def arctan(x: Any) -> Tensor:
    """The angle in radians that has the tangent `x`, elementwise."""
    return float_function("atan", x)


@operation
def sinh(x: Any) -> Tensor:
    """The hyperbolic sine, elementwise."""
    return float_function("sinh", x)


@operation
def cosh(x: Any) -> Tensor:
    """The hyperbolic cosine, elementwise."""
    return float_function("cosh", x)


@operation
def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent, elementwise."""
    return float_function("tanh", x)


@operation
def arcsinh(x: Any) -> Tensor:
    """The inverse of `sinh`, elementwise."""
    return float_function("asinh", x)


@operation
def arccosh(x: Any) -> Tensor:
    """The inverse of `cosh`, elementwise."""
    return float_function("acosh", x)


@operation
def arctanh(x: Any) -> Tensor:
    """The inverse of `tanh`, elementwise."""
    return float_function("atanh", x)


@pointwise
def erf(x: Any) -> Tensor:
    """The error function `2 / sqrt(pi) * integral from 0 to x of exp(-t * t)`, elementwise."""
    return float_function("erf", x)


@pointwise
def erfc(x: Any) -> Tensor:
    """`1 - erf(x)`, exact also for large `x`, elementwise."""
    return float_function("erfc", x)


@operation
def erfinv(x: Any) -> Tensor:
    """The inverse of `erf`, elementwise."""
    return float_function("erfinv", x)


@operation
def floor(x: Any) -> Tensor:
    """The largest whole number that is not above `x`, elementwise; integers become floats, as in Keras."""
    return float_function("floor", x)


@operation
def ceil(x: Any) -> Tensor:
    """The smallest whole number that is not below `x`, elementwise; integers become floats, as in Keras."""
    return float_function("ceil", x)


@operation
def trunc(x: Any) -> Tensor:
    """The whole number next to `x` towards 0, elementwise."""
    return _rounding("trunc", x)


@operation
def round(x: Any, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals, elementwise; halves go to the even one.

    Example:

    >>> round([0.5, 1.5, 2.46]).numpy(), round([2.46], 1).numpy()
    (array([0., 2., 2.], dtype=float32), array([2.5], dtype=float32))
    """
    return rounded(x, decimals)


def _log_of_sum(power: str, x1: Any, x2: Any) -> Tensor:
    """The logarithm of the sum of two powers of a base, without overflow: the larger one, and what the other adds."""
    a, b = broadcast_operands(*(as_tensor(x) for x in (x1, x2)), dtype=float_dtype(as_tensor(x1), as_tensor(x2)))
    # The difference of equal infinities would be NaN.
    endless = bind("logical_and", bind("eq", a, b), bind("isinf", a))
    difference = where(endless, 0, bind("sub", a, b))
    larger = where(bind("logical_or", bind("gt", a, b), bind("ne", a, a)), a, b)
    larger = where(endless, bind("maximum", a, b), larger)  # its slope by each is a half there
    more = bind("log1p", bind(power, minus_abs(difference)))
    return bind("add", larger, more if power == "exp" else operate("mul", more, 1 / math.log(2)))


@operation
def logaddexp(x1: Any, x2: Any) -> Tensor:
    """`log(exp(x1) + exp(x2))`, elementwise, without overflow."""
    return _log_of_sum("exp", x1, x2)


@operation
def logaddexp2(x1: Any, x2: Any) -> Tensor:
    """`log2(2 ** x1 + 2 ** x2)`, elementwise, without overflow.

    Example:

    >>> logaddexp2(3.0, 3.0).numpy().item()
    4.0
    """
    return _log_of_sum("exp2", x1, x2)


@operation
def hypot(x1: Any, x2: Any) -> Tensor:
    """`sqrt(x1 * x1 + x2 * x2)`, elementwise, without overflow; infinite where one of them is.

    Its gradient at (0, 0) is 0.
    """
    a, b = (bind("neg", minus_abs(x)) for x in broadcast_operands(x1, x2, dtype=float_dtype(x1, x2)))
    # Where both are equal, one is the longer in all derivatives.
    swapped = bind("logical_or", bind("lt", a, b), bind("ne", b, b))
    longer, shorter = where(swapped, b, a), where(swapped, a, b)
    # The quotient is not used where it would be NaN.
    plain = bind("logical_and", elementwise("gt", longer, 0), bind("isfinite", longer))
    ratio = bind("div", where(plain, shorter, 0), where(plain, longer, 1))
    length = bind("mul", longer, bind("sqrt", elementwise("add", bind("mul", ratio, ratio), 1)))
    length = where(elementwise("eq", longer, 0), 0, length)
    return where(bind("logical_or", bind("isinf", a), bind("isinf", b)), bind("maximum", *_endless(a, b)), length)


def _endless(*sizes: Tensor) -> list[Tensor]:
    """Absolute values with NaN replaced by 0."""
    return [where(bind("isnan", size), 0, size) for size in sizes]


@operation
def deg2rad(x: Any) -> Tensor:
    """Degrees as radians, elementwise."""
    return operate("mul", in_float(x), math.pi / 180)


@operation
def rad2deg(x: Any) -> Tensor:
    """Radians as degrees, elementwise."""
    return operate("mul", in_float(x), 180 / math.pi)


@operation
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Replaces NaN and infinities in `x`.

    Args:
        x: Tensor.
        nan: The replacement of NaN.
        posinf: The replacement of positive infinity. None: the maximum of the dtype.
        neginf: The replacement of negative infinity. None: the minimum of the dtype.
    """
    tensor = as_tensor(x)
    if tensor.type.dtype.is_complex:
        return bind("complex", *(nan_to_num(bind(part, tensor), nan, posinf, neginf) for part in ("real", "imag")))
    if not tensor.type.dtype.is_float:
        return tensor
    limit: Any = ml_dtypes.finfo(tensor.type.dtype.numpy)  # type: ignore[no-untyped-call]
    tensor = where(bind("isnan", tensor), nan, tensor)
    tensor = where(elementwise("eq", tensor, math.inf), float(limit.max) if posinf is None else posinf, tensor)
    return where(elementwise("eq", tensor, -math.inf), float(limit.min) if neginf is None else neginf, tensor)
