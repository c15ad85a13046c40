"""Look into the emulated driver and change how it runs, while a test runs. Call `activate()` first."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

from .build import LIBRARY, build


@cache
def _driver() -> ctypes.CDLL:
    library = ctypes.CDLL(str(build() / LIBRARY))
    library.emulator_counter.restype = ctypes.c_long
    library.emulator_live_allocations.restype = ctypes.c_long
    library.emulator_context_depth.restype = ctypes.c_long
    for name in ("emulator_live_bytes", "emulator_most_bytes", "emulator_set_memory"):
        getattr(library, name).restype = ctypes.c_size_t
    library.emulator_set_memory.argtypes = [ctypes.c_size_t]
    library.emulator_fail.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    library.emulator_last_message.restype = ctypes.c_char_p
    return library


def counter(name: str) -> int:
    """Return how often something has happened: a driver call ("cuLaunchKernel") or a kernel's run ("kernel:k0").

    A kernel's runs are counted wherever they come from, a replayed graph too. Names of calls lack the version suffix.
    """
    return int(_driver().emulator_counter(name.encode()))


def clear_counters() -> None:
    """Set all counters to zero."""
    _driver().emulator_clear_counters()


def live_allocations() -> int:
    """Return how many allocations of device and pinned memory have not been freed."""
    return int(_driver().emulator_live_allocations())


def live_bytes() -> int:
    """Return the bytes of device memory that have not been freed."""
    return int(_driver().emulator_live_bytes())


def most_bytes() -> int:
    """Return the most bytes of device memory that were alive at once since this was last asked."""
    return int(_driver().emulator_most_bytes())


def context_depth() -> int:
    """Return how many contexts have been pushed in this thread and not popped."""
    return int(_driver().emulator_context_depth())


@contextmanager
def memory(free: int) -> Iterator[None]:
    """Leave the device so many bytes of free memory, for a while."""
    driver = _driver()
    before = driver.emulator_set_memory(live_bytes() + free)
    try:
        yield
    finally:
        driver.emulator_set_memory(before)


@contextmanager
def failing(name: str, error: int, after: int = 0) -> Iterator[None]:
    """Let a driver call fail once, within a `with` block.

    Args:
        name: the call, without its version ("cuLaunchKernel").
        error: what it answers, a CUresult; 2 is for memory that has run out.
        after: how many such calls succeed before.
    """
    _driver().emulator_fail(name.encode(), after, error)
    try:
        yield
    finally:
        _driver().emulator_fail(b"", 0, 0)


def last_message() -> str:
    """Return the explanation of the last error, which was also printed to stderr."""
    return bytes(_driver().emulator_last_message()).decode()


def reset() -> None:
    """Make the context usable again after a fault, which on a GPU would end the process."""
    _driver().emulator_reset()


@contextmanager
def settings(*, lazy: bool | None = None, reverse: bool | None = None) -> Iterator[None]:
    """Change how kernels run, for a while; None leaves a setting as it is (the environment's, in the end).

    Args:
        lazy: put off work in streams until a synchronization, to show where one is missing.
        reverse: run blocks and threads last to first, to show a dependence on their order.
    """
    driver = _driver()
    changes = [(driver.emulator_set_lazy, lazy), (driver.emulator_set_reverse, reverse)]
    before = [(change, change(wanted)) for change, wanted in changes if wanted is not None]
    try:
        yield
    finally:
        for change, previous in before:
            change(previous)


def lazy_streams() -> AbstractContextManager[None]:
    """Return `settings(lazy=True)`."""
    return settings(lazy=True)


def reverse_order() -> AbstractContextManager[None]:
    """Return `settings(reverse=True)`."""
    return settings(reverse=True)
