"""Creation of tensors, and conversion between tensors and other values."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError
from graphc.graph.registry import primitive
from graphc.ops.elementwise import where
from graphc.ops.reductions import default_float
from graphc.ops.shaping import broadcast_to
from graphc.tracing import Array, Tensor, as_tensor, bind, elementwise, operation, result_dtype
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate
from graphc.tracing.arrays import array_of, holds_complex
from graphc.tracing.conversion import float_dtype
from graphc.tracing.shapes import axis_of, dims_of
from graphc.tracing.shapes import reshape as _reshape
from graphc.tracing.symbolic import KerasTensor

__all__ = [
    "arange",
    "array",
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "copy",
    "dtype",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "is_tensor",
    "linspace",
    "logspace",
    "ndim",
    "ones",
    "ones_like",
    "shape",
    "size",
    "stop_gradient",
    "tri",
    "zeros",
    "zeros_like",
]


def _float_or(dtype: Any) -> DType:
    return default_float() if dtype is None else dtypes.as_dtype(dtype)


@operation
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Tensor:
    """Converts an array, a number, a nested list or a variable to a tensor.

    Args:
        x: The value; Python floats become the default float dtype, Python integers int32.
        dtype: The dtype of the result. None: that of `x`.
        sparse: Not supported yet.
        ragged: Not supported yet.

    Raises:
        ArgumentError: if a sparse or ragged tensor is requested.

    Example:

    >>> convert_to_tensor([1, 2.5]).dtype
    'float32'
    """
    if sparse or ragged:
        raise ArgumentError("sparse and ragged tensors are not supported yet", hint="use dense ones")
    return as_tensor(x, None if dtype is None else dtypes.as_dtype(dtype))


def convert_to_numpy(x: Any) -> Array:
    """The values of a tensor as a NumPy array.

    Raises:
        StateError: if the tensor is part of a graph that is being traced.
    """
    return np.array(as_tensor(x).array)


def is_tensor(x: Any) -> bool:
    """Whether a value is a tensor of graphc."""
    return isinstance(x, Tensor)


@operation
def cast(x: Any, dtype: Any) -> Tensor:
    """Casts a tensor to another dtype; floats are truncated to integers, imaginary parts are dropped for real dtypes.

    Example:

    >>> cast([1.9, -1.9], "int32").numpy()
    array([ 1, -1], dtype=int32)
    """
    wanted = dtypes.as_dtype(dtype)
    if isinstance(x, np.ndarray | np.generic):
        # Whatever does not fit wraps around, as in NumPy; a conversion to a tensor would refuse it.
        return Tensor(primitive("cast").eval(array_of(x), dtype=wanted))
    return _cast(as_tensor(x, wanted.complex if holds_complex(x) else wanted), wanted)


def shape(x: Any) -> tuple[Any, ...]:
    """The shape of a tensor: a tuple of numbers, of expressions of sizes while a graph is traced, or None.

    Example:

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    return x.shape if isinstance(x, KerasTensor) else as_tensor(x).shape


def ndim(x: Any) -> int:
    """The number of axes of a tensor."""
    return x.ndim if isinstance(x, KerasTensor) else as_tensor(x).ndim


def dtype(x: Any) -> str:
    """The name of the dtype of a tensor."""
    return str(x.dtype) if isinstance(x, KerasTensor) else as_tensor(x).dtype


@operation
def size(x: Any) -> Tensor:
    """The number of elements of a tensor."""
    return as_tensor(dims.product(as_tensor(x).shape))


@operation
def stop_gradient(variable: Any) -> Tensor:
    """The identity, with a gradient of 0."""
    return bind("stop_gradient", as_tensor(variable))


@operation
def copy(x: Any) -> Tensor:
    """A copy of a tensor."""
    tensor = as_tensor(x)
    return bind("copy", tensor)


@operation
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor filled with one value.

    Example:

    >>> full((2,), 7).numpy()
    array([7., 7.], dtype=float32)
    """
    return broadcast_to(as_tensor(fill_value, _float_or(dtype)), dims_of(shape))


@operation
def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor of zeros."""
    return full(shape, 0, dtype)


