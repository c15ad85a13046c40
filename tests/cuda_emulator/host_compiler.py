"""Compile CUDA source for the emulator: g++ with a shim header, wrapped as a "cubin" that the emulated driver loads.

This file uses the standard library only and is copied into the build folder, where the stand-in `nvcc` runs it: it must
start fast. `compiler.py` is its interface for Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAGIC = b"EMUCUBIN"
VERSION = "emulated nvcc"
MAX_BLOCK_THREADS = 1024

# The flags that code generation depends on; the precompiled header needs the very same ones.
LANGUAGE_FLAGS = (
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-w",
    # as on a GPU: no errno, no traps, signed numbers wrap, memory may be read as another type
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",
    "-fno-strict-aliasing",
    # the same bits on every host
    "-ffp-contract=off",
    # a module stands alone: its functions may be inlined, and it can be unloaded
    "-fno-semantic-interposition",
    "-fno-gnu-unique",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-asynchronous-unwind-tables",
)
LINK_FLAGS = ("-shared", "-nostdlib", "-Wl,-Bsymbolic", "-Wl,-z,defs", "-Wl,--hash-style=sysv")
LIBRARIES = ("-lm", "-lc", "-lgcc")


class CompileError(Exception):
    """The source is not accepted; the text is the compiler's."""


# --- from CUDA source to C++ source


@dataclass(frozen=True)
class Kernel:
    """A `__global__` function: where its body lies in the text, and what its declaration says."""

    name: str
    bounds: str
    start: int
    end: int


_COMMENT_OR_LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", re.S)
_BODY = re.compile(r"\s*\{")
_WORD_OR_SPACE = re.compile(r"\s+|\w+|\*|::")
_DYNAMIC_SHARED = re.compile(
    r"extern\s+(?:(?:__shared__|__align__\s*\(\s*\d+\s*\)|alignas\s*\(\s*\d+\s*\))\s*)+"
    r"(?P<type>[\w:\s]+?)\s*\b(?P<name>\w+)\s*\[\s*\]\s*;"
)


def _blank(text: str) -> str:
    """Replace all but line ends by spaces, so that positions and line numbers stay."""
    return re.sub(r"[^\n]", " ", text)


def _without_comments(source: str) -> str:
    return _COMMENT_OR_LITERAL.sub(lambda m: _blank(m[0]) if m[0].startswith("/") else m[0], source)


def _without_literals(source: str) -> str:
    return _COMMENT_OR_LITERAL.sub(lambda m: _blank(m[0]), source)


def _closing(code: str, start: int, pair: str) -> int:
    """Return the position behind the bracket that closes the one at `start`."""
    depth = 0
    for match in re.compile(f"[{re.escape(pair)}]").finditer(code, start):
        depth += 1 if match[0] == pair[0] else -1
        if depth == 0:
            return match.end()
    raise CompileError(f"unbalanced {pair} in the source")


def _scan_kernel(code: str, position: int) -> Kernel | None:
    """Read a kernel's declaration from behind `__global__`; None if it has no body.

    The name is the word before the parentheses that a body follows; other parentheses belong to attributes.
    """
    bounds = str(MAX_BLOCK_THREADS)
    word = ""
    while position < len(code):
        if code[position] == "(":
            end = _closing(code, position, "()")
            if body := _BODY.match(code, end):
                return Kernel(word, bounds, position, _closing(code, body.end() - 1, "{}"))
            if word == "__launch_bounds__":
                bounds = code[position + 1 : end - 1].split(",")[0]
            position = end
        elif match := _WORD_OR_SPACE.match(code, position):
            word = match[0] if not match[0].isspace() else word
            position = match.end()
        else:
            return None
    return None


def find_kernels(code: str) -> list[Kernel]:
    """Find the kernels of a source without comments and literals, in order. A macro may stand for `__global__`."""
    marks = ["__global__", *re.findall(r"#[ \t]*define\s+(\w+)[^\n]*\b__global__\b", code)]
    found = (_scan_kernel(code, match.end()) for match in re.finditer(rf"\b(?:{'|'.join(marks)})\b", code))
    return [kernel for kernel in found if kernel]


def _rewrite_shared(text: str, section: str) -> str:
    """Say where shared memory is: the dynamic kind is the engine's, the static kind goes into a section."""
    text = _DYNAMIC_SHARED.sub(r"\g<type> *\g<name> = (\g<type> *)emu_dynamic_shared;", text)
    return re.sub(r"\b__shared__\b", f'EMU_SHARED("{section}")', text)


def _entry_tables(kernels: Sequence[Kernel]) -> Iterator[str]:
    """Yield what is appended to the source: how the driver finds and calls each kernel."""
    yield "\n#define EMU_BOUNDS(...) __VA_ARGS__\n"
    for number, kernel in enumerate(kernels):
        yield f"EMU_ENTRY({kernel.name}, {number})\n"
    yield "static const EmuKernel emu_kernels[] = {\n"
    for number, kernel in enumerate(kernels):
        yield f"    EMU_KERNEL({kernel.name}, {number}, ({kernel.bounds.strip()}))\n"
    yield "    {}};\n"
    yield (
        'extern "C" __attribute__((weak, visibility("hidden"))) char __start_emu_shared_common[];\n'
        'extern "C" __attribute__((weak, visibility("hidden"))) char __stop_emu_shared_common[];\n'
        f'extern "C" const EmuModule emu_module = {{emu_kernels, {len(kernels)}, '
        "__start_emu_shared_common, __stop_emu_shared_common};\n"
    )


