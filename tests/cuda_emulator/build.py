"""Build the emulated driver into a folder of the user's cache, once per state of its sources.

`python -m tests.cuda_emulator.build` prints the folder. It holds `libcuda.so.1`, the stand-in `nvcc`, the precompiled
shim header and the compiled modules, and depends on nothing else: put it first in LD_LIBRARY_PATH, or call
`activation.activate()`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from filelock import FileLock

from . import host_compiler

HERE = Path(__file__).resolve().parent
LIBRARY = "libcuda.so.1"
DRIVER_FLAGS = ("-std=c++17", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
UNUSED_SECONDS = 14 * 24 * 3600


class CannotBuild(Exception):
    """The machine lacks what the emulator is built with; the text says what to install."""


# --- what it is built from


def cuda_include() -> Path:
    """Return the folder of cuda.h: from NVIDIA's wheel, else from a toolkit.

    Raises:
        CannotBuild: if there is none.
    """
    try:
        for file in importlib.metadata.files("nvidia-cuda-runtime") or []:
            if file.name == "cuda.h":
                return Path(str(file.locate())).resolve().parent
    except importlib.metadata.PackageNotFoundError:
        pass
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")]
    nvcc = shutil.which("nvcc")
    homes.append(str(Path(nvcc).resolve().parents[1]) if nvcc else None)
    for home in homes:
        if home and (Path(home) / "include" / "cuda.h").is_file():
            return Path(home) / "include"
    raise CannotBuild("no cuda.h: pip install nvidia-cuda-runtime, or set CUDA_HOME")


def _compiler_identity() -> str:
    try:
        version = subprocess.run([host_compiler.cxx(), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotBuild(f"no C++ compiler ({host_compiler.cxx()}): apt-get install g++") from error
    if "Free Software Foundation" not in version.stdout:
        raise CannotBuild(f"{host_compiler.cxx()} is not GCC: set CUDA_EMULATOR_CXX")
    return version.stdout


def _source_files() -> list[Path]:
    return sorted([*HERE.glob("src/*"), *HERE.glob("include/*"), HERE / "host_compiler.py", HERE / "build.py"])


def _digest(include: Path) -> str:
    """Identify all that the result depends on."""
    digest = hashlib.sha256()
    for path in [*_source_files(), include / "cuda.h"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(f"{_compiler_identity()}\0{platform.machine()}\0{sys.executable}".encode())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Return the folder of all builds: CUDA_EMULATOR_CACHE, else one in the user's cache."""
    chosen = os.environ.get("CUDA_EMULATOR_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphc-cuda-emulator"


# --- building


def _run(command: Sequence[str | Path]) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout


def _compile_object(source: Path, folder: Path, include: Path) -> Path:
    target = folder / f"{source.stem}.o"
    _run([host_compiler.cxx(), *DRIVER_FLAGS, f"-I{HERE / 'include'}", f"-I{include}", "-c", source, "-o", target])
    return target


def _write_unsupported(folder: Path, objects: Sequence[Path], include: Path) -> Path:
    """Write a function for every name in cuda.h that is not implemented: it says so when it is called."""
    defined = set(re.findall(r" T (cu\w+)", _run(["nm", "-g", "--defined-only", *objects])))
    named = set(re.findall(r"\bcu[A-Z]\w*", (include / "cuda.h").read_text(encoding="utf-8", errors="replace")))
    lines = [
        "int emu_unsupported(const char *name);",
        "#define UNSUPPORTED(name) \\",
        '    __attribute__((visibility("default"), section("emu_stubs"))) int name(void) \\',
        "    { return emu_unsupported(#name); }",
    ]
    # cudaProfiler.h is another wheel's, but PyCUDA wants its three names.
    lines += [f"UNSUPPORTED({name})" for name in sorted((named | {"cuProfilerInitialize"}) - defined)]
    path = folder / "unsupported.c"
    path.write_text("\n".join(lines) + "\n")
    return path


def _build_driver(folder: Path, include: Path) -> None:
    objects_folder = folder / "objects"
    objects_folder.mkdir()
    sources = sorted(HERE.glob("src/*.cpp"))
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(lambda source: _compile_object(source, objects_folder, include), sources))
    unsupported = objects_folder / "unsupported.o"
    stubs = _write_unsupported(objects_folder, objects, include)
    _run([host_compiler.cxx(), "-x", "c", "-O1", "-fPIC", "-c", stubs, "-o", unsupported])
    link = ["-shared", f"-Wl,-soname,{LIBRARY}", "-Wl,-Bsymbolic", "-Wl,-z,defs"]
    _run([host_compiler.cxx(), *link, *objects, unsupported, "-o", folder / LIBRARY, "-ldl", "-lpthread"])
    shutil.rmtree(objects_folder)


def _build_compiler(folder: Path, final: Path) -> None:
    """Install the stand-in nvcc and its headers, the shim precompiled: that makes a module three times as fast.

    `final` is where the folder will be when it is complete.
    """
    shutil.copytree(HERE / "include", folder / "include")
    shutil.copy(HERE / "host_compiler.py", folder)
    (folder / "cubins").mkdir()
    shim = folder / "include" / "shim.h"
    flags = host_compiler.LANGUAGE_FLAGS
    _run([host_compiler.cxx(), *flags, f"-I{shim.parent}", "-x", "c++-header", shim, "-o", f"{shim}.gch"])
    nvcc = folder / "nvcc"
    # -I -S: no site-packages, which would cost more than the compilation.
    script = f"{shlex.quote(sys.executable)} -I -S {shlex.quote(str(final / 'host_compiler.py'))}"
    nvcc.write_text(f'#!/bin/sh\nexec {script} "$@"\n')
    nvcc.chmod(0o755)


def _remove_unused(root: Path, keep: Path) -> None:
    """Remove builds and compiled modules that nobody has used for two weeks."""
    limit = time.time() - UNUSED_SECONDS
    for folder in root.glob("build-*"):
        if folder != keep and folder.stat().st_mtime < limit:
            shutil.rmtree(folder, ignore_errors=True)
    for cubin in keep.glob("cubins/*"):
        if cubin.stat().st_mtime < limit:
            cubin.unlink(missing_ok=True)


@cache
def build() -> Path:
    """Return the folder of the built emulator, building it first if need be. Several processes may call this at once.

    Raises:
        CannotBuild: if the compiler or cuda.h is missing.
        RuntimeError: if a compilation fails.
    """
    include = cuda_include()
    root = cache_root()
    folder = root / f"build-{_digest(include)}"
    if (folder / LIBRARY).exists():
        os.utime(folder)
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "lock"):
        if not (folder / LIBRARY).exists():  # nobody else has built it meanwhile
            aside = Path(tempfile.mkdtemp(prefix="incomplete-", dir=root))
            try:
                _build_compiler(aside, folder)
                _build_driver(aside, include)
                aside.chmod(0o755)
                aside.rename(folder)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
        _remove_unused(root, folder)
    return folder


if __name__ == "__main__":
    print(build())
