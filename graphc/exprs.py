"""Scalar expressions: computations of one element of a tensor.

Operations lower to these; the loop IR (`graphc.codegen.ir.kernel`) adds loads from memory and statements around them.
The functions of `Call`s are defined by the records of `graphc.intrinsics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from graphc import dtypes
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.intrinsics import intrinsic


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: bool | int | float | complex
    dtype: DType

    @property
    def number(self) -> bool | int | float:
        """The value, of a dtype that is not complex."""
        assert not isinstance(self.value, complex)
        return self.value


@dataclass(frozen=True, slots=True)
class Var:
    """A scalar bound by a statement around it."""

    name: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Index:
    """The value of an integer expression over axes and sizes, as a scalar."""

    dim: Dim
    dtype: DType = dtypes.int64


@dataclass(frozen=True, slots=True)
class Call:
    """An intrinsic applied to operands of one dtype (but for the condition of `select`)."""

    name: str
    args: tuple[Expr, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion between dtypes; floats to integers truncate, of complex numbers to real ones the real part stays."""

    arg: Expr
    dtype: DType


@dataclass(frozen=True, slots=True)
class Load:
    """An element of a buffer, at an index in each of its axes.

    If there is a guard and it is false, memory is not accessed, and the value is 0 of the dtype.
    """

    buffer: str
    index: tuple[Dim, ...]
    dtype: DType
    guard: Expr | None = None


Expr: TypeAlias = Const | Var | Index | Call | Cast | Load


def call(name: str, *args: Expr) -> Expr:
    """An intrinsic applied to operands; its dtype follows from theirs.

    Raises:
        VerificationError: if there is no such intrinsic, or the operands do not fit it.
    """
    record = intrinsic(name)
    operands = args[1:] if name == "select" else args
    if record.arity != len(args) or any(operand.dtype is not operands[0].dtype for operand in operands):
        raise VerificationError("an intrinsic does not fit its operands", got=f"{name}{args}")
    return Call(name, args, record.result_dtype(operands[0].dtype))


def cast(arg: Expr, dtype: DType) -> Expr:
    """The operand as another dtype; the operand itself where it has that dtype already."""
    if arg.dtype is dtype:
        return arg
    if isinstance(arg, Index):
        return Index(arg.dim, dtype) if dtype.is_integer else Cast(arg, dtype)
    return Cast(arg, dtype)


def const(value: bool | int | float | complex, dtype: DType) -> Const:
    """A literal of a dtype; the Python value is converted to the dtype's kind."""
    if dtype.is_complex:
        return Const(complex(value), dtype)
    assert not isinstance(value, complex)
    kind = bool if dtype.is_bool else float if dtype.is_float else int
    return Const(kind(value), dtype)


def select(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """`then` where the condition holds, else `otherwise`; only the one chosen is evaluated."""
    return call("select", condition, then, otherwise)


def compare(name: str, a: Dim, b: Dim) -> Expr:
    """A comparison of integer expressions, folded where both are numbers."""
    if isinstance(a, int) and isinstance(b, int):
        outcome = {"lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b, "eq": a == b, "ne": a != b}[name]
        return Const(outcome, dtypes.bool_)
    return call(name, Index(a), Index(b))


TRUE = Const(True, dtypes.bool_)


def both(a: Expr, b: Expr) -> Expr:
    """`a and b`, without operands that are known to be true."""
    if a == TRUE:
        return b
    if b == TRUE or a == b:
        return a
    return call("and", a, b)
