"""Distances, correlations and vector products of several tensors."""

from __future__ import annotations

from typing import Any

from graphc import dims
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.diagonals import diagonal
from graphc.ops.elementwise import in_float, in_wide, matmul
from graphc.ops.reductions import mean
from graphc.ops.reductions import sum as _sum
from graphc.ops.shaping import expand_dims, flip, moveaxis, stack, transpose
from graphc.tracing import Tensor, as_tensor, bind, infers, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.conversion import float_dtype
from graphc.tracing.shapes import assumed
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["cdist", "corrcoef", "correlate", "cross", "psnr"]


@operation
def cdist(x: Any, y: Any) -> Tensor:
    """The Euclidean distances of the rows of two matrices.

    Args:
        x: Tensor of shape `(..., m, d)`.
        y: Tensor of shape `(..., n, d)`.

    Returns:
        A tensor of shape `(..., m, n)`.

    Raises:
        ShapeError: if they are no matrices, or their rows differ in length.

    Example:

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).numpy()
    array([[5., 1.]], dtype=float32)
    """
    first, second = as_tensor(x), as_tensor(y)
    dtype = float_dtype(first, second)
    a, b = as_tensor(first, dtype.accumulator), as_tensor(second, dtype.accumulator)
    if a.ndim < 2 or b.ndim < 2 or not (infers() or a.shape[-1] == b.shape[-1]):
        raise ShapeError(
            "`cdist` takes matrices with rows of the same length",
            got=f"{a.type} and {b.type}",
            expected="(..., m, d) and (..., n, d)",
        )
    away = operate("sub", expand_dims(a, -2), expand_dims(b, -3))
    return _cast(bind("sqrt", _sum(bind("mul", away, away), -1)), dtype)


