"""The number of threads in NumPy's BLAS, which short products in eager code limit to one.

OpenBLAS divides all but the smallest products among as many threads as there are processors, which wait for each other
in a loop. Where another program has one of the processors, they wait for the system's scheduler: a product of 0.1 ms
then takes 20 ms, and a QR factorization, which is many products, 20 times its time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from graphc.quiet import quietly

Array = np.ndarray[Any, Any]

# Multiplications from which on a product takes a millisecond on one thread, and is worth the risk of waiting.
LONG = 1 << 26
# Those up to which OpenBLAS uses one thread anyway.
_SHORT = 1 << 18
_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_")


@lru_cache(maxsize=1)
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions of OpenBLAS that get and set the number of threads; None where NumPy has another library."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)  # finds what it is linked to
    except (AttributeError, OSError, TypeError):
        return None
    for name in (*_NAMES, "openblas_{}_num_threads"):
        found = [getattr(library, name.format(verb), None) for verb in ("get", "set")]
        if None not in found:
            return found[0], found[1]  # type: ignore[return-value]
    return None


class _Limit:
    """Counts the calls that run on one thread now: the first of them sets the limit, and the last one takes it away."""

    def __init__(self, get: Callable[[], int], put: Callable[[int], None]) -> None:
        self._get, self._put = get, put
        self._lock, self._calls, self._before = Lock(), 0, 1

    def enter(self) -> None:
        """Sets the limit."""
        with self._lock:
            if self._calls == 0:
                self._before = self._get()
                self._put(1)
            self._calls += 1

    def leave(self) -> None:
        """Takes it away."""
        with self._lock:
            self._calls -= 1
            if self._calls == 0:
                self._put(self._before)


@lru_cache(maxsize=1)
def _limit() -> _Limit | None:
    found = _functions()
    return None if found is None else _Limit(*found)


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which NumPy's BLAS uses one thread."""
    limit = _limit()
    if limit is None:
        yield
        return
    limit.enter()
    try:
        yield
    finally:
        limit.leave()


def matmul(left: Array, right: Array, out: Array | None = None) -> Array:
    """NumPy's product of stacks of matrices, without warnings; on one thread where it is neither tiny nor long."""
    work = left.shape[-2] * left.shape[-1] * right.shape[-1]
    if not _SHORT < work < LONG:
        return np.asarray(quietly(np.matmul, left, right, out=out))
    with one_thread():
        return np.asarray(quietly(np.matmul, left, right, out=out))
