"""Windows of signals, and the Bessel function of which one of them is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide, where
from graphc.ops.reductions import default_float
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.arithmetic import operate

__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser"]

# fmt: off
# Chebyshev series: of exp(-x) i0(x) from 0 to 8 in x / 4 - 1, and of sqrt(x) exp(-x) i0(x) beyond, in 16 / x - 1.
_I0_BELOW_8 = (
    0.33839763720473798, -0.3046826723431984, 0.1716209015222088, -0.094901097048047625, 0.049305284239670684,
    -0.023737414805899384, 0.010546460394594847, -0.0043243099950503868, 0.0016394756169410116,
    -0.0005763755745382675, 0.00018850288509533351, -5.7541950100422555e-05, 1.6448448070191236e-05,
    -4.4167383580464462e-06, 1.117387538609678e-06, -2.6707938496925342e-07, 6.0469949598634512e-08,
    -1.3000249714761376e-08, 2.6598232275528794e-09, -5.1897924965162344e-10, 9.6757750382949265e-11,
    -1.7267912178012294e-11, 2.9545227447147369e-12, -4.8521012034915669e-13, 7.6109593377473409e-14,
    -1.1190498520777772e-14, 1.0601815464780085e-15, 2.7681805066300045e-16, -6.6459629687109521e-16,
)
_I0_ABOVE_8 = (
    0.40224520550705439, 0.0033691164782556774, 6.889758346920645e-05, 2.8913705208295178e-06,
    2.0489185894659716e-07, 2.2666689906534839e-08, 3.3962319538502426e-09, 4.9406024374771225e-10,
    1.1888929512209933e-11, -3.1499169333522331e-11, -1.321622713349914e-11, -1.7941850726000468e-12,
    7.1765454122508144e-13, 3.8526958783153428e-13, 1.5065467276165392e-14, -4.1512711194349846e-14,
    -1.0078335812878966e-14, 3.7970519489893557e-15, 1.338559510141052e-15, -3.2930772345838902e-16,
    -3.9749409632285192e-16, 6.790234086160145e-17, -2.7737025230515906e-16, -1.5276246854780382e-17,
)
# fmt: on
# How many terms of each leave an error below that of float32.
_TERMS = (19, 9)


def _series(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """A Chebyshev series, by Clenshaw's recurrence."""
    twice = bind("add", x, x)
    last, before = operate("mul", x, 0.0), operate("mul", x, 0.0)
    for coefficient in reversed(coefficients[1:]):
        last, before = operate("add", bind("sub", bind("mul", twice, last), before), coefficient), last
    return operate("add", bind("sub", bind("mul", x, last), before), coefficients[0])


@operation
def i0(x: Any) -> Tensor:
    """The modified Bessel function of the first kind, of order 0, elementwise.

    Example:

    >>> i0([0.0, 1.0]).numpy().round(4)
    array([1.    , 1.2661], dtype=float32)
    """
    given = in_float(x)
    size = bind("abs", in_wide(given))
    below, above = _TERMS if size.type.dtype.bits == 32 else (len(_I0_BELOW_8), len(_I0_ABOVE_8))
    far = elementwise("gt", size, 8)
    near = _series(operate("sub", operate("mul", where(far, 0, size), 0.25), 1), _I0_BELOW_8[:below])
    beyond = where(far, size, 8)
    distant = _series(operate("sub", operate("div", 16, beyond), 1), _I0_ABOVE_8[:above])
    result = bind("mul", bind("exp", size), where(far, bind("mul", distant, bind("rsqrt", beyond)), near))
    return _cast(result, given.type.dtype)


def _window(op: str, x: Any, make: Callable[[int], Any]) -> Tensor:
    length = as_tensor(x)
    if length.traced is not None:
        raise ShapeError(f"the length of a window is a known number: `{op}`", got=f"{length.type}, from a graph")
    if length.ndim or float(length) != int(length):
        raise ArgumentError(f"the length of a window is a whole number: `{op}`", got=repr(x)[:80])
    return as_tensor(np.asarray(make(int(length))), default_float())


