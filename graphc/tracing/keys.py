"""Keys of indexing: the brackets of `x[...]`, expanded to one part for every axis."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dims import Dim, IntExpr, Shape
from graphc.errors import DTypeError, GraphcError, ShapeError
from graphc.tracing.origins import current_origin, describe

Rows = tuple[Shape, Shape, tuple[int, ...], tuple[int, ...]]


def located(error: GraphcError) -> GraphcError:
    """An error with the layer and the user's line."""
    origin = current_origin()
    return error.locate(layer=origin.layer or None, where=describe(origin))


def is_integer(key: Any) -> bool:
    """Whether a part of a key is an integer, which selects one position of an axis and drops the axis."""
    return isinstance(key, int | IntExpr) and not isinstance(key, bool)


def is_index_array(key: Any) -> bool:
    """Whether a part of a key is an array of indices."""
    return not (key is None or key is Ellipsis or isinstance(key, slice) or is_integer(key))


def parts_of(key: Any, shape: Shape) -> tuple[Any, ...]:
    """Expands a key to a part for every axis: integers, slices, None, arrays of indices. A known mask becomes indices.

    Raises:
        DTypeError: if a part is something else, or a mask whose values are not known while tracing.
        ShapeError: if there are too many, or a mask has another shape.
    """
    parts = [_part(part) for part in (key if isinstance(key, tuple) else (key,))]
    used = sum(_width(part) for part in parts)
    if used > len(shape):
        raise located(ShapeError("there are more indices than axes", got=f"{used} indices", expected=f"shape {shape}"))
    dots = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts[dots : dots + 1] = (slice(None),) * (len(shape) - used)
    found: list[Any] = []
    axis = 0
    for part in parts:
        axes = tuple(shape[axis : axis + _width(part)])
        if _is_mask(part):
            if part.shape != axes:
                raise located(ShapeError("a mask does not fit", got=f"shape {part.shape}", expected=f"shape {axes}"))
            found += np.nonzero(part)
        else:
            found.append(part)
        axis += len(axes)
    return tuple(found)


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == np.bool_


def _width(part: Any) -> int:
    """The number of axes that a part indexes."""
    return 0 if part is None or part is Ellipsis else part.ndim if _is_mask(part) else 1


def _part(part: Any) -> Any:
    """A part, with arrays of known values as NumPy arrays."""
    if isinstance(part, np.integer):
        return operator.index(part)
    if not is_index_array(part):
        return part
    traced = getattr(part, "traced", None) is not None
    array = part if traced else np.asarray(part.numpy() if hasattr(part, "numpy") else part)
    dtype = part.type.dtype.numpy if traced else array.dtype
    if not traced and not array.size and isinstance(part, list | tuple):
        return array.astype(np.int32)
    if dtype == np.bool_ and (traced or array.ndim == 0):
        raise located(
            DTypeError(
                "a mask that a graph computes cannot index: how many elements it keeps is not known",
                got=str(part.type) if traced else repr(part),
                hint="keep the shape, and put something else where it does not hold: ops.where(mask, x, 0)",
            )
        )
    if dtype != np.bool_ and dtype.kind not in "iu":
        raise located(DTypeError("indices are integers", got=f"dtype {dtype}", hint='ops.cast(indices, "int32")'))
    return array


def bounds(keys: tuple[Any, ...], shape: Shape) -> Rows:
    """The start, stop and step of the slice of each axis, and the axes that are reversed before it.

    Raises:
        ShapeError: if an integer is outside of its axis.
    """
    rows: list[tuple[Dim, Dim, int]] = []
    reversed_axes: list[int] = []
    for k in keys:
        if k is None:
            continue
        extent = shape[len(rows)]
        if is_integer(k):
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
            step = 1 if k.step is None else int(k.step)
            if step < 0:
                reversed_axes.append(len(rows))
            rows.append((*_range(k, extent, step < 0), abs(step)))
        else:
            rows.append((0, extent, 1))
    start, stop, steps = zip(*rows, strict=True) if rows else ((), (), ())
    return tuple(start), tuple(stop), tuple(steps), tuple(reversed_axes)


def _range(key: slice, extent: Dim, backwards: bool) -> tuple[Dim, Dim]:
    """The start and stop of a slice; those of a backwards slice are counted in the reversed axis."""

    def position(bound: Any, default: Dim) -> Dim:
        if bound is None:
            return default
        index = bound + extent if isinstance(bound, int) and bound < 0 else bound
        if isinstance(index, int) and isinstance(extent, int):
            return min(max(index, -1 if backwards else 0), extent)
        return index if isinstance(index, int | IntExpr) else int(index)

    if not backwards:
        return position(key.start, 0), position(key.stop, extent)
    first = position(key.start, extent - 1)
    last = position(key.stop, -1)
    return extent - 1 - first, extent - 1 - last


def adjacent(keys: Sequence[Any]) -> bool:
    """Whether arrays and integers are adjacent in a key: NumPy then puts the result's axes in their position."""
    positions = [i for i, k in enumerate(keys) if is_index_array(k) or is_integer(k)]
    return positions == list(range(positions[0], positions[0] + len(positions)))