@operation
def ones(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor of ones."""
    return full(shape, 1, dtype)


@operation
def empty(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor of arbitrary values: zeros."""
    return full(shape, 0, dtype)


def _like(x: Any, number: Any, dtype: Any) -> Tensor:
    tensor = as_tensor(x)
    return full(tensor.shape, number, tensor.dtype if dtype is None else dtype)


@operation
def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros of the shape of a tensor, and of its dtype unless another is given."""
    return _like(x, 0, dtype)


@operation
def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones of the shape of a tensor, and of its dtype unless another is given."""
    return _like(x, 1, dtype)


@operation
def empty_like(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of the shape of another, of arbitrary values: zeros."""
    return _like(x, 0, dtype)


@operation
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor of the shape of another, filled with one value."""
    return _like(x, fill_value, dtype)


@operation
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """The numbers from `start` to below `stop` in steps.

    Args:
        start: The first number; if `stop` is None, the end, with 0 as the first number.
        stop: The end, which is excluded.
        step: The distance between two numbers. None: 1.
        dtype: The dtype. None: int32, or the default float dtype if an argument is a float.

    Example:

    >>> arange(3).numpy(), arange(1, 2, 0.5).numpy()
    (array([0, 1, 2], dtype=int32), array([1. , 1.5], dtype=float32))
    """
    first, last = (0, start) if stop is None else (start, stop)
    width = 1 if step is None else step
    numbers = (first, last, width)
    if any(map(holds_complex, numbers)):
        raise DTypeError("`arange` takes real numbers", got=f"{first}, {last}, {width}")
    if dtype is None:
        dtype = result_dtype(*numbers)
    dtype = dtypes.as_dtype(dtype)
    if width == 1 and isinstance(last - first, dims.IntExpr):
        count: Any = last - first
    else:
        count = max(0, int(np.ceil((float(last) - float(first)) / float(width))))
    positions = bind("iota", shape=(count,), axis=0, dtype=dtype)
    scaled = positions if width == 1 else operate("mul", positions, as_tensor(width, dtype))
    return scaled if isinstance(first, int) and first == 0 else operate("add", scaled, as_tensor(first, dtype))


@operation
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        start: The first number, or a tensor of them.
        stop: The last.
        num: The number of numbers.
        endpoint: Whether `stop` is the last number; else the numbers end one step before it.
        retstep: Whether to return the distance as well.
        dtype: The dtype. None: that of `start` and `stop` together, or the default float dtype.
        axis: The position of the new axis, for tensors.

    Example:

    >>> linspace(0, 1, 5).numpy()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    dtype = float_dtype(start, stop) if dtype is None else dtypes.as_dtype(dtype)
    wide = dtypes.promote(float_dtype(start, stop).accumulator, dtype.accumulator)
    wide = wide if wide.is_inexact else default_float()
    first, last = as_tensor(start, wide), as_tensor(stop, wide)
    step = operate("div", operate("sub", last, first), max(1, num - 1 if endpoint else num))
    rank = max(first.ndim, last.ndim) + 1
    position = axis_of(axis, rank, "linspace")
    along = _reshape(arange(num, dtype=wide), tuple(num if a == position else 1 for a in range(rank)))
    low, high, width = (
        _reshape(t, (*t.shape[:position], 1, *t.shape[position:])) if t.ndim else t for t in (first, last, step)
    )
    result = operate("add", low, operate("mul", along, width))
    if endpoint and num > 1:  # the end itself, not what the sum of steps is rounded to
        result = where(elementwise("eq", along, num - 1), high, result)
    result = _cast(result, dtype)
    return (result, step) if retstep else result


@operation
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Tensor:
    """`base ** linspace(start, stop, num)`: numbers from `base ** start` to `base ** stop` at equal ratios.

    Args:
        start: The first exponent, or a tensor of them.
        stop: The last exponent.
        num: The number of numbers.
        endpoint: Whether `base ** stop` is the last number; else the numbers end one step before it.
        base: The base.
        dtype: The dtype. None: that of `start` and `stop` together, or the default float dtype.
        axis: The position of the new axis, for tensors.

    Example:

    >>> logspace(0, 3, 4).numpy()
    array([   1.,   10.,  100., 1000.], dtype=float32)
    """
    wanted = float_dtype(start, stop) if dtype is None else dtypes.as_dtype(dtype)
    wide = wanted.accumulator if wanted.is_inexact else default_float()
    exponents = linspace(start, stop, num, endpoint, dtype=wide, axis=axis)
    return _cast(operate("pow", _cast(as_tensor(base), wide), exponents), wanted)


@operation
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Tensor:
    """`num` numbers from `start` to `stop` at equal ratios.

    Args:
        start: The first number, or a tensor of them; not 0.
        stop: The last, of the same sign.
        num: The number of numbers.
        endpoint: Whether `stop` is the last number; else the numbers end one step before it.
        dtype: The dtype. None: that of `start` and `stop` together, or the default float dtype.
        axis: The position of the new axis, for tensors.

    Example:

    >>> geomspace(1, 8, 4).numpy().round(3)
    array([1., 2., 4., 8.], dtype=float32)
    """
    wanted = float_dtype(start, stop) if dtype is None else dtypes.as_dtype(dtype)
    wide = wanted.accumulator if wanted.is_inexact else default_float()
    first, last = as_tensor(start, wide), as_tensor(stop, wide)
    sign = bind("sign", first)
    low, high = (bind("log10", operate("mul", end, sign)) for end in (first, last))
    powers = logspace(low, high, num, endpoint, dtype=wide, axis=axis)
    position = axis_of(axis, powers.ndim, "geomspace")
    if sign.ndim:
        sign = _reshape(sign, (*sign.shape[:position], 1, *sign.shape[position:]))
    return _cast(operate("mul", powers, sign), wanted)


@operation
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the `k`-th diagonal of an `N` by `M` matrix, zeros elsewhere.

    Example:

    >>> eye(2).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    shape = (N, N if M is None else M)
    row, column = (bind("iota", shape=shape, axis=axis, dtype=dtypes.int32) for axis in (0, 1))
    return _cast(elementwise("eq", bind("sub", column, row), k), _float_or(dtype))


@operation
def identity(n: int, dtype: Any = None) -> Tensor:
    """The `n` by `n` identity matrix."""
    return eye(n, dtype=dtype)


@operation
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on and below the `k`-th diagonal of an `N` by `M` matrix, zeros above."""
    shape = (N, N if M is None else M)
    row, column = (bind("iota", shape=shape, axis=axis, dtype=dtypes.int32) for axis in (0, 1))
    return _cast(elementwise("le", bind("sub", column, row), k), _float_or(dtype))


@operation
def array(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of the given values: another name of `convert_to_tensor`."""
    return as_tensor(x, None if dtype is None else dtypes.as_dtype(dtype))
