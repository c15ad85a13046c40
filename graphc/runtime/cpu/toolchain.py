"""The C compiler: which one, and how generated source becomes a shared library.

The compiler is the one that the config names (`GRAPHC_CC`), else `$CC`, else `cc`, `gcc` or `clang` on the path, else
the one in the `ziglang` wheel. One that the user names and that is not there is an error; it is never replaced by
another. Built libraries come from and go to the cache, under a key that covers everything that decides their bytes,
the processor included: what `-march=native` made on one machine must not run on another that shares its home folder.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graphc import config
from graphc.errors import BackendError, CompileError, LoadError
from graphc.runtime.cache import Cache, key
from graphc.runtime.cpu.native import NativeLibrary, loads
from graphc.runtime.cpu.processor import cores

NAMES = ("cc", "gcc", "clang")
HOW_TO_GET_ONE = (
    "install one (Debian, Ubuntu: `apt install gcc libc6-dev`; Fedora: `dnf install gcc`; macOS: `xcode-select "
    "--install`; anywhere: `pip install 'graphc[zig]'`), or name one in GRAPHC_CC"
)

# gcc vectorises little below -O3 by itself. What is turned off takes a third of its time and gains nothing on loops as
# they are generated, or has them spill (`docs/performance.md`, also for what must stay on). Loops of products wait for
# nothing but instructions: they begin with a line of the cache.
_GCC_FLAGS = (
    "-fvect-cost-model=dynamic",
    "-falign-loops=64",
    *("--param=vect-epilogues-nomask=0", "-fira-region=one", "-fno-ivopts", "-fno-tree-vrp", "-fno-code-hoisting"),
    *("-fno-tree-pre", "-fno-tree-dominator-opts", "-fno-thread-jumps", "-fno-tree-bit-ccp", "-fno-schedule-insns2"),
    *("-fno-tree-slp-vectorize", "-fno-dse", "-fno-rerun-cse-after-loop"),
)
# A version is told at once; a compiler that is silent for longer hangs, such as one that waits for a licence server.
_PROBE_SECONDS = 60.0
_COMPILE_SECONDS = 900.0
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_SHOWN_LINES = 30
_SHOWN_CHARACTERS = 4000
# The lines of /proc/cpuinfo that decide what a compiler makes of `native`: x86, Arm, RISC-V, POWER.
_CPU_LINES = frozenset(
    ("vendor_id", "cpu family", "model", "flags")
    + ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features")
    + ("isa", "uarch", "cpu")
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A C compiler that was found and answers.

    Args:
        command: How it is called.
        version: What it says that it is.
        target: The system and processor that it builds for when told `native`.
        source: What chose it: `"GRAPHC_CC"`, `"$CC"`, `"PATH"` or another source of `config.where`.
    """

    command: tuple[str, ...]
    version: str
    target: str
    source: str = "PATH"

    @property
    def native_flags(self) -> tuple[str, ...]:
        """The flags that let it use every instruction of this processor."""
        x86 = "x86_64" in self.target or "amd64" in self.target
        return ("-march=native",) if x86 else ("-mcpu=native",)

    @property
    def own_flags(self) -> tuple[str, ...]:
        """What this compiler needs to be told and others do not know."""
        is_clang = any(name in self.version.lower() for name in ("clang", "zig"))
        return () if is_clang else _GCC_FLAGS

    def arguments(self, flags: Sequence[str], output: Path, objects: Sequence[Path] = ()) -> list[str]:
        """The command line that reads C99 from standard input and writes a shared library, objects included.

        Libraries (`-l`) go behind the source, where linkers want them.
        """
        before = [flag for flag in flags if not flag.startswith("-l")]
        libraries = [flag for flag in flags if flag.startswith("-l")]
        fixed, linked = ["-std=c99", "-shared", "-fPIC", "-pipe"], ["-x", "none", *map(str, objects)] if objects else []
        return [*self.command, *fixed, *before, "-x", "c", "-", *linked, "-o", str(output), *libraries, "-lm"]

    def object_arguments(self, flags: Sequence[str], output: Path) -> list[str]:
        """The command line that reads C99 from standard input and writes an object file, a part of a library."""
        before = [flag for flag in flags if not flag.startswith("-l")]
        return [*self.command, "-std=c99", "-fPIC", "-pipe", *before, "-c", "-x", "c", "-", "-o", str(output)]

    def link_arguments(self, objects: Sequence[Path], flags: Sequence[str], output: Path) -> list[str]:
        """The command line that makes object files one shared library."""
        libraries = [flag for flag in flags if flag.startswith("-l")]
        return [*self.command, "-shared", *map(str, objects), "-o", str(output), *libraries, "-lm"]


