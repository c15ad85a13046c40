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
from graphc.tracing.tensor import Tensor, bind, cast


def getitem(x: Any, key: Any) -> Tensor:
    """`x[key]` with integers, slices, `None`, `...`, and arrays of integers and booleans, as NumPy has it.

    Where arrays of integers are outside of their axis they count as its nearest end, as in Keras on JAX.

    Raises:
        ShapeError: if the key does not fit the shape.
        DTypeError: if it is a mask that a graph computes: its result has no fixed shape.
    """
    tensor = as_tensor(x)
    parts = keys.parts_of(key, tensor.shape)
    arrays = [part for part in parts if keys.is_indices(part)]
    start, stop, step, turned = keys.bounds(parts, tensor.shape)
    if tensor.traced is None and not arrays and all(isinstance(bound, int) for bound in (*start, *stop)):
        return Tensor(np.asarray(tensor.numpy()[parts]))
    if arrays and not keys.adjacent(parts):
        # NumPy puts the axis of what is picked first, and so with integers among the arrays.
        parts = tuple(as_tensor(part) if keys.is_integer(part) else part for part in parts)
        start, stop, step, turned = keys.bounds(parts, tensor.shape)
    if turned:
        tensor = bind("reverse", tensor, axes=turned)
    if (start, stop, step) != ((0,) * tensor.ndim, tensor.shape, (1,) * tensor.ndim):
        tensor = bind("slice", tensor, start=start, stop=stop, step=step)
    return _shaped(parts, tensor)


def _shaped(parts: tuple[Any, ...], x: Tensor) -> Tensor:
    """Drops the axes of integers, adds those of None, and picks where arrays of places stand."""
    shape: list[Dim] = []
    picked: list[tuple[int, Any]] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            shape.append(x.shape[axis])
        elif keys.is_indices(part):
            picked.append((len(shape), part))
            shape.append(x.shape[axis])
        axis += 1
    x = reshape(x, tuple(shape))
    if not picked:
        return x
    axes = [axis for axis, _ in picked]
    places = [as_indices(part) for _, part in picked]
    return _picked(x, axes, places, front=not keys.adjacent(parts))


def _picked(x: Tensor, axes: list[int], places: list[Tensor], front: bool) -> Tensor:
    """Elements at places along some axes, which count together; their axes become the first, or stay."""
    common = broadcast_shapes(*(part.shape for part in places))
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    extents = [x.shape[axis] for axis in axes]
    if 0 in extents and 0 not in common:
        raise keys.located(ShapeError("nothing can be picked from an axis without elements", got=str(x.type)))
    flat, inside = _flat_places([broadcast_to(part, common) for part in places], extents)
    before = 0 if front else axes[0]
    order = (*rest[:before], *axes, *rest[before:])
    moved = x if order == tuple(range(x.ndim)) else bind("transpose", x, order=order)
    sizes = moved.shape
    moved = reshape(moved, (*sizes[:before], dims.product(extents), *sizes[before + len(axes) :]))
    found = bind("gather", moved, flat, axis=before)
    if inside is None:
        return found
    inside = bind("broadcast", inside, shape=found.shape, axes=tuple(range(before, before + len(common))))
    # What stands for elements outside has no part in gradients.
    return bind("select", inside, found, bind("stop_gradient", found))


def _flat_places(places: list[Tensor], extents: list[Dim]) -> tuple[Tensor, Tensor | None]:
    """Places in several axes as places in one, moved into the axes, and where they were inside; None: everywhere."""
    flat: Tensor | None = None
    inside: Tensor | None = None
    for part, extent in zip(places, extents, strict=True):
        part = wrapped(part, extent)
        if not all_inside(part, extent):
            held = bind("logical_and", elementwise("ge", part, 0), elementwise("lt", part, extent))
            inside = held if inside is None else bind("logical_and", inside, held)
            part = elementwise("minimum", elementwise("maximum", part, 0), extent - 1)
        flat = part if flat is None else elementwise("add", elementwise("mul", flat, extent), part)
    assert flat is not None
    return flat, inside


def all_inside(places: Tensor, extent: Dim) -> bool:
    """Whether places are known to be in an axis."""
    if places.traced is not None or not isinstance(extent, int):
        return False
    values = places.numpy()
    return not values.size or bool(values.min() >= 0 and values.max() < extent)


def as_indices(x: Any) -> Tensor:
    """Integers that can count any axis: those of fewer than 32 bits, booleans and floats become int32."""
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.is_integer and tensor.type.dtype.bits >= 32 else cast(tensor, dtypes.int32)


def wrapped(indices: Tensor, extent: Dim) -> Tensor:
    """Indices into an axis, with the negative ones counted from its end."""
    if indices.type.dtype.kind == "uint":
        return indices
    return bind("select", elementwise("lt", indices, 0), elementwise("add", indices, extent), indices)
