"""Algebraic identities: simplifications of pointwise operations with constant operands."""

from __future__ import annotations

from graphc.graph.builder import Builder, Value
from graphc.graph.types import Attrs
from graphc.primitives.padded_sums import concatenate_padded
from graphc.primitives.rewrites import first_operand, is_number, literal, producer

Operands = tuple[Value, ...]


def simpler_add(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """`x + 0`, and sums of zero-padded slices."""
    x, y = operands
    # x + 0 is x but for x = -0.0, which programs can only distinguish from 0 by dividing; -0.0 + 0.0 is 0.0.
    if is_number(y, 0):
        return x
    return y if is_number(x, 0) else concatenate_padded(x, y)


def simpler_sub(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """`x - 0` and `0 - x`."""
    x, y = operands
    if is_number(y, 0):
        return x
    return builder.apply("neg", y) if is_number(x, 0) and y.dtype.kind != "uint" else None


def simpler_mul(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """`x * 1`, `x * -1`, and `x * 0` of integers."""
    x, y = operands
    for one, other in ((x, y), (y, x)):
        if is_number(one, 1):
            return other
        if is_number(one, -1) and other.dtype.kind != "uint":
            return builder.apply("neg", other)
        if is_number(one, 0) and not other.dtype.is_inexact:
            return one
    return None


def simpler_div(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """`x / 1`."""
    return operands[0] if is_number(operands[1], 1) else None


def simpler_pow(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """Powers with the exponents 1, 2 and -1: `x`, `x * x` and `1 / x`."""
    x, exponent = operands[0], literal(operands[1])
    if exponent == 1:
        return x
    if exponent == 2:
        return builder.apply("mul", x, x)
    if exponent == -1 and x.dtype.is_inexact:
        return builder.apply("div", builder.full(1, x.shape, x.dtype), x)
    return None


def simpler_neg(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """`-(-x)`."""
    return first_operand(operands[0]) if producer(operands[0]).op == "neg" else None


def simpler_select(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """Selections with a constant condition, or between equal values."""
    condition, then, otherwise = operands
    if then.ref == otherwise.ref:
        return then
    known = literal(condition)
    return None if known is None else then if known else otherwise


def simpler_cast(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    """Casts of a value to its own dtype."""
    return operands[0] if operands[0].dtype is attrs["dtype"] else None