def find() -> Toolchain:
    """Returns the C compiler to use.

    Raises:
        BackendError: if there is none, or the one that the user named is not there or does not run.
    """
    asked = config.current().compiler or ""
    environment = os.environ
    return _find(asked, config.where("compiler"), environment.get("CC", ""), environment.get("PATH", os.defpath))


def is_named() -> bool:
    """Whether the user names a compiler, in the config or in `$CC`."""
    return bool((config.current().compiler or "").strip() or os.environ.get("CC", "").strip())


@lru_cache(maxsize=16)
def _find(asked: str, source: str, cc: str, path: str) -> Toolchain:
    """Once a process for the same settings: asking a compiler for its version starts a process."""
    for text, origin in ((asked, source), (cc, "$CC")):
        if text.strip():
            return _probe(_words(text, origin, path), origin)
    refused = []
    for name in NAMES:
        place = shutil.which(name, path=path)
        if place is not None:
            try:
                return _probe((os.path.abspath(place),), "PATH")
            except BackendError as error:  # such as the `cc` of a Mac without its developer tools
                refused.append(f"{error.problem}: {error.got}")
    zig = _zig()
    if zig is not None:
        return zig
    looked = "no " + ", ".join(NAMES) + " on the path, and no ziglang package"
    raise BackendError("there is no C compiler", got="; ".join(refused) or looked, hint=HOW_TO_GET_ONE)


def _words(text: str, origin: str, path: str) -> tuple[str, ...]:
    """The command that a user's text stands for: a program, possibly with spaces in its path, or with arguments."""
    try:
        candidates = [[text.strip()], shlex.split(text)]
    except ValueError:  # a quotation that does not end
        candidates = [[text.strip()]]
    for words in candidates:
        place = shutil.which(words[0], path=path) if words else None
        if place is not None:
            return (os.path.abspath(place), *words[1:])
    raise BackendError(
        f"the C compiler that {origin} names is not there",
        got=repr(text),
        expected="a program on the path, or the path of one",
        hint=f"correct or unset it; or {HOW_TO_GET_ONE}",
    )


def _probe(command: tuple[str, ...], origin: str) -> Toolchain:
    """Asks a compiler for its version, which shows that it runs at all."""
    problem = f"the C compiler {shlex.join(command)} ({origin}) does not run"
    try:
        done = _run([*command, "--version"], b"", _PROBE_SECONDS, {})
    except subprocess.TimeoutExpired:
        raise BackendError(problem, got="no answer to --version", hint=HOW_TO_GET_ONE) from None
    except OSError as error:
        raise BackendError(problem, got=error.strerror or error, hint=HOW_TO_GET_ONE) from error
    text = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0 or not text:
        raise BackendError(problem, got=_clip(text) or f"exit status {done.returncode}", hint=HOW_TO_GET_ONE)
    return Toolchain(command, text.splitlines()[0], target(), origin)


def _zig() -> Toolchain | None:
    """The compiler in the `ziglang` wheel, or None where that is not installed or does not run.

    This is `python -m ziglang cc` without Python's start, and without a `ziglang.py` in the working folder that
    could come first. Zig instruments for undefined behaviour unless told not to, which would cost time in every loop.
    """
    try:
        spec = importlib.util.find_spec("ziglang")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "zig"
    start = (str(program),) if program.is_file() else (sys.executable, "-m", "ziglang")
    try:
        done = _run([*start, "version"], b"", _PROBE_SECONDS, {})
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    version = "zig " + done.stdout.decode("utf-8", "replace").strip()
    return Toolchain((*start, "cc", "-fno-sanitize=undefined"), version, target(), "ziglang package")


@lru_cache(maxsize=1)
def target() -> str:
    """Returns what a native build depends on: the system, its C library and a digest of the processor's features.

    It comes from what the system tells and not from a compiler's `-Q --help=target`, which takes 8 ms instead of 0.2.

    Example:

    >>> target().startswith(sys.platform)
    True
    """
    processor = hashlib.sha256(_processor().encode("utf-8", "replace")).hexdigest()[:16]
    return "-".join((sys.platform, os.uname().machine, _libc(), processor))


