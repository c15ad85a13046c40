"""Fourier transforms, of whole signals and of the parts of signals under a sliding window.

Complex numbers are pairs of tensors, their real and imaginary parts, as in Keras.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ops.elementwise import where
from graphc.ops.shaping import concatenate, flip, pad, swapaxes
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.shapes import reshape as _reshape
from graphc.tracing.shapes import unify_sizes

__all__ = ["extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft"]

Pair = tuple[Tensor, Tensor]


def _floats(x: Any) -> Tensor:
    """Real numbers as libraries compute with them: in float32 or float64."""
    tensor = as_tensor(x)
    return _cast(tensor, dtypes.float64 if tensor.type.dtype is dtypes.float64 else dtypes.float32)


def _complex(op: str, x: Any, rank: int = 1) -> Tensor:
    """A pair as one tensor of complex numbers."""
    if not isinstance(x, list | tuple) or len(x) != 2:
        problem = f"Input `x` should be a tuple of two tensors in `{op}`: the real and the imaginary parts"
        raise ArgumentError(problem, got=type(x).__name__)
    real, imag = as_tensor(x[0]), as_tensor(x[1])
    if real.ndim == imag.ndim:
        real, imag = unify_sizes((real, imag), [range(real.ndim)] * 2)
    if real.shape != imag.shape or real.ndim < rank:
        raise ShapeError(
            f"Both the real and imaginary parts should have the same shape in `{op}`",
            got=f"{real.type} and {imag.type}",
            expected=f"rank {rank} or more",
        )
    if not real.type.dtype.is_float or not imag.type.dtype.is_float:
        raise ArgumentError(f"`{op}` takes a pair of floats", got=f"{real.type} and {imag.type}")
    real, imag = _floats(real), _floats(imag)
    wide = dtypes.promote(real.type.dtype, imag.type.dtype)
    return bind("complex", _cast(real, wide), _cast(imag, wide))


def _pair(x: Tensor) -> Pair:
    return bind("real", x), bind("imag", x)


def _transformed(x: Tensor, inverse: bool = False) -> Tensor:
    found = bind("fft", x, inverse=inverse)
    if not inverse:
        return found
    count = as_tensor(x.shape[-1], dtypes.float32) if not isinstance(x.shape[-1], int) else float(x.shape[-1])
    return as_tensor(found / count)


def _over_two(x: Tensor, inverse: bool) -> Tensor:
    for _ in range(2):
        x = swapaxes(_transformed(x, inverse), -1, -2)
    return x


@operation
def fft(x: Any) -> Pair:
    """The discrete Fourier transform along the last axis: `sum(x[j] * exp(-2 pi i j k / n))`.

    Args:
        x: A pair of tensors of floats, the real and the imaginary parts.

    Returns:
        Such a pair.

    Raises:
        ArgumentError: if `x` is no pair.
        ShapeError: if the shapes differ.

    Example:

    >>> [part.numpy().tolist() for part in fft((np.array([1.0, 0.0]), np.array([0.0, 0.0])))]
    [[1.0, 1.0], [0.0, 0.0]]
    """
    return _pair(_transformed(_complex("fft", x)))


@operation
def fft2(x: Any) -> Pair:
    """The discrete Fourier transform along the last two axes.

    Args:
        x: A pair of tensors of floats, the real and the imaginary parts.

    Returns:
        Such a pair.

    Example:

    >>> fft2((np.ones((2, 2)), np.zeros((2, 2))))[0].numpy().tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    return _pair(_over_two(_complex("fft2", x, 2), inverse=False))