@operation
def corrcoef(x: Any) -> Tensor:
    """Pearson's correlation coefficients of the rows of a matrix.

    Args:
        x: Matrix, or a vector, for one row.

    Returns:
        A matrix of the correlations of all pairs of rows, from -1 to 1; a scalar for one row.

    Example:

    >>> corrcoef([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]).numpy().round(4)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    given = in_float(x)
    rows = in_wide(given)
    if rows.ndim > 2:
        raise ShapeError("`corrcoef` takes a matrix or a vector", got=str(rows.type))
    rows = _reshape(rows, (1,) * (2 - rows.ndim) + rows.shape)
    away = operate("sub", rows, mean(rows, -1, keepdims=True))
    degrees = as_tensor(rows.shape[-1] - 1, rows.type.dtype)
    other = transpose(bind("conj", away) if away.type.dtype.is_complex else away)
    product = operate("div", matmul(away, other), degrees)
    if product.shape == (1, 1):
        single = _reshape(product, ())
        return _cast(bind("div", single, single), given.type.dtype)
    variance = diagonal(product)
    if variance.type.dtype.is_complex:
        variance = bind("real", variance)
    deviation = _cast(bind("sqrt", variance), product.type.dtype)
    result = operate("div", operate("div", product, expand_dims(deviation, 1)), deviation)
    if result.type.dtype.is_complex:
        parts = (bind("clip", bind(part, result), low=-1.0, high=1.0) for part in ("real", "imag"))
        return bind("complex", *parts)
    return _cast(bind("clip", result, low=-1.0, high=1.0), given.type.dtype)


@operation
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Tensor:
    """The cross-correlation of two vectors: `sum over n of x1[n + k] * conj(x2[n])`.

    Args:
        x1: Vector.
        x2: Vector.
        mode: `"valid"`: where the shorter one lies within the longer; `"same"`: as many as the longer has elements;
            `"full"`: wherever both overlap.

    Raises:
        ShapeError: if they are no vectors of known length, or empty.
        ArgumentError: if there is no such mode.

    Example:

    >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).numpy()
    array([3.5], dtype=float32)
    """
    first, second = as_tensor(x1), as_tensor(x2)
    dtype = float_dtype(first, second)
    a, b = (_cast(part, dtype.accumulator) for part in (first, second))
    if a.ndim != 1 or b.ndim != 1 or 0 in (*a.shape, *b.shape):
        raise ShapeError("`correlate` takes two vectors with elements", got=f"{first.type} and {second.type}")
    if mode not in ("valid", "same", "full"):
        raise ArgumentError("unknown mode of `correlate`", got=repr(mode), expected="'valid', 'same' or 'full'")
    if b.type.dtype.is_complex:
        b = bind("conj", b)
    swapped = not dims.nonnegative(a.shape[0] - b.shape[0])
    if swapped:
        a, b = b, a
    taps: Dim = b.shape[0]
    if infers() and not (isinstance(taps, int) and isinstance(a.shape[0], int)):
        return _cast(assumed(a, (dims.size("correlate"),)), dtype)
    if not isinstance(taps, int):
        raise ShapeError("`correlate` takes a shorter vector of known length", got=f"{a.type} and {b.type}")
    low, high = {"valid": (0, 0), "same": (taps // 2, taps - taps // 2 - 1), "full": (taps - 1, taps - 1)}[mode]
    result = _cast(_slid(a, b, low, high), dtype)
    return flip(result, 0) if swapped else result


def _slid(a: Tensor, b: Tensor, low: int, high: int) -> Tensor:
    """The sums of products of a vector with what lies beside another one, at each place of it."""
    if a.type.dtype.is_complex:
        (ar, ai), (br, bi) = ((bind("real", t), bind("imag", t)) for t in (a, b))
        real = bind("sub", _slid(ar, br, low, high), _slid(ai, bi, low, high))
        return bind("complex", real, bind("add", _slid(ar, bi, low, high), _slid(ai, br, low, high)))
    line, kernel = _reshape(a, (1, *a.shape, 1)), _reshape(b, (*b.shape, 1, 1))
    attrs = {"strides": (1,), "padding": ((low, high),), "lhs_dilation": (1,), "rhs_dilation": (1,), "groups": 1}
    slid = bind("conv", line, kernel, **attrs)
    return _reshape(slid, (dims.product(slid.shape),))


@operation
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The vector product of vectors of three components, or two: the third is 0 then.

    Args:
        x1: Tensor.
        x2: Tensor.
        axisa: The axis of the components of `x1`.
        axisb: The axis of the components of `x2`.
        axisc: The axis of the components of the result, if one of both has three.
        axis: The axis of all three. None: the ones above.

    Returns:
        A tensor of vectors, or of their third components where both operands have two components.

    Raises:
        ShapeError: if vectors have neither two nor three components.

    Example:

    >>> cross([1, 0, 0], [0, 1, 0]).numpy()
    array([0, 0, 1], dtype=int32)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = as_tensor(x1), as_tensor(x2)
    a, b = moveaxis(first, axisa, -1), moveaxis(second, axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        got = f"{a.shape[-1]} and {b.shape[-1]} of {first.type} and {second.type}"
        raise ShapeError("`cross` takes vectors of two or three components", got=got)
    if a.shape[-1] == b.shape[-1] == 2:
        return _minor(a, b, 0, 1)
    return moveaxis(stack([_minor(a, b, i, (i + 1) % 3) for i in (1, 2, 0)], 0), 0, axisc)


def _minor(a: Tensor, b: Tensor, i: int, j: int) -> Tensor:
    """`a[i] * b[j] - a[j] * b[i]`, where components beyond the last are 0."""

    def part(x: Tensor, k: int) -> Tensor:
        return x[..., k] if k < int(x.shape[-1]) else operate("mul", x[..., 0], 0)

    return operate("sub", operate("mul", part(a, i), part(b, j)), operate("mul", part(a, j), part(b, i)))


@operation
def psnr(x1: Any, x2: Any, max_val: Any) -> Tensor:
    """The peak signal-to-noise ratio: `20 log10(max_val) - 10 log10(mean((x1 - x2)^2))`.

    Args:
        x1: Tensor.
        x2: Tensor of the same shape.
        max_val: The largest value that elements may have.

    Raises:
        ShapeError: if the shapes differ.

    Example:

    >>> psnr([0.0, 1.0], [0.0, 0.9], 1.0).numpy().item() > 23
    True
    """
    first, second = as_tensor(x1), as_tensor(x2)
    if first.shape != second.shape and not infers():
        raise ShapeError("`psnr` takes two tensors of one shape", got=f"{first.type} and {second.type}")
    dtype = float_dtype(first, second)
    away = operate("sub", in_wide(first), in_wide(second))
    error = mean(bind("mul", away, away))
    peak = _cast(as_tensor(max_val), error.type.dtype)
    result = operate("sub", operate("mul", bind("log10", peak), 20), operate("mul", bind("log10", error), 10))
    return _cast(result, dtype)
