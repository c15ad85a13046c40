"""Reductions over axes, which are removed from the shape. `base.accumulator` gives the dtypes of accumulators."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.combiners import Combiner, Parts, combiner
from graphc.combiners import register as register_combiner
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.exprs import Expr, call, cast, const, select
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, Primitive, Reader, ReduceRule, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import (
    FLOATS,
    NUMBERS,
    ORDERED,
    REALS,
    Array,
    accumulator,
    check_axes,
    check_dtype,
    full_like,
    together,
    zeros_of_empty,
)
from graphc.primitives.batching import over_axes, shifted
from graphc.primitives.deviations import sum_of_deviations
from graphc.primitives.rewrites import first_operand, producer, reshaped_if_single
from graphc.quiet import quietly

Grads = Sequence[Value | None]
Axes = tuple[int, ...]


def kept_axes(rank: int, axes: Axes) -> Axes:
    """The axes that a reduction keeps."""
    return tuple(axis for axis in range(rank) if axis not in axes)


def _lower(combine: str) -> Callable[..., ReduceRule]:
    def lower(types: Sequence[TensorType], axes: Axes) -> ReduceRule:
        rank = types[0].rank

        def element(reader: Reader, index: tuple[Dim, ...], r: tuple[Dim, ...]) -> Any:
            along = dict(zip(axes, r, strict=True)) | dict(zip(kept_axes(rank, axes), index, strict=True))
            return reader.read(0, tuple(along[axis] for axis in range(rank)))

        return ReduceRule(tuple(types[0].shape[axis] for axis in axes), combine, element)

    return lower


def _infer(name: str, allowed: Sequence[str], result: dtypes.DType | None) -> Callable[..., TensorType]:
    def infer(x: TensorType, axes: Axes) -> TensorType:
        check_dtype(name, x, allowed)
        check_axes(name, axes, x.rank)
        if not combiner(name).of_nothing and any(x.shape[axis] == 0 for axis in axes):
            raise ShapeError(
                f"`{name}` of no elements has no value",
                got=f"{x}, over the axes {axes}",
                expected="at least one element along each axis that it runs over",
            )
        return TensorType(tuple(x.shape[axis] for axis in kept_axes(x.rank, axes)), result or x.dtype)

    return infer


def _wide(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, axes: Axes) -> Array:
        wide = x.astype(dtypes.as_dtype(x.dtype).accumulator.numpy, copy=False)
        return np.asarray(quietly(function, wide, axis=axes)).astype(x.dtype, copy=False)

    return evaluate


def _sum_eval(x: Array, axes: Axes) -> Array:
    dtype = dtypes.as_dtype(x.dtype)
    wide = x.astype(dtype.accumulator.numpy, copy=False)
    total = np.asarray(quietly(np.add.reduce, wide, axis=axes, dtype=accumulator("sum", dtype).numpy))
    return np.asarray(quietly(total.astype, wide.dtype)).astype(x.dtype, copy=False)


def _cases(smooth: bool) -> Callable[[], Iterable[Case]]:
    def cases() -> Iterable[Case]:
        for shape, axes in (((3, 5), (1,)), ((4, 3), (0,)), ((2, 3, 4), (0, 2)), ((2, 3), (0, 1)), ((40, 70), (1,))):
            yield Case((shape,), {"axes": axes}, 0.5, 1.5, differentiable=smooth and shape[0] < 9, distinct=True)

    return cases


def _reduction(
    name: str,
    eval: Callable[..., Any],
    vjp: Callable[[Value, Applied], Grads] | None,
    allowed: Sequence[str] = NUMBERS,
    result: dtypes.DType | None = None,
    **traits: Any,
) -> Primitive:
    return register(
        Primitive(
            name,
            Kind.REDUCE,
            _infer(name, allowed, result),
            eval,
            _lower(name),
            vjp,
            _cases(vjp is not None),
            tuple(allowed),
            batch=over_axes(name),
            **traits,
        )
    )


def _spread(reduced: Value, n: Applied) -> Value:
    """A reduced value repeated along the axes that were reduced."""
    x = n.operands[0]
    return reduced.builder.broadcast(reduced, x.shape, kept_axes(x.rank, n.attrs["axes"]))


def _extremum_vjp(g: Value, n: Applied) -> Grads:
    """Divides the cotangent of an extremum equally among the elements that equal it."""
    x, b = n.operands[0], g.builder
    hit = b.apply("eq", x, _spread(n.result, n))
    # They are counted in float32: there may be more of them than a half can count.
    wide = x.dtype.accumulator
    total = b.apply("sum", b.apply("cast", hit, dtype=wide), axes=n.attrs["axes"])
    if wide is x.dtype:
        share = b.apply("div", g, total)
    else:
        share = b.apply("cast", b.apply("div", b.apply("cast", g, dtype=wide), total), dtype=x.dtype)
    return (b.apply("select", hit, _spread(share, n), full_like(x, 0)),)


def _prod_vjp(g: Value, n: Applied) -> Grads:
    """The product of all other elements: of those before an element, times those after it.

    This is correct where elements are zero or infinite, and where the product of all elements overflows.
    """
    x, b, axes = n.operands[0], g.builder, n.attrs["axes"]
    if not axes:
        return (g,)
    order = (*kept_axes(x.rank, axes), *axes)
    first = b.apply("transpose", x, order=order) if order != tuple(range(x.rank)) else x
    kept = first.shape[: x.rank - len(axes)]
    count = dims.product(x.shape[axis] for axis in axes)
    rows = b.apply("reshape", first, shape=(*kept, count))
    others = b.apply("mul", _product_before(rows, reverse=False), _product_before(rows, reverse=True))
    share = b.apply("mul", b.broadcast(g, rows.shape, tuple(range(len(kept)))), others)
    back = b.apply("reshape", share, shape=first.shape)
    places = tuple(order.index(axis) for axis in range(x.rank))
    return (b.apply("transpose", back, order=places) if first is not x else back,)


def _product_before(rows: Value, reverse: bool) -> Value:
    """For each element, the product of those before it along the last axis, or after it: 1 where there are none."""
    b, last = rows.builder, rows.rank - 1
    none, high = (0,) * rows.rank, rows.shape[:last]
    one = (*none[:last], 1)
    low = one if not reverse else none
    moved = b.apply("pad", rows, low=low, high=one if reverse else none, interior=none, value=1)
    count = rows.shape[last]
    start, stop = (one, (*high, count + 1)) if reverse else (none, rows.shape)
    moved = b.apply("slice", moved, start=start, stop=stop, step=(1,) * rows.rank)
    return b.apply("cumprod", moved, axis=last, reverse=reverse)


def _ones_of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
    return builder.full(1, out.shape, out.dtype)


def _simpler_sum(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    reshaped = reshaped_if_single(builder, attrs, operands)
    x, axes = operands[0], attrs["axes"]
    node = producer(x)
    if reshaped is not None:
        return reshaped
    if node.op != "broadcast" or any(axis in node.attrs["axes"] for axis in axes):
        return sum_of_deviations(x, axes) if x.dtype.is_float else None
    # All terms are copies of one value: multiply it by their number.
    kept = kept_axes(x.rank, axes)
    shape = tuple(x.shape[axis] for axis in kept)
    rest = builder.broadcast(first_operand(x), shape, tuple(kept.index(axis) for axis in node.attrs["axes"]))
    count = builder.size(dims.product(x.shape[axis] for axis in axes), x.dtype)
    return builder.apply("mul", rest, builder.broadcast(count, shape, ()))


def _sum_of_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    """Sums over the batch's axis, too."""
    return builder.apply("sum", operands[0].value, axes=(0, *shifted(attrs["axes"])))


