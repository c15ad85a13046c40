"""Blocks and elements at indices, which may be computed: taken, replaced and combined."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dims
from graphc.dims import Dim, IntExpr, Shape
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation, result_dtype
from graphc.tracing import broadcast_to as _broadcast_to
from graphc.tracing import cast as _cast
from graphc.tracing.indexing import as_indices, wrapped
from graphc.tracing.shapes import assumed, dims_of
from graphc.tracing.trace import infers
from graphc.tracing.updates import How, update

__all__ = ["nonzero", "scatter", "scatter_update", "slice", "slice_update", "unravel_index"]


def _starts(start_indices: Any, x: Tensor, op: str) -> list[Tensor]:
    """The start of a block in each axis, as scalars; negative ones count from the end."""
    if isinstance(start_indices, list | tuple):
        parts = [as_tensor(part) for part in start_indices]
    else:
        vector = as_tensor(start_indices)
        parts = [vector[i] for i in range(len(vector))] if vector.ndim else [vector]
    if len(parts) != x.ndim or any(part.ndim for part in parts):
        got = ", ".join(str(part.type) for part in parts)
        raise ShapeError(
            f"the number of dimensions in `start_indices` must match the number of dimensions in `inputs` of `{op}`",
            got=got or "none",
            expected=f"{x.ndim} scalars",
        )
    if not (infers() or all(part.type.dtype.is_integer for part in parts)):
        got = ", ".join(str(part.type) for part in parts)
        raise DTypeError(f"the starts of `{op}` are integers", got=got, hint='ops.cast(start_indices, "int32")')
    return [wrapped(as_indices(part), extent) for part, extent in zip(parts, x.shape, strict=True)]


def _sizes(shape: Any, x: Tensor, start_indices: Any) -> Shape:
    if len(shape) != x.ndim:
        raise ShapeError(
            "the number of dimensions in `inputs` must match the number of dimensions in `shape`",
            got=f"{shape}",
            expected=f"{x.ndim} sizes",
        )
    found: list[Dim] = []
    for axis, (size, extent) in enumerate(zip(shape, x.shape, strict=True)):
        if size == -1:
            start = start_indices[axis]
            start = start if isinstance(start, int | IntExpr) else as_tensor(start)
            if isinstance(start, Tensor):
                if infers():
                    found.append(dims.size(f"slice_{axis}"))
                    continue
                if start.traced is not None:
                    raise ShapeError(
                        "the size of a slice is not known: a graph computes its start",
                        got=f"the size -1 in axis {axis}",
                        expected="a number",
                    )
                start = int(start)
            size = extent - (start + extent if isinstance(start, int) and start < 0 else start)
        if not (infers() or (dims.nonnegative(size) and dims.nonnegative(extent - size))):
            raise ShapeError("a slice is larger than the tensor", got=f"{shape}", expected=f"at most {x.shape}")
        found.append(size)
    return tuple(found)


@operation
def slice(inputs: Any, start_indices: Any, shape: Any) -> Tensor:
    """The block of a given shape that starts at an index, which may be computed.

    Args:
        inputs: Tensor.
        start_indices: The start of the block in each axis: a list of integers and scalars, or a tensor of shape
            `(rank,)`. Negative ones count from the end; a block that would reach outside is moved inside, as in Keras
            on JAX.
        shape: Its sizes; -1: to the end of the axis.

    Raises:
        ShapeError: if the number of starts or sizes differs from the rank, or a size is larger than the tensor's.
        DTypeError: if the starts are not integers.

    Example:

    >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).numpy().tolist()
    [[2, 3], [5, 6]]
    """
    tensor = as_tensor(inputs)
    starts = _starts(start_indices, tensor, "slice")
    sizes = _sizes(dims_of(shape), tensor, start_indices)
    if infers():
        return assumed(tensor, sizes)
    fixed = _fixed(start_indices, tensor.shape, sizes)
    if fixed is not None:
        stop = tuple(first + size for first, size in zip(fixed, sizes, strict=True))
        return bind("slice", tensor, start=fixed, stop=stop, step=(1,) * tensor.ndim)
    return bind("dynamic_slice", tensor, *starts, axes=tuple(range(tensor.ndim)), sizes=sizes)


def _fixed(start_indices: Any, extents: Shape, sizes: Shape) -> Shape | None:
    """Starts that are numbers or sizes and within bounds; None if they are computed or have to be moved."""
    if isinstance(start_indices, np.ndarray):
        start_indices = start_indices.tolist()
    if not isinstance(start_indices, list | tuple):
        return None
    found: list[Dim] = []
    for start, extent, size in zip(start_indices, extents, sizes, strict=True):
        if isinstance(start, int | np.integer):
            start = int(start) + (extent if start < 0 else 0)
            if isinstance(start, int) and isinstance(extent, int) and isinstance(size, int):
                start = min(max(start, 0), extent - size)
        if not (isinstance(start, int | IntExpr) and dims.nonnegative(extent - size - start)):
            return None
        found.append(start)
    return tuple(found)


@operation
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Tensor:
    """The tensor with the block replaced that starts at an index, which may be computed.

    Args:
        inputs: Tensor.
        start_indices: The start of the block in each axis, as for `slice`; a block that would reach outside is moved
            inside, as in Keras on JAX.
        updates: The block: a tensor of the same rank, no larger in any axis.

    Returns:
        A tensor of the shape and dtype of `inputs`.

    Raises:
        ShapeError: if the number of starts differs from the rank, or the block is larger than the tensor.
        DTypeError: if the dtype of `inputs` cannot hold that of `updates`.

    Example:

    >>> slice_update([1, 2, 3, 4], [1], [7, 8]).numpy()
    array([1, 7, 8, 4], dtype=int32)
    """
    tensor = as_tensor(inputs)
    if result_dtype(tensor, updates) is not tensor.type.dtype:
        raise DTypeError(
            "the updates of `slice_update` do not fit the tensor",
            got=f"{as_tensor(updates).dtype} into {tensor.dtype}",
            hint=f'ops.cast(updates, "{tensor.dtype}")',
        )
    block = as_tensor(updates, tensor.type.dtype)
    starts = _starts(start_indices, tensor, "slice_update")
    if infers():
        return tensor
    fits = block.ndim == tensor.ndim and all(
        dims.nonnegative(extent - size) for extent, size in zip(tensor.shape, block.shape, strict=True)
    )
    if not fits:
        expected = f"at most {tensor.shape}"
        raise ShapeError("a block does not fit into the tensor", got=f"{block.shape}", expected=expected)
    return bind("dynamic_update_slice", tensor, block, *starts, axes=tuple(range(tensor.ndim)))


def _points(indices: Any, rank: int, op: str) -> tuple[Tensor, ...]:
    """Indices `[..., k]` as the key of the first `k` axes."""
    points = as_tensor(indices)
    if points.ndim == 0 or not isinstance(points.shape[-1], int) or not 0 < points.shape[-1] <= rank:
        raise ShapeError(
            f"`{op}` takes rows of indices, one for each of the first axes",
            got=f"indices of shape {points.shape}",
            expected=f"(updates, k), with k from 1 to {rank}",
        )
    if not (infers() or points.type.dtype.is_integer):
        raise DTypeError(f"the indices of `{op}` are integers", got=points.dtype, hint='ops.cast(indices, "int32")')
    return tuple(as_indices(points)[..., i] for i in range(points.shape[-1]))


@operation
def scatter(indices: Any, values: Any, shape: Any) -> Tensor:
    """Zeros of a shape with values added at indices.

    Args:
        indices: Tensor of integers of shape `(updates, k)`: for each value its place in the first `k` axes. Negative
            ones count from the end; values at places out of bounds are dropped. Values of the same place are added.
        values: Tensor of shape `(updates, *shape[k:])`.
        shape: The shape of the result.

    Returns:
        A tensor of the dtype of `values`.

    Raises:
        ShapeError: if indices, values and shape do not fit.
        DTypeError: if the indices are not integers.

    Example:

    >>> scatter([[0], [2], [0]], [1.0, 2.0, 4.0], (4,)).numpy()
    array([5., 0., 2., 0.], dtype=float32)
    """
    given, sizes = as_tensor(values), dims_of(shape)
    how: How = "max" if given.type.dtype.is_bool else "add"
    zeros = _broadcast_to(as_tensor(0, given.type.dtype), sizes)
    return update(how, zeros, _points(indices, len(sizes), "scatter"), given)


_REDUCTIONS: dict[str | None, How] = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@operation
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """The tensor with elements or rows at indices replaced, or combined with others.

    Args:
        inputs: Tensor.
        indices: Tensor of integers of shape `(updates, k)`: for each update its place in the first `k` axes. Negative
            ones count from the end; updates at places out of bounds are dropped.
        updates: Tensor that broadcasts to the shape `(updates, *inputs.shape[k:])`; it is cast to the dtype of
            `inputs`.
        reduction: What several updates of one place and the element there become: None: the last update; `"add"`,
            `"mul"`, `"max"` or `"min"`: all of them together.

    Returns:
        A tensor of the shape and dtype of `inputs`.

    Raises:
        ArgumentError: if there is no such reduction.
        ShapeError: if indices and updates do not fit.
        DTypeError: if the indices are not integers.

    Example:

    >>> scatter_update([1, 2, 3], [[0], [2], [0]], [7, 8, 9]).numpy()
    array([9, 2, 8], dtype=int32)
    """
    name = reduction.lower() if isinstance(reduction, str) else reduction
    if name not in _REDUCTIONS:
        expected = "None, 'add', 'max', 'min' or 'mul'"
        raise ArgumentError("`scatter_update` has no such reduction", got=repr(reduction), expected=expected)
    tensor = as_tensor(inputs)
    return update(_REDUCTIONS[name], tensor, _points(indices, tensor.ndim, "scatter_update"), updates)


@operation
def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, in row-major order: a tensor of int32 for each axis.

    Args:
        x: Tensor with known values.

    Raises:
        StateError: if a graph computes the values: the sizes of the results would not be known.

    Example:

    >>> nonzero([[0, 3], [5, 0]])[1].numpy()
    array([1, 0], dtype=int32)
    """
    tensor = as_tensor(x)
    if infers():
        count = (dims.size("nonzero"),)
        return tuple(assumed(_broadcast_to(as_tensor(0), count), count) for _ in tensor.shape)
    if tensor.traced is not None:
        raise ShapeError(
            "`nonzero` takes known values: how many indices it finds in a graph is not known",
            got=str(tensor.type),
            hint="keep the shape: ops.where(x != 0, ..., 0)",
        )
    return tuple(Tensor(found.astype(np.int32)) for found in np.nonzero(np.atleast_1d(tensor.array)))


@operation
def unravel_index(indices: Any, shape: Any) -> tuple[Tensor, ...]:
    """The indices in each axis of elements whose places in row-major order are given.

    Args:
        indices: Tensor of integers; negative ones count from the end, those out of bounds are moved inside.
        shape: The shape of the tensor that has the elements.

    Returns:
        A tensor for each axis.

    Raises:
        DTypeError: if the places are not integers.

    Example:

    >>> [part.numpy().tolist() for part in unravel_index([5, 7], (3, 4))]
    [[1, 1], [1, 3]]
    """
    places, sizes = as_tensor(indices), dims_of(shape)
    if not (infers() or places.type.dtype.is_integer):
        raise DTypeError("places are integers", got=places.dtype, hint='ops.cast(indices, "int32")')
    total = dims.product(sizes)
    inside = elementwise("maximum", elementwise("minimum", wrapped(as_indices(places), total), total - 1), 0)
    found = []
    for size in reversed(sizes):
        found.append(elementwise("mod", inside, size))
        inside = elementwise("floordiv", inside, size)
    return tuple(_cast(part, places.type.dtype) for part in reversed(found))