def _libc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "libc").replace(" ", "")
    except (ValueError, OSError):  # not the GNU C library
        return "libc"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return cpu_features(file.read(1 << 16))
    except OSError:
        pass
    try:  # macOS and the BSDs
        done = _run(["sysctl", "-n", "machdep.cpu.brand_string"], b"", _PROBE_SECONDS, {})
        return done.stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def cpu_features(cpuinfo: str) -> str:
    """Returns the lines about the first processor in `/proc/cpuinfo` that decide what code it can run.

    Left out is what changes from moment to moment, such as its frequency.

    Args:
        cpuinfo: The text of that file.

    Example:

    >>> cpu_features("processor : 0\\nmodel : 17\\ncpu MHz : 2596.1\\nflags : avx2 fma\\n\\nprocessor : 1")
    'model:17\\nflags:avx2 fma'
    """
    first = cpuinfo.strip().split("\n\n")[0]
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in first.splitlines())]
    return "\n".join(f"{name}:{value}" for name, value in pairs if name in _CPU_LINES)


def build_shared(
    source: str | Sequence[str],
    *,
    flags: Sequence[str],
    toolchain: Toolchain,
    cache: Cache,
    common: Sequence[str] = (),
    meanwhile: Callable[[], None] | None = None,
) -> Path:
    """Builds C99 source into a shared library, or finds it in the cache.

    Args:
        source: A translation unit, or several, which are compiled at the same time and linked.
        flags: What to tell the compiler besides how to read and write, such as `-O3`. `-l...` names a library.
        toolchain: What `find` gave.
        cache: Where the library goes.
        common: Units that many libraries have; what they are compiled to has entries of its own in the cache.
        meanwhile: What to do while several units are compiled; it is called once for each attempt to build them.

    Returns:
        The library's file, ready to be loaded.

    Raises:
        BackendError: if the compiler cannot be started, or the system loads what it builds from nowhere.
        CompileError: if it refuses the source, crashes or does not end. The source is kept and the error names it.
        FileError: if there is no room for the library anywhere.
    """
    # A new way of calling the compiler must not find what the old way built: the arguments are part of the key.
    arguments = toolchain.arguments(flags, Path("out"))
    units = (source,) if isinstance(source, str) else tuple(source)
    about = [f"{len(units)} units", *units, *common, *arguments]
    name = key("shared", *about, "version", toolchain.version, "target", toolchain.target)

    def build(output: Path) -> None:
        def shared() -> list[Path]:
            return [build_object(unit, flags=flags, toolchain=toolchain, cache=cache) for unit in common]

        if len(units) > 1:
            _build_parts(units, shared, flags, toolchain, output, cache, name, meanwhile)
        else:
            others = shared()
            problem = _compile(units[0], toolchain.arguments(flags, output, others), output, others)
            if problem is not None:
                raise _failed(units[0], toolchain.arguments(flags, Path("out.so"), others), problem, cache, name)
        _check_loads(output, toolchain)

    return cache.get_or_build(name, build, ".so", loads)


def _check_loads(library: Path, toolchain: Toolchain) -> None:
    """Tries a library before it is stored; raises OSError where it is the folder's fault that it cannot be loaded."""
    if not library.exists():
        return  # whoever stores it says so
    try:
        NativeLibrary(library)
    except LoadError as error:
        with tempfile.TemporaryDirectory() as folder:
            if loads(Path(shutil.copy(library, folder))):
                # The cache then builds elsewhere.
                raise OSError(errno.EACCES, "libraries in it cannot be loaded; it may be mounted noexec") from None
        error.got = f"{error.got}\n  from:     {toolchain.command[0]} ({toolchain.version})"
        error.hint = f"if {tempfile.gettempdir()} is mounted noexec, set TMPDIR and GRAPHC_CACHE to others"
        raise


