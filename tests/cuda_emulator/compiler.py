"""Compile CUDA source to a "cubin" for the emulated driver, from Python. The work is done in `host_compiler.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .build import build
from .host_compiler import CompileError, HostCompiler

__all__ = ["CompileError", "compile_cubin", "nvcc_path"]


def compile_cubin(source: str, options: Sequence[str] = ()) -> bytes:
    """Return what `pycuda.driver.module_from_buffer` takes; compiled once, then read from the cache.

    Args:
        source: CUDA source. Kernels are found by their symbol's name, so declare them `extern "C"`.
        options: nvcc's options; include folders and macros are used, the rest is ignored.

    Raises:
        CompileError: with the compiler's messages.
    """
    return HostCompiler(str(build())).compile(source, options)


def nvcc_path() -> Path:
    """Return the stand-in nvcc: for GRAPHC_NVCC, and for PyCUDA's `SourceModule(..., nvcc=...)`."""
    return build() / "nvcc"
