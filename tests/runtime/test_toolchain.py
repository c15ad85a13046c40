"""The C compiler: which one is chosen, what is said when there is none, and what a build costs the second time."""

from __future__ import annotations

import ctypes
import errno
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphc import config
from graphc.errors import BackendError, CacheWarning, CompileError
from graphc.runtime.cache import Cache
from graphc.runtime.cpu import toolchain as module
from graphc.runtime.cpu.toolchain import Toolchain, build_shared, cpu_features, find, target

SOURCE = "#include <math.h>\ndouble f(double x) { return sqrt(x) + 1; }\n"
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.fixture(autouse=True)
def _no_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("GRAPHC_CC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    module._find.cache_clear()
    yield
    module._find.cache_clear()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def program(path: Path, script: str) -> Path:
    """A stand-in for a compiler."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def fake(folder: Path, name: str, version: str = "fake 1.0") -> Path:
    return program(folder / name, f'[ "$1" = --version ] && echo "{version}"')


# ---------------------------------------------------------------- which one


def test_the_first_name_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    clang = fake(tmp_path, "clang", "clang 17")
    assert find() == Toolchain((str(clang),), "clang 17", target(), "PATH")
    gcc = fake(tmp_path, "gcc", "gcc 12")
    assert find().command == (str(clang),)  # asked once a process
    module._find.cache_clear()
    assert find().command == (str(gcc),)


def test_config_wins_over_cc_wins_over_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fake(tmp_path / "bin", "cc")
    mine, other = fake(tmp_path / "my tools", "mine"), fake(tmp_path, "other")
    assert find().source == "PATH"
    monkeypatch.setenv("CC", str(other))
    assert (find().command, find().source) == ((str(other),), "$CC")
    monkeypatch.setenv("GRAPHC_CC", str(mine))
    assert (find().command, find().source) == ((str(mine),), "GRAPHC_CC")
    with config.override(compiler="cc"):
        assert (find().command, find().source) == ((str(tmp_path / "bin/cc"),), "context")


def test_a_compiler_with_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "ccache", 'echo "$1 behind a cache"')
    monkeypatch.setenv("CC", "ccache 'gcc' -m64")
    assert find().command == (str(tmp_path / "ccache"), "gcc", "-m64")
    assert find().version == "gcc behind a cache"


@pytest.mark.parametrize("variable", ["GRAPHC_CC", "CC"])
@pytest.mark.parametrize("text", ["no-such-compiler", "/no/such/compiler -x", "'open quotation"])
def test_a_named_compiler_that_is_absent_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(BackendError, match="is not there") as caught:
        find()
    assert variable in str(caught.value)
    assert text in str(caught.value)
    assert "apt install gcc" in str(caught.value)


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BackendError, match="there is no C compiler") as caught:
        find()
    for advice in ("apt install gcc", "xcode-select", "pip install 'graphc[zig]'", "GRAPHC_CC"):
        assert advice in str(caught.value)


BROKEN = {
    "fails": 'echo "xcrun: error: invalid active developer path"; exit 1',
    "silent": "exit 0",
    "killed": "kill -9 $$",
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    broken = program(tmp_path / "cc", script)
    monkeypatch.setattr(module, "NAMES", ("cc",))
    with pytest.raises(BackendError, match="there is no C compiler") as caught:
        find()
    assert f"{broken} (PATH) does not run" in str(caught.value)
    monkeypatch.setattr(module, "NAMES", ("cc", "gcc"))
    fake(tmp_path, "gcc")
    module._find.cache_clear()
    assert find().command == (str(tmp_path / "gcc"),)  # nobody asked for `cc` by name
    monkeypatch.setenv("CC", "cc")
    with pytest.raises(BackendError, match="does not run"):
        find()


def test_a_compiler_that_is_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "cc"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    with pytest.raises(BackendError, match="does not run"):
        find()


def test_a_compiler_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_PROBE_SECONDS", 0.1)
    monkeypatch.setenv("CC", str(program(tmp_path / "cc", "exec sleep 30")))
    with pytest.raises(BackendError, match="no answer"):
        find()


def test_the_wheel_comes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    zig = program(tmp_path / "site/ziglang/zig", '[ "$1" = version ] && echo 0.13.0')
    spec = importlib.machinery.ModuleSpec("ziglang", None, origin=str(zig.parent / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "ziglang" else None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = find()
    assert found == Toolchain((str(zig), "cc", "-fno-sanitize=undefined"), "zig 0.13.0", target(), "ziglang package")
    assert found.arguments(["-O3"], Path("x.so"))[:3] == [str(zig), "cc", "-fno-sanitize=undefined"]
    fake(tmp_path / "bin", "cc")
    module._find.cache_clear()
    assert find().source == "PATH"


def test_a_wheel_of_another_layout_is_run_as_a_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.machinery.ModuleSpec("ziglang", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setenv("PATH", "")
    python = program(tmp_path / "python", '[ "$*" = "-m ziglang version" ] && echo 0.14.0')
    monkeypatch.setattr(sys, "executable", str(python))
    assert find().command == (str(python), "-m", "ziglang", "cc", "-fno-sanitize=undefined")
    module._find.cache_clear()
    program(python, "exit 1")
    with pytest.raises(BackendError, match="there is no C compiler"):
        find()


# ---------------------------------------------------------------- the target


def test_the_target_is_cheap_and_names_the_system() -> None:
    start = time.perf_counter()
    fresh = target.__wrapped__()
    assert time.perf_counter() - start < 0.05  # 0.2 ms here; the limit leaves room for a busy machine
    assert fresh == target()
    assert os.uname().machine in fresh


def test_the_target_tells_processors_apart() -> None:
    one = "processor\t: 0\nmodel\t: 17\ncpu MHz\t: 2500.1\nflags\t: fpu avx2\n\nprocessor\t: 1\nflags\t: none\n"
    assert cpu_features(one) == cpu_features(one.replace("2500.1", "800.0"))
    assert cpu_features(one) != cpu_features(one.replace("avx2", "avx512f"))
    assert "none" not in cpu_features(one)
    arm = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU part\t: 0xd40\n"
    assert cpu_features(arm) == "Features:fp asimd sve\nCPU part:0xd40"
    assert cpu_features("") == ""


def test_native_flags() -> None:
    assert Toolchain(("cc",), "1", "linux-x86_64-glibc2.36-0").native_flags == ("-march=native",)
    assert Toolchain(("cc",), "1", "linux-aarch64-glibc2.36-0").native_flags == ("-mcpu=native",)


# ---------------------------------------------------------------- building


@needs_compiler
def test_build_and_load(cache: Cache) -> None:
    found = find()
    path = build_shared(SOURCE, flags=("-O3", *found.native_flags), toolchain=found, cache=cache)
    function = ctypes.CDLL(str(path)).f
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    assert function(9.0) == 4.0
    assert path.parent == cache.folder


@needs_compiler
def test_several_units_become_one_library(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [f"double f{i}(double x) {{ return {f'f{i - 1}(x)' if i else 'x'} + 1; }}" for i in range(4)]
    units = [*(f"double f{i - 1}(double);\n{unit}" if i else unit for i, unit in enumerate(units))]
    path = build_shared(units, flags=["-O1"], toolchain=find(), cache=cache)
    function = ctypes.CDLL(str(path)).f3
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    assert function(2.0) == 6.0
    assert not [left for left in cache.folder.iterdir() if left.suffix == ".o"]
    monkeypatch.setattr(module, "_run", None)
    assert build_shared(units, flags=["-O1"], toolchain=find(), cache=cache) == path


@needs_compiler
def test_something_is_done_while_units_are_compiled(cache: Cache) -> None:
    units = [f"int f{i}(void) {{ return {i}; }}" for i in range(3)]
    calls: list[int] = []
    for _ in range(2):  # the second time there is nothing to wait for
        build_shared(units, flags=[], toolchain=find(), cache=cache, meanwhile=lambda: calls.append(cache.builds))
    assert calls == [0]


@needs_compiler
def test_a_failure_meanwhile_leaves_nothing_behind(cache: Cache, tmp_path: Path) -> None:
    def fail() -> None:
        raise MemoryError

    started = tmp_path / "started"
    slow = compiler(tmp_path, f'echo $$ >> "{started}"; sleep 0.3; exec cc "$@"')
    with pytest.raises(MemoryError):
        build_shared(["int f;", "int g;"], flags=[], toolchain=slow, cache=cache, meanwhile=fail)
    assert not [left for left in cache.folder.iterdir() if left.suffix != ".lock"]
    processes = [int(line) for line in started.read_text().split()]
    assert processes
    for process in processes:  # none is running, and none was not waited for
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@needs_compiler
def test_a_mistake_in_one_of_several_units(cache: Cache) -> None:
    with pytest.raises(CompileError, match="did not build") as caught:
        build_shared(["int f;", "int g( {"], flags=[], toolchain=find(), cache=cache)
    kept = next(cache.folder.glob("failed-*.c"))
    assert kept.read_text() == "int g( {" and str(kept) in str(caught.value)
    with pytest.raises(CompileError, match="multiple definition"):
        build_shared(["int f(void) { return 1; }"] * 2, flags=[], toolchain=find(), cache=cache)


@needs_compiler
def test_the_second_build_runs_no_compiler(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find()
    first = build_shared(SOURCE, flags=["-O1"], toolchain=found, cache=cache)

    def never(*_: object) -> None:
        raise AssertionError("the compiler ran")

    monkeypatch.setattr(module, "_run", never)
    start = time.perf_counter()
    assert build_shared(SOURCE, flags=["-O1"], toolchain=found, cache=Cache(cache.folder)) == first
    assert time.perf_counter() - start < 0.05  # 0.1 ms here
    for other in (
        {"source": SOURCE + " "},
        {"flags": ["-O2"]},
        {"toolchain": replace(found, version="2")},
        {"toolchain": replace(found, target="elsewhere")},
        {"toolchain": replace(found, command=("other",))},
    ):
        arguments = {"source": SOURCE, "flags": ["-O1"], "toolchain": found, "cache": cache, **other}
        with pytest.raises(AssertionError, match="the compiler ran"):
            build_shared(**arguments)  # type: ignore[arg-type]


@needs_compiler
def test_a_damaged_library_is_built_again(cache: Cache) -> None:
    path = build_shared(SOURCE, flags=[], toolchain=find(), cache=cache)
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2])
    assert build_shared(SOURCE, flags=[], toolchain=find(), cache=cache) == path
    assert cache.builds == 2
    assert ctypes.CDLL(str(path)).f


@needs_compiler
def test_what_libraries_share_is_compiled_once(cache: Cache) -> None:
    common = ("int shared(void) { return 7; }\n",)
    unit = "int shared(void);\nint f(void) { return shared() + 1; }\n"
    for source in (unit, [unit, "int g(void) { return 0; }\n"]):
        library = build_shared(source, flags=["-O1"], toolchain=find(), cache=cache, common=common)
        assert ctypes.CDLL(str(library)).f() == 8
    assert cache.builds == 3


def test_what_libraries_share_is_part_of_their_keys(cache: Cache) -> None:
    unit = "int shared(void);\nint f(void) { return shared(); }\n"
    for value in (7, 8):
        common = (f"int shared(void) {{ return {value}; }}\n",)
        library = build_shared(unit, flags=["-O1"], toolchain=find(), cache=cache, common=common)
        assert ctypes.CDLL(str(library)).f() == value


def test_a_compile_error_keeps_the_source(cache: Cache) -> None:
    with pytest.raises(CompileError) as caught:
        build_shared("int f( {\n", flags=["-O3"], toolchain=find(), cache=cache)
    error = caught.value
    assert error.where is not None
    assert Path(error.where).read_text() == "int f( {\n"
    assert "error:" in str(error)
    assert "-O3" in str(error)
    assert "aside-" not in str(error)


@needs_compiler
def test_a_thousand_mistakes_are_shown_in_part(cache: Cache) -> None:
    with pytest.raises(CompileError) as caught:
        build_shared("\n".join(f"x{n} y;" for n in range(1000)), flags=[], toolchain=find(), cache=cache)
    assert len(str(caught.value).splitlines()) < 50
    assert len(str(caught.value)) < 6000


@needs_compiler
def test_libraries_come_behind_the_source(cache: Cache) -> None:
    command = find().arguments(["-lpthread", "-O2"], Path("x.so"))
    assert command.index("-") < command.index("-lpthread") < command.index("-lm")
    assert command.index("-O2") < command.index("-")
    build_shared(SOURCE, flags=["-lpthread"], toolchain=find(), cache=cache)


def compiler(tmp_path: Path, script: str) -> Toolchain:
    return Toolchain((str(program(tmp_path / "compiler", script)),), "fake", "here")


def test_missing_headers_are_recognised(cache: Cache, tmp_path: Path) -> None:
    text = "<stdin>:1:10: fatal error: math.h: No such file or directory"
    with pytest.raises(CompileError, match="libc6-dev"):
        build_shared("", flags=[], toolchain=compiler(tmp_path, f"echo '{text}' >&2; exit 1"), cache=cache)


@pytest.mark.parametrize(
    ("script", "said"),
    [("kill -9 $$", "signal 9"), ("exit 3", "exit status 3"), ("exit 0", "wrote no file")],
)
def test_a_compiler_that_breaks_while_building(cache: Cache, tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(CompileError, match=said):
        build_shared(SOURCE, flags=[], toolchain=compiler(tmp_path, script), cache=cache)


def test_a_compiler_that_never_ends(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMPILE_SECONDS", 0.1)
    with pytest.raises(CompileError, match="did not end"):
        build_shared(SOURCE, flags=[], toolchain=compiler(tmp_path, "exec sleep 30"), cache=cache)


def test_a_compiler_that_vanished(cache: Cache) -> None:
    with pytest.raises(BackendError, match="cannot be started"):
        build_shared(SOURCE, flags=[], toolchain=Toolchain(("/no/such/cc",), "1", "here"), cache=cache)


@needs_compiler
def test_a_full_disk_while_compiling(cache: Cache, tmp_path: Path) -> None:
    """The compiler tells it in words; the library is then built elsewhere, with a warning and not an error."""
    script = (
        f'case "$*" in *{cache.folder}*) echo "ld: final link failed: No space left on device"; exit 1;; esac\n'
        'exec cc "$@"'
    )
    with pytest.warns(CacheWarning, match=os.strerror(errno.ENOSPC)):
        path = build_shared(SOURCE, flags=[], toolchain=compiler(tmp_path, script), cache=cache)
    assert ctypes.CDLL(str(path)).f


@needs_compiler
@pytest.mark.parametrize("then", ["exit 1", "exit 0"])
def test_a_cache_that_is_deleted_while_compiling(cache: Cache, tmp_path: Path, then: str) -> None:
    script = f'case "$*" in *{cache.folder}*) rm -r {cache.folder}; {then};; esac\nexec cc "$@"'
    with pytest.warns(CacheWarning, match=os.strerror(errno.ENOENT)):
        path = build_shared(SOURCE, flags=[], toolchain=compiler(tmp_path, script), cache=cache)
    assert ctypes.CDLL(str(path)).f


@needs_compiler
@pytest.mark.parametrize("units", [1, 2])
def test_what_libraries_share_vanishes_before_it_is_linked(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    build_object, vanished = module.build_object, []

    def vanishing(*args: Any, **options: Any) -> Path:
        path = build_object(*args, **options)
        if not vanished:
            path.unlink()
            vanished.append(path)
        return path

    monkeypatch.setattr(module, "build_object", vanishing)
    source = ["int shared(void);\nint f(void) { return shared() + 1; }\n", "int g(void) { return 0; }\n"][:units]
    common = ("int shared(void) { return 7; }\n",)
    with pytest.warns(CacheWarning, match="cannot be used"):
        path = build_shared(source, flags=[], toolchain=find(), cache=cache, common=common)
    assert ctypes.CDLL(str(path)).f() == 8
