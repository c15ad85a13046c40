"""Complex numbers: their parts, conjugates and angles, and pairs of real numbers seen as complex ones."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.errors import DTypeError, ShapeError
from graphc.ops.creation import zeros_like
from graphc.ops.elementwise import in_float
from graphc.ops.shaping import stack
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.conversion import float_dtype
from graphc.tracing.elementwise import broadcast_operands

__all__ = ["angle", "conj", "conjugate", "imag", "isreal", "polar", "real", "view_as_complex", "view_as_real"]


@operation
def real(x: Any) -> Tensor:
    """The real part, elementwise; real numbers are their own.

    Args:
        x: Tensor.

    Returns:
        A tensor of the same shape: float32 of complex64, float64 of complex128, else of the dtype of `x`.

    Example:

    >>> real([1 + 2j, 3]).numpy()
    array([1., 3.], dtype=float32)
    """
    tensor = as_tensor(x)
    return bind("real", tensor) if tensor.type.dtype.is_complex else tensor


@operation
def imag(x: Any) -> Tensor:
    """The imaginary part, elementwise; that of real numbers is 0.

    Args:
        x: Tensor.

    Returns:
        A tensor of the same shape: float32 of complex64, float64 of complex128, else of the dtype of `x`.

    Example:

    >>> imag([1 + 2j, 3]).numpy()
    array([2., 0.], dtype=float32)
    """
    tensor = as_tensor(x)
    return bind("imag", tensor) if tensor.type.dtype.is_complex else zeros_like(tensor)


def _conjugated(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return bind("conj", tensor) if tensor.type.dtype.is_complex else tensor


@operation
def conj(x: Any) -> Tensor:
    """The complex conjugate `real(x) - i * imag(x)`, elementwise: another name of `conjugate`."""
    return _conjugated(x)


@operation
def conjugate(x: Any) -> Tensor:
    """The complex conjugate `real(x) - i * imag(x)`, elementwise; real numbers are their own.

    Example:

    >>> conjugate([1 + 2j, 3j]).numpy()
    array([1.-2.j, 0.-3.j], dtype=complex64)
    """
    return _conjugated(x)


@operation
def angle(x: Any) -> Tensor:
    """The angle of `x` in the complex plane, `arctan2(imag(x), real(x))`, in radians between -pi and pi, elementwise.

    Args:
        x: Tensor, complex or real; integers count as floats.

    Returns:
        A tensor of the same shape: the angle of positive numbers is 0, that of negative ones pi.

    Example:

    >>> angle([1j, -1.0]).numpy()
    array([1.5707964, 3.1415927], dtype=float32)
    """
    tensor = in_float(x)
    return bind("atan2", imag(tensor), real(tensor))


@operation
def isreal(x: Any) -> Tensor:
    """Whether the imaginary part is 0, elementwise; that of real numbers is.

    Example:

    >>> isreal([1 + 2j, 3]).numpy()
    array([False,  True])
    """
    return elementwise("eq", imag(x), 0)


@operation
def view_as_complex(x: Any) -> Tensor:
    """Pairs of real numbers as complex ones.

    Args:
        x: Tensor of floats whose last axis has the size 2: the real and the imaginary parts.

    Returns:
        A tensor without that axis: complex128 of float64, else complex64.

    Raises:
        ShapeError: if the last axis has another size.
        DTypeError: if the numbers are complex already.

    Example:

    >>> view_as_complex([[1.0, 2.0], [3.0, 4.0]]).numpy()
    array([1.+2.j, 3.+4.j], dtype=complex64)
    """
    tensor = in_float(x)
    if tensor.type.dtype.is_complex:
        raise DTypeError("`view_as_complex` takes real numbers", got=str(tensor.type))
    if tensor.ndim == 0 or tensor.shape[-1] != 2:
        raise ShapeError("`view_as_complex` takes pairs", got=str(tensor.type), expected="a last axis of size 2")
    wide = _cast(tensor, dtypes.promote(tensor.type.dtype, dtypes.float32))
    return bind("complex", wide[..., 0], wide[..., 1])


@operation
def view_as_real(x: Any) -> Tensor:
    """Complex numbers as pairs of real ones: a last axis of size 2 for the real and the imaginary parts.

    Args:
        x: Tensor of complex numbers; real ones have imaginary parts of 0.

    Returns:
        A tensor with one more axis: float32 of complex64, float64 of complex128, else of the dtype of `x`.

    Example:

    >>> view_as_real([1 + 2j, 3]).numpy()
    array([[1., 2.],
           [3., 0.]], dtype=float32)
    """
    tensor = as_tensor(x)
    return stack([real(tensor), imag(tensor)], -1)


@operation
def polar(abs_: Any, angle: Any) -> Tensor:
    """The complex numbers with given magnitudes and angles: `abs_ * cos(angle) + i abs_ * sin(angle)`.

    Args:
        abs_: Tensor of real numbers.
        angle: Tensor of real numbers, in radians.

    Example:

    >>> polar(2.0, 0.0).numpy().item()
    (2+0j)
    """
    dtype = dtypes.promote(float_dtype(as_tensor(abs_), as_tensor(angle)), dtypes.float32)
    size, turn = broadcast_operands(as_tensor(abs_), as_tensor(angle), dtype=dtype)
    return bind("complex", *(bind("mul", size, bind(part, turn)) for part in ("cos", "sin")))