def translate(source: str, name: str = "kernel.cu") -> str:
    """Turn CUDA source into C++ source for g++ with shim.h; line numbers stay."""
    text = _without_comments(source)
    kernels = find_kernels(_without_literals(text))
    parts = [f'#line 1 "{name}"\n']
    position = 0
    for number, kernel in enumerate(kernels):
        parts.append(_rewrite_shared(text[position : kernel.start], "emu_shared_common"))
        parts.append(_rewrite_shared(text[kernel.start : kernel.end], f"emu_shared_{number}"))
        position = kernel.end
    parts.append(_rewrite_shared(text[position:], "emu_shared_common"))
    parts.extend(_entry_tables(kernels))
    return "".join(parts)


# --- compiling


def cxx() -> str:
    """Return the host compiler; a precompiled header ties it to GCC."""
    return os.environ.get("CUDA_EMULATOR_CXX", "g++")


def include_arguments(folder: str) -> list[str]:
    """Return the arguments that put the shim of a build folder in front of a source."""
    headers = os.path.join(folder, "include")
    return [f"-I{headers}", "-include", os.path.join(headers, "shim.h")]


def relevant_options(options: Sequence[str]) -> list[str]:
    """Keep nvcc's options that mean something to g++ too: include folders and macros."""
    kept = []
    following = False
    for option in options:
        if following or option.startswith(("-I", "-D", "-U")):
            kept.append(option)
            following = not following and option in ("-I", "-D", "-U")
    return kept


def _reads_other_files(source: str) -> bool:
    """Tell whether the source includes files whose content a key of the source alone would miss."""
    included = re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', source, re.M)
    return not {"cuda_fp16.h", "cuda_bf16.h"}.issuperset(included)


class HostCompiler:
    """The compiler of one build folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.cache = os.path.join(folder, "cubins")

    def compile(self, source: str, options: Sequence[str] = (), name: str = "kernel.cu") -> bytes:
        """Return the cubin of a CUDA source, from the cache where it has been compiled before.

        Raises:
            CompileError: with g++'s messages.
        """
        flags = relevant_options(options)
        key = hashlib.sha256("\0".join([*flags, name, cxx(), source]).encode()).hexdigest()
        path = os.path.join(self.cache, key + ".cubin")
        cacheable = not _reads_other_files(source)
        if cacheable and (cubin := self._read(path)):
            return cubin
        library = self._run(translate(source, name), flags, f"{path}.{os.getpid()}.so")
        cubin = MAGIC + struct.pack("<Q", len(library)) + library
        if cacheable:
            self._write(path, cubin)
        return cubin

    def _run(self, text: str, flags: Sequence[str], output: str) -> bytes:
        driver = os.path.join(self.folder, "libcuda.so.1")
        command = [cxx(), *LANGUAGE_FLAGS, *include_arguments(self.folder), *flags, *LINK_FLAGS]
        command += ["-x", "c++", "-", "-x", "none", "-o", output, driver, *LIBRARIES]
        try:
            done = subprocess.run(command, input=text, text=True, capture_output=True)
            if done.returncode != 0:
                raise CompileError(done.stderr)
            with open(output, "rb") as file:
                return file.read()
        finally:
            if os.path.exists(output):
                os.unlink(output)

    @staticmethod
    def _read(path: str) -> bytes | None:
        try:
            with open(path, "rb") as file:
                cubin = file.read()
            os.utime(path)  # build.py removes what has not been used for long
        except OSError:
            return None
        return cubin

    @staticmethod
    def _write(path: str, cubin: bytes) -> None:
        aside = f"{path}.{os.getpid()}.tmp"
        with open(aside, "wb") as file:
            file.write(cubin)
        os.replace(aside, path)


# --- the command line of nvcc, as far as it is used


def _value_of(arguments: Sequence[str], option: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == option and position + 1 < len(arguments):
            return arguments[position + 1]
    return None


def _preprocess(folder: str, source_path: str, options: Sequence[str]) -> int:
    command = [cxx(), "-E", "-P", "-std=c++17", *include_arguments(folder), *relevant_options(options)]
    return subprocess.call([*command, "-x", "c++", source_path])


def main(arguments: Sequence[str], folder: str) -> int:
    """Act as nvcc: `-cubin -o out.cubin in.cu`, or PyCUDA's `--cubin in.cu`, `--preprocess`, `--version`."""
    if "--version" in arguments:
        # PyCUDA's cache of compiled modules takes this as the compiler's identity.
        print(VERSION, os.path.basename(folder))
        return 0
    sources = [argument for argument in arguments if argument.endswith(".cu")]
    if len(sources) != 1:
        print("nvcc (emulated): exactly one .cu file is expected", file=sys.stderr)
        return 1
    if "--preprocess" in arguments or "-E" in arguments:
        return _preprocess(folder, sources[0], arguments)
    if not {"-cubin", "--cubin", "-fatbin", "--fatbin"}.intersection(arguments):
        print("nvcc (emulated): only -cubin, -fatbin and --preprocess are supported", file=sys.stderr)
        return 1
    kind = "cubin" if {"-cubin", "--cubin"}.intersection(arguments) else "fatbin"
    output = _value_of(arguments, "-o") or f"{os.path.splitext(sources[0])[0]}.{kind}"
    with open(sources[0], encoding="utf-8") as file:
        source = file.read()
    try:
        cubin = HostCompiler(folder).compile(source, arguments, os.path.basename(sources[0]))
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    with open(output, "wb") as out:
        out.write(cubin)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.path.dirname(os.path.abspath(__file__))))