_SIMPLER: dict[str, Any] = {"splits": True, "simplify": reshaped_if_single}
sum_ = _reduction(
    "sum",
    _sum_eval,
    lambda g, n: (_spread(g, n),),
    splits=True,
    simplify=_simpler_sum,
    linear=together,
    batch_sum=_sum_of_batch,
    of_empty=zeros_of_empty,
)
prod = _reduction("prod", _wide(np.prod), _prod_vjp, of_empty=_ones_of_empty, **_SIMPLER)
max_ = _reduction("max", _wide(np.max), _extremum_vjp, REALS, **_SIMPLER)
min_ = _reduction("min", _wide(np.min), _extremum_vjp, REALS, **_SIMPLER)
any_ = _reduction("any", lambda x, axes: np.any(x, axis=axes), None, ("bool",), of_empty=zeros_of_empty, **_SIMPLER)
all_ = _reduction("all", lambda x, axes: np.all(x, axis=axes), None, ("bool",), of_empty=_ones_of_empty, **_SIMPLER)


def _position(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, axes: Axes) -> Array:
        kept = kept_axes(x.ndim, axes)
        count = math.prod(x.shape[axis] for axis in axes)
        rows = x.transpose(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), count)
        return np.asarray(function(rows, axis=-1)).astype(np.int32)

    return evaluate


