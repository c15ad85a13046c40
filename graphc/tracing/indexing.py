"""Indexing: `x[key]`, as slices, reshapes and gathers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.tracing import keys
from graphc.tracing.conversion import as_tensor
from graphc.tracing.elementwise import elementwise
from graphc.tracing.shapes import broadcast_shapes, broadcast_to, reshape
from graphc.tracing.tensor import Tensor, bind, cast, is_constant


def getitem(x: Any, key: Any) -> Tensor:
    """`x[key]` with integers, slices, `None`, `...`, and arrays of integers and booleans, as NumPy has it.

    Indices in arrays that are out of bounds are clamped to the axis, as in Keras on JAX.

    Raises:
        ShapeError: if the key does not fit the shape.
        DTypeError: if it is a mask that a graph computes: the result has no static shape.
    """
    tensor = as_tensor(x)
    parts = keys.parts_of(key, tensor.shape)
    arrays = [part for part in parts if keys.is_index_array(part)]
    start, stop, step, reversed_axes = keys.bounds(parts, tensor.shape)
    if is_constant(tensor) and not arrays and all(isinstance(bound, int) for bound in (*start, *stop)):
        return Tensor(np.asarray(tensor.numpy()[parts]))
    if arrays and not keys.adjacent(parts):
        # NumPy then puts the axes of the index arrays first; integers among them count as arrays.
        parts = tuple(as_tensor(part) if keys.is_integer(part) else part for part in parts)
        start, stop, step, reversed_axes = keys.bounds(parts, tensor.shape)
    if reversed_axes:
        tensor = bind("reverse", tensor, axes=reversed_axes)
    if (start, stop, step) != ((0,) * tensor.ndim, tensor.shape, (1,) * tensor.ndim):
        tensor = bind("slice", tensor, start=start, stop=stop, step=step)
    return _shaped(parts, tensor)


def _shaped(parts: tuple[Any, ...], x: Tensor) -> Tensor:
    """Drops the axes of integers, adds those of None, and gathers along the axes of index arrays."""
    shape: list[Dim] = []
    indexed: list[tuple[int, Any]] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            shape.append(x.shape[axis])
        elif keys.is_index_array(part):
            indexed.append((len(shape), part))
            shape.append(x.shape[axis])
        axis += 1
    x = reshape(x, tuple(shape))
    if not indexed:
        return x
    axes = [axis for axis, _ in indexed]
    indices = [as_indices(part) for _, part in indexed]
    return _gathered(x, axes, indices, front=not keys.adjacent(parts))


def _gathered(x: Tensor, axes: list[int], indices: list[Tensor], front: bool) -> Tensor:
    """Gathers along several axes at once; the axes of the result come first, or stay in position."""
    common = broadcast_shapes(*(part.shape for part in indices))
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    extents = [x.shape[axis] for axis in axes]
    if 0 in extents and 0 not in common:
        raise keys.located(ShapeError("nothing can be picked from an axis without elements", got=str(x.type)))
    flat, in_bounds = _flat_indices([broadcast_to(part, common) for part in indices], extents)
    before = 0 if front else axes[0]
    order = (*rest[:before], *axes, *rest[before:])
    moved = x if order == tuple(range(x.ndim)) else bind("transpose", x, order=order)
    sizes = moved.shape
    moved = reshape(moved, (*sizes[:before], dims.product(extents), *sizes[before + len(axes) :]))
    found = bind("gather", moved, flat, axis=before)
    if in_bounds is None:
        return found
    in_bounds = bind("broadcast", in_bounds, shape=found.shape, axes=tuple(range(before, before + len(common))))
    # A clamped index contributes no gradient.
    return bind("select", in_bounds, found, bind("stop_gradient", found))


def _flat_indices(indices: list[Tensor], extents: list[Dim]) -> tuple[Tensor, Tensor | None]:
    """Combines indices of several axes into clamped indices of one, and where all are in bounds; None: everywhere."""
    flat: Tensor | None = None
    in_bounds: Tensor | None = None
    for part, extent in zip(indices, extents, strict=True):
        part = wrapped(part, extent)
        if not all_in_bounds(part, extent):
            within = bind("logical_and", elementwise("ge", part, 0), elementwise("lt", part, extent))
            in_bounds = within if in_bounds is None else bind("logical_and", in_bounds, within)
            part = elementwise("minimum", elementwise("maximum", part, 0), extent - 1)
        flat = part if flat is None else elementwise("add", elementwise("mul", flat, extent), part)
    assert flat is not None
    return flat, in_bounds


def all_in_bounds(indices: Tensor, extent: Dim) -> bool:
    """Whether indices are known to be within the bounds of an axis."""
    if indices.traced is not None or not isinstance(extent, int):
        return False
    values = indices.numpy()
    return not values.size or bool(values.min() >= 0 and values.max() < extent)


def as_indices(x: Any) -> Tensor:
    """Indices as integers of at least 32 bits: narrower integers, booleans and floats become int32."""
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.is_integer and tensor.type.dtype.bits >= 32 else cast(tensor, dtypes.int32)


def wrapped(indices: Tensor, extent: Dim) -> Tensor:
    """Indices into an axis with the negative ones, which count from the end, made non-negative."""
    if indices.type.dtype.kind == "uint":
        return indices
    return bind("select", elementwise("lt", indices, 0), elementwise("add", indices, extent), indices)
