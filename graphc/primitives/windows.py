"""Reductions over windows that slide along the axes, and the operations of their gradients.

`window`, `strides`, `padding` and `dilation` have an entry for every axis of the operand; an axis along which no window
slides has window 1, stride 1, padding (0, 0) and dilation 1. Padding is the identity of the combiner. Of equal extrema
in a window the first gets the gradient, as in Keras on JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.combiners import combiner
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import ArgumentError, ShapeError
from graphc.exprs import Expr, Index, both, call, cast, const, select
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batch, Batched, Case, Kind, Primitive, Reader, ReduceRule, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import REALS, Array, accumulator, check_dtype, linear_in, zeros_of_empty
from graphc.primitives.convolution import Padding, Sliding, padded, places, positions, read_inside, unpadded
from graphc.primitives.views import ravel, unravel

Grads = Sequence[Value | None]
Points = tuple[Dim, ...]


def _windows(
    shape: Shape, window: Shape, strides: tuple[int, ...], padding: Padding, dilation: tuple[int, ...]
) -> tuple[Sliding, ...]:
    parts = zip(shape, window, strides, padding, dilation, strict=True)
    return tuple(Sliding(e, k, s, low, high, 1, d) for e, k, s, (low, high), d in parts)


def _check(op: str, shape: Shape, attrs: dict[str, Any]) -> Shape:
    """The shape of the windowed result; raises where there is none."""
    shown = f"[{', '.join(map(str, shape))}] with window {attrs['window']}"
    for name in ("window", "strides", "padding", "dilation"):
        if len(attrs[name]) != len(shape):
            raise ShapeError(f"`{op}` takes a {name} for each axis", got=f"{name} {attrs[name]}, operand {shown}")
        if name != "padding" and any(isinstance(size, int) and size < 1 for size in attrs[name]):
            raise ShapeError(f"the {name} of `{op}` is at least 1", got=f"{name} {attrs[name]}, operand {shown}")
    out = tuple(window.out for window in _windows(shape, **attrs))
    # An axis without elements, such as an empty batch, has no windows.
    if any(dims.nonnegative(-size) and (extent != 0 or size != 0) for size, extent in zip(out, shape, strict=True)):
        raise ShapeError(
            f"the window of `{op}` is larger than its padded operand",
            got=shown,
            expected="a padded operand at least as large as the dilated window",
            hint='use padding="same", a smaller window, or a larger input',
        )
    return out


def _split(attrs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    rest = dict(attrs)
    return rest.pop("combine"), rest


def _offsets(window: Shape, r: Points) -> Points:
    """The offset in every axis, from the offsets in the axes along which a window slides."""
    rest = iter(r)
    return tuple(0 if size == 1 else next(rest) for size in window)


def _slid(window: Shape) -> Shape:
    return tuple(size for size in window if size != 1)


def identity(combine: str, dtype: DType) -> bool | int | float:
    """The identity of a combiner."""
    return combiner(combine).identity(dtype)[0]


# ---- window_reduce: sum, max or min over each window


_COMBINE: dict[str, Callable[..., Any]] = {"sum": np.add, "max": np.maximum, "min": np.minimum}


def _reduce_infer(x: TensorType, combine: str, **attrs: Any) -> TensorType:
    check_dtype("window_reduce", x, REALS)
    if combine not in _COMBINE:
        raise ArgumentError("`window_reduce` cannot combine so", got=combine, expected=", ".join(_COMBINE))
    return TensorType(_check("window_reduce", x.shape, attrs), x.dtype)


def _reduce_eval(x: Array, combine: str, **attrs: Any) -> Array:
    windows = _windows(x.shape, **attrs)
    dtype = dtypes.as_dtype(x.dtype)
    fill = identity(combine, dtype)
    wide = padded(x.astype(dtype.accumulator.numpy, copy=False), windows, 0, fill)
    total: Array | None = None
    combined = accumulator(combine, dtype, math.prod(attrs["window"])).numpy
    with np.errstate(all="ignore"):
        for _, under in positions(windows, 0):
            part = wide[under].astype(combined, copy=False)
            total = part if total is None else _COMBINE[combine](total, part)
        return np.asarray(total).astype(wide.dtype).astype(x.dtype)


def _over_windows(types: Sequence[TensorType], combine: str, attrs: dict[str, Any]) -> ReduceRule:
    x = types[0]
    windows = _windows(x.shape, **attrs)

    def element(reader: Reader, index: Points, r: Points) -> Expr:
        place, inside = places(windows, index, _offsets(attrs["window"], r), True)
        return read_inside(reader, 0, place, inside, identity(combine, x.dtype))

    return ReduceRule(_slid(attrs["window"]), combine, element)


def _reduce_lower(types: Sequence[TensorType], combine: str, **attrs: Any) -> ReduceRule:
    return _over_windows(types, combine, attrs)


def _reduce_vjp(g: Value, n: Applied) -> Grads:
    x, b = n.operands[0], g.builder
    combine, attrs = _split(dict(n.attrs))
    if combine == "sum":
        return (b.apply("window_spread", g, sizes=x.shape, **attrs),)
    position = b.apply("window_position", x, combine="arg" + combine, **attrs)
    return (b.apply("window_spread", g, position, sizes=x.shape, **attrs),)


# ---- window_position: where in each window the first extremum is


def _position_infer(x: TensorType, combine: str, **attrs: Any) -> TensorType:
    check_dtype("window_position", x, REALS)
    if combine not in ("argmax", "argmin"):
        raise ArgumentError("`window_position` cannot combine so", got=combine, expected="argmax, argmin")
    return TensorType(_check("window_position", x.shape, attrs), dtypes.int32)


def _position_eval(x: Array, combine: str, **attrs: Any) -> Array:
    windows = _windows(x.shape, **attrs)
    wide = padded(x, windows, 0, identity(combine, dtypes.as_dtype(x.dtype)))
    parts = np.stack([wide[under] for _, under in positions(windows, 0)])
    position = np.argmax(parts, 0) if combine == "argmax" else np.argmin(parts, 0)
    return np.asarray(position).astype(np.int32)


def _position_lower(types: Sequence[TensorType], combine: str, **attrs: Any) -> ReduceRule:
    return _over_windows(types, combine, attrs)


# ---- window_spread: the transpose of the windowed sum, or of `window_take`


def _spread_infer(g: TensorType, *position: TensorType, sizes: Shape, **attrs: Any) -> TensorType:
    check_dtype("window_spread", g, REALS)
    out = _check("window_spread", sizes, attrs)
    if g.shape != out or any(type != TensorType(out, dtypes.int32) for type in position) or len(position) > 1:
        raise ShapeError(
            "the operands of `window_spread` do not fit",
            got=" and ".join(map(str, (g, *position))),
            expected=f"the shape {out}, and int32 positions of that shape",
        )
    return TensorType(sizes, g.dtype)


def _spread_eval(g: Array, *position: Array, sizes: tuple[int, ...], **attrs: Any) -> Array:
    windows = _windows(sizes, **attrs)
    dtype = dtypes.as_dtype(g.dtype)
    wide = g.astype(dtype.accumulator.numpy, copy=False)
    shape = [dims.evaluate(window.padded, {}) for window in windows]
    total = np.zeros(shape, accumulator("sum", dtype, math.prod(attrs["window"])).numpy)
    with np.errstate(all="ignore"):
        for number, (_, under) in enumerate(positions(windows, 0)):
            total[under] += np.where(position[0] == number, wide, wide.dtype.type(0)) if position else wide
        return unpadded(total, windows, 0).astype(wide.dtype).astype(g.dtype)


def _spread_lower(types: Sequence[TensorType], sizes: Shape, **attrs: Any) -> ReduceRule:
    windows, window = _windows(sizes, **attrs), attrs["window"]

    def element(reader: Reader, index: Points, r: Points) -> Expr:
        k = _offsets(window, r)
        place, inside = places(windows, index, k, False)
        if len(types) == 1:
            return read_inside(reader, 0, place, inside)
        wins = call("eq", _read_position(reader, place, inside), Index(ravel(k, window), dtypes.int32))
        value = read_inside(reader, 0, place, inside)
        return select(wins, value, const(0, value.dtype))

    return ReduceRule(_slid(window), "sum", element)


def _read_position(reader: Reader, place: Points, inside: Expr) -> Expr:
    """The position of a window's extremum; -1 where there is no such window."""
    return cast(read_inside(reader, 1, place, inside, -1), dtypes.int32)