def build_object(source: str, *, flags: Sequence[str], toolchain: Toolchain, cache: Cache) -> Path:
    """Builds a C99 unit that many libraries have into an object file, or finds it in the cache.

    Args:
        source: The unit.
        flags: What to tell the compiler besides how to read and write.
        toolchain: What `find` gave.
        cache: Where the object goes.

    Raises:
        BackendError, CompileError, FileError: as `build_shared` does.
    """
    arguments = toolchain.object_arguments(flags, Path("out"))
    name = key("object", source, *arguments, "version", toolchain.version, "target", toolchain.target)

    def build(output: Path) -> None:
        problem = _compile(source, toolchain.object_arguments(flags, output), output)
        if problem is not None:
            raise _failed(source, toolchain.object_arguments(flags, Path("out.o")), problem, cache, name)

    return cache.get_or_build(name, build, ".o")


def _build_parts(
    units: Sequence[str],
    shared: Callable[[], list[Path]],
    flags: Sequence[str],
    toolchain: Toolchain,
    output: Path,
    cache: Cache,
    name: str,
    meanwhile: Callable[[], None] | None,
) -> None:
    """Compiles units, as many at a time as there are processors, and links them; raises what `build_shared` does."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    objects = [output.with_suffix(f".{i}.o") for i in range(len(units))]

    def compiled(unit: str, place: Path) -> str | None:
        return _compile(unit, toolchain.object_arguments(flags, place), place)

    try:
        with ThreadPoolExecutor(cores()) as pool:
            try:
                running = pool.map(compiled, units, objects)
            except RuntimeError:  # the system has no new thread
                pool.shutdown(cancel_futures=True)
                running = map(compiled, units, objects)
            if meanwhile is not None:
                meanwhile()
            others = shared()
            problems = list(running)
        for unit, problem in zip(units, problems, strict=True):
            if problem is not None:
                raise _failed(unit, toolchain.object_arguments(flags, Path("out.o")), problem, cache, name)
        parts = [*objects, *others]
        problem = _compile("", toolchain.link_arguments(parts, flags, output), output, parts)
        if problem is not None:
            raise _failed("", toolchain.link_arguments([Path("out.o")], flags, Path("out.so")), problem, cache, name)
    finally:
        for place in objects:
            place.unlink(missing_ok=True)


def _compile(source: str, command: list[str], output: Path, objects: Sequence[Path] = ()) -> str | None:
    """Runs the compiler on source and objects; returns what it says where it fails."""
    # The compiler's own temporary files go where the library goes: one place that has to have room.
    variables = {"TMPDIR": str(output.parent)}
    try:
        done = _run(command, source.encode("utf-8"), _COMPILE_SECONDS, variables)
    except subprocess.TimeoutExpired:
        return f"it did not end in {_COMPILE_SECONDS:.0f} s"
    except OSError as error:
        text = f"the C compiler {command[0]} cannot be started"
        raise BackendError(text, got=error.strerror or error, hint=HOW_TO_GET_ONE) from error
    if done.returncode == 0:
        return None
    text = done.stdout.decode("utf-8", "replace").strip()
    # The cache then builds elsewhere.
    if any(phrase in text for phrase in _NO_ROOM):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for place in (output.parent, *objects):
        if not place.exists():  # somebody emptied the cache meanwhile
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
    if done.returncode < 0:
        return f"{text}\nended by signal {-done.returncode}; was there enough memory?".lstrip()
    return text or f"exit status {done.returncode}"


def _failed(source: str, command: list[str], output: str, cache: Cache, name: str) -> CompileError:
    kept = cache.keep(f"failed-{name[:16]}.c", source.encode("utf-8"))
    hint = (
        "if the compiler is sound this is a bug in graphc: please report it with the file above; "
        'graphc.config.set_backend("numpy") runs without a compiler'
    )
    if "fatal error" in output and "No such file" in output:
        hint = "the C library's headers are missing (Debian, Ubuntu: `apt install libc6-dev`)"
    return CompileError(
        "the C compiler did not build generated source",
        where=str(kept),
        got=f"{_clip(output)}\n  from:     {shlex.join(command)} < {kept}",
        hint=hint,
    )


def _run(
    command: list[str], text: bytes, seconds: float, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    # The C locale: messages are shown beside ours, and those about a full disk are recognised.
    environment = {**os.environ, "LC_ALL": "C", **variables}
    return subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        env=environment,
        check=False,
    )


def _clip(text: str) -> str:
    """The first lines, where compilers say what is wrong; one mistake can bring thousands."""
    lines = text[:_SHOWN_CHARACTERS].splitlines()
    return "\n".join(lines[:_SHOWN_LINES] + (["..."] if len(lines) > _SHOWN_LINES else []))
