"""Helpers shared by all primitives: type checks, and functions that make records of the common kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import DTypeError, ShapeError
from graphc.exprs import Expr
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Case, Kind, Linear, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.batching import over_elements
from graphc.quiet import quietly

ANY = tuple(t.name for t in dtypes.ALL)
ORDERED = tuple(t.name for t in dtypes.ALL if not t.is_complex)
NUMBERS = tuple(t.name for t in dtypes.ALL if not t.is_bool)
REALS = tuple(name for name in NUMBERS if name in ORDERED)
INTEGERS = tuple(t.name for t in dtypes.ALL if t.is_integer)
BITS = ("bool", *INTEGERS)
SIGNED = tuple(t.name for t in (*dtypes.SIGNED, *dtypes.FLOATS))
FLOATS = tuple(t.name for t in dtypes.FLOATS)
COMPLEX = tuple(t.name for t in dtypes.COMPLEX)
INEXACT = (*FLOATS, *COMPLEX)

Array = np.ndarray[Any, Any]


# The most elements that a float32 can add up one after the other with a relative error below 1e-6.
FEW_TERMS = 64


def accumulator(combine: str, dtype: DType, terms: Dim | None = None, part: int = 0) -> DType:
    """The dtype of a reduction's accumulator, in the interpreter, in C and in CUDA alike.

    Sums of possibly many floats are accumulated in float64 (of complex numbers, in complex128) and rounded once: that
    is exact enough for any number of terms, and so hardly depends on their order.

    Args:
        combine: The name of the combiner.
        dtype: The dtype of the elements.
        terms: How many elements are combined one after the other. None: any number.
        part: The index of the accumulator among those of the combiner.
    """
    many = not isinstance(terms, int) or terms > FEW_TERMS
    if many and dtype.is_inexact and combiner(combine).wide[part]:
        return dtypes.complex128 if dtype.is_complex else dtypes.float64
    return dtype.accumulator


def check_dtype(op: str, type: TensorType, allowed: Sequence[str]) -> None:
    """Raises a `DTypeError` where the operand's dtype is not allowed."""
    if type.dtype.name not in allowed:
        raise DTypeError(f"`{op}` does not take this dtype", got=type.dtype, expected=", ".join(allowed))


def check_rank(op: str, type: TensorType, rank: int) -> None:
    """Raises a `ShapeError` where the operand has another rank."""
    if type.rank != rank:
        raise ShapeError(f"`{op}` takes an operand of rank {rank}", got=str(type))


def check_axes(op: str, axes: Sequence[int], rank: int) -> None:
    """Raises a `ShapeError` where axes are out of range or repeated."""
    if len(set(axes)) != len(axes) or any(not 0 <= axis < rank for axis in axes):
        raise ShapeError(f"the axes of `{op}` do not fit", got=tuple(axes), expected=f"different ones below {rank}")


def check_same(op: str, *types: TensorType) -> None:
    """Raises where operands differ in shape or dtype."""
    first = types[0]
    if any(type.shape != first.shape for type in types):
        raise ShapeError(
            f"the operands of `{op}` have different shapes",
            got=" and ".join(str(type) for type in types),
            expected="equal shapes",
            hint="broadcast or reshape one of them",
        )
    if any(type.dtype is not first.dtype for type in types):
        raise DTypeError(
            f"the operands of `{op}` have different dtypes",
            got=" and ".join(str(type) for type in types),
            hint="cast one of them",
        )


def in_float(function: Callable[..., Any]) -> Callable[..., Array]:
    """A NumPy function computed in float32 where its operands are halves, and returned in their dtype."""

    def wrapped(*arrays: Array, **attrs: Any) -> Array:
        dtype = arrays[0].dtype
        if dtype.itemsize == 2:
            wide = dtypes.as_dtype(dtype).accumulator.numpy
            arrays = tuple(array.astype(wide, copy=False) for array in arrays)
        result = np.asarray(quietly(function, *arrays, **attrs))
        # Absolute values and parts of complex numbers are real.
        return result if result.dtype == dtype or dtype.kind == "c" else quietly(result.astype, dtype)

    return wrapped


def pointwise(
    name: str,
    eval: Callable[..., Any],
    lower: Callable[..., Expr],
    vjp: Callable[[Value, Applied], Sequence[Value | None]] | None,
    allowed: Sequence[str] = FLOATS,
    arity: int = 1,
    low: float = -2.0,
    high: float = 2.0,
    result: DType | None = None,
    distinct: bool = False,
    parts: bool = False,
    **traits: Any,
) -> Primitive:
    """Registers a pointwise operation: operands of one type, a result of the same or of a fixed dtype.

    Args:
        name: Its name.
        eval: The reference: NumPy arrays to a NumPy array.
        lower: Expressions of the operands' elements to that of the result's element.
        vjp: The gradient, if there is one.
        allowed: The dtypes of operands.
        arity: The number of operands.
        low: The least element in sample calls.
        high: The largest element in sample calls.
        result: The dtype of the result, where that is not that of the operands.
        distinct: Whether the elements in sample calls must differ from each other and from integers.
        parts: Whether the result of complex operands is real: of the dtype of their parts.
        **traits: Further fields of the record.
    """

    def infer(*types: TensorType) -> TensorType:
        if len(types) != arity:
            raise ShapeError(f"`{name}` takes {arity} operand(s)", got=" and ".join(map(str, types)) or "none")
        for type in types:
            check_dtype(name, type, allowed)
        check_same(name, *types)
        dtype = types[0].dtype
        return TensorType(types[0].shape, result or (dtype.real if parts else dtype))

    def cases() -> Iterable[Case]:
        smooth = vjp is not None and result is None
        for shape in ((3, 4), ()):
            yield Case((shape,) * arity, {}, low, high, differentiable=smooth, distinct=distinct)

    def evaluate(*arrays: Array) -> Array:
        return np.asarray(quietly(eval, *arrays))

    return register(
        Primitive(
            name,
            Kind.POINTWISE,
            infer,
            in_float(eval) if result is None and set(allowed) <= set(NUMBERS) else evaluate,
            lambda *args, out: lower(*args),
            vjp,
            cases,
            tuple(allowed),
            batch=over_elements(name),
            **traits,
        )
    )


def view(
    name: str,
    infer: Callable[..., TensorType],
    eval: Callable[..., Array],
    lower: Callable[..., Expr],
    vjp: Callable[[Value, Applied], Sequence[Value | None]] | None,
    cases: Callable[[], Iterable[Case]],
    allowed: Sequence[str] = ANY,
    **traits: Any,
) -> Primitive:
    """Registers an operation that moves elements: each element of the result is one of the operands."""
    return register(Primitive(name, Kind.VIEW, infer, eval, lower, vjp, cases, tuple(allowed), **traits))


def full_like(value: Value, number: bool | int | float | complex) -> Value:
    """A tensor of a value's type that has the same number everywhere."""
    return value.builder.full(number, value.shape, value.dtype)


# ---- traits shared by many primitives


def together(count: int, attrs: Attrs) -> tuple[tuple[int, ...], ...]:
    """Linear in all operands together, as a sum is."""
    return (tuple(range(count)),)


def separately(count: int, attrs: Attrs) -> tuple[tuple[int, ...], ...]:
    """Linear in each operand with the others held, as a product is."""
    return tuple((operand,) for operand in range(count))


def linear_in(*operands: int) -> Linear:
    """Linear in the given operands together."""
    return lambda count, attrs: (operands,)


def zeros_of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
    """The result of a sum over operands without elements: zeros."""
    return builder.full(0, out.shape, out.dtype)
