"""Let this process use the emulated driver: by loading it before anything asks for libcuda.so.1."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from .build import LIBRARY, build


def _loaded_drivers() -> set[Path]:
    """Return the files of all CUDA drivers that this process has loaded."""
    names = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libcuda.so" in line}
    return {Path(name).resolve() for name in names}


def activate() -> Path:
    """Build the emulator if need be, load it, and point graphc's compiler setting at it. Returns its folder.

    The loader knows libraries by the name they give themselves. Once ours is loaded, by its path, both PyCUDA's need of
    libcuda.so.1 and the search of cuda-bindings for it are satisfied, so that LD_LIBRARY_PATH (which is read only when
    a process starts) is not needed. It is set nevertheless, for child processes.

    Raises:
        RuntimeError: if another driver is loaded already: activate before importing pycuda or cuda.bindings.
        CannotBuild: if the machine lacks g++ or cuda.h.
    """
    folder = build()
    library = folder / LIBRARY
    others = _loaded_drivers() - {library.resolve()}
    if others:
        raise RuntimeError(f"another CUDA driver is loaded already: {', '.join(map(str, others))}")
    ctypes.CDLL(str(library))
    search = os.environ.get("LD_LIBRARY_PATH", "")
    if str(folder) not in search.split(os.pathsep):
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [str(folder), search]))
    os.environ["GRAPHC_NVCC"] = str(folder / "nvcc")
    return folder
