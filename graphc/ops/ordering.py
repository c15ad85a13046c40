"""Sorting along an axis, and what follows from it: the largest elements, places in sorted rows, distinct elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import where
from graphc.ops.reductions import any as _any
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import expand_dims, flip, moveaxis, ravel, take_along_axis
from graphc.tracing import Tensor, as_tensor, bind, bind_many, elementwise, infers, operation, result_dtype
from graphc.tracing import broadcast_to as _broadcast_to
from graphc.tracing import cast as _cast
from graphc.tracing.indexing import sliced
from graphc.tracing.shapes import assumed, axis_of

__all__ = [
    "argpartition",
    "argsort",
    "digitize",
    "in_top_k",
    "isin",
    "searchsorted",
    "sort",
    "top_k",
    "unique",
]

# With so few elements to look for, each is compared with each.
_FEW = 32


def _sorted(x: Any, axis: int | None, op: str) -> tuple[Tensor, Tensor]:
    """The elements in ascending order, and where each was."""
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = ravel(tensor), 0
    axis = axis_of(axis, tensor.ndim, op)
    values, order = bind_many("sort", moveaxis(tensor, axis, -1))
    return moveaxis(values, -1, axis), moveaxis(order, -1, axis)


@operation
def sort(x: Any, axis: int | None = -1) -> Tensor:
    """Sorts the elements along an axis in ascending order; NaN comes last.

    Args:
        x: Tensor.
        axis: The axis. None: `x` is flattened first.

    Example:

    >>> sort([[3, 1, 2], [0, 5, 4]]).numpy().tolist()
    [[1, 2, 3], [0, 4, 5]]
    """
    return _sorted(x, axis, "sort")[0]


@operation
def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The indices, of dtype int32, that sort `x` along an axis; equal elements stay in their order.

    Args:
        x: Tensor. A scalar has the one index 0.
        axis: The axis. None: `x` is flattened first.

    Example:

    >>> argsort([30, 10, 20]).numpy().tolist()
    [1, 2, 0]
    """
    tensor = as_tensor(x)
    return _sorted(tensor, None if tensor.ndim == 0 else axis, "argsort")[1]


@operation
def argpartition(x: Any, kth: int, axis: int | None = -1) -> Tensor:
    """Indices that put the element of rank `kth` in its place, no larger ones before it, no smaller ones after it.

    Args:
        x: Tensor.
        kth: The rank; negative ones count from the end.
        axis: The axis. None: `x` is flattened first.

    Returns:
        A tensor of int32. It is that of `argsort`: all ranks are in their places.

    Example:

    >>> argpartition([30, 10, 20], 1).numpy()[1].item()
    2
    """
    tensor = as_tensor(x)
    order = argsort(tensor, axis)
    extent = order.shape[-1 if axis is None else axis_of(axis, tensor.ndim, "argpartition")] if order.ndim else 1
    if isinstance(extent, int) and not -extent <= kth < extent:
        raise ArgumentError("there is no such rank", got=f"kth {kth} of {extent} elements")
    return order


@operation
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, in descending order, and their indices.

    Args:
        x: Tensor of rank 1 or more.
        k: The number of elements, at most the size of the last axis.
        sorted: Whether they are sorted; they always are.

    Returns:
        The elements, and their indices as int32; of equal elements the first come first.

    Raises:
        ShapeError: if there are fewer elements than `k`, or `x` is a scalar.

    Example:

    >>> [part.numpy().tolist() for part in top_k([1, 4, 2, 4], 2)]
    [[4, 4], [1, 3]]
    """
    tensor = as_tensor(x)
    if tensor.ndim == 0:
        raise ShapeError("`top_k` takes tensors of rank 1 or more", got=str(tensor.type))
    extent = tensor.shape[-1]
    if k < 0 or not (infers() or dims.nonnegative(extent - k)):
        raise ShapeError("`top_k` finds at most as many elements as there are", got=f"{k} of {extent}")
    # Sorting is stable: the last of equal elements comes last, which is the first of them when both ends are exchanged.
    values, order = bind_many("sort", flip(tensor, -1))
    start = (*(0 for _ in tensor.shape[:-1]), extent - k)
    values, order = (flip(sliced(part, start, tensor.shape), -1) for part in (values, order))
    return values, elementwise("sub", extent - 1, order)


@operation
def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Whether the prediction for the target is among the `k` largest; those that are equal to it do not count.

    Args:
        targets: Tensor of integers: the classes.
        predictions: Tensor with an axis more: the scores of the classes.
        k: The number of predictions.

    Returns:
        A tensor of booleans of the shape of `targets`.

    Example:

    >>> in_top_k([1, 2], [[0.1, 0.6, 0.3], [0.5, 0.4, 0.1]], 1).numpy()
    array([ True, False])
    """
    scores = as_tensor(predictions)
    wanted = take_along_axis(scores, expand_dims(targets, -1), -1)
    if scores.type.dtype.is_float:
        wanted = where(bind("isnan", wanted), -math.inf, wanted)
    larger = _sum(_cast(elementwise("gt", scores, wanted), dtypes.int32), -1)
    return elementwise("lt", larger, k)


