"""The content-addressed cache of built artefacts.

The name of an entry is the digest of everything that it was built from, so an entry never becomes stale: another
source, compiler or option gives another name. One file is one entry. It is written to a temporary file, flushed to the
disk and renamed. It ends in a footer with a digest of its content, so that any damage (by a crash, a full disk, a bad
sector, an editor) is detected when it is read. A defective entry is a miss and never an error.

    content | "graphc", 0, 1 | length of the content, 8 bytes | SHA-256 of key and content, 32 bytes

A shared library may carry the footer: loaders read an ELF file by its headers and ignore bytes after the last section.

Shared libraries from here get loaded into the process, so the folder must be the user's own and is made private.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import struct
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from graphc import config
from graphc.errors import ArgumentError, CacheWarning, CompileError, FileError, GraphcError

SIZE_CAP = 2 << 30

_MAGIC = b"graphc\x00\x01"
_FOOTER = struct.Struct("<8sQ32s")
_KEY = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(\.[a-z0-9]+)*")
_ASIDE = "aside-"
# An entry used this recently is not evicted: another process may be between finding it and loading it.
_IN_USE_SECONDS = 600.0
# Files of crashed processes are removed when no build can still write them.
_STALE_SECONDS = 24 * 3600.0
# The longest wait for another process that builds the same entry. Building it a second time is only a waste.
_PATIENCE_SECONDS = 600.0


def key(*parts: bytes | str) -> str:
    """Returns the name of an artefact that is built from these parts.

    Each part is hashed with its kind and length before it, so that no two lists of parts run into the same bytes.

    Args:
        *parts: All inputs of the build, such as source, flags, compiler and target.

    Returns:
        64 hexadecimal digits.

    Example:

    >>> key("ab", "c") == key("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        kind, data = (b"s", part.encode("utf-8", "surrogatepass")) if isinstance(part, str) else (b"b", part)
        digest.update(kind + len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


class _DefectError(Exception):
    """The bytes of an entry are not those that were stored."""


class Cache:
    """A folder of entries, shared by all processes of one user.

    Where the folder cannot be used (full disk, read-only, another user's), one `CacheWarning` says so and a private
    temporary folder replaces it until the process ends; the next process builds again.

    Args:
        folder: The folder of the entries; it is created when it is first needed.
        size_cap: Bytes that the entries may take together; above it those not used for longest are removed.

    Example:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder) / "cache")
    ...     _ = cache.put(key("source"), b"artefact")
    ...     cache.get(key("source")), cache.get(key("other"))
    (b'artefact', None)
    """

    def __init__(self, folder: Path, *, size_cap: int = SIZE_CAP) -> None:
        self._folder = folder.expanduser().absolute()
        self._size_cap = size_cap
        self._guard = threading.Lock()
        self._fell_back = False
        self._hits = 0
        self._builds = 0

    @property
    def folder(self) -> Path:
        """The folder in use: the one asked for, or the temporary one that replaces it."""
        return self._folder

    @property
    def hits(self) -> int:
        """The number of times that an entry was found."""
        return self._hits

    @property
    def builds(self) -> int:
        """The number of builds by `get_or_build`."""
        return self._builds

    def get(self, key: str, suffix: str = "") -> bytes | None:
        """Returns the content of an entry, or None where there is no sound one.

        Args:
            key: A result of `key()`.
            suffix: The suffix that the entry was stored with.

        Raises:
            ArgumentError: if the key or suffix has another form.
        """
        content = self._read(key, suffix)
        return None if content is None else bytes(content[: -_FOOTER.size])

    def find(self, key: str, suffix: str = "") -> Path | None:
        """Returns the file of an entry, checked just now, or None where there is no sound one.

        Args:
            key: A result of `key()`.
            suffix: The suffix that the entry was stored with.

        Raises:
            ArgumentError: if the key or suffix has another form.
        """
        path = self._path(key, suffix)
        return None if self._read(key, suffix) is None else path

    def put(self, key: str, data: bytes, suffix: str = "") -> Path:
        """Stores an entry, in place of one of the same key.

        Args:
            key: A result of `key()`.
            data: The content.
            suffix: The suffix of the file's name, such as `".cubin"`.

        Returns:
            The entry's file: the content, then the footer.

        Raises:
            ArgumentError: if the key or suffix has another form.
            FileError: if not even a temporary folder can hold it.
        """
        self._path(key, suffix)
        return self._storing(lambda: self._store(key, data, suffix))

    def get_or_build(
        self,
        key: str,
        build: Callable[[Path], None],
        suffix: str = "",
        usable: Callable[[Path], bool] = lambda _: True,
    ) -> Path:
        """Returns the file of an entry, which is built where there is no sound one.

        Of many processes that want the same entry at once, one builds and the others wait for it.

        Args:
            key: A result of `key()`.
            build: Writes the content to the path that it gets. An OSError from it counts as the folder's fault.
            suffix: The suffix of the file's name, such as `".so"`.
            usable: Whether an undamaged file can be used on this machine; one that cannot is a miss.

        Returns:
            The entry's file: the content, then the footer.

        Raises:
            ArgumentError: if the key or suffix has another form.
            FileError: if not even a temporary folder can hold it.
        """
        path = self._usable(key, suffix, usable)
        if path is not None:
            return path
        return self._storing(lambda: self._build(key, build, suffix, usable))

    def keep(self, name: str, data: bytes) -> Path:
        """Stores a file for the user to read, such as source that did not compile; it is evicted like an entry.

        Args:
            name: A plain file name of our own making.
            data: The file's content, stored without footer.

        Returns:
            The file.

        Raises:
            FileError: if not even a temporary folder can hold it.
        """
        return self._storing(lambda: self._write(self._ready() / name, data))

    # ---------------------------------------------------------------- reading

    def _path(self, key: str, suffix: str) -> Path:
        if not _KEY.fullmatch(key) or not _SUFFIX.fullmatch(suffix):
            raise ArgumentError("a cache key is 64 hexadecimal digits and a suffix", got=repr(key + suffix))
        return self._folder / (key + suffix)

    def _read(self, key: str, suffix: str) -> memoryview | None:
        """The whole file of a sound entry; a defective one is removed, so that it is not read again."""
        path = self._path(key, suffix)
        try:
            _refuse_foreign(self._folder)
        except OSError:
            return None  # missing, or not ours: the next store creates it, or warns and falls back
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
                raise _DefectError
            data = memoryview(path.read_bytes())
            _check(data, key)
        except FileNotFoundError:
            return None
        except (OSError, _DefectError):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # a read-only cache is still good for hits
            os.utime(path)
        with self._guard:
            self._hits += 1
        return data

    # ---------------------------------------------------------------- writing

    def _storing(self, store: Callable[[], Path]) -> Path:
        """Runs `store`; where the folder fails it, once more in a temporary folder."""
        before = self._folder
        try:
            return store()
        except OSError as error:
            if isinstance(error, GraphcError):  # our own FileError is an OSError too
                raise
            self._fall_back(before, error)
        try:
            return store()
        except OSError as error:
            if isinstance(error, GraphcError):
                raise
            raise _nowhere(self._folder, error) from error

    def _fall_back(self, failed: Path, error: OSError) -> None:
        with self._guard:
            if self._folder != failed:
                return  # another thread was here first
            if self._fell_back:
                raise _nowhere(failed, error) from error
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="graphc-"))
            except OSError as second:
                raise _nowhere(Path(tempfile.gettempdir()), second) from error
            self._fell_back = True
        weakref.finalize(self, _remove_own, self._folder, os.getpid())
        text = FileError(
            f"the cache folder {failed} cannot be used; this run builds in a temporary folder, the next builds again",
            got=error.strerror or error,
            hint="free some space or mend the folder, or set GRAPHC_CACHE to a folder of your own",
        )
        warnings.warn(str(text), CacheWarning, stacklevel=4)

    def _ready(self) -> Path:
        """The folder, existing and private. Called before each store, since users do delete caches meanwhile."""
        folder = self._folder
        for missing in [p for p in reversed((folder, *folder.parents)) if not p.exists()]:
            missing.mkdir(mode=0o700, exist_ok=True)
            missing.chmod(0o700)  # regardless of the umask: the next folder is created inside
        _refuse_foreign(folder)
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode != 0o700:
            folder.chmod(0o700)
        return folder

    def _usable(self, key: str, suffix: str, usable: Callable[[Path], bool]) -> Path | None:
        path = self.find(key, suffix)
        return path if path is not None and usable(path) else None

    def _build(self, key: str, build: Callable[[Path], None], suffix: str, usable: Callable[[Path], bool]) -> Path:
        with self._only_one(key):
            existing = self._usable(key, suffix, usable)  # another process may have built it while this one waited
            if existing is not None:
                return existing
            aside = self._aside(suffix)
            try:
                build(aside)
                if aside.parent.is_dir() and not aside.is_file():
                    raise CompileError("the build of a cache entry wrote no file")
                with self._guard:
                    self._builds += 1
                return self._store(key, aside.read_bytes(), suffix)
            finally:
                with suppress(OSError):
                    aside.unlink()

    def _store(self, key: str, data: bytes, suffix: str) -> Path:
        self._ready()
        path = self._write(self._path(key, suffix), data + _footer(data, key))
        self._evict(path)
        return path

    def _write(self, path: Path, data: bytes) -> Path:
        """Writes aside, flushes, renames. The folder itself is not flushed: a lost entry is only a miss."""
        aside = self._aside(path.suffix)
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # regardless of the umask
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except OSError:
            with suppress(OSError):
                aside.unlink()
            raise
        return path

    def _aside(self, suffix: str) -> Path:
        return self._folder / f"{_ASIDE}{os.getpid()}-{secrets.token_hex(8)}{suffix}"

    @contextmanager
    def _only_one(self, key: str) -> Iterator[None]:
        """Holds the lock of one key. Without a lock (a holder that hangs) two may build, which is only a waste."""
        from filelock import FileLock, Timeout  # noqa: PLC0415  (brings asyncio along: only what builds waits for it)

        lock = FileLock(self._ready() / f"{key}.lock", timeout=_PATIENCE_SECONDS, mode=0o600)
        try:
            lock.acquire(poll_interval=0.01)
        except (Timeout, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

    # ---------------------------------------------------------------- the size

    def _evict(self, just_stored: Path) -> None:
        """Removes the entries not used for longest until the rest fits, and files of crashed processes."""
        now = time.time()
        entries: list[tuple[float, int, Path]] = []
        with suppress(OSError), os.scandir(self._folder) as items:
            for item in items:
                with suppress(OSError):  # another process may remove it meanwhile
                    state = item.stat(follow_symlinks=False)
                    if not item.name.startswith(_ASIDE) and not item.name.endswith(".lock"):
                        entries.append((state.st_mtime, state.st_size, Path(item.path)))
                    elif now - state.st_mtime > _STALE_SECONDS:
                        os.unlink(item.path)
        total = sum(size for _, size, _ in entries)
        for used, size, path in sorted(entries):
            if total <= self._size_cap or now - used < _IN_USE_SECONDS:
                return
            if path != just_stored:
                with suppress(OSError):
                    path.unlink()
                    total -= size


def _footer(data: bytes, key: str) -> bytes:
    digest = hashlib.sha256(key.encode("ascii"))
    digest.update(data)
    return _FOOTER.pack(_MAGIC, len(data), digest.digest())


def _check(data: memoryview, key: str) -> None:
    """The digest covers the key, so that an entry under another entry's name is a defect too."""
    if len(data) < _FOOTER.size:
        raise _DefectError
    magic, length, expected = _FOOTER.unpack(data[-_FOOTER.size :])
    digest = hashlib.sha256(key.encode("ascii"))
    digest.update(data[: -_FOOTER.size])
    if magic != _MAGIC or length != len(data) - _FOOTER.size or digest.digest() != expected:
        raise _DefectError


def _refuse_foreign(folder: Path) -> None:
    """Raises PermissionError for a folder in which another user could place a library for us to load."""
    state = folder.stat()
    if state.st_uid != os.geteuid():
        raise PermissionError(0, f"it belongs to another user (id {state.st_uid})")
    above = folder.resolve().parent.stat()
    others_may_rename = above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX
    if others_may_rename or above.st_uid not in (os.geteuid(), 0):
        raise PermissionError(0, "another user could replace it, since the folder above is theirs or open to all")


def _nowhere(folder: Path, error: OSError) -> FileError:
    return FileError(
        "nothing built can be stored, neither in the cache nor in a temporary folder",
        got=f"{folder}: {error.strerror or error}",
        hint="free some space, or set GRAPHC_CACHE and TMPDIR to folders that can be written to",
    )


def _remove_own(folder: Path, process: int) -> None:
    """Removes a temporary folder when its cache is deleted; in a forked child it is still the parent's."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def folder(name: str) -> Path:
    """Returns the folder of one kind of cached files, under the configured cache folder or the user's own.

    Args:
        name: `"artefacts"` or `"datasets"`.
    """
    root = config.current().cache_dir or _own_root()
    return root.absolute() / name


def _own_root() -> Path:
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_cache_path("graphc", appauthor=False)


def default() -> Cache:
    """Returns the cache of the configured folder; the same object for the same folder, so that it warns once."""
    return _at(folder("artefacts"))


@lru_cache(maxsize=8)
def _at(folder: Path) -> Cache:
    return Cache(folder)
