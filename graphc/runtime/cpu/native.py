"""Shared libraries in this process: loaded, and unloaded after the last reference to them is gone."""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path

from graphc.errors import LoadError

try:
    from _ctypes import dlclose as _unload
except ImportError:  # a system of another kind

    def _unload(handle: int, /) -> None:
        """Libraries stay where they cannot be unloaded."""


class NativeLibrary:
    """A shared library that stays loaded as long as this object lives.

    Callers of its functions must hold a reference to this object: functions alone do not keep the library loaded.

    Args:
        path: Its file.

    Attributes:
        dll: The library as ctypes has it.

    Raises:
        LoadError: if the system refuses it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.dll = ctypes.CDLL(str(path))
        except OSError as error:
            raise LoadError(
                "the system does not load a library that was built",
                got=str(error),
                hint="if its folder is mounted noexec, set GRAPHC_CACHE to another one",
            ) from None
        # Threads may still linger in it when the process ends.
        weakref.finalize(self, _unload, self.dll._handle).atexit = False


def loads(path: Path) -> bool:
    """Whether a library can be loaded; it is unloaded again."""
    try:
        NativeLibrary(path)
    except LoadError:
        return False
    return True