def _is_before(a: Tensor, b: Tensor) -> Tensor:
    """Whether elements come before others when they are sorted: NaN comes last."""
    if not a.type.dtype.is_float:
        return elementwise("lt", a, b)
    a_number = bind("logical_not", bind("isnan", a))
    return bind("logical_or", elementwise("lt", a, b), bind("logical_and", a_number, bind("isnan", b)))


@operation
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Tensor:
    """Where values would have to be inserted into a sorted vector, so that it remains sorted.

    Args:
        sorted_sequence: Vector, in ascending order.
        values: Tensor.
        side: `"left"`: before elements that are equal to the value; `"right"`: after them.

    Returns:
        A tensor of int32 of the shape of `values`.

    Raises:
        ShapeError: if the sequence is no vector.
        ArgumentError: if there is no such side.

    Example:

    >>> searchsorted([1, 2, 2, 5], [2, 9]).numpy()
    array([1, 4], dtype=int32)
    """
    if side not in ("left", "right"):
        raise ArgumentError("unknown side of `searchsorted`", got=repr(side), expected="'left' or 'right'")
    sequence, wanted = as_tensor(sorted_sequence), as_tensor(values)
    if sequence.ndim != 1:
        raise ShapeError(
            "`searchsorted` takes a sorted vector",
            got=str(sequence.type),
            hint="ops.vectorized_map(lambda row: ops.searchsorted(*row), (sequences, values))",
        )
    dtype = result_dtype(sequence, wanted)
    sequence, wanted = _cast(sequence, dtype), _cast(wanted, dtype)
    extent = sequence.shape[0]
    low = _broadcast_to(as_tensor(0, dtypes.int32), wanted.shape)
    if extent == 0:
        return low
    high = _broadcast_to(as_tensor(extent, dtypes.int32), wanted.shape)
    # Bisection: each step halves what is between both.
    for _ in range(extent.bit_length() if isinstance(extent, int) else 31):
        middle = elementwise("shift_right", bind("add", low, high), 1)
        found = bind("gather", sequence, elementwise("minimum", middle, extent - 1), axis=0)
        above = _is_before(found, wanted) if side == "left" else bind("logical_not", _is_before(wanted, found))
        above = bind("logical_and", above, bind("lt", low, high))
        low, high = where(above, elementwise("add", middle, 1), low), where(above, high, middle)
    return low


@operation
def digitize(x: Any, bins: Any) -> Tensor:
    """The number of the bin in which each value is: `bins[i - 1] <= x < bins[i]`, or `bins[i - 1] > x >= bins[i]`.

    Args:
        x: Tensor.
        bins: Vector of the edges of the bins, in ascending or descending order.

    Returns:
        A tensor of int32 of the shape of `x`: 0 before the first edge, and the number of edges after the last one.

    Example:

    >>> digitize([0.2, 6.4, 3.0], [0.0, 1.0, 2.5, 4.0]).numpy()
    array([1, 4, 3], dtype=int32)
    """
    values, edges = as_tensor(x), as_tensor(bins)
    if edges.ndim != 1:
        raise ShapeError("the edges of bins are a vector", got=str(edges.type))
    extent = edges.shape[0]
    if extent == 0:
        return _broadcast_to(as_tensor(0, dtypes.int32), values.shape)
    upward = searchsorted(edges, values, side="right")
    downward = elementwise("sub", extent, searchsorted(flip(edges, 0), values, side="right"))
    ascending = elementwise("ge", edges[-1], edges[0])
    return where(ascending, upward, downward)


