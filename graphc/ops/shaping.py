"""Operations on shapes and axes, concatenation and splitting, slicing and gathering."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import where
from graphc.tracing import Tensor, as_tensor, bind, elementwise, infers, operation, result_dtype
from graphc.tracing import broadcast_to as _broadcast_to
from graphc.tracing.arrays import check_kind
from graphc.tracing.indexing import all_in_bounds, as_indices, getitem, sliced
from graphc.tracing.indexing import wrapped as _wrapped
from graphc.tracing.shapes import assumed, axes_of, axis_of, dims_of, may_be_equal, reshaped, squeezed, unify_sizes
from graphc.tracing.shapes import reshape as _reshape

__all__ = [
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "flip",
    "get_item",
    "moveaxis",
    "pad",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "transpose",
    "tril",
    "triu",
    "unstack",
]


@operation
def reshape(x: Any, newshape: Any) -> Tensor:
    """The same elements, in row-major order, in another shape.

    Args:
        x: Tensor.
        newshape: Tuple of sizes; one of them may be -1: it is inferred.

    Raises:
        ShapeError: if the number of elements would change.

    Example:

    >>> reshape([1, 2, 3, 4], (2, -1)).shape
    (2, 2)
    """
    return reshaped(as_tensor(x), newshape)


@operation
def ravel(x: Any) -> Tensor:
    """The tensor flattened to one axis, in row-major order."""
    tensor = as_tensor(x)
    return _reshape(tensor, (dims.product(tensor.shape),))


@operation
def transpose(x: Any, axes: Any = None) -> Tensor:
    """The tensor with its axes in another order.

    Args:
        x: Tensor.
        axes: A permutation: the axis of `x` for each axis of the result. None: all axes reversed.

    Example:

    >>> transpose(np.zeros((2, 3, 4)), (1, 0, 2)).shape
    (3, 2, 4)
    """
    tensor = as_tensor(x)
    order = tuple(reversed(range(tensor.ndim))) if axes is None else tuple(axis_of(a, tensor.ndim, "a") for a in axes)
    return tensor if order == tuple(range(tensor.ndim)) else bind("transpose", tensor, order=order)


@operation
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """The tensor with some axes moved to other positions."""
    tensor = as_tensor(x)
    rank = tensor.ndim
    moved, to = (
        [axis_of(axis, rank, "moveaxis") for axis in (given if isinstance(given, list | tuple) else (given,))]
        for given in (source, destination)
    )
    if len(moved) != len(to):
        raise ArgumentError("`moveaxis` takes as many axes to as from", got=f"{source} and {destination}")
    order = [axis for axis in range(rank) if axis not in moved]
    for position, axis in sorted(zip(to, moved, strict=True)):
        order.insert(position, axis)
    return transpose(tensor, order)


@operation
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """The tensor with two axes exchanged."""
    tensor = as_tensor(x)
    order = list(range(tensor.ndim))
    a, b = axis_of(axis1, tensor.ndim, "swapaxes"), axis_of(axis2, tensor.ndim, "swapaxes")
    order[a], order[b] = b, a
    return transpose(tensor, order)


@operation
def expand_dims(x: Any, axis: Any) -> Tensor:
    """Inserts axes of size 1 at the given positions of the result.

    Example:

    >>> expand_dims([1, 2], 0).shape, expand_dims([1, 2], -1).shape
    ((1, 2), (2, 1))
    """
    tensor = as_tensor(x)
    listed = axis if isinstance(axis, list | tuple) else (axis,)
    positions = axes_of(listed, tensor.ndim + len(listed), "expand_dims")
    shape = list(tensor.shape)
    for position in positions:
        shape.insert(position, 1)
    return _reshape(tensor, tuple(shape))


@operation
def squeeze(x: Any, axis: Any = None) -> Tensor:
    """Removes axes of size 1.

    Args:
        x: Tensor.
        axis: The axis or axes to drop. None: all of size 1.

    Raises:
        ShapeError: if an axis to drop has another size.
    """
    return squeezed(as_tensor(x), axis)


@operation
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """Broadcasts the tensor: repeats it along new axes and axes of size 1.

    Raises:
        ShapeError: if the shape does not fit.
    """
    tensor, wanted = as_tensor(x), dims_of(shape)
    offset = len(wanted) - tensor.ndim
    pairs = zip(tensor.shape, wanted[max(0, offset) :], strict=False)
    if offset < 0 or not all(dim in (1, whole) or may_be_equal((dim, whole)) for dim, whole in pairs):
        raise ShapeError("the tensor cannot be broadcast to this shape", got=str(tensor.type), expected=str(wanted))
    return _broadcast_to(tensor, wanted)


@operation
def concatenate(xs: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Concatenates tensors along an axis.

    Args:
        xs: Tensors whose shapes are equal except along that axis.
        axis: The axis. None: the tensors are flattened first.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> concatenate([[1, 2], [3]]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    if len(xs) == 0:
        raise ArgumentError("there is nothing to join", got=repr(xs), expected="one tensor or more")
    dtype = result_dtype(*xs)
    tensors = [as_tensor(x, dtype) for x in xs]
    if axis is None:
        tensors, axis = [ravel(x) for x in tensors], 0
    axis = axis_of(axis, tensors[0].ndim, "concatenate")
    names = [[a if a != axis else (i, a) for a in range(tensor.ndim)] for i, tensor in enumerate(tensors)]
    return tensors[0] if len(tensors) == 1 else bind("concatenate", *unify_sizes(tensors, names), axis=axis)


@operation
def stack(x: Sequence[Any], axis: int = 0) -> Tensor:
    """Stacks tensors of equal shapes along a new axis.

    Example:

    >>> stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    return concatenate([expand_dims(part, axis) for part in x], axis)


