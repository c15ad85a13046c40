"""Pointwise operations: arithmetic, comparisons, logic, bits, functions, rounding, selection, casts.

All operands have the same shape; broadcasting is explicit (`broadcast`). Integer arithmetic wraps; integer division by
zero gives 0. Functions of half-precision operands are computed in float32. Gradients by complex operands are those of
holomorphic functions, without conjugates (`graphc.autodiff`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.dtypes import DType
from graphc.exprs import Const, Expr, call, cast, const, select
from graphc.graph.builder import Applied, Value
from graphc.graph.registry import Case, Kind, Primitive, register
from graphc.graph.types import TensorType
from graphc.intrinsics import power, shift_left, shift_right
from graphc.primitives import algebra
from graphc.primitives.base import (
    ANY,
    BITS,
    COMPLEX,
    FLOATS,
    INEXACT,
    NUMBERS,
    ORDERED,
    REALS,
    SIGNED,
    Array,
    check_dtype,
    check_same,
    full_like,
    linear_in,
    pointwise,
    separately,
    together,
)
from graphc.primitives.batching import over_elements
from graphc.primitives.rewrites import operand_itself
from graphc.special_functions import cospi, erf, erfc, erfinv

Grads = Sequence[Value | None]


def _intrinsic(name: str) -> Any:
    return partial(call, name)


def _op(name: str, *operands: Value, **attrs: Any) -> Value:
    return operands[0].builder.apply(name, *operands, **attrs)


def _scale(value: Value, number: complex) -> Value:
    return _op("mul", value, full_like(value, number))


def _where(condition: Value, then: Value, otherwise: Value) -> Value:
    return _op("select", condition, then, otherwise)


# ---- arithmetic


def _mul_vjp(g: Value, n: Applied) -> Grads:
    x, y = n.operands
    return _op("mul", g, y), _op("mul", g, x)


def _div_vjp(g: Value, n: Applied) -> Grads:
    _, y = n.operands
    dx = _op("div", g, y)
    return dx, _op("neg", _op("mul", dx, n.result))


def _pow_vjp(g: Value, n: Applied) -> Grads:
    x, y = n.operands
    one, zero = full_like(x, 1), full_like(x, 0)
    dx = _op("mul", g, _op("mul", y, _op("pow", x, _op("sub", y, one))))
    flat = _op("eq", y, zero)
    if x.dtype.is_complex:
        log = _op("log", _where(_op("eq", x, zero), one, x))
        return _where(flat, zero, dx), _op("mul", g, _op("mul", n.result, log))
    # x ** y * log(x) is 0 at x = 0 for positive y, where log alone is not finite.
    positive = _op("gt", x, zero)
    log = _op("log", _where(positive, x, one))
    dy = _op("mul", g, _where(positive, _op("mul", n.result, log), zero))
    return _where(flat, zero, dx), dy


def _extremum_vjp(g: Value, n: Applied) -> Grads:
    x, y = n.operands
    zero, half = full_like(g, 0), _scale(g, 0.5)
    equal = _op("eq", x, y)
    wins = _op("eq", x, n.result)
    return (
        _where(equal, half, _where(wins, g, zero)),
        _where(equal, half, _where(wins, zero, g)),
    )


def _mod_vjp(g: Value, n: Applied) -> Grads:
    x, y = n.operands
    return g, _op("neg", _op("mul", g, _op("floordiv", x, y)))


def _atan2_vjp(g: Value, n: Applied) -> Grads:
    y, x = n.operands
    over = _op("div", g, _op("add", _op("mul", x, x), _op("mul", y, y)))
    return _op("mul", over, x), _op("neg", _op("mul", over, y))


def _sub_vjp(g: Value, n: Applied) -> Grads:
    return g, _op("neg", g)


_SUM: dict[str, Any] = {"cheap": True, "linear": together}
_PRODUCT: dict[str, Any] = {"cheap": True, "linear": separately, "keeps_zero": (0, 1), "simplify": algebra.simpler_mul}
_QUOTIENT: dict[str, Any] = {"linear": linear_in(0), "keeps_zero": (0,), "simplify": algebra.simpler_div}
add = pointwise("add", np.add, _intrinsic("add"), lambda g, n: (g, g), NUMBERS, 2, simplify=algebra.simpler_add, **_SUM)
sub = pointwise("sub", np.subtract, _intrinsic("sub"), _sub_vjp, NUMBERS, 2, simplify=algebra.simpler_sub, **_SUM)
mul = pointwise("mul", np.multiply, _intrinsic("mul"), _mul_vjp, NUMBERS, 2, **_PRODUCT)
div = pointwise("div", np.divide, _intrinsic("div"), _div_vjp, INEXACT, 2, 0.5, 2.0, **_QUOTIENT)
floordiv = pointwise("floordiv", np.floor_divide, _intrinsic("floordiv"), lambda g, n: (None, None), REALS, 2, 1, 5)
mod = pointwise("mod", np.mod, _intrinsic("mod"), _mod_vjp, REALS, 2, 1, 5, distinct=True)
pow_ = pointwise("pow", power, _intrinsic("pow"), _pow_vjp, NUMBERS, 2, 0.5, 3.0, simplify=algebra.simpler_pow)
minimum = pointwise("minimum", np.minimum, _intrinsic("min"), _extremum_vjp, ORDERED, 2, distinct=True, cheap=True)
maximum = pointwise("maximum", np.maximum, _intrinsic("max"), _extremum_vjp, ORDERED, 2, distinct=True, cheap=True)
atan2 = pointwise("atan2", np.arctan2, _intrinsic("atan2"), _atan2_vjp, FLOATS, 2, 0.5, 2.0)
neg = pointwise(
    "neg",
    np.negative,
    _intrinsic("neg"),
    lambda g, n: (_op("neg", g),),
    (*SIGNED, *COMPLEX),
    simplify=algebra.simpler_neg,
    keeps_zero=(0,),
    **_SUM,
)


def _abs_vjp(g: Value, n: Applied) -> Grads:
    x = n.operands[0]
    if x.dtype.is_complex:
        # The direction of the operand, conjugated; 0 at 0.
        return (_op("mul", _op("cast", g, dtype=x.dtype), _op("conj", _op("sign", x))),)
    # At 0 the derivative from the right, as in Keras on JAX.
    return (_where(_op("ge", x, full_like(x, 0)), g, _op("neg", g)),)


def _relu_vjp(g: Value, n: Applied) -> Grads:
    # The sign of the result is that of the operand, and the result is stored more often.
    return (_where(_op("gt", n.result, full_like(g, 0)), g, full_like(g, 0)),)


def _relu_lower(x: Expr) -> Expr:
    return call("max", x, const(0, x.dtype))


def _relu_eval(x: Array) -> Array:
    return np.asarray(np.maximum(x, x.dtype.type(0)))


_ZERO_AT_ZERO: dict[str, Any] = {"cheap": True, "keeps_zero": (0,)}
relu = pointwise("relu", _relu_eval, _relu_lower, _relu_vjp, REALS, distinct=True, **_ZERO_AT_ZERO)
abs_ = pointwise(
    "abs", np.abs, _intrinsic("abs"), _abs_vjp, (*SIGNED, *COMPLEX), 1, 0.5, 2.0, parts=True, **_ZERO_AT_ZERO
)


def _sign_vjp(g: Value, n: Applied) -> Grads:
    """0, and of complex numbers `(g - conj(g) s^-2) / 2|x|`: the component orthogonal to `s`; at 0 it is 0."""
    x, s = n.operands[0], n.result
    if not x.dtype.is_complex:
        return (None,)
    back = _op("conj", s)
    across = _op("sub", g, _op("mul", _op("conj", g), _op("mul", back, back)))
    size = _op("cast", _op("abs", x), dtype=x.dtype)
    none = _op("eq", x, full_like(x, 0))
    return (_where(none, full_like(x, 0), _op("div", _scale(across, 0.5), _where(none, full_like(x, 1), size))),)


sign = pointwise("sign", np.sign, _intrinsic("sign"), _sign_vjp, (*SIGNED, *COMPLEX), 1, 0.5, 2.0, keeps_zero=(0,))

# ---- comparisons and logic

# Name, NumPy function, number of operands, their dtypes; all give booleans.
_TESTS: tuple[tuple[str, Any, int, tuple[str, ...]], ...] = (
    ("eq", np.equal, 2, ANY),
    ("ne", np.not_equal, 2, ANY),
    ("lt", np.less, 2, ORDERED),
    ("le", np.less_equal, 2, ORDERED),
    ("gt", np.greater, 2, ORDERED),
    ("ge", np.greater_equal, 2, ORDERED),
    ("isnan", np.isnan, 1, INEXACT),
    ("isinf", np.isinf, 1, INEXACT),
    ("isfinite", np.isfinite, 1, INEXACT),
)
_LOGIC: tuple[tuple[str, Any, int], ...] = (
    ("and", np.logical_and, 2),
    ("or", np.logical_or, 2),
    ("xor", np.logical_xor, 2),
    ("not", np.logical_not, 1),
)
for _name, _test, _arity, _allowed in _TESTS:
    pointwise(_name, _test, _intrinsic(_name), None, _allowed, _arity, result=dtypes.bool_, cheap=_arity == 2)
for _name, _test, _arity in _LOGIC:
    pointwise("logical_" + _name, _test, _intrinsic(_name), None, ("bool",), _arity, result=dtypes.bool_)

# ---- bits


def _shift_lower(name: str) -> Any:
    def lower(x: Expr, y: Expr) -> Expr:
        zero, most = const(0, x.dtype), const(x.dtype.bits - 1, x.dtype)
        if isinstance(y, Const) and 0 <= y.number <= most.number:
            return call(name, x, y)
        fits = call("le", y, most)
        if x.dtype.kind == "int":
            fits = call("and", call("ge", y, zero), fits)
        if name == "shift_right" and x.dtype.kind == "int":
            return call(name, x, select(fits, y, most))
        return select(fits, call(name, x, y), zero)

    return lower


INTS = tuple(name for name in BITS if name != "bool")
bit_and = pointwise("bit_and", np.bitwise_and, _intrinsic("bit_and"), None, BITS, 2, 0, 9, cheap=True)
bit_or = pointwise("bit_or", np.bitwise_or, _intrinsic("bit_or"), None, BITS, 2, 0, 9, cheap=True)
bit_xor = pointwise("bit_xor", np.bitwise_xor, _intrinsic("bit_xor"), None, BITS, 2, 0, 9, cheap=True)
bit_not = pointwise("bit_not", np.bitwise_not, _intrinsic("bit_not"), None, INTS, 1, 0, 9, cheap=True)
shift_left_ = pointwise("shift_left", shift_left, _shift_lower("shift_left"), None, INTS, 2, -3, 40)
shift_right_ = pointwise("shift_right", shift_right, _shift_lower("shift_right"), None, INTS, 2, -3, 40)

# ---- functions


def _by_result(rule: Any) -> Any:
    """A gradient that is the cotangent times a function of operand and result."""
    return lambda g, n: (_op("mul", g, rule(n.operands[0], n.result)),)


def _one_plus(value: Value, sign: str, other: Value) -> Value:
    return _op(sign, full_like(value, 1), other)


def _reciprocal(value: Value) -> Value:
    return _op("div", full_like(value, 1), value)


def _square(value: Value) -> Value:
    return _op("mul", value, value)


def _gaussian(x: Value, factor: float, sign: float) -> Value:
    return _scale(_op("exp", _scale(_square(x), sign)), factor)


def _acosh_slope(x: Value) -> Value:
    one = full_like(x, 1)
    if x.dtype.is_complex:  # the root of the product is another branch where the real part is negative
        return _op("mul", _op("rsqrt", _op("sub", x, one)), _op("rsqrt", _op("add", x, one)))
    return _op("rsqrt", _op("sub", _square(x), one))


def _functions() -> Iterable[tuple[str, Any, Any, float, float]]:
    """Name, NumPy function, derivative from operand and result, and the range it is sampled in."""
    yield "exp", np.exp, lambda x, y: y, -2, 2
    yield "exp2", np.exp2, lambda x, y: _scale(y, math.log(2)), -2, 2
    yield "expm1", np.expm1, lambda x, y: _one_plus(y, "add", y), -2, 2
    yield "log", np.log, lambda x, y: _reciprocal(x), 0.1, 3
    yield "log2", np.log2, lambda x, y: _scale(_reciprocal(x), 1 / math.log(2)), 0.1, 3
    yield "log10", np.log10, lambda x, y: _scale(_reciprocal(x), 1 / math.log(10)), 0.1, 3
    yield "log1p", np.log1p, lambda x, y: _reciprocal(_one_plus(x, "add", x)), -0.5, 2
    yield "sqrt", np.sqrt, lambda x, y: _scale(_reciprocal(y), 0.5), 0.1, 3
    yield "rsqrt", lambda x: 1 / np.sqrt(x), lambda x, y: _scale(_op("div", y, x), -0.5), 0.1, 3
    yield "cbrt", np.cbrt, lambda x, y: _scale(_reciprocal(_square(y)), 1 / 3), 0.1, 3
    yield "sin", np.sin, lambda x, y: _op("cos", x), -3, 3
    yield "cos", np.cos, lambda x, y: _op("neg", _op("sin", x)), -3, 3
    yield "cospi", cospi, lambda x, y: _scale(_op("sin", _scale(x, math.pi)), -math.pi), -3, 3
    yield "tan", np.tan, lambda x, y: _one_plus(y, "add", _square(y)), -1, 1
    yield "asin", np.arcsin, lambda x, y: _op("rsqrt", _one_plus(x, "sub", _square(x))), -0.9, 0.9
    yield "acos", np.arccos, lambda x, y: _op("neg", _op("rsqrt", _one_plus(x, "sub", _square(x)))), -0.9, 0.9
    yield "atan", np.arctan, lambda x, y: _reciprocal(_one_plus(x, "add", _square(x))), -2, 2
    yield "sinh", np.sinh, lambda x, y: _op("cosh", x), -2, 2
    yield "cosh", np.cosh, lambda x, y: _op("sinh", x), -2, 2
    yield "tanh", np.tanh, lambda x, y: _one_plus(y, "sub", _square(y)), -2, 2
    yield "asinh", np.arcsinh, lambda x, y: _op("rsqrt", _one_plus(x, "add", _square(x))), -2, 2
    yield "acosh", np.arccosh, lambda x, y: _acosh_slope(x), 1.2, 3
    yield "atanh", np.arctanh, lambda x, y: _reciprocal(_one_plus(x, "sub", _square(x))), -0.9, 0.9
    yield "erf", erf, lambda x, y: _gaussian(x, 2 / math.sqrt(math.pi), -1), -2, 2
    yield "erfc", erfc, lambda x, y: _gaussian(x, -2 / math.sqrt(math.pi), -1), -2, 2
    yield "erfinv", erfinv, lambda x, y: _gaussian(y, math.sqrt(math.pi) / 2, 1), -0.9, 0.9


# Functions with `f(0) = 0`.
_OF_ZERO_ZERO = ("expm1", "log1p", "sqrt", "cbrt", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh") + (
    ("erf", "erfinv")
)
_OF_REALS = ("cbrt", "cospi", "erf", "erfc", "erfinv")
for _name, _eval, _rule, _low, _high in _functions():
    _traits: dict[str, Any] = {"keeps_zero": (0,)} if _name in _OF_ZERO_ZERO else {}
    _allowed = FLOATS if _name in _OF_REALS else INEXACT
    pointwise(_name, _eval, _intrinsic(_name), _by_result(_rule), _allowed, 1, _low, _high, **_traits)

_ROUNDING: tuple[tuple[str, Any], ...] = (
    ("floor", np.floor),
    ("ceil", np.ceil),
    ("round", np.round),
    ("trunc", np.trunc),
)
for _name, _eval in _ROUNDING:
    pointwise(_name, _eval, _intrinsic(_name), lambda g, n: (None,), FLOATS, distinct=True, keeps_zero=(0,))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=x.dtype)


def _sigmoid_lower(x: Expr) -> Expr:
    # Where the power overflows, the quotient is 0, as it should be.
    one = const(1, x.dtype)
    return call("div", one, call("add", one, call("exp", call("neg", x))))


def _sigmoid_vjp(g: Value, n: Applied) -> Grads:
    # The derivative is computed from the result, which is stored anyway where it is a gate in a loop.
    y = n.result
    return (_op("mul", g, _op("mul", y, _one_plus(y, "sub", y))),)


sigmoid = pointwise("sigmoid", _sigmoid, _sigmoid_lower, _sigmoid_vjp, INEXACT)

# ---- selection, limits, conversion


def _select_infer(condition: TensorType, then: TensorType, otherwise: TensorType) -> TensorType:
    check_dtype("select", condition, ("bool",))
    check_same("select", then, otherwise)
    check_same("select", TensorType(condition.shape, then.dtype), then)
    return then


def _select_vjp(g: Value, n: Applied) -> Grads:
    condition, zero = n.operands[0], full_like(g, 0)
    return None, _where(condition, g, zero), _where(condition, zero, g)


def _select_cases() -> Iterable[Case]:
    yield Case(((3, 4),) * 3, {}, boolean_operands=(0,))


select_ = register(
    Primitive(
        "select",
        Kind.POINTWISE,
        _select_infer,
        lambda condition, then, otherwise: np.where(condition, then, otherwise),
        lambda condition, then, otherwise, out: select(condition, then, otherwise),
        _select_vjp,
        _select_cases,
        ANY,
        cheap=True,
        linear=linear_in(1, 2),
        batch=over_elements("select"),
        simplify=algebra.simpler_select,
    )
)


def _clip_infer(x: TensorType, low: float, high: float) -> TensorType:
    check_dtype("clip", x, REALS)
    return x


def _limits(low: float, high: float, dtype: DType) -> tuple[float, float]:
    """The bounds as numbers of the dtype; bounds outside an integer type's range become its ends."""
    if dtype.is_float:
        return float(low), float(high)
    limits = np.iinfo(dtype.numpy)
    least, most = int(limits.min), int(limits.max)
    return (
        least if low <= least else min(math.ceil(low), most),
        most if high >= most else max(math.floor(high), least),
    )