@operation
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element of `x1` is among those of `x2`.

    Args:
        x1: Tensor.
        x2: Tensor.
        assume_unique: Nothing depends on it.
        invert: Whether to tell where it is not.

    Returns:
        A tensor of booleans of the shape of `x1`.

    Example:

    >>> isin([1, 2, 3], [3, 1]).numpy()
    array([ True, False,  True])
    """
    first, second = as_tensor(x1), ravel(as_tensor(x2))
    dtype = result_dtype(first, second)
    first, second = _cast(first, dtype), _cast(second, dtype)
    extent = second.shape[0]
    if extent == 0:
        found = _broadcast_to(as_tensor(False), first.shape)
    elif (isinstance(extent, int) and extent <= _FEW) or dtype.is_complex:
        found = _any(elementwise("eq", expand_dims(first, -1), second), -1)
    else:
        rows = bind_many("sort", second)[0]
        place = elementwise("minimum", searchsorted(rows, first), extent - 1)
        found = bind("eq", bind("gather", rows, place, axis=0), first)
    return bind("logical_not", found) if invert else found


@operation
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements of a tensor, in ascending order.

    Args:
        x: Tensor.
        sorted: Whether they are sorted; they always are.
        return_index: Whether to return the index of the first occurrence of each.
        return_inverse: Whether to return, for each element, the index of its value among the distinct ones.
        return_counts: Whether to return how often each occurs.
        axis: The axis along which parts are compared. None: the elements are.
        size: The number of results: further ones are left out, missing ones are filled in. None: as many as there are.
        fill_value: The value of missing ones. None: the least element.

    Returns:
        The distinct elements; with further results a tuple of tensors of int32.

    Raises:
        ShapeError: if a graph computes `x`, and `size` or the axis is not known.

    Example:

    >>> unique([3, 1, 3]).numpy()
    array([1, 3], dtype=int32)
    """
    tensor = as_tensor(x)
    rows = ravel(tensor) if axis is None else moveaxis(tensor, axis, 0)
    asked = (return_index, return_inverse, return_counts)
    if rows.traced is not None or infers():
        results = _unique_of_size(rows, axis, size, fill_value)
    else:
        results = _unique_of_known(rows.array, size, fill_value)
    values = results[0] if axis is None else moveaxis(results[0], 0, axis)
    chosen = [part for part, wanted in zip(results[1:], asked, strict=True) if wanted]
    return (values, *chosen) if chosen else values


def _unique_of_known(rows: np.ndarray[Any, Any], size: int | None, fill_value: Any) -> list[Tensor]:
    """The distinct rows of an array, where they are first, which of them each row is, and how often each occurs."""
    wide = rows.astype(dtypes.as_dtype(rows.dtype).accumulator.numpy, copy=False)
    # NumPy sorts numbers much faster than rows.
    flat, along = (wide, None) if rows.ndim == 1 else (wide.reshape(len(rows), math.prod(rows.shape[1:])), 0)
    _, index, inverse, counts = np.unique(
        flat, return_index=True, return_inverse=True, return_counts=True, axis=along, equal_nan=False
    )
    values, inverse = rows[index], inverse.reshape(-1)
    if size is not None:
        if rows.shape[0] == 0 and size and fill_value is None:
            raise ArgumentError("`unique` of no elements has none to fill up with", hint="give `fill_value`")
        more = max(0, size - len(values))
        filler = values[:1] if fill_value is None else np.full((1, *rows.shape[1:]), fill_value, rows.dtype)
        values = np.concatenate([values[:size], np.repeat(filler, more, 0)])
        index = np.concatenate([index[:size], np.repeat(index[:1], more)]) if len(index) else np.zeros(size, int)
        counts = np.concatenate([counts[:size], np.zeros(more, int)])
    return [Tensor(values), *(Tensor(part.astype(np.int32)) for part in (index, inverse, counts))]


def _unique_of_size(rows: Tensor, axis: int | None, size: int | None, fill_value: Any) -> list[Tensor]:
    """As many distinct elements of a vector as are asked for, with what `_unique_of_known` returns."""
    if size is None and infers():
        count: Dim = dims.size("unique")
        whole = assumed(rows, (count, *rows.shape[1:]))
        index = _broadcast_to(as_tensor(0), (count,))
        return [whole, index, _broadcast_to(as_tensor(0), rows.shape[:1]), index]
    if size is None or rows.ndim != 1:
        raise ShapeError(
            "`unique` takes known values: how many of them differ in a graph is not known",
            got=str(rows.type) + ("" if axis is None else f", along axis {axis}"),
            expected="outside of graphs any tensor; in graphs `size`, and axis=None",
        )
    ordered, order = bind_many("sort", rows)
    extent = rows.shape[0]
    previous = bind("gather", ordered, elementwise("maximum", _count(extent) - 1, 0), axis=0)
    fresh = bind("logical_or", bind("ne", ordered, previous), elementwise("eq", _count(extent), 0))
    number = elementwise("sub", bind("cumsum", _cast(fresh, dtypes.int32), axis=0, reverse=False), 1)
    # The last place is for those that are left out.
    kept = where(bind("logical_and", fresh, elementwise("lt", number, size)), number, size)
    first = bind("scatter_max", kept, _count(extent), size=size + 1)[:size]
    total = elementwise("add", number[-1], 1)
    present = elementwise("lt", _count(size), total)
    first = where(present, first, 0)
    values = bind("gather", ordered, first, axis=0)
    if fill_value is not None:
        values = where(present, values, as_tensor(fill_value, rows.type.dtype))
    inverse = bind("scatter_add", order, number, size=extent)
    ones = _broadcast_to(as_tensor(1, dtypes.int32), (extent,))
    counts = bind("scatter_add", elementwise("minimum", number, size), ones, size=size + 1)[:size]
    return [values, bind("gather", order, first, axis=0), inverse, counts]


def _count(extent: Dim) -> Tensor:
    """The numbers from 0 on."""
    return bind("iota", shape=(extent,), axis=0, dtype=dtypes.int32)
