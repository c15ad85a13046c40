"""Systems of equations, inverses and determinants of matrices along the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.decompositions import identity_like, inexact
from graphc.ops.reductions import max as _max
from graphc.ops.reductions import sum as _sum
from graphc.tracing import Tensor, bind, bind_many, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import broadcast_shapes, unify_sizes
from graphc.tracing.shapes import broadcast_to as _broadcast_to
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["det", "inv", "logdet", "lstsq", "matrix_rank", "pinv", "slogdet", "solve"]


@operation
def det(x: Any) -> Tensor:
    """The determinants of square matrices.

    Args:
        x: Tensor `(..., M, M)`.

    Returns:
        A tensor of the shape `(...)`.

    Example:

    >>> det([[2.0, 1.0], [0.0, 3.0]]).numpy().round(4).item()
    6.0
    """
    return bind("det", *inexact(x))


@operation
def slogdet(x: Any) -> tuple[Tensor, Tensor]:
    """The signs of determinants, and the logarithms of their absolute values.

    Args:
        x: Tensor `(..., M, M)`.

    Returns:
        `(sign, logabsdet)`, each of the shape `(...)`: 0 and minus infinity where the determinant is 0.

    Example:

    >>> [part.numpy().round(4).item() for part in slogdet([[0.0, 1.0], [1.0, 0.0]])]
    [-1.0, 0.0]
    """
    sign, size = bind_many("slogdet", *inexact(x))
    return sign, size


@operation
def logdet(x: Any) -> Tensor:
    """The logarithms of the absolute values of determinants.

    Args:
        x: Tensor `(..., M, M)`.

    Example:

    >>> logdet([[1.0, 0.0], [0.0, 1.0]]).numpy().item()
    0.0
    """
    return bind_many("slogdet", *inexact(x))[1]


@operation
def inv(x: Any) -> Tensor:
    """The inverses of square matrices; NaN for those that have none.

    Args:
        x: Tensor `(..., M, M)`.

    Returns:
        A tensor of the shape of `x`.

    Example:

    >>> inv([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    (matrix,) = inexact(x)
    return bind("solve", matrix, identity_like(matrix))


@operation
def solve(a: Any, b: Any) -> Tensor:
    """Solves `a @ x = b`; NaN where there is no solution.

    Args:
        a: Tensor `(..., M, M)`.
        b: Tensor `(..., M)` or `(..., M, N)`.

    Returns:
        The tensor `x`, of the shape of `b`.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).numpy().tolist()
    [1.0, 0.5]
    """
    matrix, right = inexact(a, b)
    identity_like(matrix)
    vectors = right.ndim == 1 or right.ndim == matrix.ndim - 1
    columns = _reshape(right, (*right.shape, 1)) if vectors else right
    if columns.ndim < 2 or columns.shape[-2] != matrix.shape[-1]:
        raise ShapeError("the right side of `solve` does not fit", got=f"{matrix.type} and {right.type}")
    lead = broadcast_shapes(matrix.shape[:-2], columns.shape[:-2])
    matrix = _broadcast_to(matrix, (*lead, *matrix.shape[-2:]))
    x = bind("solve", matrix, _broadcast_to(columns, (*lead, *columns.shape[-2:])))
    return _reshape(x, x.shape[:-1]) if vectors else x


def _number(rcond: Any, default: float) -> float:
    if rcond is None:
        return default
    if not isinstance(rcond, int | float | np.number) and np.ndim(rcond) != 0:
        raise ArgumentError("`rcond` is a number", got=repr(rcond)[:80])
    return float(rcond)


def _precision(x: Tensor) -> float:
    """The relative precision of sums along the longer side of matrices."""
    sizes = [size for size in x.shape[-2:] if isinstance(size, int)]
    return float(np.finfo(x.type.dtype.numpy).eps) * max(sizes, default=1)


def _matrices(op: str, x: Any) -> Tensor:
    (matrix,) = inexact(x)
    if matrix.ndim < 2:
        raise ShapeError(f"`{op}` takes matrices", got=str(matrix.type), expected="rank 2 or more")
    return matrix


@operation
def pinv(x: Any, rcond: Any = None) -> Tensor:
    """The pseudo-inverses of matrices (Moore and Penrose).

    Args:
        x: Tensor `(..., M, N)`.
        rcond: Singular values of at most this share of the largest count as 0. None: 10 times the precision of the
            dtype times the longer side.

    Returns:
        A tensor `(..., N, M)`.

    Raises:
        ShapeError: if the rank is less than 2.

    Example:

    >>> pinv([[2.0], [0.0]]).numpy().tolist()
    [[0.5, 0.0]]
    """
    matrix = _matrices("pinv", x)
    return bind("pinv", matrix, rcond=_number(rcond, 10 * _precision(matrix)))


@operation
def lstsq(a: Any, b: Any, rcond: Any = None) -> Tensor:
    """The shortest `x` with the least sum of squares of `a @ x - b`.

    Args:
        a: Tensor `(M, N)`.
        b: Tensor `(M,)` or `(M, K)`.
        rcond: Singular values of less than this share of the largest count as 0. None: the precision of the dtype times
            the longer side.

    Returns:
        A tensor `(N,)` or `(N, K)`.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> lstsq([[1.0], [1.0]], [1.0, 3.0]).numpy().round(4).tolist()
    [2.0]
    """
    matrix, right = inexact(a, b)
    names = [["row", "column"], ["row", *range(right.ndim - 1)]]
    if matrix.ndim == 2 and right.ndim:
        matrix, right = unify_sizes((matrix, right), names)
    if matrix.ndim != 2 or right.ndim not in (1, 2) or right.shape[0] != matrix.shape[0]:
        raise ShapeError("`lstsq` takes (M, N) and (M,) or (M, K)", got=f"{matrix.type} and {right.type}")
    share = _number(rcond, _precision(matrix))
    share = float(np.finfo(matrix.type.dtype.numpy).eps) if share < 0 else share
    return operate("matmul", bind("pinv", matrix, rcond=share), right)


@operation
def matrix_rank(x: Any, tol: Any = None) -> Tensor:
    """The ranks of matrices: how many of their singular values are larger than a tolerance.

    Args:
        x: Tensor `(..., M, N)`.
        tol: A number. None: the largest singular value times the precision of the dtype times the longer side.

    Returns:
        A tensor of int32 of the shape `(...)`.

    Raises:
        ShapeError: if the rank of the tensor is less than 2.

    Example:

    >>> matrix_rank([[1.0, 2.0], [2.0, 4.0]]).numpy().item()
    1
    """
    matrix = _matrices("matrix_rank", x)
    values = bind("singular_values", matrix)
    if tol is None:
        tol = operate("mul", _max(values, axis=-1, keepdims=True), _precision(matrix))
    return _sum(_cast(elementwise("gt", values, tol), dtypes.int32), axis=-1)
