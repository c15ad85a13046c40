"""Keys of indexing: the brackets of `x[...]`, expanded to one part for every axis."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from graphc.dims import Dim, IntExpr, Shape
from graphc.errors import DTypeError, GraphcError, ShapeError
from graphc.tracing.conversion import as_tensor
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.scalars import distance
from graphc.tracing.tensor import Tensor

Rows: TypeAlias = tuple[Shape, Shape, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Block:
    """Positions of an axis from a start that a graph computes.

    Args:
        start: The lowest position, a scalar; negative ones count from the end.
        size: The number of positions from the lowest to the highest.
        step: Of how many positions one is taken, from the highest down if it is negative. 0: the one position, whose
            axis is dropped.
    """

    start: Tensor
    size: Dim
    step: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key with a part for every axis.

    Args:
        parts: Integers, slices with steps, blocks, None, and arrays of indices.
        front: Whether the axes of the arrays come first in the result; else they are in their position.
        added: Axes of size 1 that are added to the tensor first: a single boolean indexes one, as a mask.
    """

    parts: tuple[Any, ...]
    front: bool = False
    added: tuple[int, ...] = ()

    def widened(self, shape: Shape) -> Shape:
        """A shape with the axes that are added first."""
        sizes = list(shape)
        for axis in self.added:
            sizes.insert(axis, 1)
        return tuple(sizes)


def located(error: GraphcError) -> GraphcError:
    """An error with the layer and the user's line."""
    origin = current_origin()
    return error.locate(layer=origin.layer or None, where=describe(origin))


def is_integer(key: Any) -> bool:
    """Whether a part of a key selects one position of an axis, and drops the axis: an integer or a computed one."""
    return (isinstance(key, int | IntExpr) and not isinstance(key, bool)) or (isinstance(key, Block) and not key.step)


def is_index_array(key: Any) -> bool:
    """Whether a part of a key is an array of indices."""
    return not (key is None or key is Ellipsis or isinstance(key, slice | Block) or is_integer(key))


def expanded(key: Any, shape: Shape) -> Key:
    """Expands a key to a part for every axis.

    Masks of known values become arrays of indices. Where there are arrays, computed integers are arrays as well, and
    where arrays are apart, all integers are: NumPy then puts the axes of the arrays first.

    Raises:
        DTypeError: if a part is something else, or a mask whose values are not known while tracing.
        ShapeError: if there are too many, or a mask has another shape, or the size of a slice is not known.
    """
    parts = [_part(part) for part in (key if isinstance(key, tuple) else (key,))]
    used = sum(_width(part) for part in parts)
    if used > len(shape):
        raise located(ShapeError("there are more indices than axes", got=f"{used} indices", expected=f"shape {shape}"))
    dots = [i for i, part in enumerate(parts) if part is Ellipsis] or [len(parts)]
    if len(dots) > 1:
        raise located(ShapeError("a key has `...` more than once", got=f"{len(dots)} times", expected="once at most"))
    front = not adjacent(parts)
    parts[dots[0] : dots[0] + 1] = (slice(None, None, 1),) * (len(shape) - used)
    found: list[Any] = []
    added: list[int] = []
    axis = 0
    for part in parts:
        axes = tuple(shape[axis : axis + _width(part)])
        if _is_mask(part):
            if not axes:
                added.append(sum(k is not None for k in found))
                part = part.reshape(1)
            elif part.shape != axes:
                raise located(ShapeError("a mask does not fit", got=f"shape {part.shape}", expected=f"shape {axes}"))
            found += np.nonzero(part)
        elif isinstance(part, slice):
            found.append(_block(part, axes[0]) if _is_computed(part) else part)
        else:
            found.append(part)
        axis += len(axes)
    if any(is_index_array(part) and part.ndim for part in found):
        return Key(
            tuple(as_tensor(part) if front and is_integer(part) else part for part in found), front, tuple(added)
        )
    return Key(tuple(_one_position(part) if is_index_array(part) else part for part in found))


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == np.bool_


def _width(part: Any) -> int:
    """The number of axes that a part indexes."""
    return 0 if part is None or part is Ellipsis else part.ndim if _is_mask(part) else 1


def _part(part: Any) -> Any:
    """A part, with arrays of known values as NumPy arrays, and what it has of scalar tensors as integers."""
    if isinstance(part, np.integer):
        return operator.index(part)
    if isinstance(part, slice):
        return slice(_bound(part.start), _bound(part.stop), _step(part.step))
    if not is_index_array(part):
        return part
    if hasattr(part, "__tensor__") or _holds_tensors(part):
        part = as_tensor(part)
    traced = isinstance(part, Tensor) and part.traced is not None
    array = part if traced else np.asarray(part)
    dtype = part.type.dtype.numpy if traced else array.dtype
    if not traced and not array.size and isinstance(part, list | tuple):
        return array.astype(np.int32)
    if dtype == np.bool_ and traced:
        raise located(
            DTypeError(
                "a mask that a graph computes cannot index: how many elements it keeps is not known",
                got=str(part.type),
                hint="keep the shape, and put something else where it does not hold: ops.where(mask, x, 0); "
                "ops.nonzero finds its indices where values are known",
            )
        )
    if dtype != np.bool_ and dtype.kind not in "iu":
        raise located(DTypeError("indices are integers", got=f"dtype {dtype}", hint='ops.cast(indices, "int32")'))
    return array


