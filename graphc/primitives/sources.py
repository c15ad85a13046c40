"""Sources of values: inputs, states, constants, sizes, and iota."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Expr, Index, cast, const
from graphc.graph import types as graph_types
from graphc.graph.builder import Builder, Value
from graphc.graph.registry import Case, Kind, Primitive, Reader, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import ANY, NUMBERS, Array, check_axes


def _named(name: str, shape: Shape, dtype: DType) -> TensorType:
    return TensorType(shape, dtype)


def _unbound(**attrs: Any) -> Array:
    raise VerificationError("an input or state has no value", got=attrs.get("name"))


def _no_cases() -> Iterable[Case]:
    return ()


input_ = register(Primitive("input", Kind.SOURCE, _named, _unbound, None, None, _no_cases, ANY))
state = register(Primitive("state", Kind.SOURCE, _named, _unbound, None, None, _no_cases, ANY))


def _constant_lower(reader: Reader, index: tuple[Dim, ...], value: graph_types.Array) -> Expr:
    """Only one-element constants lower to a literal; the others are in memory."""
    return const(value.numpy().reshape(-1)[0].item(), value.dtype)


constant = register(
    Primitive(
        "constant",
        Kind.SOURCE,
        lambda value: TensorType(value.shape, value.dtype),
        lambda value: value.numpy(),
        _constant_lower,
        None,
        _no_cases,
        ANY,
        literal=True,
    )
)


def _size_cases() -> Iterable[Case]:
    for dim in (7, dims.size("B") * 2 + 1):
        yield Case((), {"dim": dim, "dtype": dtypes.float32}, differentiable=False)


def _simpler_size(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    return builder.constant(attrs["dim"], attrs["dtype"]) if isinstance(attrs["dim"], int) else None


size = register(
    Primitive(
        "size",
        Kind.VIEW,
        lambda dim, dtype: TensorType((), dtype),
        lambda dim, dtype: np.asarray(dim, dtype.numpy),
        lambda reader, index, dim, dtype: cast(Index(dim), dtype),
        None,
        _size_cases,
        (),
        simplify=_simpler_size,
    )
)


def _iota_infer(shape: Shape, axis: int, dtype: DType) -> TensorType:
    check_axes("iota", (axis,), len(shape))
    return TensorType(shape, dtype)


def _iota_eval(shape: tuple[int, ...], axis: int, dtype: DType) -> Array:
    along = [1] * len(shape)
    along[axis] = shape[axis]
    return np.broadcast_to(np.arange(shape[axis]).astype(dtype.numpy).reshape(along), shape)


def _iota_lower(reader: Reader, index: tuple[Dim, ...], shape: Shape, axis: int, dtype: DType) -> Expr:
    return cast(Index(index[axis]), dtype)


def _iota_cases() -> Iterable[Case]:
    for name in NUMBERS:
        yield Case((), {"shape": (2, 5), "axis": 1, "dtype": dtypes.as_dtype(name)}, differentiable=False)


iota = register(Primitive("iota", Kind.VIEW, _iota_infer, _iota_eval, _iota_lower, None, _iota_cases, ()))
