"""Linear algebra of matrices along the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.shaping import swapaxes
from graphc.tracing import Tensor, as_tensor, bind, current_trace, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["cholesky", "solve_triangular"]


def _inexact(*operands: Any) -> list[Tensor]:
    """Operands as libraries compute them: in float32, or in float64 where one is."""
    dtype = result_dtype(*operands, 1.0)
    return [_cast(as_tensor(x), dtype if dtype is dtypes.float64 else dtypes.float32) for x in operands]


@operation
def cholesky(x: Any, upper: bool = False) -> Tensor:
    """The Cholesky factor of positive definite matrices: the triangular `L` of `L @ L.T = (x + x.T) / 2`.

    Args:
        x: Tensor `(..., M, M)`.
        upper: Whether the result is the upper triangle `L.T`.

    Returns:
        A tensor of the shape of `x`. In a graph, matrices that are not positive definite give NaN.

    Raises:
        ArgumentError: if a matrix is not positive definite, outside of graphs.

    Example:

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]]).numpy().tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    (matrix,) = _inexact(x)
    factor = bind("cholesky", operate("mul", operate("add", matrix, swapaxes(matrix, -1, -2)), 0.5))
    if current_trace() is None and np.isnan(factor.array).any():
        problem = "Cholesky decomposition failed: a matrix is not positive definite"
        raise ArgumentError(problem, got=str(as_tensor(x).type), expected="positive definite matrices")
    return swapaxes(factor, -1, -2) if upper else factor


@operation
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Tensor:
    """Solves `a @ x = b` for triangular `a`, of which the other triangle is not read.

    Args:
        a: Tensor `(..., M, M)`.
        b: Tensor `(..., M)` or `(..., M, N)`.
        lower: Whether `a` is lower triangular.

    Returns:
        The tensor `x`, of the shape of `b`.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0], lower=True).numpy().tolist()
    [1.0, 2.0]
    """
    matrix, right = _inexact(a, b)
    if right.ndim not in (matrix.ndim, matrix.ndim - 1):
        raise ShapeError("the right side of a triangular system does not fit", got=f"{matrix.type} and {right.type}")
    columns = right if right.ndim == matrix.ndim else _reshape(right, (*right.shape, 1))
    x = bind("triangular_solve", matrix, columns, lower=lower, transposed=False)
    return _reshape(x, right.shape)