def _spread_vjp(h: Value, n: Applied) -> Grads:
    attrs = {name: attr for name, attr in n.attrs.items() if name != "sizes"}
    if len(n.operands) == 1:
        return (h.builder.apply("window_reduce", h, combine="sum", **attrs),)
    return h.builder.apply("window_take", h, n.operands[1], **attrs), None


# ---- window_take: from each window, the element at a position; 0 where there is none


def _take_infer(x: TensorType, position: TensorType, **attrs: Any) -> TensorType:
    check_dtype("window_take", x, REALS)
    out = _check("window_take", x.shape, attrs)
    if position != TensorType(out, dtypes.int32):
        raise ShapeError(
            "the operands of `window_take` do not fit",
            got=f"{x} and {position}",
            expected=f"{x} and {TensorType(out, dtypes.int32)}",
        )
    return TensorType(out, x.dtype)


def _take_eval(x: Array, position: Array, **attrs: Any) -> Array:
    windows = _windows(x.shape, **attrs)
    wide = padded(x, windows, 0)
    out = np.zeros(position.shape, x.dtype)
    for number, (_, under) in enumerate(positions(windows, 0)):
        out = np.where(position == number, wide[under], out)
    return out


def _take_lower(reader: Reader, index: Points, **attrs: Any) -> Expr:
    windows = _windows(reader.types[0].shape, **attrs)
    wide = cast(reader.read(1, index), dtypes.int64)
    # Other positions than those of `window_position` must not read memory outside the buffer.
    known = call("and", call("ge", wide, Index(0)), call("lt", wide, Index(dims.product(attrs["window"]))))
    place, inside = places(windows, index, unravel(reader.as_index(wide), attrs["window"]), True)
    return read_inside(reader, 0, place, both(known, inside))


