"""Pointwise operations as nodes of ONNX.

Each is computed in a dtype in which ONNX Runtime computes it: narrow integers in a wider one, whose result is cast back
and thus wraps, and halves in float32, whose results are rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import UnsupportedError
from graphc.export.onnx.emitter import Emitter, Rule, physical
from graphc.export.onnx.placed import Parts, Placed, Stored
from graphc.export.onnx.scope import Scope
from graphc.graph.registry import primitive
from graphc.graph.types import Node

_FLOATS = ("float32", "float64")
_WHOLE = ("int32", "int64")
_NUMBERS = (*_FLOATS, *_WHOLE)
_WIDER = MappingProxyType(
    {
        **dict.fromkeys(("bool", "int8", "int16", "uint8", "uint16"), dtypes.int32),
        **dict.fromkeys(("int32", "uint32", "uint64"), dtypes.int64),
    }
)

# What emits an operation, from the names of operands of one dtype, and attributes.
Build: TypeAlias = Callable[[Scope, Sequence[str], DType, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Pointwise:
    """How a pointwise operation is emitted.

    Args:
        build: Emits it.
        dtypes: The names of the dtypes in which it is computed.
        exact: Whether results of halves are halves, and need no rounding.
        tests: Whether the result is a boolean.
        refused: The names of dtypes whose largest numbers it would compute wrongly.
    """

    build: Build
    dtypes: tuple[str, ...] = _FLOATS
    exact: bool = False
    tests: bool = False
    refused: tuple[str, ...] = ()

    def __call__(self, e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        """Emits the operation."""
        placed = real(e, operands)
        given = e.type(node.inputs[-1]).dtype
        own, order, axes = physical(given), *e.together(placed, node.outs[0].rank)
        dtype = own
        while dtype.name not in self.dtypes and dtype.name in _WIDER:
            dtype = _WIDER[dtype.name]
        if own.name in self.refused:
            raise UnsupportedError(f"ONNX Runtime has no `{node.op}` of {own}", hint="cast to int64")
        if self.tests and own.name == "uint64":
            names = [e.scope.in_order(e.aligned(x, order), own, dtype) for x in placed]
        else:
            names = [e.aligned(x, order, dtype, own) for x in placed]
        result = self.build(e.scope, names, dtype, node.attrs)
        if self.tests:
            return Placed(result, axes)
        result = result if dtype is own else e.scope.cast(result, own)
        return Placed(result if self.exact else e.rounded(result, given), axes)


def real(e: Emitter, operands: Sequence[Stored]) -> list[Placed]:
    """Operands that are not complex.

    Raises:
        UnsupportedError: if one is.
    """
    found = [x for x in operands if isinstance(x, Placed)]
    if len(found) != len(operands):
        raise e.no_complex()
    return found


def _named(op: str) -> Build:
    return lambda s, x, dtype, attrs: s.op(op, *x)


# ---- integers


def _divided(s: Scope, x: Sequence[str], dtype: DType) -> tuple[str, str, str]:
    """Whether divisors are zero, divisors without zeros, and remainders with the sign of the divisors."""
    zero = s.op("Equal", x[1], s.number(0, dtype))
    by = s.op("Where", zero, s.number(1, dtype), x[1])
    return zero, by, s.op("Mod", x[0], by)


def _floordiv(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    if dtype.is_integer:
        zero, by, rest = _divided(s, x, dtype)
        return s.op("Where", zero, s.number(0, dtype), s.op("Div", s.op("Sub", x[0], rest), by))
    rest = _mod(s, x, dtype, attrs)
    quotient = s.op("Div", s.op("Sub", x[0], rest), x[1])
    whole = s.op("Round", quotient)
    zero = s.op("Equal", x[1], s.number(0, dtype))
    return s.op("Where", zero, s.op("Div", *x), whole)


def _mod(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    if dtype.is_integer:
        zero, _, rest = _divided(s, x, dtype)
        return s.op("Where", zero, s.number(0, dtype), rest)
    rest, none = s.op("Mod", *x, fmod=1), s.number(0, dtype)
    differ = s.op("Xor", s.op("Less", rest, none), s.op("Less", x[1], none))
    wrong = s.op("And", differ, s.op("Not", s.op("Equal", rest, none)))
    return s.op("Where", wrong, s.op("Add", rest, x[1]), rest)


def _bitwise(op: str, logical: str) -> Build:
    def build(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
        if dtype.is_bool:
            return s.op(logical, *x)
        if s.opset < 18:
            raise UnsupportedError(
                "bitwise operations need newer operators of ONNX", got=f"opset {s.opset}", hint="opset_version=18"
            )
        return s.op(op, *x)

    return build


_BITS = (*(t.name for t in (*dtypes.SIGNED, *dtypes.UNSIGNED)), "bool")


def _shift(direction: str) -> Build:
    """Bits that leave the dtype are lost; where the count is none of a bit, no bits are left, or the sign alone.

    All are shifted as 64 bits, which the result is cast from.
    """

    def build(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
        wide = dtypes.int64
        given, count = (s.cast(name, wide) for name in x)
        zero, ones, most = (s.number(n, wide) for n in (0, -1, dtype.bits - 1))
        is_bit = s.op("And", s.op("GreaterOrEqual", count, zero), s.op("LessOrEqual", count, most))
        count = s.op("Where", is_bit, count, most)
        keeps_sign = direction == "RIGHT" and dtype.kind == "int"
        negative = s.op("Less", given, zero)
        if keeps_sign:
            given = s.op("Where", negative, s.op("Sub", ones, given), given)
        bits = [s.cast(name, dtypes.uint64) for name in (given, count)]
        shifted = s.cast(s.op("BitShift", *bits, direction=direction), wide)
        if keeps_sign:
            shifted = s.op("Where", negative, s.op("Sub", ones, shifted), shifted)
        else:
            shifted = s.op("Where", is_bit, shifted, zero)
        return s.cast(shifted, dtype)

    return build


# ---- functions that ONNX lacks


def _scaled(op: str, factor: float) -> Build:
    return lambda s, x, dtype, attrs: s.op("Mul", s.op(op, *x), s.number(factor, dtype))


def _expm1(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    """`2 t / (1 - t)` with `t = tanh(x / 2)` near 0, where the difference would lose digits."""
    one = s.number(1, dtype)
    half = s.op("Tanh", s.op("Mul", x[0], s.number(0.5, dtype)))
    near = s.op("Div", s.op("Add", half, half), s.op("Sub", one, half))
    is_near = s.op("Less", s.op("Abs", x[0]), s.number(0.5, dtype))
    return s.op("Where", is_near, near, s.op("Sub", s.op("Exp", x[0]), one))


def _log1p(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    """`2 atanh(x / (2 + x))` near 0, where the sum would lose digits, as a series."""
    sum_ = s.op("Log", s.op("Add", x[0], s.number(1, dtype)))
    ratio = s.op("Div", x[0], s.op("Add", x[0], s.number(2, dtype)))
    square = s.op("Mul", ratio, ratio)
    total = s.number(2 / 13 if dtype.bits < 64 else 2 / 41, dtype)
    for order in range(11 if dtype.bits < 64 else 39, 0, -2):
        total = s.op("Add", s.op("Mul", total, square), s.number(2 / order, dtype))
    is_near = s.op("Less", s.op("Abs", x[0]), s.number(0.35, dtype))
    return s.op("Where", is_near, s.op("Mul", total, ratio), sum_)


def _cbrt(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    return s.op("Mul", s.op("Sign", x[0]), s.op("Pow", s.op("Abs", x[0]), s.number(1 / 3, dtype)))


def _cospi(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    two = s.number(2, dtype)
    turns = s.op("Sub", x[0], s.op("Mul", s.op("Round", s.op("Div", x[0], two)), two))
    return s.op("Cos", s.op("Mul", turns, s.number(math.pi, dtype)))


# The approximation of Giles (2012): coefficients for the central part and for the tails.
_CENTRAL = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087) + (
    (-0.00125372503, -0.00417768164, 0.246640727, 1.50140941)
)
_TAILS = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773) + (
    (-0.0076224613, 0.00943887047, 1.00167406, 2.83297682)
)


def _erfinv(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    one = s.number(1, dtype)
    w = s.op("Neg", s.op("Log", s.op("Mul", s.op("Sub", one, x[0]), s.op("Add", one, x[0]))))

    def polynomial(at: str, coefficients: Sequence[float]) -> str:
        total = s.number(coefficients[0], dtype)
        for coefficient in coefficients[1:]:
            total = s.op("Add", s.op("Mul", total, at), s.number(coefficient, dtype))
        return total

    central = polynomial(s.op("Sub", w, s.number(2.5, dtype)), _CENTRAL)
    tails = polynomial(s.op("Sub", s.op("Sqrt", s.op("Abs", w)), s.number(3, dtype)), _TAILS)
    return s.op("Mul", s.op("Where", s.op("Less", w, s.number(5, dtype)), central, tails), x[0])


def _atan2(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    up, right = x
    zero, turn = s.number(0, dtype), s.number(math.pi, dtype)
    on_axis = s.op("Equal", right, zero)
    slope = s.op("Atan", s.op("Div", up, s.op("Where", on_axis, s.number(1, dtype), right)))
    half_turn = s.op("Where", s.op("Less", up, zero), s.op("Neg", turn), turn)
    angle = s.op("Where", s.op("Less", right, zero), s.op("Add", slope, half_turn), slope)
    return s.op("Where", on_axis, s.op("Mul", s.op("Sign", up), s.number(math.pi / 2, dtype)), angle)


def _trunc(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    return s.op("Mul", s.op("Sign", x[0]), s.op("Floor", s.op("Abs", x[0])))


def _signbit(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    zero = s.number(0, dtype)
    inverse = s.op("Less", s.op("Div", s.number(1, dtype), x[0]), zero)
    return s.op("Or", s.op("Less", x[0], zero), s.op("And", s.op("Equal", x[0], zero), inverse))


def _not(op: str) -> Build:
    return lambda s, x, dtype, attrs: s.op("Not", s.op(op, *x))


def _isfinite(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    return s.op("Not", s.op("Or", s.op("IsNaN", x[0]), s.op("IsInf", x[0])))


def _with_number(op: str, number: float, first: bool = False) -> Build:
    def build(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
        other = s.number(number, dtype)
        return s.op(op, other, x[0]) if first else s.op(op, x[0], other)

    return build


def _relu(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    return s.op("Relu", x[0]) if dtype.is_float else s.op("Max", x[0], s.number(0, dtype))


def _extremum(op: str, logical: str) -> Build:
    return lambda s, x, dtype, attrs: s.op(logical if dtype.is_bool else op, *x)


def _rsqrt(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    return s.op("Div", s.number(1, dtype), s.op("Sqrt", x[0]))


POINTWISE: dict[str, Rule] = {
    **{name: Pointwise(_named(op), _NUMBERS) for name, op in (("add", "Add"), ("sub", "Sub"), ("mul", "Mul"))},
    "div": Pointwise(_named("Div")),
    "floordiv": Pointwise(_floordiv, _NUMBERS, refused=("uint64",)),
    "mod": Pointwise(_mod, _NUMBERS, refused=("uint64",)),
    "pow": Pointwise(_named("Pow"), _NUMBERS, refused=("uint64",)),
    "minimum": Pointwise(_extremum("Min", "And"), (*_NUMBERS, "uint32", "uint64", "bool"), exact=True),
    "maximum": Pointwise(_extremum("Max", "Or"), (*_NUMBERS, "uint32", "uint64", "bool"), exact=True),
    "atan2": Pointwise(_atan2),
    "neg": Pointwise(_named("Neg"), _NUMBERS, exact=True),
    "relu": Pointwise(_relu, _NUMBERS, exact=True),
    "abs": Pointwise(_named("Abs"), _NUMBERS, exact=True),
    "sign": Pointwise(_named("Sign"), _NUMBERS, exact=True),
    # comparisons and logic
    "eq": Pointwise(_named("Equal"), (*_NUMBERS, "bool"), tests=True),
    "ne": Pointwise(_not("Equal"), (*_NUMBERS, "bool"), tests=True),
    "lt": Pointwise(_named("Less"), _NUMBERS, tests=True),
    "le": Pointwise(_named("LessOrEqual"), _NUMBERS, tests=True),
    "gt": Pointwise(_named("Greater"), _NUMBERS, tests=True),
    "ge": Pointwise(_named("GreaterOrEqual"), _NUMBERS, tests=True),
    "isnan": Pointwise(_named("IsNaN"), tests=True),
    "isinf": Pointwise(_named("IsInf"), tests=True),
    "isfinite": Pointwise(_isfinite, tests=True),
    "signbit": Pointwise(_signbit, tests=True),
    **{
        name: Pointwise(_named(op), ("bool",), tests=True)
        for name, op in (("logical_and", "And"), ("logical_or", "Or"), ("logical_xor", "Xor"), ("logical_not", "Not"))
    },
    # bits
    "bit_and": Pointwise(_bitwise("BitwiseAnd", "And"), _BITS),
    "bit_or": Pointwise(_bitwise("BitwiseOr", "Or"), _BITS),
    "bit_xor": Pointwise(_bitwise("BitwiseXor", "Xor"), _BITS),
    "bit_not": Pointwise(_with_number("Sub", -1, first=True), _WHOLE),
    "shift_left": Pointwise(_shift("LEFT"), _BITS),
    "shift_right": Pointwise(_shift("RIGHT"), _BITS),
    # functions
    **{
        name: Pointwise(_named(name.capitalize()))
        for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")
    },
    **{name: Pointwise(_named(name.capitalize())) for name in ("asinh", "acosh", "atanh", "erf", "sigmoid")},
    "exp2": Pointwise(_with_number("Pow", 2, first=True)),
    "expm1": Pointwise(_expm1),
    "log2": Pointwise(_scaled("Log", 1 / math.log(2))),
    "log10": Pointwise(_scaled("Log", 1 / math.log(10))),
    "log1p": Pointwise(_log1p),
    "rsqrt": Pointwise(_rsqrt),
    "cbrt": Pointwise(_cbrt),
    "cospi": Pointwise(_cospi),
    "erfc": Pointwise(lambda s, x, dtype, attrs: s.op("Sub", s.number(1, dtype), s.op("Erf", x[0]))),
    "erfinv": Pointwise(_erfinv),
    **{name: Pointwise(_named(name.capitalize()), exact=True) for name in ("floor", "ceil", "round")},
    "trunc": Pointwise(_trunc, exact=True),
}


# ---- selection, limits, conversion


def _select(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    if isinstance(operands[1], Parts) or isinstance(operands[2], Parts):
        parts = [[x if isinstance(x, Placed) else getattr(x, name) for x in operands] for name in ("real", "imag")]
        return Parts(*(_selected(e, node, part, e.type(node.inputs[1]).dtype.real) for part in parts))
    return _selected(e, node, real(e, operands), physical(e.type(node.inputs[1]).dtype))


def _selected(e: Emitter, node: Node, operands: Sequence[Placed], own: DType) -> Placed:
    order, axes = e.together(operands, node.outs[0].rank)
    condition, then, otherwise = (e.aligned(x, order) for x in operands)
    return Placed(choose(e.scope, condition, then, otherwise, own), axes)


def choose(s: Scope, condition: str, then: str, otherwise: str, dtype: DType) -> str:
    """One of two tensors by a condition."""
    if dtype.is_bool:
        return s.op("Or", s.op("And", condition, then), s.op("And", s.op("Not", condition), otherwise))
    if dtype.name in (*_NUMBERS, "uint8"):
        return s.op("Where", condition, then, otherwise)
    wide = _WIDER[dtype.name]
    return s.cast(s.op("Where", condition, s.cast(then, wide), s.cast(otherwise, wide)), dtype)


def _clip(s: Scope, x: Sequence[str], dtype: DType, attrs: Mapping[str, Any]) -> str:
    least, most = float(attrs["low"]), float(attrs["high"])
    if dtype.is_integer:
        ends = np.iinfo(dtype.numpy)
        least, most = primitive("clip").eval(np.array([ends.min, ends.max], dtype.numpy), **attrs).tolist()
    bounds = [s.number(bound, dtype) for bound in (least, most)]
    if not math.isinf(least) and not math.isinf(most):
        return s.op("Clip", x[0], *bounds)
    x0 = x[0] if least == -math.inf else s.op("Max", x[0], bounds[0])
    return x0 if most == math.inf else s.op("Min", x0, bounds[1])


def _cast(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    source, dtype = e.type(node.inputs[0]).dtype, node.attrs["dtype"]
    x = operands[0]
    if dtype.is_complex:
        wide = dtype.real
        if isinstance(x, Parts):
            return Parts(*(_converted(e, part, source.real, wide, node.outs[0].rank) for part in (x.real, x.imag)))
        zero = Placed("constant", (), np.zeros((), wide.numpy))
        return Parts(_converted(e, x, source, wide, node.outs[0].rank), zero)
    if isinstance(x, Parts):
        if dtype.is_bool:
            raise e.no_complex()
        return _converted(e, x.real, source.real, dtype, node.outs[0].rank)
    return _converted(e, x, source, dtype, node.outs[0].rank)


def _converted(e: Emitter, x: Placed, source: DType, dtype: DType, rank: int) -> Placed:
    order, axes = e.together([x], rank)
    s, own, wanted = e.scope, physical(source), physical(dtype)
    name = e.aligned(x, order)
    if dtype.is_bool:
        numbers = name if own.name in _NUMBERS else s.cast(name, _WIDER[own.name])
        kind = own if own.name in _NUMBERS else _WIDER[own.name]
        return Placed(name if own.is_bool else s.op("Not", s.op("Equal", numbers, s.number(0, kind))), axes)
    if source.is_float and dtype.is_integer:
        return Placed(_saturated(s, name, own, dtype), axes)
    name = name if own is wanted else s.cast(name, wanted)
    return Placed(name if wanted is dtype or source is dtype else e.rounded(name, dtype), axes)


def _saturated(s: Scope, name: str, own: DType, dtype: DType) -> str:
    """Floats as integers: the nearest end of the dtype where they are outside, and 0 for NaN."""
    ends, wide, zero = np.iinfo(dtype.numpy), dtypes.int64, s.number(0, own)
    above = s.op("GreaterOrEqual", name, s.number(2.0 ** (dtype.bits - (dtype.kind == "int")), own))
    below = s.op("LessOrEqual", name, s.number(float(ends.min), own))
    inside = s.op("Not", s.op("Or", s.op("Or", above, below), s.op("IsNaN", name)))
    number = s.op("Where", inside, name, zero)
    if dtype.name == "uint64":  # the upper half, whose bits are those of negative numbers
        half = s.number(2.0**63, own)
        upper = s.op("GreaterOrEqual", number, half)
        whole = s.cast(s.op("Where", upper, s.op("Sub", number, half), number), wide)
        whole = s.op("Where", upper, s.op("Add", whole, s.number(-(2**63), wide)), whole)
    else:
        whole = s.cast(number, wide)
    least, most = (np.asarray(end, dtype.numpy).astype(np.int64) for end in (ends.min, ends.max))
    whole = s.op("Where", below, s.constant(least), whole)
    whole = s.op("Where", above, s.constant(most), whole)
    return whole if wide is dtype else s.cast(whole, dtype)


def _itself(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    return operands[0]


POINTWISE |= {
    "select": _select,
    "clip": Pointwise(_clip, _NUMBERS, exact=False),
    "cast": _cast,
    **dict.fromkeys(("stop_gradient", "read", "identity", "copy"), _itself),
}
