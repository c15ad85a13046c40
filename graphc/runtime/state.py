"""Values that live between runs: weights, optimizer moments, counters, and data sets kept near the processor."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

ALIGNMENT = 64


class DeviceCopy(Protocol):
    """A copy of a value in a device's own memory."""

    def read(self, host: Array) -> None:
        """Copies the device's value to the host."""

    def write(self, host: Array) -> None:
        """Copies the host's value to the device."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised array that starts on a cache line, as vector code likes it."""
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(count + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count].view(dtype).reshape(shape)


class StateBuffer:
    """A value with a home on the host and, where a program of a device uses it, a copy there.

    Whoever wrote last is right; the other side is brought up to date when it is next used.

    Args:
        value: The first value; it is copied.
    """

    def __init__(self, value: Array) -> None:
        self._host = aligned_empty(value.shape, value.dtype)
        self._host[...] = value
        self._copy: DeviceCopy | None = None
        self._host_is_current = True
        self._copy_is_current = False

    @classmethod
    def around(cls, array: Array) -> StateBuffer:
        """A buffer whose home is the caller's array itself, where its elements lie densely; else a copy."""
        buffer = cls.__new__(cls)
        buffer._host = np.ascontiguousarray(array)
        buffer._copy, buffer._host_is_current, buffer._copy_is_current = None, True, False
        return buffer

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._host.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self._host.dtype
        return dtype

    def host(self) -> Array:
        """The host's array, up to date; whoever changes it in place calls `host_changed`."""
        if not self._host_is_current:
            assert self._copy is not None
            self._copy.read(self._host)
            self._host_is_current = True
        return self._host

    def host_changed(self) -> None:
        """Says that the host's array was written."""
        self._host_is_current, self._copy_is_current = True, False

    def assign(self, value: Array) -> None:
        """Sets the value; shape and dtype stay."""
        self._host[...] = value
        self.host_changed()

    def on_device(self, make: Any) -> Any:
        """The device's copy, up to date; `make(nbytes)` makes it when there is none."""
        if self._copy is None:
            self._copy = make(self._host.nbytes)
        if not self._copy_is_current:
            self._copy.write(self._host)
            self._copy_is_current = True
        return self._copy

    def device_changed(self) -> None:
        """Says that the device's copy was written."""
        self._host_is_current, self._copy_is_current = False, True
