"""States, which live between runs: weights, optimizer moments, counters; and data sets in the memory of a device."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from math import prod
from typing import Any, Protocol, cast

import numpy as np

Array = np.ndarray[Any, Any]

ALIGNMENT = 64
_addressof, _first_byte = ctypes.addressof, cast(Callable[[Array], ctypes.c_char], ctypes.c_char.from_buffer)


class DeviceCopy(Protocol):
    """A copy of a value in a device's own memory."""

    def read(self, host: Array) -> None:
        """Copies the device's value to the host."""

    def write(self, host: Array) -> None:
        """Copies the host's value to the device."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised array that starts on a cache line, for aligned vector accesses."""
    count = prod(shape) * dtype.itemsize
    raw = np.empty(count + ALIGNMENT, np.uint8)
    start = -address(raw) % ALIGNMENT
    return raw[start : start + count].view(dtype).reshape(shape)


def address(array: Array) -> int:
    """The address of an array's elements."""
    try:
        # Takes a quarter of the time of `array.ctypes`, which matters in runs of small programs.
        return _addressof(_first_byte(array))
    except (TypeError, ValueError, BufferError):  # read-only, without elements, or not dense
        return int(array.ctypes.data)


class StateBuffer:
    """A value in the host's memory and, where a program of a device uses it, a copy there.

    The side that was written last is current; the other is updated when it is next used.

    Args:
        value: The first value; it is copied.

    Attributes:
        address: The address of the host's array.
        host_is_current: Whether the host's array is up to date.
        lent: Whether the host's array was lent since it was changed last.
        place: The address, where programs may use the host's array as it is: it is up to date, and not lent. Else None.
        version: An object that is replaced after each change.
    """

    def __init__(self, value: Array) -> None:
        self._host = aligned_empty(value.shape, value.dtype)
        self._host[...] = value
        self.address = address(self._host)
        self.lent = False
        self.place: int | None = self.address
        self._copy: DeviceCopy | None = None
        self.host_is_current = True
        self._copy_is_current = False
        self.version = object()

    @classmethod
    def around(cls, array: Array) -> StateBuffer:
        """A buffer with the caller's array itself as host memory, if it is dense; else with a copy."""
        buffer = cls.__new__(cls)
        buffer._host = np.ascontiguousarray(array)
        buffer.address = address(buffer._host)
        buffer.lent, buffer.place = False, buffer.address
        buffer._copy, buffer.host_is_current, buffer._copy_is_current = None, True, False
        buffer.version = object()
        return buffer

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles have the same value in memory of their own."""
        return StateBuffer, (self.host(),)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._host.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self._host.dtype
        return dtype

    def host(self) -> Array:
        """The host's array, updated; call `host_changed` after changing it in place."""
        if not self.host_is_current:
            assert self._copy is not None
            if self.lent:
                self.part(keep=False)
            self._copy.read(self._host)
            self.host_is_current = True
            self.place = self.address
        return self._host

    def lend(self) -> Array:
        """The host's array for readers: it keeps its elements, whatever happens to the buffer."""
        array = self.host().view()
        array.flags.writeable = False
        self.lent, self.place = True, None
        return array

    def part(self, keep: bool = True) -> None:
        """Before the host's array is changed in place: leaves its memory to readers that it was lent to, if any.

        Args:
            keep: Whether the buffer's elements are needed; else new memory is not initialised.
        """
        if self._references() > _UNSHARED[self._host.base is None]:
            moved = aligned_empty(self._host.shape, self._host.dtype)
            if keep:
                moved[...] = self._host
            place = address(moved)
            # An interruption comes before both or after both: there is no call between them.
            self._host, self.address = moved, place
        self.lent, self.place = False, self.address if self.host_is_current else None

    def _references(self) -> int:
        """The number of references to the owner of the memory: views, and views of views, have one each."""
        owner = self._host if self._host.base is None else self._host.base
        return sys.getrefcount(owner)

    def host_changed(self) -> None:
        """Records that the host's array was written."""
        self.host_is_current, self._copy_is_current, self.version = True, False, object()
        self.place = None if self.lent else self.address

    def assign(self, value: Array) -> None:
        """Sets the value; shape and dtype stay."""
        if self.host_is_current:  # else the device's value is current until the new one is complete
            self.host_changed()  # before the assignment as well, which may be interrupted
        if self.lent:
            self.part()  # with the elements, should the assignment be interrupted
        self._host[...] = value
        self.host_changed()

    def on_device(self, make: Any) -> Any:
        """The device's copy, updated; `make(nbytes)` allocates it when there is none."""
        if self._copy is None:
            self._copy = make(self._host.nbytes)
        if not self._copy_is_current:
            self._copy.write(self._host)
            self._copy_is_current = True
        return self._copy

    def device_changed(self) -> None:
        """Records that the device's copy was written."""
        self.host_is_current, self._copy_is_current, self.version = False, True, object()
        self.place = None


# Of buffers that nobody has views of, whose array is a view or owns its memory: versions of Python count differently.
_UNSHARED = (StateBuffer(np.zeros(1))._references(), StateBuffer.around(np.zeros(1))._references())
