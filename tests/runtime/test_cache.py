"""The cache: no damage to an entry is ever served, and nothing about the folder stops the work."""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc import config
from graphc.errors import ArgumentError, CacheWarning, CompileError, FileError
from graphc.runtime import cache as cache_module
from graphc.runtime.cache import Cache, default, key

KEY = key("source", "flags")
DATA = bytes(range(256)) * 5
FOOTER = 48


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def writer(data: bytes, log: list[str] | None = None) -> Callable[[Path], None]:
    """A build that writes `data` and notes that it ran."""

    def build(path: Path) -> None:
        if log is not None:
            log.append("built")
        path.write_bytes(data)

    return build


# ---------------------------------------------------------------- keys


@given(st.lists(st.binary() | st.text()), st.lists(st.binary() | st.text()))
def test_keys_differ_where_parts_differ(a: list[bytes | str], b: list[bytes | str]) -> None:
    assert (key(*a) == key(*b)) == (a == b)


def test_key_is_stable() -> None:
    """It names files that other runs wrote, so it must not change by accident."""
    assert key("a", b"b") == "97b067e7e2cde04c0059efc5908c0636c390e8507f65a1dd4715b7d5478a578b"


@pytest.mark.parametrize(("bad", "suffix"), [("../x", ""), ("", ""), (KEY.upper(), ""), (KEY, "/x"), (KEY, ".S")])
def test_only_keys_name_entries(cache: Cache, bad: str, suffix: str) -> None:
    with pytest.raises(ArgumentError):
        cache.get(bad, suffix)
    with pytest.raises(ArgumentError):
        cache.put(bad, b"", suffix)
    with pytest.raises(ArgumentError):
        cache.get_or_build(bad, writer(b""), suffix)


# ---------------------------------------------------------------- what is stored comes back


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_put_and_get(cache: Cache, data: bytes) -> None:
    assert cache.get(KEY) is None
    assert cache.find(KEY) is None
    path = cache.put(KEY, data, ".bin")
    assert cache.find(KEY, ".bin") == path
    assert cache.get(KEY, ".bin") == data
    assert cache.get(KEY) is None
    assert path.read_bytes()[:-FOOTER] == data
    assert (cache.hits, cache.builds) == (2, 0)


def test_build_once(cache: Cache) -> None:
    log: list[str] = []
    paths = {cache.get_or_build(KEY, writer(DATA, log), ".so") for _ in range(3)}
    assert len(paths) == 1
    assert (log, cache.hits, cache.builds) == (["built"], 2, 1)
    assert cache.get(KEY, ".so") == DATA


def test_a_failed_build_leaves_nothing(cache: Cache) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise CompileError("no")

    with pytest.raises(CompileError):
        cache.get_or_build(KEY, broken)
    with pytest.raises(CompileError, match="wrote no file"):
        cache.get_or_build(KEY, lambda path: None)
    assert [p.name for p in cache.folder.iterdir() if p.suffix != ".lock"] == []
    assert cache.get_or_build(KEY, writer(DATA)).exists()


def test_a_put_replaces(cache: Cache) -> None:
    cache.put(KEY, b"old")
    cache.put(KEY, b"new")
    assert cache.get(KEY) == b"new"


def test_everything_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache = Cache(tmp_path / "a/b")
        path = cache.put(KEY, DATA)
        built = cache.get_or_build(key("2"), writer(DATA))
        os.umask(0o777)
        strict = cache.put(key("3"), DATA)
    finally:
        os.umask(old)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (path, built, strict)} == {0o600}
    cache.folder.chmod(0o777)
    cache.put(KEY, DATA)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_shared_library_with_a_footer_loads(cache: Cache) -> None:
    def build(path: Path) -> None:
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        subprocess.run(command, input=b"int answer(void) { return 42; }", check=True)

    path = cache.get_or_build(key("answer"), build, ".so")
    assert path.read_bytes()[-FOOTER:].startswith(b"graphc")
    assert ctypes.CDLL(str(path)).answer() == 42


# ---------------------------------------------------------------- damage is a miss


def damaged(cache: Cache, change: Callable[[bytes], bytes]) -> Path:
    path = cache.put(KEY, DATA)
    path.write_bytes(change(path.read_bytes()))
    return path


def test_an_entry_truncated_anywhere_is_a_miss(cache: Cache) -> None:
    path = cache.put(KEY, DATA)
    sound = path.read_bytes()
    assert len(sound) == len(DATA) + FOOTER
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        assert cache.get(KEY) is None, length
        assert not path.exists()
    path.write_bytes(sound)
    assert cache.get(KEY) == DATA


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(DATA) + FOOTER - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_a_miss(cache: Cache, position: int, bit: int) -> None:
    damaged(cache, lambda data: data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :])
    assert cache.find(KEY) is None


