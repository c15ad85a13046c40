"""Diagonals of matrices, and matrices that are made of vectors."""

from __future__ import annotations

from typing import Any

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.ops.elementwise import where
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import moveaxis, pad, ravel
from graphc.tracing import Tensor, as_tensor, bind, elementwise, infers, operation
from graphc.tracing.arithmetic import operate
from graphc.tracing.indexing import sliced
from graphc.tracing.shapes import assumed, axes_of
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["diag", "diagflat", "diagonal", "kron", "trace", "vander"]


@operation
def diag(x: Any, k: int = 0) -> Tensor:
    """The `k`-th diagonal of a matrix; of a vector the square matrix that has it there, and zeros elsewhere.

    Args:
        x: Vector or matrix.
        k: The diagonal: 0 is the main one, positive ones are above it.

    Raises:
        ShapeError: if `x` is neither.

    Example:

    >>> diag([1, 2]).numpy().tolist(), diag([[1, 2], [3, 4]], 1).numpy().tolist()
    ([[1, 0], [0, 2]], [2])
    """
    tensor = as_tensor(x)
    if tensor.ndim == 2:
        return diagonal(tensor, k)
    if tensor.ndim != 1:
        raise ShapeError("`diag` takes a vector or a matrix", got=str(tensor.type))
    # The vector runs along the rows, or, below the main diagonal, along the columns; both are as long as the matrix.
    line = pad(tensor, (0, abs(k))) if k else tensor
    shape = (line.shape[0],) * 2
    spread = bind("broadcast", line, shape=shape, axes=(0 if k >= 0 else 1,))
    row, column = (bind("iota", shape=shape, axis=axis, dtype=dtypes.int32) for axis in (0, 1))
    on_it = elementwise("eq", bind("sub", column, row), k)
    return where(on_it, spread, False if tensor.type.dtype.is_bool else 0)


@operation
def diagflat(x: Any, k: int = 0) -> Tensor:
    """The square matrix with the elements of a tensor on its `k`-th diagonal: `diag(ravel(x), k)`."""
    return diag(ravel(x), k)


@operation
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals of the matrices along two axes, along a new last axis.

    Args:
        x: Tensor of rank 2 or more.
        offset: The diagonal: 0 is the main one, positive ones are above it.
        axis1: The axis of the rows.
        axis2: The axis of the columns.

    Raises:
        ShapeError: if there are no such two axes.

    Example:

    >>> diagonal([[1, 2], [3, 4]]).numpy()
    array([1, 4], dtype=int32)
    """
    tensor = as_tensor(x)
    if tensor.ndim < 2:
        raise ShapeError("`diagonal` takes tensors of rank 2 or more", got=str(tensor.type))
    if len(set(axes_of((axis1, axis2), tensor.ndim, "diagonal"))) < 2:
        raise ShapeError("`diagonal` takes two axes that differ", got=f"axes {axis1} and {axis2} of {tensor.type}")
    matrices = moveaxis(tensor, (axis1, axis2), (-2, -1))
    *lead, rows, columns = matrices.shape
    size = _length(rows, columns, offset)
    flat = _reshape(matrices, (*lead, rows * columns))
    if infers() and not isinstance(size, int):
        return assumed(flat, (*lead, size))
    start = offset if offset >= 0 else columns * -offset
    if size == 0:
        start = 0
    stop = start + (size - 1) * (columns + 1) + 1 if size != 0 else 0
    if isinstance(columns, int):
        first, each = (0,) * len(lead), (1,) * len(lead)
        return sliced(flat, (*first, start), (*lead, stop), (*each, columns + 1))
    along = bind("iota", shape=(size,), axis=0, dtype=dtypes.int32)
    places = elementwise("add", elementwise("mul", along, columns + 1), start)
    return bind("gather", flat, places, axis=len(lead))


def _length(rows: Dim, columns: Dim, offset: int) -> Dim:
    """The number of elements of a diagonal."""
    below, beside = rows - max(-offset, 0), columns - max(offset, 0)
    if dims.nonnegative(-below) or dims.nonnegative(-beside):
        return 0
    for shorter, longer in ((below, beside), (beside, below)):
        if dims.nonnegative(longer - shorter):
            return shorter
    if infers():
        return dims.size(f"diagonal_{offset}".replace("-", "_"))
    raise ShapeError("the length of the diagonal is not known", got=f"matrices of {rows} by {columns}")


@operation
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sums of the diagonals of the matrices along two axes.

    Example:

    >>> trace([[1, 2], [3, 4]]).numpy().item()
    5
    """
    return _sum(diagonal(x, offset, axis1, axis2), -1)


@operation
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix: the powers of the elements of a vector, one to a column.

    Args:
        x: Vector.
        N: The number of columns. None: the length of the vector.
        increasing: Whether the powers grow from left to right.

    Raises:
        ShapeError: if `x` is no vector.

    Example:

    >>> vander([1, 2, 3], 3).numpy().tolist()
    [[1, 1, 1], [4, 2, 1], [9, 3, 1]]
    """
    tensor = as_tensor(x)
    if tensor.ndim != 1:
        raise ShapeError("`vander` takes a vector", got=str(tensor.type))
    columns = tensor.shape[0] if N is None else N
    power = bind("iota", shape=(columns,), axis=0, dtype=dtypes.int32)
    power = power if increasing else elementwise("sub", columns - 1, power)
    base = _reshape(tensor, (*tensor.shape, 1))
    kind = tensor.type.dtype
    return operate("pow", base, power if kind.is_bool else as_tensor(power, kind))


@operation
def kron(x1: Any, x2: Any) -> Tensor:
    """The Kronecker product: each element of `x1` times the whole of `x2`, in its place.

    Example:

    >>> kron([1, 2], [1, 10]).numpy()
    array([ 1, 10,  2, 20], dtype=int32)
    """
    a, b = as_tensor(x1), as_tensor(x2)
    rank = max(a.ndim, b.ndim)
    left, right = ((*(1,) * (rank - t.ndim), *t.shape) for t in (a, b))
    wide_a = _reshape(a, tuple(part for dim in left for part in (dim, 1)))
    wide_b = _reshape(b, tuple(part for dim in right for part in (1, dim)))
    return _reshape(operate("mul", wide_a, wide_b), tuple(m * n for m, n in zip(left, right, strict=True)))
