"""Elements grouped by numbers: segments, counts and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ops.creation import linspace
from graphc.ops.elementwise import in_float, where
from graphc.ops.ordering import searchsorted
from graphc.ops.reductions import max as _max
from graphc.ops.reductions import min as _min
from graphc.ops.shaping import stack
from graphc.tracing import Tensor, as_tensor, bind, elementwise, infers, operation
from graphc.tracing import broadcast_to as _broadcast_to
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.indexing import as_indices, in_axis, sliced
from graphc.tracing.shapes import assumed, unify_sizes
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["bincount", "histogram", "segment_max", "segment_min", "segment_prod", "segment_sum"]


def _known_count(op: str, what: str, x: Tensor, hint: str) -> int:
    """One more than the largest of known indices."""
    if x.traced is not None:
        raise ShapeError(
            f"`{op}` takes known values: {what} in a graph is not known",
            got=str(x.type),
            hint=hint,
        )
    return int(x.array.max()) + 1 if x.array.size else 0


def _segmented(op: str, data: Any, segment_ids: Any, num_segments: Any) -> Tensor:
    """Rows combined by the number of their segment; those out of range are left out."""
    rows, ids = as_tensor(data), as_tensor(segment_ids)
    if not (ids.type.dtype.is_integer or infers()):
        raise DTypeError("the numbers of segments are integers", got=ids.dtype, hint='ops.cast(segment_ids, "int32")')
    if ids.ndim != 1 or rows.ndim < 1:
        raise ShapeError("there is a vector of segments, one for each row", got=f"{rows.type} and {ids.type}")
    rows, ids = unify_sizes([rows, as_indices(ids)], [["row", *range(1, rows.ndim)], ["row"]])
    if num_segments is None:
        if infers():
            num_segments = dims.size("segments")
        else:
            num_segments = _known_count(f"segment_{op}", "how many segments there are", ids, "give `num_segments`")
    dtype = rows.type.dtype
    if dtype.is_bool:
        rows = _cast(rows, dtypes.int32)
    wide = _cast(rows, rows.type.dtype.accumulator)
    # Rows of no segment go to one that is cut off.
    places = where(in_axis(ids, num_segments), ids, num_segments)
    total = bind(f"scatter_{_SCATTERS[op]}", places, wide, size=num_segments + 1)
    total = sliced(total, (0,) * total.ndim, (num_segments, *total.shape[1:]))
    return elementwise("gt", total, 0) if dtype.is_bool else _cast(total, dtype)


_SCATTERS = {"sum": "add", "prod": "mul", "max": "max", "min": "min"}


@operation
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """The sums of the rows of each segment; 0 where it has none.

    Args:
        data: Tensor.
        segment_ids: Vector of integers: for each row the number of its segment. Rows out of range are left out.
        num_segments: The number of segments. None: one more than the largest number, which must be known.
        sorted: Whether the numbers are sorted; nothing depends on it.

    Raises:
        ShapeError: if `segment_ids` is no vector, or the number of segments is not known in a graph.
        DTypeError: if the numbers are no integers.

    Example:

    >>> segment_sum([1, 2, 3, 4], [0, 1, 0, 1], 3).numpy()
    array([4, 6, 0], dtype=int32)
    """
    return _segmented("sum", data, segment_ids, num_segments)


@operation
def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """The products of the rows of each segment; 1 where it has none: see `segment_sum`."""
    return _segmented("prod", data, segment_ids, num_segments)


@operation
def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """The largest of the rows of each segment; the least number of the dtype where it has none: see `segment_sum`."""
    return _segmented("max", data, segment_ids, num_segments)


@operation
def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """The least of the rows of each segment; the largest number of the dtype where it has none: see `segment_sum`."""
    return _segmented("min", data, segment_ids, num_segments)


@operation
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Tensor:
    """How often each of the numbers 0, 1, ... occurs, or the sum of the weights of its occurrences.

    Args:
        x: Vector of integers that are not negative, or a matrix, whose rows are counted each for itself.
        weights: Tensor of the shape of `x`. None: each counts as 1.
        minlength: The least number of counts.
        sparse: Not supported.

    Returns:
        A tensor of int32, or of the dtype of the weights.

    Raises:
        ArgumentError: if a sparse result is requested.
        ShapeError: if a graph computes `x`: how many counts there are would not be known.
        DTypeError: if there are no integers.

    Example:

    >>> bincount([1, 3, 1]).numpy()
    array([0, 2, 0, 1], dtype=int32)
    """
    if sparse:
        raise ArgumentError("sparse tensors are not supported", hint="sparse=False")
    tensor = as_tensor(x)
    if tensor.type.dtype.is_inexact and not infers():
        raise DTypeError("`bincount` counts integers", got=tensor.dtype, hint='ops.cast(x, "int32")')
    if tensor.ndim not in (1, 2):
        raise ShapeError("`bincount` takes a vector or a matrix", got=str(tensor.type))
    if weights is None:
        weight: Tensor = _broadcast_to(as_tensor(1, dtypes.int32), tensor.shape)
    else:
        weight = as_tensor(weights)
        weight = in_float(weight) if weight.type.dtype.is_bool else weight
    if infers():
        count: Dim = dims.size("bincount")
        return assumed(_reshape(weight, (dims.product(weight.shape),)), (*tensor.shape[:-1], count))
    hint = "segment_sum(weights, x, num_segments)"
    least = max(int(minlength), 1 if 0 not in tensor.shape else 0)
    length = max(_known_count("bincount", "how many counts there are", tensor, hint), least)
    # In NumPy and JAX negative numbers have no place of their own.
    places = elementwise("maximum", as_indices(tensor), 0)
    if tensor.ndim == 1:
        return _counted(places, weight, length)
    if tensor.shape[0] == 0:
        return _broadcast_to(as_tensor(0, weight.type.dtype), (0, length))
    return stack([_counted(row, part, length) for row, part in zip(places, weight, strict=True)])


def _counted(places: Tensor, weight: Tensor, length: int) -> Tensor:
    dtype = weight.type.dtype
    return _cast(bind("scatter_add", places, _cast(weight, dtype.accumulator), size=length), dtype)


@operation
def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Tensor, Tensor]:
    """How many elements lie in each of a number of bins of the same width.

    Args:
        x: Vector.
        bins: The number of bins.
        range: The ends of the first and the last bin. None: the least and the largest element.

    Returns:
        The counts, as floats, and the edges of the bins, one more; each bin includes its lower edge, and the last one
        both.

    Raises:
        ArgumentError: if `bins` is negative, or `range` no pair in ascending order.
        DTypeError: if `bins` is no integer.
        ShapeError: if `x` is no vector.

    Example:

    >>> [part.numpy().tolist() for part in histogram([1.0, 2.0, 2.5, 4.0], 3)]
    [[1.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise DTypeError("the number of bins is an integer", got=repr(bins)[:80])
    if bins < 0:
        raise ArgumentError("the number of bins is not negative", got=bins)
    if range and (not isinstance(range, tuple) or len(range) != 2 or range[1] < range[0]):
        raise ArgumentError("the range of a histogram is a pair in ascending order", got=repr(range)[:80])
    tensor = as_tensor(x)
    if tensor.ndim != 1:
        raise ShapeError("`histogram` takes a vector", got=str(tensor.type), hint="flatten it with ops.ravel")
    values = in_float(tensor)
    edges = _edges(values, int(bins), range or None)
    last = edges[-1]
    place = searchsorted(edges, values, side="right")
    place = where(elementwise("eq", values, last), bins, place)
    ones = _broadcast_to(as_tensor(1.0, values.type.dtype.accumulator), values.shape)
    counts = bind("scatter_add", place, ones, size=bins + 2)[1 : bins + 1]
    return _cast(counts, values.type.dtype), edges


def _edges(values: Tensor, bins: int, range: tuple[float, float] | None) -> Tensor:
    dtype: DType = values.type.dtype
    if range is not None:
        low, high = (as_tensor(float(end), dtype) for end in range)
    elif values.shape == (0,):
        low, high = as_tensor(0.0, dtype), as_tensor(1.0, dtype)
    else:
        low, high = _min(values), _max(values)
    flat = bind("eq", low, high)
    low, high = where(flat, operate("sub", low, 0.5), low), where(flat, operate("add", high, 0.5), high)
    return as_tensor(linspace(low, high, bins + 1, dtype=dtype))
