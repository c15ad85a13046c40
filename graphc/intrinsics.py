"""The scalar instruction set: one record for each function that a `Call` of `graphc.exprs` may name.

A record is the only definition of an intrinsic: type checks, costs, both renderers and the interpreters of tests use
it. A new one is a call of `register`, in the file of the operation that needs it; where C and CUDA have no such
function, the record contains its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.special_functions import cospi, erf, erfc, erfinv, philox

Array = np.ndarray[Any, Any]
# The texts of the operands, their dtype, and its name in the target, to the text of a call.
Spelling = Callable[[Sequence[str], DType, str], str]

# The cost of a function, in additions: of vector code where there is one.
FUNCTION = 15


@dataclass(frozen=True)
class Intrinsic:
    """A scalar function.

    Args:
        name: Its name.
        arity: The number of its operands: of one dtype, but for the condition of `select`.
        eval: NumPy arrays to a NumPy array.
        spelling: Its text in C and CUDA.
        result: Whether the result has the operands' dtype, is a boolean, or has the dtype of the parts of complex
            operands, or that of complex numbers with such parts.
        cost: The estimated number of additions that take as long: of vector code where there is one.
        vector: Whether the CPU has it for float32 without branches, as `gc_NAME_float32` in `prelude/math.h`.
        exact: Whether the result is one of its operands, or a number with no more digits than they have.
        definition: The definition, in C99 that is CUDA C++ as well, of the function that `spelling` calls; programs
            that use it contain it once. `GC_FN` marks a function.
    """

    name: str
    arity: int
    eval: Callable[..., Any]
    spelling: Spelling
    result: Literal["same", "bool", "real", "complex"] = "same"
    cost: int = FUNCTION
    vector: bool = False
    exact: bool = False
    definition: str = ""

    def result_dtype(self, operand: DType) -> DType:
        """The dtype of the result, by that of the operands."""
        dtype_of = {"same": operand, "bool": dtypes.bool_, "real": operand.real, "complex": operand.complex}
        return dtype_of[self.result]

    def __call__(self, *operands: Any) -> Array:
        """The function of arrays, without floating-point warnings."""
        with np.errstate(all="ignore"):
            return np.asarray(self.eval(*map(np.asarray, operands)))


INTRINSICS: dict[str, Intrinsic] = {}


def register(intrinsic: Intrinsic) -> Intrinsic:
    """Registers an intrinsic under its name.

    Raises:
        VerificationError: if the name is taken.
    """
    if intrinsic.name in INTRINSICS:
        raise VerificationError("there is an intrinsic of this name already", got=intrinsic.name)
    INTRINSICS[intrinsic.name] = intrinsic
    return intrinsic


def intrinsic(name: str) -> Intrinsic:
    """The intrinsic with a name.

    Raises:
        VerificationError: if there is none.

    Example:

    >>> intrinsic("max")([1, 5], [3, 2]).tolist()
    [3, 5]
    """
    record = INTRINSICS.get(name)
    if record is None:
        raise VerificationError("there is no such intrinsic", got=name)
    return record


# ---- texts in C and CUDA


def _suffix(operand: DType) -> str:
    return "f" if operand is dtypes.float32 else ""


def _narrowed(text: str, operand: DType, type: str) -> str:
    """A cast back to a narrow integer type, which C computes as int."""
    return f"({type}){text}" if operand.is_integer and operand.bits < 32 else text


def infix(operator: str) -> Spelling:
    """`(a + b)`."""
    return lambda texts, operand, type: _narrowed(f"({texts[0]} {operator} {texts[1]})", operand, type)


def _test(operator: str) -> Spelling:
    return lambda texts, operand, type: f"({texts[0]} {operator} {texts[1]})"


def function(name: str) -> Spelling:
    """`exp(a)` for float64, `expf(a)` for float32."""
    return lambda texts, operand, type: f"{name}{_suffix(operand)}({', '.join(texts)})"


def own(name: str) -> Spelling:
    """`gc_mod_int32(a, b)`: defined by `prelude/scalar.h` or `prelude/complex.h`, or by the record."""
    return lambda texts, operand, type: f"gc_{name}_{operand.name}({', '.join(texts)})"


def _except_floats(name: str, floats: Spelling) -> Spelling:
    """`gc_pow_int32(a, b)`, and for floats another spelling."""
    return lambda texts, operand, type: (floats if operand.is_float else own(name))(texts, operand, type)


def complex_own(name: str, reals: Spelling) -> Spelling:
    """`gc_mul_complex64(a, b)`, and for real operands another spelling."""
    return lambda texts, operand, type: (own(name) if operand.is_complex else reals)(texts, operand, type)


def _negated(texts: Sequence[str], operand: DType, type: str) -> str:
    return f"({type})(-{texts[0]})" if operand.bits < 32 else f"(-{texts[0]})"


def _size(operator: str) -> Spelling:
    """A comparison of the absolute value with infinity."""
    return lambda texts, operand, type: f"(fabs{_suffix(operand)}({texts[0]}) {operator} ({type})GC_INFINITY)"


# ---- references that are not functions of NumPy


def power(x: Array, y: Array) -> Array:
    """Powers; of integers with a negative exponent the quotient is truncated: 0, but for 1 and -1."""
    if x.dtype.kind != "i":
        return np.asarray(np.power(x, y))
    whole = np.power(x, np.maximum(y, 0))
    unit = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y & 1), 0))
    return np.where(y < 0, unit, whole).astype(x.dtype)


# Shifts by less than 0, or by the number of bits or more, shift out all bits: to the right only the sign is left.


def shift_left(x: Array, y: Array) -> Array:
    """Shifts bits to the left."""
    most = x.dtype.itemsize * 8 - 1
    shifted = np.left_shift(x, np.clip(y, 0, most).astype(x.dtype))
    return np.asarray(np.where((y < 0) | (y > most), x.dtype.type(0), shifted))


def shift_right(x: Array, y: Array) -> Array:
    """Shifts bits to the right; the sign fills in."""
    most = x.dtype.itemsize * 8 - 1
    beyond = (y < 0) | (y > most)
    shifted = np.right_shift(x, np.where(beyond, most, y).astype(x.dtype))
    return np.asarray(np.where(beyond, x.dtype.type(0), shifted) if x.dtype.kind == "u" else shifted)


def complex_of(real: Array, imag: Array) -> Array:
    """Complex numbers of their parts."""
    whole = np.empty(np.broadcast_shapes(real.shape, imag.shape), dtypes.as_dtype(real.dtype).complex.numpy)
    whole.real, whole.imag = real, imag
    return whole


# ---- the records


def _each(*rows: tuple[str, int, Callable[..., Any], Spelling, int], **same: Any) -> None:
    for name, arity, eval, spelling, cost in rows:
        register(Intrinsic(name, arity, eval, spelling, cost=cost, **same))


_each(
    ("add", 2, np.add, infix("+"), 1),
    ("sub", 2, np.subtract, infix("-"), 1),
    ("mul", 2, np.multiply, complex_own("mul", infix("*")), 1),
    ("div", 2, np.divide, complex_own("div", infix("/")), 5),
    ("floordiv", 2, np.floor_divide, own("floordiv"), 20),
    ("mod", 2, np.mod, own("mod"), 20),
    ("pow", 2, power, _except_floats("pow", function("pow")), FUNCTION),
    ("atan2", 2, np.arctan2, function("atan2"), FUNCTION),
    ("bit_and", 2, np.bitwise_and, infix("&"), 1),
    ("bit_or", 2, np.bitwise_or, infix("|"), 1),
    ("bit_xor", 2, np.bitwise_xor, infix("^"), 1),
    ("bit_not", 1, np.bitwise_not, lambda texts, operand, type: f"({type})(~{texts[0]})", 1),
    ("shift_left", 2, shift_left, own("shift_left"), 1),
    ("shift_right", 2, shift_right, own("shift_right"), 1),
    (
        "philox",
        6,
        lambda c0, c1, c2, c3, k0, k1: philox((c0, c1, c2, c3), (k0, k1)),
        lambda texts, operand, type: f"gc_philox({', '.join(texts)})",
        40,
    ),
)
_each(
    ("min", 2, np.minimum, own("min"), 1),
    ("max", 2, np.maximum, own("max"), 1),
    ("neg", 1, np.negative, _negated, 1),
    ("sign", 1, np.sign, own("sign"), FUNCTION),
    ("floor", 1, np.floor, function("floor"), FUNCTION),
    ("ceil", 1, np.ceil, function("ceil"), FUNCTION),
    ("round", 1, np.round, function("rint"), FUNCTION),
    ("trunc", 1, np.trunc, function("trunc"), FUNCTION),
    ("select", 3, np.where, lambda texts, operand, type: f"({texts[0]} ? {texts[1]} : {texts[2]})", 1),
    exact=True,
)
_each(("abs", 1, np.abs, _except_floats("abs", function("fabs")), 1), result="real", exact=True)
_each(("real", 1, np.real, own("real"), 1), ("imag", 1, np.imag, own("imag"), 1), result="real")
_each(("conj", 1, np.conjugate, own("conj"), 1))
_each(("complex", 2, complex_of, own("complex"), 1), result="complex")
# Booleans are 0 or 1: bit operations do not branch, and vectorise.
_each(
    ("eq", 2, np.equal, _test("=="), 1),
    ("ne", 2, np.not_equal, _test("!="), 1),
    ("lt", 2, np.less, _test("<"), 1),
    ("le", 2, np.less_equal, _test("<="), 1),
    ("gt", 2, np.greater, _test(">"), 1),
    ("ge", 2, np.greater_equal, _test(">="), 1),
    ("and", 2, np.logical_and, _test("&"), 1),
    ("or", 2, np.logical_or, _test("|"), 1),
    ("xor", 2, np.logical_xor, _test("^"), 1),
    ("not", 1, np.logical_not, lambda texts, operand, type: f"(!{texts[0]})", 1),
    ("isnan", 1, np.isnan, lambda texts, operand, type: f"({texts[0]} != {texts[0]})", 1),
    ("isinf", 1, np.isinf, complex_own("isinf", _size("==")), 1),
    ("isfinite", 1, np.isfinite, complex_own("isfinite", _size("<")), 1),
    result="bool",
)


def _elementary(name: str, eval: Callable[..., Any], cost: int = FUNCTION, vector: bool = False) -> None:
    register(Intrinsic(name, 1, eval, complex_own(name, function(name)), cost=cost, vector=vector))


_elementary("exp", np.exp, vector=True)
_elementary("exp2", np.exp2)
_elementary("expm1", np.expm1, vector=True)
_elementary("log", np.log, vector=True)
_elementary("log2", np.log2)
_elementary("log10", np.log10)
_elementary("log1p", np.log1p, vector=True)
_elementary("sqrt", np.sqrt, cost=5)
_elementary("cbrt", np.cbrt)
_elementary("sin", np.sin)
_elementary("cos", np.cos)
_elementary("tan", np.tan)
_elementary("asin", np.arcsin)
_elementary("acos", np.arccos)
_elementary("atan", np.arctan)
_elementary("sinh", np.sinh)
_elementary("cosh", np.cosh)
_elementary("tanh", np.tanh, vector=True)
_elementary("asinh", np.arcsinh)
_elementary("acosh", np.arccosh)
_elementary("atanh", np.arctanh)
_elementary("erf", erf, vector=True)
_elementary("erfc", erfc)
_each(
    ("erfinv", 1, erfinv, own("erfinv"), FUNCTION),
    (
        "rsqrt",
        1,
        lambda x: 1 / np.sqrt(x),
        complex_own("rsqrt", lambda texts, operand, type: f"(1 / sqrt{_suffix(operand)}({texts[0]}))"),
        8,
    ),
)

# Within a half turn of a quarter the sine is a polynomial: no branches, so that loops become vector code. Its error is
# 4 units in the last place. The argument is reduced exactly.
_COSPI = """
GC_FN float gc_cospi_float32(float x) {
  const float turns = 0.5f * x, s = 0.25f - fabsf(turns - rintf(turns)), z = s * s;
  float q = -14.381392f;
  q = q * z + 42.007797f;
  q = q * z + -76.70417f;
  q = q * z + 81.605225f;
  q = q * z + -41.3417f;
  q = q * z + 6.2831855f;
  return q * s;
}
GC_FN double gc_cospi_float64(double x) {
  const double turns = 0.5 * x;
  return cos(6.28318530717958647693 * (turns - rint(turns)));
}
"""
register(Intrinsic("cospi", 1, cospi, own("cospi"), definition=_COSPI))
