"""Tensors put together and taken apart along axes, and turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc import dims
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.shaping import concatenate, flip, split, transpose
from graphc.tracing import Tensor, as_tensor, bind, infers, operation
from graphc.tracing.shapes import assumed, axis_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = [
    "append",
    "array_split",
    "dsplit",
    "dstack",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "meshgrid",
    "rot90",
    "vsplit",
    "vstack",
]


@operation
def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """`x2` after `x1`, along an axis; None: both are flattened first.

    Example:

    >>> append([1, 2], [[3], [4]]).numpy()
    array([1, 2, 3, 4], dtype=int32)
    """
    return concatenate([as_tensor(x1), as_tensor(x2)], axis)


def _with_rank(rank: int) -> Callable[[Any], Tensor]:
    """What gives tensors axes of size 1 up to a rank: in front, and the third at the end, as in NumPy."""

    def widened(x: Any) -> Tensor:
        tensor = as_tensor(x)
        shape = tensor.shape
        while len(shape) < rank:
            shape = (*shape, 1) if len(shape) == 2 or not shape else (1, *shape)
        return _reshape(tensor, shape)

    return widened


@operation
def hstack(xs: Sequence[Any]) -> Tensor:
    """Concatenates tensors along the second axis; those of rank 1 along their only one.

    Example:

    >>> hstack([[1, 2], [3]]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    tensors = list(map(_with_rank(1), xs))
    return concatenate(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


@operation
def vstack(xs: Sequence[Any]) -> Tensor:
    """Concatenates tensors along the first axis; those of rank 1 are rows.

    Example:

    >>> vstack([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    return concatenate(list(map(_with_rank(2), xs)), 0)


@operation
def dstack(xs: Sequence[Any]) -> Tensor:
    """Concatenates tensors along the third axis; those of a lower rank get axes of size 1.

    Example:

    >>> dstack([[1, 2], [3, 4]]).numpy().tolist()
    [[[1, 3], [2, 4]]]
    """
    return concatenate(list(map(_with_rank(3), xs)), 2)


@operation
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Splits the tensor along an axis into parts of nearly equal size: the first ones have one element more.

    Args:
        x: Tensor.
        indices_or_sections: The number of parts, or the indices at which to split.
        axis: The axis.

    Raises:
        ShapeError: if the size of the axis is not known, and not known to divide.

    Example:

    >>> [part.numpy().tolist() for part in array_split([1, 2, 3, 4, 5], 2)]
    [[1, 2, 3], [4, 5]]
    """
    tensor = as_tensor(x)
    axis = axis_of(axis, tensor.ndim, "array_split")
    extent, parts = tensor.shape[axis], indices_or_sections
    if not isinstance(parts, int) or parts < 1 or dims.mod(extent, parts) == 0:
        return split(tensor, parts, axis)
    if infers() and not isinstance(extent, int):
        sizes = [dims.size(f"array_split_{i}") for i in range(parts)]
        return [assumed(tensor, (*tensor.shape[:axis], size, *tensor.shape[axis + 1 :])) for size in sizes]
    if not isinstance(extent, int):
        raise ShapeError(
            "`array_split` makes parts of unequal sizes only of an axis of known size",
            got=f"{extent} elements, {parts} parts",
            hint="ops.split(x, [index, ...]) at indices",
        )
    size, more = divmod(extent, parts)
    return split(tensor, [i * size + min(i, more) for i in range(1, parts)], axis)


def _split_along(op: str, x: Any, indices_or_sections: Any, axis: int, rank: int) -> list[Tensor]:
    tensor = as_tensor(x)
    if tensor.ndim < rank:
        raise ShapeError(f"`{op}` splits tensors of rank {rank} or more", got=str(tensor.type))
    return split(tensor, indices_or_sections, axis if tensor.ndim > 1 else 0)


@operation
def hsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Splits the tensor along its second axis, or its only one: `split` with `axis=1`."""
    return _split_along("hsplit", x, indices_or_sections, 1, 1)


@operation
def vsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Splits the tensor along its first axis: `split` with `axis=0`."""
    return _split_along("vsplit", x, indices_or_sections, 0, 2)


@operation
def dsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Splits the tensor along its third axis: `split` with `axis=2`."""
    return _split_along("dsplit", x, indices_or_sections, 2, 3)


def _flipped(op: str, x: Any, axis: int) -> Tensor:
    tensor = as_tensor(x)
    if tensor.ndim <= axis:
        raise ShapeError(f"`{op}` flips tensors of rank {axis + 1} or more", got=str(tensor.type))
    return flip(tensor, axis)


@operation
def fliplr(x: Any) -> Tensor:
    """Reverses the order of elements along the second axis: `flip(x, 1)`."""
    return _flipped("fliplr", x, 1)


@operation
def flipud(x: Any) -> Tensor:
    """Reverses the order of elements along the first axis: `flip(x, 0)`."""
    return _flipped("flipud", x, 0)


@operation
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """The tensor turned by 90 degrees `k` times, from the first of two axes towards the second.

    Args:
        array: Tensor of rank 2 or more.
        k: The number of turns; negative ones turn the other way.
        axes: The two axes.

    Raises:
        ShapeError: if there are no two axes.
        ArgumentError: if both axes are the same.

    Example:

    >>> rot90([[1, 2], [3, 4]]).numpy().tolist()
    [[2, 4], [1, 3]]
    """
    tensor = as_tensor(array)
    if tensor.ndim < 2:
        raise ShapeError("`rot90` turns tensors of rank 2 or more", got=str(tensor.type))
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ArgumentError("`rot90` turns in the plane of two axes", got=f"axes {axes}", expected="two that differ")
    first, second = (axis_of(axis, tensor.ndim, "rot90") for axis in axes)
    turns = k % 4
    if turns in (0, 2):
        return flip(tensor, (first, second)) if turns else tensor
    order = list(range(tensor.ndim))
    order[first], order[second] = second, first
    return flip(transpose(tensor, order), first) if turns == 1 else transpose(flip(tensor, first), order)


@operation
def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of the points of a grid, from those along its axes.

    Args:
        *x: Vectors, or numbers: the coordinates along each axis.
        indexing: `"xy"`: the first vector runs along the second axis of the results and the second along the first;
            `"ij"`: each vector runs along its own axis.

    Returns:
        A tensor for each vector, all of the same shape.

    Raises:
        ArgumentError: if there is no such indexing.
        ShapeError: if something is not a vector or a number.

    Example:

    >>> [grid.numpy().tolist() for grid in meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError("unknown indexing of `meshgrid`", got=repr(indexing), expected="'xy' or 'ij'")
    vectors = [as_tensor(part) for part in x]
    if any(vector.ndim > 1 for vector in vectors):
        got = " and ".join(str(vector.type) for vector in vectors)
        raise ShapeError("`meshgrid` takes vectors", got=got, hint="flatten them with ops.ravel")
    vectors = [_reshape(vector, (1,)) if vector.ndim == 0 else vector for vector in vectors]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        order[:2] = [1, 0]
    sizes: list[Dim] = [vectors[i].shape[0] for i in order]
    return [bind("broadcast", v, shape=tuple(sizes), axes=(order.index(i),)) for i, v in enumerate(vectors)]
