"""Compile CUDA source with NVIDIA's own compiler. No driver and no GPU are needed.

The emulator's compiler accepts more than CUDA does (it is g++ with the standard library at hand). Each generated kernel
therefore also goes through NVRTC, which proves that it compiles for the real architecture and tells what it uses.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .build import CannotBuild, cuda_include


class NvrtcError(Exception):
    """The source is not valid CUDA; the text is NVRTC's log."""


@dataclass(frozen=True)
class KernelUsage:
    """What a kernel takes on the device, as ptxas reports it. Sizes are in bytes; shared memory is the static kind."""

    registers: int
    shared: int
    stack: int
    spills: int


@dataclass(frozen=True)
class Compiled:
    """A real cubin, the compiler's log, and what each kernel (by its symbol's name) uses."""

    cubin: bytes
    log: str
    usage: dict[str, KernelUsage]


def missing() -> str | None:
    """Return what has to be installed before `compile_for` works, or None: the reason to skip a test."""
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
        return "cuda-bindings is not installed: .ci/cuda/install.sh"
    try:
        version = _nvrtc().nvrtcVersion()
    except RuntimeError as error:  # the library itself is looked for at the first call
        return f"NVRTC is not installed: pip install nvidia-cuda-nvrtc ({error})"
    return None if int(version[0]) == 0 else f"NVRTC does not work: {version[0]}"


def _nvrtc() -> ModuleType:
    return importlib.import_module("cuda.bindings.nvrtc")


def _checked(result: tuple[Any, ...]) -> Any:
    error, *values = result
    if int(error) != 0:
        raise NvrtcError(str(error))
    return values[0] if values else None


def _parse_usage(log: str) -> dict[str, KernelUsage]:
    def number(pattern: str, text: str) -> int:
        found = re.search(pattern, text)
        return int(found[1]) if found else 0

    # One section of the log a kernel, which begins with the kernel's name.
    sections = re.split(r"Compiling entry function '(\w+)'", log)
    return {
        name: KernelUsage(
            registers=number(r"Used (\d+) registers", text),
            shared=number(r"(\d+) bytes smem", text),
            stack=number(r"(\d+) bytes stack frame", text),
            spills=number(r"(\d+) bytes spill stores", text),
        )
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def compile_for(source: str, arch: str = "sm_90", options: Sequence[str] = ()) -> Compiled:
    """Compile CUDA source for an architecture.

    Args:
        source: CUDA source; it may include <cuda_fp16.h> and <cuda_bf16.h>.
        arch: a real architecture ("sm_90"), so that the result is machine code and not PTX.
        options: further options of NVRTC.

    Raises:
        NvrtcError: with NVRTC's log, if the source is not accepted.
    """
    nvrtc = _nvrtc()
    flags = [f"--gpu-architecture={arch}", "-std=c++17", "--ptxas-options=-v", *options]
    with suppress(CannotBuild):  # without NVIDIA's headers only the half types are missed
        flags.append(f"-I{cuda_include()}")
    program = _checked(nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    try:
        error = nvrtc.nvrtcCompileProgram(program, len(flags), [flag.encode() for flag in flags])[0]
        log = _read(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog).rstrip(b"\0").decode().strip()
        if int(error) != 0:
            raise NvrtcError(log or str(error))
        cubin = _read(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
        return Compiled(cubin, log, _parse_usage(log))
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _read(program: Any, size_of: Any, copy_to: Any) -> bytes:
    """Fetch one of a program's results: NVRTC fills a buffer of the size that it names."""
    buffer = bytes(_checked(size_of(program)))
    _checked(copy_to(program, buffer))
    return buffer