def _clip_eval(x: Array, low: float, high: float) -> Array:
    least, most = _limits(low, high, dtypes.as_dtype(x.dtype))
    clipped: Array = np.minimum(np.maximum(x, np.asarray(least, x.dtype)), np.asarray(most, x.dtype))
    return clipped


def _clip_lower(x: Expr, low: float, high: float, out: DType) -> Expr:
    least, most = _limits(low, high, out)
    return call("min", call("max", x, const(least, out)), const(most, out))


def _clip_vjp(g: Value, n: Applied) -> Grads:
    x = n.operands[0]
    unchanged = _op("eq", x, n.result)
    return (_where(unchanged, g, full_like(g, 0)),)


def _clip_cases() -> Iterable[Case]:
    yield Case(((4, 5),), {"low": -1, "high": 1}, distinct=True)


clip = register(
    Primitive(
        "clip",
        Kind.POINTWISE,
        _clip_infer,
        _clip_eval,
        _clip_lower,
        _clip_vjp,
        _clip_cases,
        REALS,
        cheap=True,
        batch=over_elements("clip"),
    )
)


def _cast_eval(x: Array, dtype: DType) -> Array:
    if x.dtype.kind == "c" and not (dtype.is_complex or dtype.is_bool):
        x = x.real
    source = dtypes.as_dtype(x.dtype)
    with np.errstate(all="ignore"):
        if not (source.is_float and dtype.is_integer):
            return x.astype(dtype.numpy)
        limits = np.iinfo(dtype.numpy)
        wide = x.astype(source.accumulator.numpy, copy=False)
        inside = (wide > limits.min) & (wide < 2.0**limits.bits / (2 if dtype.kind == "int" else 1))
        ends = np.where(wide > 0, limits.max, np.where(np.isnan(wide), 0, limits.min))
        return np.where(inside, np.where(inside, wide, 0).astype(dtype.numpy), ends.astype(dtype.numpy))


