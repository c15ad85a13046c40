"""Indexing: `x[key]` as a chain of steps, each of which reads a part of a tensor and can put one back.

The steps are reversals and slices, blocks at computed positions, a reshape that drops the axes of integers and adds
those of None, and a gather along the axes of index arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.tracing import keys
from graphc.tracing.conversion import as_tensor
from graphc.tracing.elementwise import elementwise
from graphc.tracing.shapes import assumed, broadcast_shapes, broadcast_to, reshape
from graphc.tracing.tensor import Tensor, bind, cast, is_constant
from graphc.tracing.trace import infers


def getitem(x: Any, key: Any) -> Tensor:
    """`x[key]` with integers, slices, `None`, `...`, arrays of integers and booleans, and computed integers.

    Indices in arrays and computed ones that are out of bounds are clamped to the axis, as in Keras on JAX.

    Raises:
        ShapeError: if the key does not fit the shape, or a slice has no static size.
        DTypeError: if it is a mask that a graph computes: the result has no static shape.
    """
    tensor = as_tensor(x)
    expanded = keys.expanded(key, tensor.shape)
    if is_constant(tensor):
        known = _known(expanded, tensor.shape)
        if known is not None:
            return Tensor(np.asarray(tensor.array[known]))
    for step in steps_of(expanded, tensor.shape):
        tensor = step.get(tensor)
    picked = array_axes(expanded)
    return gathered(tensor, picked) if picked else tensor


def _known(key: keys.Key, shape: Shape) -> tuple[Any, ...] | None:
    """NumPy's key for one whose indices are known, with those of arrays in bounds; None if it has to be computed."""
    if key.front or key.added:
        return None
    keys.bounds(key.parts, shape)
    found: list[Any] = []
    extents = iter(shape)
    for part in key.parts:
        extent = None if part is None else next(extents)
        if isinstance(part, keys.Block) and part.step == 0 and part.start.traced is None:
            part = part.start.array
        if isinstance(part, np.ndarray) and isinstance(extent, int) and extent:
            wide = as_indices(part).array.astype(np.int64)
            found.append(np.clip(np.where(wide < 0, wide + extent, wide), 0, extent - 1))
        elif part is None or isinstance(part, int) or (isinstance(part, slice) and not _is_symbolic(part)):
            found.append(part)
        else:
            return None
    return tuple(found)


