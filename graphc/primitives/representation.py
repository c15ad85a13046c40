"""What depends on how numbers are represented: signs of zeros, neighbours, common divisors, and the bits themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc import dtypes
from graphc.dims import Dim, IntExpr, Shape, floordiv, mod
from graphc.dtypes import DType
from graphc.errors import ShapeError
from graphc.exprs import call
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, LibraryRule, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.intrinsics import Intrinsic, own
from graphc.intrinsics import register as register_intrinsic
from graphc.primitives.base import ANY, FLOATS, INTEGERS, Array, full_like, pointwise
from graphc.primitives.portable import same_bytes

_SIGNBIT = """
GC_FN int gc_signbit_float32(float x) { union { float number; unsigned bits; } v; v.number = x; return v.bits >> 31; }
GC_FN int gc_signbit_float64(double x) {
  union { double number; unsigned long long bits; } v; v.number = x; return (int)(v.bits >> 63);
}
"""
_NEXTAFTER = """
#define GC_NEXTAFTER(NAME, T, UNSIGNED, SIGN) \\
GC_FN T gc_nextafter_##NAME(T x, T y) { \\
  union { T number; UNSIGNED bits; } v; \\
  if (x != x || y != y) return x + y; \\
  if (x == y) return y; \\
  v.number = x; \\
  if (x == 0) v.bits = y < 0 ? SIGN + 1 : 1; \\
  else v.bits += (x < y) == (x > 0) ? 1 : (UNSIGNED)-1; \\
  return v.number; \\
}
GC_NEXTAFTER(float32, float, unsigned, 0x80000000u)
GC_NEXTAFTER(float64, double, unsigned long long, 0x8000000000000000ull)
"""
_GCD = """
#define GC_GCD(NAME, T, UNSIGNED) \\
GC_FN T gc_gcd_##NAME(T x, T y) { \\
  UNSIGNED a = (UNSIGNED)(x > 0 ? (UNSIGNED)x : 0u - (UNSIGNED)x); \\
  UNSIGNED b = (UNSIGNED)(y > 0 ? (UNSIGNED)y : 0u - (UNSIGNED)y); \\
  while (b != 0) { const UNSIGNED rest = a % b; a = b; b = rest; } \\
  return (T)a; \\
}
GC_GCD(int8, signed char, unsigned char)
GC_GCD(int16, short, unsigned short)
GC_GCD(int32, int, unsigned)
GC_GCD(int64, long long, unsigned long long)
GC_GCD(uint8, unsigned char, unsigned char)
GC_GCD(uint16, unsigned short, unsigned short)
GC_GCD(uint32, unsigned, unsigned)
GC_GCD(uint64, unsigned long long, unsigned long long)
"""
register_intrinsic(Intrinsic("signbit", 1, np.signbit, own("signbit"), "bool", cost=1, definition=_SIGNBIT))
register_intrinsic(Intrinsic("nextafter", 2, np.nextafter, own("nextafter"), cost=5, definition=_NEXTAFTER))
register_intrinsic(Intrinsic("gcd", 2, np.gcd, own("gcd"), cost=100, definition=_GCD))

signbit = pointwise("signbit", np.signbit, lambda x: call("signbit", x), None, FLOATS, result=dtypes.bool_)
gcd = pointwise("gcd", np.gcd, lambda x, y: call("gcd", x, y), None, INTEGERS, 2, -60, 60)


def _nextafter_vjp(g: Value, n: Applied) -> Sequence[Value | None]:
    """The neighbour of a number moves with it, and does not depend on where it is sought."""
    return g, full_like(g, 0)


# The neighbour of a half is none of float32, in which halves are computed elsewhere.
_WHOLE = tuple(name for name in FLOATS if dtypes.as_dtype(name).bits >= 32)
nextafter = pointwise(
    "nextafter", np.nextafter, lambda x, y: call("nextafter", x, y), _nextafter_vjp, _WHOLE, 2, distinct=True
)


# ---- bitcast: the bytes of the elements as elements of another dtype


def _bytes(dtype: DType) -> int:
    return int(dtype.numpy.itemsize)


def _bitcast_infer(x: TensorType, dtype: DType) -> TensorType:
    have, wanted = _bytes(x.dtype), _bytes(dtype)
    if have == wanted:
        return TensorType(x.shape, dtype)
    whole: Dim = x.shape[-1] * have if x.rank else 0
    if x.rank == 0 or (mod(whole, wanted) != 0 and not isinstance(whole, IntExpr)):
        raise ShapeError(
            "the bytes of the last axis are no whole number of elements of that dtype",
            got=f"{x} as {dtype}",
            expected=f"rows of a multiple of {wanted} bytes",
        )
    shape: Shape = (*x.shape[:-1], floordiv(whole, wanted))
    return TensorType(shape, dtype)


def _bitcast_eval(x: Array, dtype: DType) -> Array:
    return np.ascontiguousarray(x).reshape(x.shape).view(dtype.numpy)


def _bitcast_lower(types: Sequence[TensorType], dtype: DType) -> LibraryRule:
    return LibraryRule(types[0].elements, portable=same_bytes(types[0]))


def _bitcast_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.apply("bitcast", operands[0].value, **attrs)


def _bitcast_cases() -> Iterable[Case]:
    for dtype in (dtypes.int32, dtypes.uint8, dtypes.float32):
        yield Case(((3, 8),), {"dtype": dtype}, differentiable=False)


bitcast = register(
    Primitive(
        "bitcast",
        Kind.LIBRARY,
        _bitcast_infer,
        _bitcast_eval,
        _bitcast_lower,
        lambda g, n: (None,),
        _bitcast_cases,
        ANY,
        batch=_bitcast_batch,
    )
)