@operation
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """Splits a tensor along an axis into tensors without that axis.

    Args:
        x: Tensor.
        num: The size of the axis. None: as it is.
        axis: The axis.

    Raises:
        ShapeError: if the size is not known.
    """
    tensor = as_tensor(x)
    axis = axis_of(axis, tensor.ndim, "unstack")
    if num is None and tensor.shape[axis] == 0:
        return []
    count = num or tensor.shape[axis]
    if not isinstance(count, int):
        raise ShapeError("how many tensors `unstack` returns is not known", got=str(tensor.type), hint="give `num`")
    return [squeeze(part, axis) for part in split(tensor, count, axis)]


@operation
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Splits the tensor along an axis.

    Args:
        x: Tensor.
        indices_or_sections: The number of equal parts, or the indices at which to split.
        axis: The axis.

    Raises:
        ShapeError: if the axis does not divide into equal parts.
    """
    tensor = as_tensor(x)
    axis = axis_of(axis, tensor.ndim, "split")
    extent = tensor.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1:
            raise ArgumentError("`split` makes one part or more", got=indices_or_sections)
        rest = dims.mod(extent, indices_or_sections)
        if rest != 0 and not may_be_equal((rest, 0)):
            raise ShapeError("the axis does not divide into equal parts", got=f"{extent} by {indices_or_sections}")
        size = dims.floordiv(extent, indices_or_sections)
        boundaries: list[Dim] = [size * i for i in range(indices_or_sections + 1)]
    else:
        boundaries = [0, *(_inside(index, extent) for index in dims_of(indices_or_sections)), extent]
    return [_part(tensor, axis, a, b) for a, b in pairwise(boundaries)]


def _part(x: Tensor, axis: int, start: Dim, stop: Dim) -> Tensor:
    """What is between two boundaries; while shapes are inferred, an axis is taken to be long enough."""
    if infers() and isinstance(start, int) and isinstance(stop, int):
        return assumed(x, (*x.shape[:axis], max(0, stop - start), *x.shape[axis + 1 :]))
    return _slice_axis(x, axis, start, stop)


def _inside(index: Dim, extent: Dim) -> Dim:
    """An index at which to split, counted from the start, and not after the end."""
    if isinstance(index, int) and index < 0:
        index = extent + index
    if isinstance(index, int) and isinstance(extent, int):
        return min(max(index, 0), extent)
    return index


def _slice_axis(x: Tensor, axis: int, start: Dim, stop: Dim) -> Tensor:
    low = tuple(start if a == axis else 0 for a in range(x.ndim))
    high = tuple(stop if a == axis else dim for a, dim in enumerate(x.shape))
    return x if (start, stop) == (0, x.shape[axis]) else sliced(x, low, high)


@operation
def flip(x: Any, axis: Any = None) -> Tensor:
    """Reverses the order of elements along axes; None: along all axes."""
    tensor = as_tensor(x)
    return bind("reverse", tensor, axes=axes_of(axis, tensor.ndim, "flip"))


@operation
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """Shifts elements cyclically along an axis.

    Args:
        x: Tensor.
        shift: The number of positions: an integer, or one for each axis.
        axis: The axis, or several. None: the tensor is flattened, shifted and reshaped back.

    Example:

    >>> roll([1, 2, 3, 4], 1).numpy()
    array([4, 1, 2, 3], dtype=int32)
    """
    tensor = as_tensor(x)
    shift = shift.tolist() if isinstance(shift, np.ndarray | np.generic) else shift
    if axis is None:
        return _reshape(roll(ravel(tensor), shift, 0), tensor.shape)
    if isinstance(axis, list | tuple) or isinstance(shift, list | tuple):
        axes = axis if isinstance(axis, list | tuple) else (axis,) * len(shift)
        shifts = shift if isinstance(shift, list | tuple) else (shift,) * len(axes)
        for step, along in zip(shifts, axes, strict=True):
            tensor = roll(tensor, step, along)
        return tensor
    axis = axis_of(axis, tensor.ndim, "roll")
    extent = tensor.shape[axis]
    if not isinstance(extent, int):
        indices = elementwise("sub", bind("iota", shape=(extent,), axis=0, dtype=dtypes.int32), int(shift))
        return bind("gather", tensor, elementwise("mod", indices, extent), axis=axis)
    boundary = -shift % extent if extent else 0
    if boundary == 0:
        return tensor
    return concatenate([_slice_axis(tensor, axis, boundary, extent), _slice_axis(tensor, axis, 0, boundary)], axis)


@operation
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Tensor:
    """Pads the tensor at the ends of its axes.

    Args:
        x: Tensor.
        pad_width: The numbers of elements before and after: a number, a pair for all axes, or a pair for each axis.
        mode: `"constant"`, `"reflect"` (mirrored, without the border itself), `"symmetric"` (with it) or `"edge"`.
        constant_values: The value in mode `"constant"`. None: 0.

    Raises:
        ArgumentError: if the mode is unknown.

    Example:

    >>> pad([1, 2, 3], (1, 2)).numpy(), pad([1, 2, 3], 1, mode="reflect").numpy()
    (array([0, 1, 2, 3, 0, 0], dtype=int32), array([2, 1, 2, 3, 2], dtype=int32))
    """
    tensor = as_tensor(x)
    pairs = np.broadcast_to(np.asarray(pad_width), (tensor.ndim, 2)).tolist()
    if mode == "constant":
        number = 0 if constant_values is None else as_tensor(constant_values).numpy().item()
        dtype = tensor.type.dtype
        check_kind(as_tensor(number).type.dtype, dtype)
        value = number if dtype.is_complex else float(number) if dtype.is_float else int(number)
        low, high = (tuple(int(pair[side]) for pair in pairs) for side in (0, 1))
        if not any(low + high):
            return tensor
        return bind("pad", tensor, low=low, high=high, interior=(0,) * tensor.ndim, value=value)
    if constant_values is not None:
        raise ArgumentError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`",
            got=f"mode {mode!r}, constant_values {constant_values!r}"[:120],
        )
    if mode not in ("reflect", "symmetric", "edge"):
        raise ArgumentError("unknown mode of `pad`", got=mode, expected="constant, reflect, symmetric or edge")
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            places = _places_around(tensor.shape[axis], int(before), int(after), mode)
            tensor = bind("gather", tensor, places, axis=axis)
    return tensor


def _places_around(extent: Dim, before: int, after: int, mode: str) -> Tensor:
    """The places of an axis whose elements a padded axis has."""
    if isinstance(extent, int):
        indices = np.pad(np.arange(extent), (before, after), mode)  # type: ignore[call-overload]
        return Tensor(indices.astype(np.int32))
    place = bind("iota", shape=(extent + before + after,), axis=0, dtype=dtypes.int32)
    place = elementwise("sub", place, before)
    if mode == "edge":
        return elementwise("maximum", elementwise("minimum", place, extent - 1), 0)
    # Mirrored again and again, the elements repeat: without the border every `2 n - 2` places, with it every `2 n`.
    period = 2 * extent - 2 if mode == "reflect" else 2 * extent
    place = elementwise("mod", place, period)
    return elementwise("minimum", place, elementwise("sub", period - (mode == "symmetric"), place))


@operation
def tile(x: Any, repeats: Any) -> Tensor:
    """Repeats the whole tensor along axes.

    Example:

    >>> tile([1, 2], 2).numpy()
    array([1, 2, 1, 2], dtype=int32)
    """
    tensor = as_tensor(x)
    counts = dims_of(repeats if isinstance(repeats, list | tuple | np.ndarray | Tensor) else (repeats,))
    rank = max(tensor.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    source = (1,) * (rank - tensor.ndim) + tuple(tensor.shape)
    spread = tuple(part for pair in zip(counts, source, strict=True) for part in pair)
    kept = tuple(2 * axis + 1 for axis in range(rank))
    wide = bind("broadcast", _reshape(tensor, source), shape=spread, axes=kept)
    return _reshape(wide, tuple(count * dim for count, dim in zip(counts, source, strict=True)))


@operation
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Repeats each element along an axis.

    Args:
        x: Tensor.
        repeats: The number of repetitions: an integer, or one for each position.
        axis: The axis. None: the tensor is flattened first.

    Example:

    >>> repeat([1, 2], 2).numpy()
    array([1, 1, 2, 2], dtype=int32)
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = ravel(tensor), 0
    axis = axis_of(axis, tensor.ndim, "repeat")
    shape, counts = tuple(tensor.shape), np.asarray(repeats)
    if counts.size and counts.dtype.kind not in "iu":
        raise ArgumentError("`repeat` takes whole numbers", got=repr(repeats)[:80])
    counts = counts.astype(np.int64)
    if counts.size != 1:
        if infers() and shape[axis] != counts.size:
            (tensor,) = unify_sizes([tensor, as_tensor(counts.astype(np.int32))], [[*range(tensor.ndim)], [axis]])[:1]
        if tensor.shape[axis] != counts.size:
            raise ShapeError(
                "`repeat` takes one number for all positions, or one for each",
                got=f"{counts.size} for an axis of size {shape[axis]}",
            )
        indices = np.repeat(np.arange(counts.size), counts)
        return bind("gather", tensor, Tensor(indices.astype(np.int32)), axis=axis)
    repeats = int(counts.reshape(()))
    wide = (*shape[: axis + 1], repeats, *shape[axis + 1 :])
    kept = (*range(axis + 1), *range(axis + 2, tensor.ndim + 1))
    spread = bind("broadcast", tensor, shape=wide, axes=kept)
    return _reshape(spread, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


@operation
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Gathers elements along an axis.

    Args:
        x: Tensor.
        indices: Tensor of integers; negative ones count from the end. The result for an index out of bounds is NaN, as
            in Keras on JAX; for signed integers it is the minimum, for unsigned ones the maximum, for booleans True.
        axis: The axis. None: `x` is flattened first.

    Example:

    >>> take([10, 20, 30], [2, -3]).numpy()
    array([30, 10], dtype=int32)
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = ravel(tensor), 0
    axis = axis_of(axis, tensor.ndim, "take")
    indices = as_indices(indices)
    extent = tensor.shape[axis]
    if extent == 0 and 0 not in indices.shape:
        raise ShapeError("nothing can be taken from an axis without elements", got=f"axis {axis} of {tensor.type}")
    indices = _wrapped(indices, extent)
    taken = bind("gather", tensor, indices, axis=axis)
    return _fill_out_of_bounds(taken, indices, extent, tuple(range(axis, axis + indices.ndim)))


def _fill_value(x: Tensor, shape: Shape) -> Tensor:
    """The result for indices out of bounds: NaN, the minimum of signed or maximum of unsigned integers, or True."""
    if x.type.dtype.is_inexact:
        number: float | int | bool = float("nan")
    elif x.type.dtype.is_bool:
        number = True
    else:
        limits = np.iinfo(x.type.dtype.numpy)
        number = int(limits.min if x.type.dtype.kind == "int" else limits.max)
    return _broadcast_to(as_tensor(number, x.type.dtype), shape)


def _fill_out_of_bounds(taken: Tensor, indices: Tensor, extent: Dim, axes: tuple[int, ...]) -> Tensor:
    """Gathered elements with the fill value for indices out of bounds; the indices lie along `axes` of `taken`."""
    if all_in_bounds(indices, extent):
        return taken
    in_bounds = elementwise("lt", indices, extent)
    if indices.type.dtype.kind == "int":
        in_bounds = bind("logical_and", in_bounds, elementwise("ge", indices, 0))
    if axes != tuple(range(taken.ndim)):
        in_bounds = bind("broadcast", in_bounds, shape=taken.shape, axes=axes)
    return bind("select", in_bounds, taken, _fill_value(taken, taken.shape))


@operation
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Gathers along an axis, with separate indices for each position of the other axes.

    Args:
        x: Tensor.
        indices: Tensor of integers of the rank of `x`; negative ones count from the end. The result for an index out
            of bounds is NaN, as of `take`.
        axis: The axis. None: both are flattened first.

    Example:

    >>> take_along_axis([[10, 20], [30, 40]], [[1], [0]], axis=1).numpy().tolist()
    [[20], [30]]
    """
    tensor, indices = as_tensor(x), as_indices(indices)
    if axis is None:
        return take_along_axis(ravel(tensor), ravel(indices), 0)
    axis = axis_of(axis, tensor.ndim, "take_along_axis")
    if indices.ndim == tensor.ndim:
        names = [[("of", i, a) if a == axis else a for a in range(tensor.ndim)] for i in range(2)]
        tensor, indices = unify_sizes([tensor, indices], names)
    extent = tensor.shape[axis]
    rows = moveaxis(tensor, axis, -1)
    wanted = moveaxis(_wrapped(indices, extent), axis, -1)
    within = _clamped(wanted, extent)
    lead = dims.product(rows.shape[:-1])
    start = bind("iota", shape=(lead,), axis=0, dtype=wanted.type.dtype)
    offset = _reshape(elementwise("mul", start, extent), (*rows.shape[:-1], 1))
    flat = elementwise("add", within, offset)
    taken = bind("gather", _reshape(rows, (lead * extent,)), flat, axis=0)
    return moveaxis(_fill_out_of_bounds(taken, wanted, extent, tuple(range(taken.ndim))), -1, axis)


def _clamped(indices: Tensor, extent: Dim) -> Tensor:
    """Indices clamped to an axis, so that they do not address another row."""
    return elementwise("minimum", elementwise("maximum", indices, 0), extent - 1)


@operation
def get_item(x: Any, key: Any) -> Tensor:
    """`x[key]`."""
    return getitem(x, key)


def _triangle(x: Any, k: int, upper: bool) -> Tensor:
    tensor = as_tensor(x)
    shape = tuple(tensor.shape)
    row, column = (bind("iota", shape=shape, axis=tensor.ndim - i, dtype=dtypes.int32) for i in (2, 1))
    distance = bind("sub", column, row)
    kept = elementwise("ge", distance, k) if upper else elementwise("le", distance, k)
    return where(kept, tensor, False if tensor.type.dtype.is_bool else 0)


@operation
def triu(x: Any, k: int = 0) -> Tensor:
    """The elements on and above the `k`-th diagonal of the last two axes, and zeros."""
    return _triangle(x, k, upper=True)


@operation
def tril(x: Any, k: int = 0) -> Tensor:
    """The elements on and below the `k`-th diagonal of the last two axes, and zeros.

    Example:

    >>> tril([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 0], [3, 4]]
    """
    return _triangle(x, k, upper=False)