def _holds_tensors(part: Any) -> bool:
    return isinstance(part, list) and any(hasattr(entry, "__tensor__") or _holds_tensors(entry) for entry in part)


def _one_position(part: Any) -> Block:
    """An array without axes as a computed integer."""
    return Block(part if isinstance(part, Tensor) else Tensor(part), 1, 0)


def _bound(bound: Any) -> Any:
    """A bound of a slice: None, an integer, a size, or a traced scalar."""
    if bound is None or isinstance(bound, IntExpr) or type(bound) is int:
        return bound
    if hasattr(bound, "__tensor__"):
        tensor: Tensor = bound.__tensor__()
        if tensor.traced is not None and tensor.ndim == 0 and tensor.type.dtype.is_integer:
            return tensor
        bound = str(tensor.type) if tensor.traced is not None else tensor
    try:
        return operator.index(bound)
    except (TypeError, GraphcError):
        got = repr(bound)[:80]
        raise located(DTypeError("the bounds of a slice are integers", got=got, expected="integer scalars")) from None


def _step(step: Any) -> int:
    number = 1 if step is None else _bound(step)
    if not isinstance(number, int) or number == 0:
        hint = "index by an array of positions, such as start + step * ops.arange(count)"
        raise located(ShapeError("the step of a slice is a number that is not 0", got=repr(number), hint=hint))
    return number


# ---- slices whose bounds a graph computes


def _is_computed(part: slice) -> bool:
    return isinstance(part.start, Tensor) or isinstance(part.stop, Tensor)


def _block(part: slice, extent: Dim) -> Block:
    """A slice with bounds that a graph computes, whose difference is known.

    Raises:
        ShapeError: if it is not, so that the result would have no static size.
    """
    ends = (part.start, part.stop) if part.step > 0 else (part.stop, part.start)
    size = None if any(end is None for end in ends) else distance(*ends)
    if size is None:
        raise located(
            ShapeError(
                "the size of a slice is not known: a graph computes its bounds",
                got=f"a slice of an axis of size {extent}",
                expected="bounds with a known difference, such as x[i:i + 3]",
                hint="ops.slice(x, start, sizes) takes a block of a fixed size; "
                "ops.where(ops.arange(n) < i, x, 0) keeps the shape",
            )
        )
    if isinstance(size, int) and isinstance(extent, int):
        size = min(max(size, 0), extent)
    start = ends[0] if part.step > 0 else ends[0] + 1
    return Block(start if isinstance(start, Tensor) else as_tensor(start), size, part.step)


# ---- slices of known bounds


def bounds(parts: tuple[Any, ...], shape: Shape) -> Rows:
    """The start, stop and step of the slice of each axis, and the axes that are reversed before it.

    Raises:
        ShapeError: if an integer is outside of its axis.
    """
    rows: list[tuple[Dim, Dim, int]] = []
    reversed_axes: list[int] = []
    for k in parts:
        if k is None:
            continue
        extent = shape[len(rows)]
        if isinstance(k, int | IntExpr):
            first = k + extent if isinstance(k, int) and k < 0 else k
            if isinstance(first, int) and isinstance(extent, int) and not 0 <= first < extent:
                raise located(
                    ShapeError(
                        "an index is outside of its axis",
                        got=f"{k} in axis {len(rows)} of shape {shape}",
                        expected=f"from {-extent} to {extent - 1}",
                    )
                )
            rows.append((first, first + 1, 1))
        elif isinstance(k, slice):
            if k.step < 0:
                reversed_axes.append(len(rows))
            rows.append((*_range(k, extent), abs(k.step)))
        else:
            rows.append((0, extent, 1))
    start, stop, steps = zip(*rows, strict=True) if rows else ((), (), ())
    return tuple(start), tuple(stop), tuple(steps), tuple(reversed_axes)


def _range(key: slice, extent: Dim) -> tuple[Dim, Dim]:
    """The start and stop of a slice; those of a backwards slice are counted in the reversed axis."""
    if isinstance(extent, int) and not isinstance(key.start, IntExpr) and not isinstance(key.stop, IntExpr):
        first, last, step = key.indices(extent)
        if step < 0:
            first, last = extent - 1 - first, extent - 1 - last
        return (first, last) if first < last else (0, 0)

    def position(bound: Any, default: Dim) -> Dim:
        if bound is None:
            return default
        return bound + extent if isinstance(bound, int) and bound < 0 else bound

    if key.step > 0:
        return position(key.start, 0), position(key.stop, extent)
    return extent - 1 - position(key.start, extent - 1), extent - 1 - position(key.stop, -1)


def adjacent(parts: Sequence[Any]) -> bool:
    """Whether arrays and integers are adjacent in a key: NumPy then puts the result's axes in their position."""
    positions = [i for i, k in enumerate(parts) if is_index_array(k) or is_integer(k)]
    return not positions or positions == list(range(positions[0], positions[0] + len(positions)))