def _cast_lower(x: Expr, dtype: DType, out: DType) -> Expr:
    if dtype.is_bool:
        return call("ne", x, const(0, x.dtype))
    if x.dtype.is_complex and not dtype.is_complex:
        return _cast_lower(call("real", x), dtype, out)
    if not (x.dtype.is_float and dtype.is_integer):
        return cast(x, dtype)
    # Saturates, and converts NaN to 0: C leaves these cases undefined, and processors differ.
    wide = cast(x, x.dtype.accumulator)
    limits = np.iinfo(dtype.numpy)
    low, high = const(int(limits.min), dtype), const(int(limits.max), dtype)
    above = call("ge", wide, const(2.0 ** (dtype.bits - (dtype.kind == "int")), wide.dtype))
    least = low if dtype.kind == "uint" else select(call("isnan", wide), const(0, dtype), low)
    inside = call("gt", wide, const(float(limits.min), wide.dtype))
    return select(above, high, select(inside, cast(wide, dtype), least))


def _cast_vjp(g: Value, n: Applied) -> Grads:
    source = n.operands[0].dtype
    if not (source.is_inexact and g.dtype.is_inexact):
        return (None,)
    return (_op("cast", g, dtype=source),)


def _cast_cases() -> Iterable[Case]:
    for dtype in dtypes.ALL:
        unsigned = dtype.kind == "uint"
        yield Case(((3, 4),), {"dtype": dtype}, 0.0 if unsigned else -2.0, differentiable=dtype is dtypes.float64)
        if dtype.is_integer and dtype.bits < 32:
            yield Case(((3, 4),), {"dtype": dtype}, -6e4, 6e4, differentiable=False)


