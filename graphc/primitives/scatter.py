"""Scatter: rows combined at indices that are known at run time only: added, multiplied, or their extrema kept.

Indices outside the axis are clamped, so that no program accesses memory outside its buffers. Rows are combined in their
order; elements at which there is no row are the identity of the combiner, of which max and min have one as well: the
lowest and the highest number of the dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, Primitive, Reader, ScatterRule, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import NUMBERS, REALS, Array, check_dtype, full_like, linear_in
from graphc.primitives.batching import move_axis
from graphc.primitives.indexing import check_indices, clamped, in_batch

Grads = Sequence[Value | None]
Points = tuple[Dim, ...]


def _in_memory(names: Sequence[str]) -> tuple[str, ...]:
    """The dtypes in which memory accumulates: halves would be rounded each time."""
    return tuple(name for name in names if dtypes.as_dtype(name).accumulator is dtypes.as_dtype(name))


def _infer(name: str, allowed: Sequence[str]) -> Callable[..., TensorType]:
    def infer(indices: TensorType, updates: TensorType, size: Dim) -> TensorType:
        check_indices(name, indices)
        check_dtype(name, updates, allowed)
        if indices.rank != 1 or updates.rank < 1 or updates.shape[0] != indices.shape[0]:
            raise ShapeError(f"`{name}` takes an index for each row", got=f"{indices} and {updates}")
        return TensorType((size, *updates.shape[1:]), updates.dtype)

    return infer


def _eval(combine: str) -> Callable[..., Array]:
    def evaluate(indices: Array, updates: Array, size: int) -> Array:
        combined, dtype = combiner(combine), dtypes.as_dtype(updates.dtype)
        out = np.full((size, *updates.shape[1:]), combined.identity(dtype)[0], updates.dtype)
        with np.errstate(all="ignore"):
            combined.reduce.at(out, np.clip(indices.astype(np.int64), 0, size - 1), updates)
        return out

    return evaluate


def _lower(combine: str) -> Callable[..., ScatterRule]:
    def lower(types: Sequence[TensorType], size: Dim) -> ScatterRule:
        def target(reader: Reader, point: Points) -> Points:
            return (clamped(reader, reader.read(0, point[:1]), size), *point[1:])

        return ScatterRule(combine, types[1].shape, 1, target, lambda reader, point: reader.read(1, point))

    return lower


def _at(value: Value, n: Applied) -> Value:
    """For each row, the element of the result that it is combined into."""
    return value.builder.apply("gather", value, n.operands[0], axis=0)


def _total(rows: Value, n: Applied) -> Value:
    return rows.builder.apply("scatter_add", n.operands[0], rows, **n.attrs)


def _add_vjp(g: Value, n: Applied) -> Grads:
    return None, _at(g, n)


def _extremum_vjp(g: Value, n: Applied) -> Grads:
    """Divides the cotangent of an extremum equally among the rows that equal it."""
    rows, b = n.operands[1], g.builder
    hit = b.apply("eq", rows, _at(n.result, n))
    count = _total(b.apply("cast", hit, dtype=rows.dtype), n)
    share = b.apply("div", g, b.apply("maximum", count, full_like(count, 1)))
    return None, b.apply("select", hit, _at(share, n), full_like(rows, 0))


def _product_vjp(g: Value, n: Applied) -> Grads:
    """The product of the other rows: the product of those that are not zero, without the row, if no other is zero."""
    (indices, rows), b = n.operands, g.builder
    one, nothing = full_like(rows, 1), full_like(rows, 0)
    zero = b.apply("eq", rows, nothing)
    zeros = _at(_total(b.apply("cast", zero, dtype=rows.dtype), n), n)
    nonzero = b.apply("select", zero, one, rows)
    product = _at(b.apply("scatter_mul", indices, nonzero, **n.attrs), n)
    alone = b.apply("eq", zeros, b.apply("cast", zero, dtype=rows.dtype))
    others = b.apply("select", alone, b.apply("div", product, nonzero), nothing)
    return None, b.apply("mul", _at(g, n), others)


def _cases() -> Iterable[Case]:
    yield Case(((6,), (6, 3)), {"size": 4}, -1, 5, integer_operands=(0,))
    yield Case(((5,), (5,)), {"size": 3}, 0, 2, integer_operands=(0,))


def _extremum_cases() -> Iterable[Case]:
    """Where an element has no row it is infinite, which differences cannot tell from a derivative."""
    yield Case(((6,), (6, 3)), {"size": 4}, -1, 5, integer_operands=(0,), differentiable=False)
    yield Case(((5,), (5, 2)), {"size": 1}, -1, 5, integer_operands=(0,), distinct=True)


def _batch(name: str) -> Callable[..., Value]:
    def batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        (indices, updates), size = operands, attrs["size"]
        if not indices.varies:
            rows = move_axis(updates.value, 0, 1)
            return move_axis(builder.apply(name, indices.value, rows, size=size), 1, 0)
        places, rows = in_batch(indices.value, size, length), updates.spread(length)
        count = dims.product(rows.shape[:2])
        places = builder.apply("reshape", places, shape=(count,))
        rows = builder.apply("reshape", rows, shape=(count, *rows.shape[2:]))
        total = builder.apply(name, places, rows, size=length * size)
        return builder.apply("reshape", total, shape=(length, size, *total.shape[1:]))

    return batch


def _of_empty(combine: str) -> Callable[..., Value]:
    def of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
        return builder.full(combiner(combine).identity(out.dtype)[0], out.shape, out.dtype)

    return of_empty


def _scatter(
    name: str,
    combine: str,
    vjp: Callable[[Value, Applied], Grads],
    numbers: Sequence[str],
    cases: Callable[[], Iterable[Case]] = _cases,
    **traits: Any,
) -> Primitive:
    allowed = _in_memory(numbers)
    rules: tuple[Any, ...] = (_infer(name, allowed), _eval(combine), _lower(combine), vjp, cases, allowed)
    return register(Primitive(name, Kind.SCATTER, *rules, batch=_batch(name), of_empty=_of_empty(combine), **traits))


scatter_add = _scatter("scatter_add", "sum", _add_vjp, NUMBERS, linear=linear_in(1))
scatter_mul = _scatter("scatter_mul", "prod", _product_vjp, NUMBERS)
scatter_max = _scatter("scatter_max", "max", _extremum_vjp, REALS, _extremum_cases)
scatter_min = _scatter("scatter_min", "min", _extremum_vjp, REALS, _extremum_cases)