def _take_vjp(g: Value, n: Applied) -> Grads:
    x, position = n.operands
    return g.builder.apply("window_spread", g, position, sizes=x.shape, **n.attrs), None


# ---- cases


def _samples() -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
    """Shapes of operands, and windows over them."""
    names = ("window", "strides", "padding", "dilation")
    for shape, *attrs in (
        ((7,), (3,), (1,), ((0, 0),), (1,)),
        ((2, 6, 6, 3), (1, 2, 2, 1), (1, 2, 2, 1), ((0, 0),) * 4, (1,) * 4),
        ((1, 5, 6, 2), (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (0, 1), (0, 0)), (1,) * 4),
        ((1, 7, 8), (1, 2, 3), (1, 1, 2), ((0, 0), (1, 0), (2, 1)), (1, 3, 2)),
        ((4, 3), (1, 1), (2, 1), ((0, 0), (0, 0)), (1, 1)),
    ):
        yield shape, dict(zip(names, attrs, strict=True))


def _out(shape: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    return tuple(dims.evaluate(size, {}) for size in _check("window_reduce", shape, attrs))


def _reduce_cases() -> Iterable[Case]:
    for combine in _COMBINE:
        for shape, attrs in _samples():
            yield Case((shape,), {"combine": combine, **attrs}, -1, 1, distinct=combine != "sum")


def _position_cases() -> Iterable[Case]:
    for combine in ("argmax", "argmin"):
        for shape, attrs in _samples():
            yield Case((shape,), {"combine": combine, **attrs}, -1, 1, differentiable=False, distinct=True)


def _spread_cases() -> Iterable[Case]:
    for shape, attrs in _samples():
        out = _out(shape, attrs)
        yield Case((out,), attrs | {"sizes": shape}, -1, 1)
        yield Case((out, out), attrs | {"sizes": shape}, 0, 3, integer_operands=(1,))


def _take_cases() -> Iterable[Case]:
    for shape, attrs in _samples():
        yield Case((shape, _out(shape, attrs)), attrs, 0, 2, integer_operands=(1,))


# ---- traits


def _batch(op: str) -> Batch:
    """The batching rule: no window slides along the batch's axis."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        moved = dict(attrs)
        for name, none in (("window", 1), ("strides", 1), ("padding", (0, 0)), ("dilation", 1), ("sizes", length)):
            if name in attrs:
                moved[name] = (none, *attrs[name])
        return builder.apply(op, *(operand.spread(length) for operand in operands), **moved)

    return rule


def _linear_sum(count: int, attrs: Attrs) -> Sequence[Sequence[int]]:
    return ((0,),) if attrs["combine"] == "sum" else ()


def _identity_of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
    return builder.full(identity(attrs["combine"], out.dtype), out.shape, out.dtype)


def _window(name: str, kind: Kind, *rules: Any, **traits: Any) -> Primitive:
    parts: tuple[Any, ...] = (*rules, REALS)
    return register(Primitive(name, kind, *parts, batch=_batch(name), **traits))


window_reduce = _window(
    "window_reduce",
    Kind.REDUCE,
    _reduce_infer,
    _reduce_eval,
    _reduce_lower,
    _reduce_vjp,
    _reduce_cases,
    linear=_linear_sum,
    of_empty=_identity_of_empty,
)
window_position = _window(
    "window_position",
    Kind.REDUCE,
    _position_infer,
    _position_eval,
    _position_lower,
    None,
    _position_cases,
    of_empty=zeros_of_empty,
)
window_spread = _window(
    "window_spread",
    Kind.REDUCE,
    _spread_infer,
    _spread_eval,
    _spread_lower,
    _spread_vjp,
    _spread_cases,
    linear=linear_in(0),
    of_empty=zeros_of_empty,
)
window_take = _window(
    "window_take",
    Kind.VIEW,
    _take_infer,
    _take_eval,
    _take_lower,
    _take_vjp,
    _take_cases,
    linear=linear_in(0),
    of_empty=zeros_of_empty,
)
