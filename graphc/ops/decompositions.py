"""Linear algebra of matrices along the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.shaping import swapaxes
from graphc.tracing import Tensor, as_tensor, bind, bind_many, current_trace, elementwise, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.shapes import reshape as _reshape
from graphc.tracing.shapes import unify_sizes

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "eig",
    "eigh",
    "lu_factor",
    "qr",
    "solve_triangular",
    "svd",
]


def inexact(*operands: Any) -> list[Tensor]:
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
    (matrix,) = inexact(x)
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
    matrix, right = inexact(a, b)
    if right.ndim not in (matrix.ndim, matrix.ndim - 1):
        raise ShapeError("the right side of a triangular system does not fit", got=f"{matrix.type} and {right.type}")
    columns = right if right.ndim == matrix.ndim else _reshape(right, (*right.shape, 1))
    names = [*range(matrix.ndim - 2), "row"]
    matrix, columns = unify_sizes((matrix, columns), [[*names, "row"], [*names, "column"]])
    x = bind("triangular_solve", matrix, columns, lower=lower, transposed=False)
    return _reshape(x, right.shape)


@operation
def cholesky_inverse(x: Any, upper: bool = False) -> Tensor:
    """The inverse of the matrices of which Cholesky factors are given: `(x @ x.T)^-1`.

    Args:
        x: Tensor `(..., M, M)`: the factors.
        upper: Whether they are upper triangles: `(x.T @ x)^-1`.

    Returns:
        A tensor of the shape of `x`.

    Example:

    >>> cholesky_inverse([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.25, 0.0], [0.0, 0.0625]]
    """
    (factor,) = inexact(x)
    over = bind("triangular_solve", factor, identity_like(factor), lower=not upper, transposed=False)
    back = swapaxes(over, -1, -2)
    return operate("matmul", over, back) if upper else operate("matmul", back, over)


def identity_like(x: Tensor) -> Tensor:
    """Identity matrices in the shape of square matrices."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError("these are no square matrices", got=str(x.type), expected="equal last two axes")
    rows, columns = (bind("iota", shape=x.shape, dtype=dtypes.int32, axis=axis) for axis in (x.ndim - 2, x.ndim - 1))
    return _cast(elementwise("eq", rows, columns), x.type.dtype)


@operation
def lu_factor(x: Any) -> tuple[Tensor, Tensor]:
    """The LU factors of matrices, `P @ L @ U = x`, by elimination with exchanges of rows.

    Args:
        x: Tensor `(..., M, N)`.

    Returns:
        `(lu, pivots)`: `L` below the diagonal, without its ones, and `U` above; and for each row the one with which it
        was exchanged, integers `(..., min(M, N))`.

    Example:

    >>> lu, pivots = lu_factor([[1.0, 2.0], [4.0, 4.0]])
    >>> lu.numpy().tolist(), pivots.numpy().tolist()
    ([[4.0, 4.0], [0.25, 1.0]], [1, 1])
    """
    (matrix,) = inexact(x)
    factors, pivots, _ = bind_many("lu", matrix)
    return factors, pivots


@operation
def qr(x: Any, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """The factors `q @ r = x` of matrices: orthonormal columns, and an upper triangle.

    Args:
        x: Tensor `(..., M, N)`.
        mode: `"reduced"`: `q` has as many columns as the shorter side; `"complete"`: as many as rows.

    Returns:
        `(q, r)`.

    Raises:
        ArgumentError: if the mode is unknown.

    Example:

    >>> q, r = qr([[3.0], [4.0]])
    >>> abs(r.numpy()).round(4).tolist()
    [[5.0]]
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError("unknown `mode`", got=repr(mode), expected="reduced or complete")
    (matrix,) = inexact(x)
    rows = matrix.shape[-2] if matrix.ndim >= 2 else None
    full = mode == "complete" and rows is not None and rows != matrix.shape[-1]
    q, r = bind_many("qr", matrix, full=full)
    return q, r


@operation
def eigh(x: Any) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of symmetric matrices, `x @ v = v * w`; of others, of `(x + x.T) / 2`.

    Args:
        x: Tensor `(..., M, M)`.

    Returns:
        `(w, v)`: the eigenvalues `(..., M)` in ascending order, and the eigenvectors as columns.

    Example:

    >>> eigh([[2.0, 0.0], [0.0, 1.0]])[0].numpy().tolist()
    [1.0, 2.0]
    """
    (matrix,) = inexact(x)
    w, v = bind_many("eigh", operate("mul", operate("add", matrix, swapaxes(matrix, -1, -2)), 0.5))
    return w, v


@operation
def eig(x: Any) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of square matrices, `x @ v = v * w`, which are complex numbers.

    Args:
        x: Tensor `(..., M, M)`.

    Returns:
        `(w, v)`: the eigenvalues `(..., M)` in no order, and the eigenvectors as columns. There are gradients of the
        eigenvalues alone.

    Example:

    >>> eig([[0.0, 1.0], [-1.0, 0.0]])[0].numpy().round(4).tolist()
    [1j, -1j]
    """
    (matrix,) = inexact(x)
    w, v = bind_many("eig", matrix)
    return w, v


@operation
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition of matrices, `u @ diag(s) @ v = x`.

    Args:
        x: Tensor `(..., M, N)`.
        full_matrices: Whether `u` and `v` are square; else they have as many columns and rows as the shorter side.
        compute_uv: Whether they are computed.

    Returns:
        `(u, s, v)`, or `s` alone: the singular values in descending order.

    Example:

    >>> svd([[3.0, 0.0], [0.0, -4.0]], compute_uv=False).numpy().tolist()
    [4.0, 3.0]
    """
    (matrix,) = inexact(x)
    return bind_many("svd", matrix, full=bool(full_matrices)) if compute_uv else bind("singular_values", matrix)