argmax = _reduction("argmax", _position(np.argmax), None, ORDERED, dtypes.int32)
argmin = _reduction("argmin", _position(np.argmin), None, ORDERED, dtypes.int32)


# ---- reductions with several accumulators, in one pass over the elements


def _logsumexp_merged(a: Parts, b: Parts) -> Parts:
    """The largest, and the sum of exponentials relative to it."""
    (largest, total), (other, more) = a, b
    most = combiner("max").combine((largest,), (other,))[0]
    # Relative to 0 where the largest is not finite: infinity minus infinity is NaN.
    shift = select(call("isfinite", most), most, const(0, most.dtype))

    def shifted(sum: Expr, largest: Expr) -> Expr:
        return call("mul", sum, cast(call("exp", call("sub", largest, shift)), sum.dtype))

    return most, call("add", shifted(total, largest), shifted(more, other))


def _logsumexp_finished(parts: Parts) -> Expr:
    largest, total = parts
    result = call("add", cast(call("log", total), largest.dtype), largest)
    return select(call("isfinite", largest), result, largest)


def _variance_merged(a: Parts, b: Parts) -> Parts:
    """Count, mean, and sum of squared deviations from it (Chan, Golub and LeVeque, 1979)."""
    (count, mean, squares), (n, m, s) = a, b
    total = call("add", count, n)
    share = call("div", n, call("max", total, const(1, total.dtype)))
    away = call("sub", m, mean)
    between = call("mul", call("mul", away, away), call("mul", count, share))
    return total, call("add", mean, call("mul", away, share)), call("add", call("add", squares, s), between)


register_combiner(
    Combiner(
        "logsumexp",
        lambda dtype: (float("-inf"), 0),
        _logsumexp_merged,
        (False, True),
        of_nothing=False,
        lift=lambda x: (x, const(1, x.dtype)),
        finish=_logsumexp_finished,
    )
)
register_combiner(
    Combiner(
        "variance",
        lambda dtype: (0, 0, 0),
        _variance_merged,
        (True, True, True),
        of_nothing=False,
        lift=lambda x: (const(1, x.dtype), x, call("mul", const(0, x.dtype), x)),
        finish=lambda parts: call("div", parts[2], parts[0]),
    )
)


def _logsumexp_eval(x: Array, axes: Axes) -> Array:
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        most = np.max(wide, axis=axes, keepdims=True)
        shift = np.where(np.isfinite(most), most, 0)
        total = np.log(np.sum(np.exp(wide - shift), axis=axes, keepdims=True)) + shift
        return np.asarray(np.where(np.isfinite(most), total, most)).squeeze(axes).astype(x.dtype)


def _variance_eval(x: Array, axes: Axes) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.var(x.astype(np.float64), axis=axes)).astype(x.dtype)


def _logsumexp_vjp(g: Value, n: Applied) -> Grads:
    """The softmax, times the cotangent."""
    x, b = n.operands[0], g.builder
    return (b.apply("mul", _spread(g, n), b.apply("exp", b.apply("sub", x, _spread(n.result, n)))),)


def _variance_vjp(g: Value, n: Applied) -> Grads:
    x, b, axes = n.operands[0], g.builder, n.attrs["axes"]
    total = b.apply("sum", x, axes=axes)
    count = b.broadcast(b.size(dims.product(x.shape[axis] for axis in axes), x.dtype), total.shape, ())
    away = b.apply("sub", x, _spread(b.apply("div", total, count), n))
    twice = b.apply("div", b.apply("add", g, g), count)
    return (b.apply("mul", _spread(twice, n), away),)


logsumexp = _reduction("logsumexp", _logsumexp_eval, _logsumexp_vjp, FLOATS)
variance = _reduction("variance", _variance_eval, _variance_vjp, FLOATS)
