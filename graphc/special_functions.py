"""Functions of arrays that NumPy lacks: error functions, and the random words of Philox.

NumPy makes a pass over memory for each step of a formula. Large arrays are therefore computed in blocks, all steps of
which stay in the processor's cache: that takes a third to a tenth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray[Any, Any]

# How many elements a block has: calls of NumPy cost little against so many, and some arrays of them fit the L2 cache.
BLOCK = 1 << 15


def in_blocks(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of elements that computes large arrays block by block."""

    @wraps(function)
    def blocked(x: Array) -> Array:
        if x.size <= BLOCK:
            return function(x)
        flat, out = np.ascontiguousarray(x).reshape(-1), np.empty(x.size, x.dtype)
        for start in range(0, x.size, BLOCK):
            out[start : start + BLOCK] = function(flat[start : start + BLOCK])
        return out.reshape(x.shape)

    return blocked


def _polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """The polynomial with these coefficients, that of the highest power first, in the dtype of `x`."""
    first, second, *others = map(x.dtype.type, coefficients)
    total = np.asarray(x * first)
    total += second
    for coefficient in others:
        total *= x
        total += coefficient
    return total


# ---- error functions: those of float64 are the C library's, those of float32 are what `cpu` computes

_ERF_BELOW_1 = (7.853848e-05, -0.00080101896, 0.0051883273, -0.026853811, 0.112835854, -0.37612626, 1.1283791)
_ERF_ABOVE_1 = (0.0013594894, -0.017741246, 0.10085289, -0.3305441, 0.6975848, -0.9995919, 0.97566348)


@in_blocks
def erf(x: Array) -> Array:
    """The error function: `x p(x^2)` below 1, and `1 - exp(-x^2) q(|x|)` above."""
    if x.dtype != np.float32:
        return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=x.dtype)
    size, square = np.abs(x), x * x
    result = _polynomial(square, _ERF_BELOW_1)
    result *= x
    above_1 = size >= 1
    # In place, which takes a third less time.
    far = _polynomial(np.minimum(size, np.float32(4)), _ERF_ABOVE_1)
    far *= np.exp(np.negative(square))
    np.copyto(result, np.copysign(1 - far, x), where=above_1)
    return result


# Press et al., "Numerical recipes" (1992), `erfcc`: its relative error is below 1.2e-7 everywhere.
_ERFC = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


@in_blocks
def erfc(x: Array) -> Array:
    """One minus the error function."""
    if x.dtype != np.float32:
        return np.asarray(np.frompyfunc(math.erfc, 1, 1)(x), dtype=x.dtype)
    # The exponent of a number far from 0 has more digits than float32 can hold.
    size = np.abs(x).astype(np.float64)
    near = np.reciprocal(1 + 0.5 * size)
    tail = near * np.exp(_polynomial(near, _ERFC) - size * size)
    return np.asarray(np.where(x < 0, 2 - tail, tail), np.float32)


# Giles, "Approximating the erfinv function" (2011): in the middle and in the tails.
_ERFINV_MIDDLE = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
_ERFINV_TAILS = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)


@in_blocks
def erfinv(x: Array) -> Array:
    """The inverse of the error function; infinite at 1 and -1, NaN beyond."""
    if x.dtype != np.float32:
        return _erfinv_by_newton(x)
    w = -np.log((1 - x) * (1 + x))
    middle = _polynomial(w - np.float32(2.5), _ERFINV_MIDDLE)
    beyond = w >= 5
    if beyond.any():
        middle[beyond] = _polynomial(np.sqrt(w[beyond]) - np.float32(3), _ERFINV_TAILS)
    inverse = middle * x
    return np.where(np.abs(x) == 1, np.copysign(np.float32(np.inf), x), inverse)


def _erfinv_by_newton(x: Array) -> Array:
    """Winitzki's approximation (2008), then Newton steps in float64."""
    y = x.astype(np.float64)
    inside = np.abs(y) < 1
    safe = np.where(inside, y, 0)
    a = 0.147
    half = 2 / (math.pi * a) + np.log1p(-safe * safe) / 2
    root = np.sign(safe) * np.sqrt(np.sqrt(half * half - np.log1p(-safe * safe) / a) - half)
    for _ in range(4):
        # Near 1 and -1, `erfc` has the digits that 1 - erf would lose.
        tail = np.where(safe > 0, 1.0, -1.0)
        miss = np.where(
            np.abs(safe) > 0.5,
            -tail * (erfc(tail * root) - (1 - np.abs(safe))),
            erf(root) - safe,
        )
        root = root - miss / (2 / math.sqrt(math.pi) * np.exp(-root * root))
    outside = np.where(np.abs(y) == 1, np.copysign(np.inf, y), np.nan)
    return np.where(inside, root, outside).astype(x.dtype)


# ---- random words

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[ArrayLike, ArrayLike]) -> Array:
    """The first word of Philox 4x32-10 at each counter; all words are uint32."""
    # In 64 bits products are whole, and nothing overflows.
    c0, c1, c2, c3 = (np.asarray(word, np.uint32).astype(np.uint64) for word in counter)
    k0, k1 = (np.asarray(word, np.uint32).astype(np.uint64) for word in key)
    for _ in range(_ROUNDS - 1):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = second >> _HALF, first >> _HALF
        c0, c2 = c0 ^ (c1 ^ k0), c2 ^ (c3 ^ k1)
        c1, c3 = second & _LOW, first & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    # Of the last round only the first word is asked for.
    return np.asarray((c2 * _MULTIPLIERS[1] >> _HALF) ^ c1 ^ k0, np.uint32)


def philox_words(count: int, key: tuple[int, int]) -> Array:
    """The first words of Philox 4x32-10 at the positions from 0 to `count`."""
    out = np.empty(count, np.uint32)
    for start in range(0, count, BLOCK):
        position = np.arange(start, min(count, start + BLOCK), dtype=np.uint64)
        # The high word is one number, since a block does not cross a multiple of 2 ** 32.
        low, high = position & _LOW, np.uint64(start) >> _HALF
        out[start : start + BLOCK] = philox((low, high, 0, 0), key)
    return out


def cospi(x: Array) -> Array:
    """`cos(pi * x)`; the argument is reduced exactly, so that large ones lose no digits.

    Example:

    >>> cospi(np.array([0.0, 0.5, 1e9 + 1])).round(15).tolist()
    [1.0, 0.0, -1.0]
    """
    turns = x * x.dtype.type(0.5)
    return np.asarray(np.cos(x.dtype.type(2 * np.pi) * (turns - np.rint(turns))))