@operation
def ifft2(x: Any) -> Pair:
    """The inverse of `fft2`.

    Args:
        x: A pair of tensors of floats, the real and the imaginary parts.

    Returns:
        Such a pair.

    Example:

    >>> ifft2(fft2((np.eye(2), np.zeros((2, 2)))))[0].numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return _pair(_over_two(_complex("ifft2", x, 2), inverse=True))


def _in_length(x: Tensor, length: Dim | None) -> Tensor:
    """A signal of a length: cut, or with zeros after it."""
    size = x.shape[-1]
    if length is None or size == length:
        return x
    missing = length - size
    if isinstance(missing, int) and missing <= 0:
        return as_tensor(x[..., :length])
    high = (*(0,) * (x.ndim - 1), missing)
    return bind("pad", x, low=(0,) * x.ndim, high=high, interior=(0,) * x.ndim, value=0)


def _check_length(op: str, length: Any) -> None:
    if length is not None and (not isinstance(length, int | np.integer) or length < 1):
        raise ArgumentError(f"`fft_length` of `{op}` is a positive integer", got=repr(length))


@operation
def rfft(x: Any, fft_length: int | None = None) -> Pair:
    """The discrete Fourier transform of real numbers along the last axis, without the half that mirrors the other.

    Args:
        x: Tensor.
        fft_length: The length to which the axis is cut or filled with zeros. None: its own.

    Returns:
        A pair, the real and the imaginary parts, whose last axis has the size `fft_length // 2 + 1`.

    Example:

    >>> [part.numpy().tolist() for part in rfft([1.0, 0.0, -1.0, 0.0])]
    [[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    """
    _check_length("rfft", fft_length)
    return _pair(_of_reals(_in_length(_floats(x), fft_length)))


def _of_reals(x: Tensor) -> Tensor:
    half = dims.floordiv(x.shape[-1], 2) + 1
    return as_tensor(_transformed(bind("complex", x, x * 0))[..., :half])


@operation
def irfft(x: Any, fft_length: int | None = None) -> Tensor:
    """The inverse of `rfft`.

    Args:
        x: A pair of tensors of floats, the real and the imaginary parts.
        fft_length: The length of the result. None: twice that of `x` less 2.

    Returns:
        A tensor of real numbers.

    Example:

    >>> irfft(rfft([1.0, 2.0, 3.0, 4.0])).numpy().round(4).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    _check_length("irfft", fft_length)
    return _to_reals(_complex("irfft", x), fft_length)


def _to_reals(x: Tensor, length: Dim | None) -> Tensor:
    length = 2 * (x.shape[-1] - 1) if length is None else length
    half = dims.floordiv(length, 2) + 1
    x = _in_length(x, half)
    # The first number and, of an even length, the last of the half are their own mirror images, and real.
    real, imag = _pair(x)
    end = half - 1 if dims.mod(length, 2) == 0 else half
    ends = elementwise("eq", bind("iota", shape=x.shape, dtype=dtypes.int32, axis=x.ndim - 1), 0)
    imag = where(ends, 0.0, imag)
    if end != half:
        imag = concatenate([imag[..., :end], imag[..., end:] * 0], -1)
    mirrored_real, mirrored_imag = flip(real[..., 1:end], -1), flip(imag[..., 1:end], -1)
    whole = bind("complex", concatenate([real, mirrored_real], -1), concatenate([imag, -mirrored_imag], -1))
    return bind("real", _transformed(whole, inverse=True))


# ---- sliding windows


@operation
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Tensor:
    """The parts of signals under a sliding window.

    Args:
        x: Tensor `(..., samples)`.
        sequence_length: The length of a part.
        sequence_stride: The distance of two parts.

    Returns:
        A tensor `(..., parts, sequence_length)`.

    Raises:
        ArgumentError: if a number is not positive.
        ShapeError: if the signal is shorter than a part.

    Example:

    >>> extract_sequences([1, 2, 3, 4, 5, 6], 3, 2).numpy().tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    for name, number in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(f"`{name}` is a positive integer", got=repr(number))
    return _framed(as_tensor(x), int(sequence_length), int(sequence_stride))


def _framed(x: Tensor, length: int, stride: int) -> Tensor:
    samples = x.shape[-1] if x.ndim else 0
    if x.ndim == 0 or (isinstance(samples, int) and samples < length):
        raise ShapeError("the signal is shorter than a sequence", got=f"{x.type}", expected=f"{length} samples or more")
    count = dims.floordiv(samples - length, stride) + 1
    rows, columns = (bind("iota", shape=(count, length), dtype=dtypes.int32, axis=axis) for axis in (0, 1))
    return bind("gather", x, as_tensor(rows * stride + columns), axis=x.ndim - 1)


def _window(op: str, window: Any, length: int, fft_length: int, dtype: Any) -> Tensor | None:
    """The weights of a part's samples, with zeros at both ends up to the length of the transform."""
    if fft_length < length:
        problem = f"`fft_length` must equal or exceed `sequence_length` in `{op}`"
        raise ArgumentError(problem, got=f"{fft_length} and {length}")
    low = (fft_length - length) // 2
    around = ((low, fft_length - length - low),)
    if window is None:
        return None
    if isinstance(window, str):
        middle = {"hann": 0.5, "hamming": 0.54}.get(window)
        if middle is None:
            raise ArgumentError("unknown `window`", got=repr(window), expected="hann, hamming, or a tensor")
        waves = (1 - middle) * np.cos(2 * math.pi * np.arange(length) / length)
        weights = as_tensor(middle - waves if length > 1 else np.ones(1), dtype)
    else:
        weights = as_tensor(window, dtype)
    if weights.shape != (length,):
        raise ShapeError("the window has another length", got=str(weights.type), expected=f"({length},)")
    return pad(weights, around)


@operation
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> Pair:
    """The Fourier transforms of the parts of signals under a sliding window.

    Args:
        x: Tensor `(..., samples)` of float32 or float64.
        sequence_length: The length of a part.
        sequence_stride: The distance of two parts.
        fft_length: The length of a transform, to which parts are filled with zeros.
        window: The weights of a part's samples: `"hann"`, `"hamming"`, a tensor `(sequence_length,)`, or None: 1.
        center: Whether signals are first extended by their reflection, so that parts are around their places.

    Returns:
        A pair `(..., parts, fft_length // 2 + 1)`, the real and the imaginary parts.

    Raises:
        DTypeError: if the signals are no floats of 32 or 64 bits.
        ArgumentError: if the transform is shorter than a part, or the window is unknown.

    Example:

    >>> stft(np.ones(8, "float32"), 4, 2, 4)[0].shape
    (5, 3)
    """
    signal = as_tensor(x)
    if signal.type.dtype not in (dtypes.float32, dtypes.float64):
        raise DTypeError("`stft` takes float32 or float64", got=str(signal.type))
    weights = _window("stft", window, sequence_length, fft_length, signal.type.dtype)
    if center:
        half = fft_length // 2
        signal = pad(signal, [(0, 0)] * (signal.ndim - 1) + [(half, half)], mode="reflect")
    frames = _framed(signal, fft_length, sequence_stride)
    return _pair(_of_reals(frames if weights is None else as_tensor(frames * weights)))


def _overlapped(frames: Tensor, stride: int) -> Tensor:
    """Parts of signals added up where they overlap."""
    *lead, count, length = frames.shape
    pieces = math.ceil(length / stride)
    frames = _in_length(frames, pieces * stride)
    split = _reshape(frames, (*lead, count, pieces, stride))
    total: Any = None
    for i in range(pieces):
        low, high = (*(0,) * len(lead), i, 0), (*(0,) * len(lead), pieces - 1 - i, 0)
        part = bind("pad", split[..., i, :], low=low, high=high, interior=(0,) * len(low), value=0)
        total = part if total is None else total + part
    joined = _reshape(as_tensor(total), (*lead, (count + pieces - 1) * stride))
    return as_tensor(joined[..., : (count - 1) * stride + length])


@operation
def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Tensor:
    """The inverse of `stft`: signals from the Fourier transforms of their parts.

    Args:
        x: A pair `(..., parts, fft_length // 2 + 1)`, the real and the imaginary parts.
        sequence_length: The length of a part.
        sequence_stride: The distance of two parts.
        fft_length: The length of a transform.
        length: The length of the signals. None: as many samples as parts reach.
        window: The weights with which parts were made, by which the sums of their overlaps are divided. None: 1, and
            the sums are not divided.
        center: Whether signals were extended at both ends.

    Returns:
        A tensor `(..., samples)`.

    Raises:
        ShapeError: if the rank is less than 2.

    Example:

    >>> x = np.arange(8, dtype="float32")
    >>> istft(stft(x, 4, 1, 4), 4, 1, 4).numpy().round(3).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    frames = _to_reals(_complex("istft", x, 2), fft_length)
    weights = _window("istft", window, sequence_length, fft_length, frames.type.dtype)
    count = frames.shape[-2]
    if weights is None:
        ones = bind("broadcast", as_tensor(1.0, frames.type.dtype), shape=(count, fft_length), axes=())
        total, norm = _overlapped(frames, sequence_stride), _overlapped(ones, sequence_stride)
        found = as_tensor(total * (fft_length / sequence_stride) / norm)
    else:
        squares = bind("broadcast", as_tensor(weights * weights), shape=(count, fft_length), axes=(1,))
        total, norm = _overlapped(as_tensor(frames * weights), sequence_stride), _overlapped(squares, sequence_stride)
        found = as_tensor(total / where(elementwise("gt", norm, 1e-10), norm, 1.0))
    start = fft_length // 2 if center else 0
    whole = fft_length + sequence_stride * (count - 1)
    end = start + length if length is not None else whole - fft_length // 2 if center else whole
    return as_tensor(found[..., start:end])