@operation
def bartlett(x: Any) -> Tensor:
    """Bartlett's window: `1 - abs(2 n / (x - 1) - 1)` for `n` from 0 to `x - 1`.

    Args:
        x: The length of the window.

    Raises:
        ArgumentError: if it is no whole number.

    Example:

    >>> bartlett(5).numpy()
    array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return _window("bartlett", x, np.bartlett)


@operation
def blackman(x: Any) -> Tensor:
    """Blackman's window: `0.42 - 0.5 cos(2 pi n / (x - 1)) + 0.08 cos(4 pi n / (x - 1))`: see `bartlett`."""
    return _window("blackman", x, np.blackman)


@operation
def hamming(x: Any) -> Tensor:
    """Hamming's window: `0.54 - 0.46 cos(2 pi n / (x - 1))`: see `bartlett`."""
    return _window("hamming", x, np.hamming)


@operation
def hanning(x: Any) -> Tensor:
    """Hann's window: `0.5 - 0.5 cos(2 pi n / (x - 1))`: see `bartlett`."""
    return _window("hanning", x, np.hanning)


# The coefficients of sums of cosines, of alternating signs.
_COSINES: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "hann": (0.5, 0.5),
        "hamming": (0.54, 0.46),
        "blackman": (0.42, 0.5, 0.08),
        "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
        "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
        "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
    }
)
# Windows as functions of the place, from -1 to 1, and of how many weights a symmetric one has.
_SHAPES: Mapping[str, Callable[[Any, int], Any]] = MappingProxyType(
    {
        "barthann": lambda x, n: 0.62 - 0.24 * np.abs(x) + 0.38 * np.cos(np.pi * x),
        "bartlett": lambda x, n: 1 - np.abs(x),
        "bohman": lambda x, n: (1 - np.abs(x)) * np.cos(np.pi * x) + np.sin(np.pi * np.abs(x)) / np.pi,
        "boxcar": lambda x, n: np.ones_like(x),
        "cosine": lambda x, n: np.cos(np.pi / 2 * x * (n - 1) / n),
        "exponential": lambda x, n: np.exp(-np.abs(x) * (n - 1) / 2),
        "lanczos": lambda x, n: np.sinc(x),
        "parzen": lambda x, n: _parzen(np.abs(x) * (n - 1) / n, (n - 1) / (2 * n)),
        "triang": lambda x, n: 1 - np.abs(x) * (n - 1) / (n + n % 2),
        "tukey": lambda x, n: (1 + np.cos(np.pi * np.maximum(2 * np.abs(x) - 1, 0))) / 2,
    }
)


def _parzen(x: Any, middle: float) -> Any:
    return np.where(x > middle, 2 * (1 - x) ** 3, 1 - 6 * x**2 * (1 - x))


def named_window(name: str, length: int, periodic: bool = False) -> Any:
    """The weights of a window, as an array.

    Args:
        name: Its name, as in SciPy.
        length: How many weights it has.
        periodic: Whether it is the beginning of a symmetric window with one weight more.

    Raises:
        ArgumentError: if there is no window of this name.
    """
    if name not in _COSINES and name not in _SHAPES:
        known = ", ".join(sorted((*_COSINES, *_SHAPES)))
        raise ArgumentError("unknown window", got=repr(name), expected=known, hint="pass its weights as a tensor")
    if length < 2:
        return np.ones(length)
    place = np.linspace(-1, 1, length + periodic)[:length]
    if name in _SHAPES:
        return _SHAPES[name](place, length + periodic)
    terms = (c * np.cos(k * np.pi * place) for k, c in enumerate(_COSINES[name]))
    return np.sum(list(terms), axis=0)


@operation
def kaiser(x: Any, beta: Any) -> Tensor:
    """Kaiser's window: `i0(beta sqrt(1 - (2 n / (x - 1) - 1)^2)) / i0(beta)`: see `bartlett`.

    Args:
        x: The length of the window.
        beta: Its shape: a number; 0 is a rectangle.
    """
    return _window("kaiser", x, lambda length: np.kaiser(length, float(as_tensor(beta))))