cast_ = register(
    Primitive(
        "cast",
        Kind.POINTWISE,
        lambda x, dtype: TensorType(x.shape, dtype),
        _cast_eval,
        _cast_lower,
        _cast_vjp,
        _cast_cases,
        ANY,
        cheap=True,
        keeps_zero=(0,),
        batch=over_elements("cast"),
        simplify=algebra.simpler_cast,
    )
)


def _stop_gradient_cases() -> Iterable[Case]:
    yield Case(((3,),), {}, differentiable=False)


stop_gradient = register(
    Primitive(
        "stop_gradient",
        Kind.POINTWISE,
        lambda x: x,
        lambda x: x,
        lambda x, out: x,
        lambda g, n: (None,),
        _stop_gradient_cases,
        ANY,
        batch=over_elements("stop_gradient"),
        simplify=operand_itself,
    )
)


def _read_cases() -> Iterable[Case]:
    yield Case(((3,),), {}, differentiable=False)


# The value of a variable, or of another tensor, where a tape begins to watch it: no gradient flows on to where it
# came from.
read = register(
    Primitive(
        "read",
        Kind.POINTWISE,
        lambda x: x,
        lambda x: x,
        lambda x, out: x,
        lambda g, n: (None,),
        _read_cases,
        ANY,
        batch=over_elements("read"),
        simplify=operand_itself,
    )
)


def _identity_cases() -> Iterable[Case]:
    yield Case(((3,),), {})


identity = register(
    Primitive(
        "identity",
        Kind.POINTWISE,
        lambda x: x,
        lambda x: x,
        lambda x, out: x,
        lambda g, n: (g,),
        _identity_cases,
        ANY,
        cheap=True,
        keeps_zero=(0,),
        linear=together,
        batch=over_elements("identity"),
        simplify=operand_itself,
    )
)


def _copy_cases() -> Iterable[Case]:
    yield Case(((3,),), {})


copy = register(
    Primitive(
        "copy",
        Kind.POINTWISE,
        lambda x: x,
        lambda x: np.array(x),
        lambda x, out: x,
        lambda g, n: (g,),
        _copy_cases,
        ANY,
        cheap=True,
        keeps_zero=(0,),
        linear=together,
        simplify=operand_itself,
        batch=over_elements("copy"),
    )
)