@pytest.mark.parametrize(
    "change",
    [lambda data: data + b"\0", lambda data: b"", lambda data: b"\0" * len(data), lambda data: data[::-1]],
    ids=["longer", "empty", "zeros", "reversed"],
)
def test_other_damage_is_a_miss(cache: Cache, change: Callable[[bytes], bytes]) -> None:
    damaged(cache, change)
    log: list[str] = []
    path = cache.get_or_build(KEY, writer(DATA, log))
    assert log == ["built"]
    assert cache.find(KEY) == path


def test_an_entry_under_another_name_is_a_miss(cache: Cache) -> None:
    shutil.copy(cache.put(KEY, DATA), cache.folder / key("other"))
    assert cache.get(key("other")) is None
    assert cache.get(KEY) == DATA


def test_an_entry_that_is_no_file_is_a_miss(cache: Cache) -> None:
    path = cache.put(KEY, DATA)
    path.unlink()
    os.mkfifo(path)
    assert cache.get(KEY) is None
    assert cache.put(KEY, DATA) == path
    path.unlink()
    path.symlink_to("nowhere")
    assert cache.get_or_build(KEY, writer(DATA)).read_bytes()[:-FOOTER] == DATA
    path.unlink()
    path.mkdir()
    assert cache.get(KEY) is None
    with pytest.warns(CacheWarning):
        assert cache.get_or_build(KEY, writer(DATA)).parent != path.parent


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_entry_without_permission_is_a_miss(cache: Cache) -> None:
    cache.put(KEY, DATA).chmod(0)
    assert cache.get(KEY) is None
    cache.put(KEY, DATA)
    assert cache.get(KEY) == DATA