def _is_symbolic(part: slice) -> bool:
    return isinstance(part.start, dims.IntExpr) or isinstance(part.stop, dims.IntExpr)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of indexing.

    Args:
        get: The part of a tensor.
        put: A tensor, and another part in the place of its own, to the tensor with that.
    """

    get: Callable[[Tensor], Tensor]
    put: Callable[[Tensor, Tensor], Tensor]


def steps_of(key: keys.Key, shape: Shape) -> Iterator[Step]:
    """The steps before the gather; steps that change nothing are left out."""
    parts = key.parts
    if key.added:
        yield Step(lambda x: reshape(x, key.widened(x.shape)), lambda x, part: reshape(part, x.shape))
        shape = key.widened(shape)
    start, stop, step, reversed_axes = keys.bounds(parts, shape)
    if reversed_axes:
        yield _reversal(reversed_axes)
    if (start, stop, step) != ((0,) * len(shape), shape, (1,) * len(shape)):
        yield _slicing(start, stop, step)
    blocks = {axis: k for axis, k in enumerate(_per_axis(parts)) if isinstance(k, keys.Block)}
    if blocks:
        yield _block(blocks)
        backwards = tuple(axis for axis, block in blocks.items() if block.step < 0)
        if backwards:
            yield _reversal(backwards)
        if any(abs(block.step) > 1 for block in blocks.values()):
            yield _strides(tuple(abs(blocks[axis].step) or 1 if axis in blocks else 1 for axis in range(len(shape))))
    yield Step(lambda x: reshape(x, _kept(parts, x.shape)), lambda x, part: reshape(part, x.shape))


def _per_axis(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part for part in parts if part is not None)


def _kept(parts: tuple[Any, ...], shape: Shape) -> Shape:
    """The shape without the axes of integers, and with those of None."""
    sizes = iter(shape)
    found: list[Dim] = []
    for part in parts:
        size = 1 if part is None else next(sizes)
        if not keys.is_integer(part):
            found.append(size)
    return tuple(found)


def _reversal(axes: tuple[int, ...]) -> Step:
    return Step(lambda x: bind("reverse", x, axes=axes), lambda x, part: bind("reverse", part, axes=axes))


def sliced(x: Tensor, start: Shape, stop: Shape, step: tuple[int, ...] | None = None) -> Tensor:
    """The elements from `start` to before `stop`; while shapes are inferred, they may reach outside or be none."""
    step = (1,) * x.ndim if step is None else step
    shape = _assumed_shape(x.shape, start, stop, step)
    return bind("slice", x, start=start, stop=stop, step=step) if shape is None else assumed(x, shape)


def _slicing(start: Shape, stop: Shape, step: tuple[int, ...]) -> Step:
    def get(x: Tensor) -> Tensor:
        return sliced(x, start, stop, step)

    def put(x: Tensor, part: Tensor) -> Tensor:
        if 0 in part.shape or _assumed_shape(x.shape, start, stop, step) is not None:
            return x
        around = zip(x.shape, start, part.shape, step, strict=True)
        padding: dict[str, Any] = {
            "low": start,
            "high": tuple(extent - first - (count - 1) * stride - 1 for extent, first, count, stride in around),
            "interior": tuple(stride - 1 for stride in step),
        }
        inside = bind("pad", broadcast_to(as_tensor(True), part.shape), **padding, value=False)
        return bind("select", inside, bind("pad", part, **padding, value=0), x)

    return Step(get, put)


def _assumed_shape(shape: Shape, start: Shape, stop: Shape, step: tuple[int, ...]) -> Shape | None:
    """While shapes are inferred: the shape of a slice that may reach outside or be empty; None for one that fits."""
    if not infers():
        return None
    sizes: list[Dim] = []
    fits = True
    for extent, first, last, stride in zip(shape, start, stop, step, strict=True):
        size = dims.floordiv(last - first + (stride - 1), stride)
        inside = dims.nonnegative(first) and dims.nonnegative(extent - last)
        fits = fits and inside and (dims.nonnegative(size - 1) or size == 0)
        # How much of x[:3] there is depends on the size; what is left out in x[1:] is known.
        sizes.append(
            size if inside or size == 1 else dims.size(re.sub(r"\W+", "_", f"{extent}_{first}_{last}_{stride}"))
        )
    return None if fits else tuple(sizes)


def _strides(strides: tuple[int, ...]) -> Step:
    """Every n-th position from the first of an axis."""

    def step(x: Tensor) -> Step:
        return _slicing((0,) * x.ndim, x.shape, strides)

    return Step(lambda x: step(x).get(x), lambda x, part: step(x).put(x, part))


def _block(blocks: dict[int, keys.Block]) -> Step:
    axes, sizes = tuple(blocks), tuple(block.size for block in blocks.values())

    def starts(x: Tensor) -> list[Tensor]:
        return [wrapped(as_indices(block.start), x.shape[axis]) for axis, block in blocks.items()]

    def fits(x: Tensor) -> bool:
        pairs = zip(axes, sizes, strict=True)
        return not infers() or all(dims.nonnegative(x.shape[axis] - size) for axis, size in pairs)

    def get(x: Tensor) -> Tensor:
        if not fits(x):
            return assumed(x, tuple(blocks[axis].size if axis in blocks else dim for axis, dim in enumerate(x.shape)))
        return bind("dynamic_slice", x, *starts(x), axes=axes, sizes=sizes)

    def put(x: Tensor, part: Tensor) -> Tensor:
        if not fits(x):
            return x
        return bind("dynamic_update_slice", x, part, *starts(x), axes=axes)

    return Step(get, put)


# ---- index arrays


@dataclass(frozen=True, slots=True)
class ArrayAxes:
    """The axes that arrays index, after the other steps.

    Args:
        axes: Their numbers.
        indices: The arrays, broadcast to one shape.
        before: How many of the other axes come before those of the arrays in the result.
    """

    axes: tuple[int, ...]
    indices: tuple[Tensor, ...]
    before: int

    @property
    def common(self) -> Shape:
        """The shape of the arrays."""
        return self.indices[0].shape

    def others(self, x: Tensor) -> tuple[int, ...]:
        """The axes that are not indexed."""
        return tuple(axis for axis in range(x.ndim) if axis not in self.axes)


def array_axes(key: keys.Key) -> ArrayAxes | None:
    """The axes that arrays index; None if there are no arrays."""
    kept = [part for part in key.parts if not keys.is_integer(part)]
    axes = tuple(axis for axis, part in enumerate(kept) if keys.is_index_array(part))
    if not axes:
        return None
    indices = [as_indices(kept[axis]) for axis in axes]
    common = broadcast_shapes(*(part.shape for part in indices))
    before = 0 if key.front else axes[0]
    return ArrayAxes(axes, tuple(broadcast_to(part, common) for part in indices), before)


def gathered(x: Tensor, picked: ArrayAxes) -> Tensor:
    """Gathers along several axes at once."""
    before, common = picked.before, picked.common
    flat, in_bounds = flat_indices(x, picked)
    others = picked.others(x)
    order = (*others[:before], *picked.axes, *others[before:])
    moved = x if order == tuple(range(x.ndim)) else bind("transpose", x, order=order)
    sizes, end = moved.shape, before + len(picked.axes)
    moved = reshape(moved, (*sizes[:before], dims.product(sizes[before:end]), *sizes[end:]))
    found = bind("gather", moved, flat, axis=before)
    if in_bounds is None:
        return found
    in_bounds = bind("broadcast", in_bounds, shape=found.shape, axes=tuple(range(before, before + len(common))))
    # A clamped index contributes no gradient.
    return bind("select", in_bounds, found, bind("stop_gradient", found))


def flat_indices(x: Tensor, picked: ArrayAxes) -> tuple[Tensor, Tensor | None]:
    """Combines indices of several axes into clamped indices of one, and where all are in bounds; None: everywhere."""
    extents = [x.shape[axis] for axis in picked.axes]
    if 0 in extents and 0 not in picked.common:
        raise keys.located(ShapeError("nothing can be picked from an axis without elements", got=str(x.type)))
    flat: Tensor | None = None
    in_bounds: Tensor | None = None
    for part, extent in zip(picked.indices, extents, strict=True):
        part = wrapped(part, extent)
        if not all_in_bounds(part, extent):
            within = in_axis(part, extent)
            in_bounds = within if in_bounds is None else bind("logical_and", in_bounds, within)
            part = elementwise("minimum", elementwise("maximum", part, 0), extent - 1)
        flat = part if flat is None else elementwise("add", elementwise("mul", flat, extent), part)
    assert flat is not None
    return flat, in_bounds


def in_axis(indices: Tensor, extent: Dim) -> Tensor:
    """Whether each index is in the bounds of an axis."""
    return bind("logical_and", elementwise("ge", indices, 0), elementwise("lt", indices, extent))


def all_in_bounds(indices: Tensor, extent: Dim) -> bool:
    """Whether indices are known to be within the bounds of an axis."""
    if indices.traced is not None or not isinstance(extent, int):
        return False
    values = indices.array
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
