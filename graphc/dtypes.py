"""The element types of tensors, and how they promote.

Halves (float16, bfloat16) are dtypes of values: what a graph computes has as many digits as its dtype, wherever it
lies. One operation forms its result in float32, and rounds it once.

Complex numbers (complex64, complex128) lie in memory as NumPy has them: the real part, then the imaginary part, each of
the dtype `real`. They have no order.

A `DType` is interned: there is one object a name, so that identity is equality. NumPy has no bfloat16; `ml_dtypes`
supplies it as a NumPy extension type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import ml_dtypes
import numpy as np

from graphc.errors import DTypeError

Kind = Literal["bool", "int", "uint", "float", "complex", "string"]


@dataclass(frozen=True, eq=False, slots=True)
class DType:
    """An element type: its name, its kind and its width in bits.

    Example:

    >>> as_dtype("float32").itemsize
    4
    >>> as_dtype("bfloat16").is_float
    True
    """

    name: str
    kind: Kind
    bits: int
    numpy: np.dtype[Any]

    @property
    def itemsize(self) -> int:
        """Bytes an element takes in memory."""
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        """Whether elements are real floating-point numbers; complex ones are not."""
        return self.kind == "float"

    @property
    def is_complex(self) -> bool:
        return self.kind == "complex"

    @property
    def is_inexact(self) -> bool:
        """Whether elements are real or complex floating-point numbers: what has gradients, and is rounded."""
        return self.kind in ("float", "complex")

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_bool(self) -> bool:
        return self.kind == "bool"

    @property
    def accumulator(self) -> DType:
        """The type in which sums and products of many such elements are formed: float32 for the half types."""
        return float32 if self.is_float and self.bits < 32 else self

    @property
    def real(self) -> DType:
        """The dtype of the parts of complex elements; the dtype itself where elements are real."""
        return self if not self.is_complex else float32 if self.bits == 64 else float64

    @property
    def complex(self) -> DType:
        """The dtype of complex elements whose parts hold elements of this dtype: complex128 for float64."""
        return complex128 if self.real is float64 else complex64

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return _interned, (self.name,)


def _make(name: str, kind: Kind, bits: int, scalar: type) -> DType:
    return DType(name, kind, bits, np.dtype(scalar))


bool_ = _make("bool", "bool", 1, np.bool_)
int8 = _make("int8", "int", 8, np.int8)
int16 = _make("int16", "int", 16, np.int16)
int32 = _make("int32", "int", 32, np.int32)
int64 = _make("int64", "int", 64, np.int64)
uint8 = _make("uint8", "uint", 8, np.uint8)
uint16 = _make("uint16", "uint", 16, np.uint16)
uint32 = _make("uint32", "uint", 32, np.uint32)
uint64 = _make("uint64", "uint", 64, np.uint64)
float16 = _make("float16", "float", 16, np.float16)
bfloat16 = _make("bfloat16", "float", 16, ml_dtypes.bfloat16)
float32 = _make("float32", "float", 32, np.float32)
float64 = _make("float64", "float", 64, np.float64)
complex64 = _make("complex64", "complex", 64, np.complex64)
complex128 = _make("complex128", "complex", 128, np.complex128)
# Of data, which the host maps to numbers before a program runs: no tensor has it, and `as_dtype` does not know it.
string = _make("string", "string", 0, np.str_)

SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
FLOATS = (float16, bfloat16, float32, float64)
COMPLEX = (complex64, complex128)
ALL = (bool_, *SIGNED, *UNSIGNED, *FLOATS, *COMPLEX)

_BY_NAME = {t.name: t for t in ALL}
_BY_NUMPY = {t.numpy: t for t in ALL}
_PYTHON = {bool: bool_, int: int32, float: float32, complex: complex64}
_HASHED = (np.dtype, str, type)
_KNOWN: Mapping[Any, DType] = MappingProxyType({**_BY_NAME, **_BY_NUMPY, **_PYTHON})


def _interned(name: str) -> DType:
    return string if name == string.name else _BY_NAME[name]


def as_dtype(spec: Any) -> DType:
    """Returns the `DType` that a name, a NumPy dtype, a Python type or a `DType` stands for.

    Raises:
        DTypeError: if graphc has no such type.
    """
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, _HASHED):
        known = _KNOWN.get(spec)
        if known is not None:
            return known
    try:
        return _BY_NUMPY[np.dtype(spec).newbyteorder("=")]
    except (TypeError, KeyError):
        pass
    raise DTypeError("there is no such dtype", got=repr(spec), expected="one of " + ", ".join(_BY_NAME))


def _signed_above(unsigned: DType, signed: DType) -> DType:
    """The signed type that holds both; int64 with uint64 has none, and gives float32 as in JAX and Keras."""
    wanted = max(signed.bits, unsigned.bits * 2)
    return float32 if wanted > 64 else _BY_NAME[f"int{wanted}"]


def promote(*types: DType) -> DType:
    """The type in which operands of these types are combined.

    Of the same kind the wider wins; complex beats float beats int beats bool; float16 with bfloat16 gives float32;
    float64 with complex64 gives complex128; a signed with an unsigned integer gives a signed one that holds both. These
    are the rules of Keras 3 (its `result_type`), which are JAX's, for strongly typed operands.

    Example:

    >>> promote(int8, uint8), promote(int64, float16), promote(float16, bfloat16)
    (int16, float16, float32)
    """
    result = types[0]
    for other in types[1:]:
        result = _promote_pair(result, other)
    return result


def _promote_pair(a: DType, b: DType) -> DType:
    if a is b:
        return a
    if a.is_complex or b.is_complex:
        return _promote_pair(a.real, b.real).complex
    rank = {"bool": 0, "uint": 1, "int": 1, "float": 2}
    if rank[a.kind] != rank[b.kind]:
        return a if rank[a.kind] > rank[b.kind] else b
    if a.kind == b.kind:
        return float32 if a.bits == b.bits else (a if a.bits > b.bits else b)
    unsigned, signed = (a, b) if a.kind == "uint" else (b, a)
    return _signed_above(unsigned, signed)