def test_an_unreadable_entry_is_a_miss(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache.put(KEY, DATA)

    def refuse(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert cache.get(KEY) is None
    assert not path.exists()


# ---------------------------------------------------------------- many at once


def build_slowly(folder: Path, log: Path, start: float, wanted: int) -> None:
    """One process of several: all want the same entries at the same moment."""
    cache = Cache(folder)
    time.sleep(max(0.0, start - time.time()))
    for number in range(wanted):

        def build(path: Path, number: int = number) -> None:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{number}\n")
            time.sleep(0.05)
            path.write_bytes(DATA)

        path = cache.get_or_build(key(str(number)), build)
        assert path.read_bytes()[:-FOOTER] == DATA


def test_of_many_processes_one_builds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (tmp_path / "cache", tmp_path / "log", time.time() + 1.5, 5)
    processes = [context.Process(target=build_slowly, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted((tmp_path / "log").read_text().split()) == list("01234")


def test_of_many_threads_one_builds(cache: Cache) -> None:
    log: list[str] = []

    def build(path: Path) -> None:
        log.append("built")
        time.sleep(0.05)
        path.write_bytes(DATA)

    threads = [threading.Thread(target=cache.get_or_build, args=(KEY, build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log == ["built"]
    assert cache.builds == 1


def test_a_builder_that_was_killed_does_not_block_the_next(cache: Cache) -> None:
    script = (
        "import os, sys; from pathlib import Path; from graphc.runtime.cache import Cache\n"
        "def build(path): path.write_bytes(b'half'); os._exit(9)\n"
        "Cache(Path(sys.argv[1])).get_or_build(sys.argv[2], build)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(cache.folder), KEY], check=False)
    assert done.returncode == 9
    assert cache.get_or_build(KEY, writer(DATA)).read_bytes()[:-FOOTER] == DATA


def test_a_lock_that_is_held_for_ever_is_not_waited_for(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_PATIENCE_SECONDS", 0.05)

    def outer(path: Path) -> None:
        Cache(cache.folder).get_or_build(KEY, writer(b"inner"))
        path.write_bytes(b"outer")

    cache.get_or_build(KEY, outer)
    assert cache.get(KEY) == b"outer"


# ---------------------------------------------------------------- a folder that cannot be used


@pytest.mark.parametrize("name", ["open", "replace", "fsync", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_disk_costs_one_warning(cache: Cache, monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Every call under the cache's folder fails with the error; elsewhere (the temporary folder) all is well."""
    real = getattr(os, name)
    folder = cache.folder

    def failing(target: int | str | os.PathLike[str], *rest: object, **more: object) -> object:
        place = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
        if str(place).startswith(str(folder)) and "aside-" in str(place):
            raise OSError(number, os.strerror(number))
        return real(target, *rest, **more)

    monkeypatch.setattr(os, name, failing)
    with pytest.warns(CacheWarning) as caught:
        path = cache.get_or_build(KEY, writer(DATA), ".so")
        assert cache.get_or_build(KEY, writer(b"other"), ".so") == path
        cache.put(key("2"), DATA)
    assert len(caught) == 1
    assert os.strerror(number) in str(caught[0].message)
    assert str(folder) in str(caught[0].message)
    assert path.parent == cache.folder != folder
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert path.read_bytes()[:-FOOTER] == DATA
    assert [p.name for p in folder.iterdir() if p.suffix != ".lock"] == []
    assert caught[0].filename == __file__


def test_a_build_that_runs_out_of_space_is_repeated_elsewhere(cache: Cache) -> None:
    folder = cache.folder

    def build(path: Path) -> None:
        if path.parent == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(DATA)

    with pytest.warns(CacheWarning, match="No space left"):
        assert cache.get_or_build(KEY, build).read_bytes()[:-FOOTER] == DATA


def test_nowhere_to_go_is_an_error_of_ours(cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.warns(CacheWarning), pytest.raises(FileError, match="TMPDIR"):
        cache.get_or_build(KEY, full)
    with pytest.raises(FileError, match="No space left"):
        cache.get_or_build(KEY, full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileError, match="absent"):
        Cache(tmp_path / "other").get_or_build(KEY, full)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(tmp_path / "file/cache")
    assert cache.get(KEY) is None
    with pytest.warns(CacheWarning):
        cache.put(KEY, DATA)
    assert cache.get(KEY) == DATA


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_in_a_read_only_one(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir(mode=0o500)
    cache = Cache(tmp_path / "above/cache")
    with pytest.warns(CacheWarning, match="Permission denied"):
        cache.put(KEY, DATA)
    assert cache.get(KEY) == DATA


def test_a_read_only_disk_still_gives_hits(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache.folder
    cache.put(KEY, DATA)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("utime", "unlink", "replace", "chmod", "mkdir"):
        monkeypatch.setattr(os, name, refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.get(KEY) == DATA
        assert cache.get_or_build(KEY, writer(b"no")).parent == folder


def test_another_users_folder_is_refused(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither loaded from nor written to, not even what looks sound: its owner could swap a library at any time."""
    folder = cache.folder
    stored = cache.put(KEY, DATA)
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    assert cache.get(KEY) is None
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_refuse_foreign", _refuse_only(folder))
        with pytest.warns(CacheWarning, match="another user"):
            path = cache.get_or_build(KEY, writer(b"mine"))
        assert path.parent != folder
        assert cache.get(KEY) == b"mine"
    assert stored.exists()


def _refuse_only(folder: Path) -> Callable[[Path], None]:
    def refuse(asked: Path) -> None:
        if asked == folder:
            raise PermissionError(0, "it belongs to another user")

    return refuse


def test_a_folder_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "open"
    above.mkdir()
    cache = Cache(above / "cache")
    cache.put(KEY, DATA)
    above.chmod(0o777)
    assert cache.get(KEY) is None
    with pytest.warns(CacheWarning, match="could replace it"):
        cache.put(KEY, DATA)
    above.chmod(0o1777)  # as /tmp is
    again = Cache(above / "cache")
    assert again.get(KEY) == DATA


def test_the_temporary_folder_goes_with_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(tmp_path / "file/cache")
    with pytest.warns(CacheWarning):
        cache.put(KEY, DATA)
    folder = cache.folder
    child = os.fork()
    if child == 0:
        del cache  # a forked child must not take away what the parent still uses
        os._exit(0 if folder.exists() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get(KEY) == DATA
    del cache
    assert not folder.exists()


# ---------------------------------------------------------------- the size


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_eviction_takes_the_longest_unused(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", size_cap=3 * (len(DATA) + FOOTER))
    paths = [cache.put(key(str(n)), DATA) for n in range(3)]
    for n, path in enumerate(paths):
        age(path, 10_000 - n)
    assert cache.get(key("0")) == DATA  # used: now the youngest
    cache.put(key("3"), DATA)
    assert [path.exists() for path in paths] == [True, False, True]
    cache.put(key("4"), DATA)
    assert [path.exists() for path in paths] == [True, False, False]


def test_eviction_never_takes_what_was_just_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", size_cap=1)
    paths = [cache.put(key(str(n)), DATA) for n in range(3)]
    assert all(path.exists() for path in paths)
    for path in paths:
        age(path, 10_000)
    last = cache.put(key("3"), DATA)
    assert last.exists()
    assert not any(path.exists() for path in paths)


def test_leftovers_of_crashes_are_removed(cache: Cache) -> None:
    cache.put(KEY, DATA)
    for name in ("aside-1-old", f"{KEY}.lock"):
        (cache.folder / name).write_bytes(b"")
        age(cache.folder / name, 100_000)
    (cache.folder / "aside-2-new").write_bytes(b"")
    cache.put(KEY, DATA)
    assert sorted(p.name for p in cache.folder.iterdir()) == [KEY, "aside-2-new"]


def test_kept_files(cache: Cache) -> None:
    path = cache.keep("failed.c", b"int x")
    assert path.read_bytes() == b"int x"
    assert path.name == "failed.c"


# ---------------------------------------------------------------- the default


def test_the_default_cache_follows_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with config.override(cache_dir=tmp_path):
        assert default().folder == tmp_path / "artefacts"
        assert default() is default()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    with config.override(cache_dir=None):
        assert default().folder == tmp_path / "xdg/graphc/artefacts"
