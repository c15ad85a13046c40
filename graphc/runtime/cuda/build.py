"""Compiling CUDA source to a cubin: with NVRTC or nvcc, through the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from graphc.errors import BackendError, CompileError
from graphc.runtime.cache import Cache, key

HOW_TO_GET_ONE = "pip install nvidia-cuda-nvrtc, or put nvcc on the path"


def build_cubin(source: str, arch: str, cache: Cache) -> bytes:
    """Compiles CUDA source to machine code for one architecture, or finds it in the cache.

    The compiler is the nvcc that GRAPHC_NVCC names, else NVRTC, else the nvcc on the path.

    Raises:
        CompileError: if the source is refused.
        BackendError: if there is no compiler, or it does not run.
    """
    compiler = os.environ.get("GRAPHC_NVCC")
    nvrtc = None if compiler else _nvrtc()
    if compiler is None and nvrtc is None:
        compiler = shutil.which("nvcc")
    if compiler is None and nvrtc is None:
        raise BackendError("there is no CUDA compiler", hint=HOW_TO_GET_ONE)
    identity = _version(compiler) if compiler else "nvrtc " + str(nvrtc.nvrtcVersion()[1:])  # type: ignore[union-attr]
    name = key("cubin", source, arch, identity)
    cached = cache.get(name, ".cubin")
    if cached is not None:
        return cached
    cubin = _with_nvcc(compiler, source, arch) if compiler else _with_nvrtc(nvrtc, source, arch)
    cache.put(name, cubin, ".cubin")
    return cubin


def _nvrtc() -> Any | None:
    try:
        nvrtc = import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):  # RuntimeError: the bindings are installed, the library is not
        return None
    return nvrtc


@lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    done = _run([compiler, "--version"])
    if done.returncode:
        raise BackendError(f"the CUDA compiler {compiler} does not run", got=done.stderr[-4000:], hint=HOW_TO_GET_ONE)
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        problem = f"the CUDA compiler {command[0]} does not run"
        raise BackendError(problem, got=error.strerror or error, hint=HOW_TO_GET_ONE) from error


def _with_nvcc(compiler: str, source: str, arch: str) -> bytes:
    try:
        with tempfile.TemporaryDirectory() as folder:
            text, cubin = Path(folder, "kernels.cu"), Path(folder, "kernels.cubin")
            text.write_text(source, encoding="utf-8")
            done = _run([compiler, "-cubin", f"-arch={arch}", "-std=c++17", "-o", str(cubin), str(text)])
            if done.returncode or not cubin.exists():
                raise CompileError("the CUDA compiler did not build generated source", got=done.stderr[-4000:])
            return cubin.read_bytes()
    except OSError as error:
        problem = "files for the CUDA compiler cannot be written"
        raise BackendError(problem, got=error, hint="make room in the folder for temporary files (TMPDIR)") from error


def _with_nvrtc(nvrtc: Any, source: str, arch: str) -> bytes:
    program = _checked(nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], []))
    try:
        options = [f"--gpu-architecture={arch}".encode(), b"-std=c++17", *_include_options()]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(status) != 0:
            log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
            _checked(nvrtc.nvrtcGetProgramLog(program, log))
            text = log.rstrip(b"\0").decode(errors="replace")[-4000:]
            raise CompileError("NVRTC did not build generated source", got=text.strip() or status)
        cubin = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
        _checked(nvrtc.nvrtcGetCUBIN(program, cubin))
        return bytes(cubin)
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _checked(result: tuple[Any, ...]) -> Any:
    status, *values = result
    if int(status) != 0:
        raise BackendError("a call of NVRTC failed", got=status)
    return values[0] if values else None


def _include_options() -> list[bytes]:
    """Include options for CUDA's headers, which half precision needs: from NVIDIA's wheels, or a toolkit."""
    folders = [Path(p, "cu13", "include") for p in getattr(import_module("nvidia"), "__path__", [])]
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    return [f"-I{folder}".encode() for folder in (*folders, Path(home, "include")) if Path(folder).is_dir()]
