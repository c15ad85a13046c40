"""Fetches the files of a data set: from the cache, else from installed packages, else from the network.

Each file is verified by the SHA-256 of its decompressed content, which does not depend on the compression. A file with
another digest is not used, whatever its source.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphc.errors import CacheWarning, DataError, FileError
from graphc.runtime import cache

# Timeouts for a silent server, and for a whole file over a slow connection.
SILENCE_SECONDS = 15.0
WHOLE_SECONDS = 1800.0

_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
# The maximum overhead of a compressed file: a header with a file name, and incompressible blocks.
_PACKING = 1 << 16


@dataclass(frozen=True, slots=True)
class Resource:
    """One file of a data set.

    Args:
        name: Its file name, in the cache and in installed packages.
        url: Its URL.
        sha256: The digest of its decompressed content. Empty: it has another digest, or none was published.
        limit: The maximum size of the content in bytes, which bounds the memory that a wrong file can take.
        packed: Whether it is compressed with gzip.
        md5: The MD5 digest of its decompressed content, where only that was published.
    """

    name: str
    url: str
    sha256: str
    limit: int
    packed: bool
    md5: str = ""

    @property
    def digest(self) -> tuple[str, str]:
        """The algorithm and the digest of the content; of an empty digest any content is right."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)


@dataclass(frozen=True, slots=True)
class Found:
    """The content of a file, and a description of its source."""

    content: bytes
    source: str


def fetch(resource: Resource, *, group: str, installed: Path | None = None, download: bool = True) -> Found:
    """Returns a verified copy of a file, from the nearest source that has one.

    Args:
        resource: The file.
        group: Its folder in the cache of data sets.
        installed: The folder of installed packages.
        download: Whether downloads are allowed.

    Returns:
        The decompressed content.

    Raises:
        FileError: if no source has it, or the download fails.
        DataError: if the download has an unexpected content.
    """
    cached = cache.folder("datasets") / group / resource.name
    content = _read(cached, resource)
    if content is not None:
        return Found(content, f"local cache {cached.parent}")
    if installed is not None:
        content = _read(installed / resource.name, resource)
        if content is not None:
            return Found(content, f"installed in {installed}")
    if not download:
        raise FileError(
            f"{resource.name} is not on this machine", expected=f"the file {cached}", hint="allow downloads"
        )
    raw = bytearray()
    _download(resource, cached, raw.extend)
    content = _unpack(bytes(raw), resource)
    if content is None:
        raise _unsound(resource, cached, len(raw))
    _store(cached, raw)
    return Found(content, f"download from {resource.url}")


def fetch_file(resource: Resource, *, group: str) -> Path:
    """Returns the path of a verified copy of a large file, which is in the cache or is downloaded into it.

    Args:
        resource: The file, not compressed.
        group: Its folder in the cache of data sets.

    Raises:
        FileError: if the download fails, or cannot be kept.
        DataError: if the download has an unexpected content.
    """
    cached = cache.folder("datasets") / group / resource.name
    algorithm, digest = resource.digest
    if cached.exists() and (not digest or _digest_of(cached, algorithm) == digest):
        return cached
    aside = _beside(cached)
    found, size = hashlib.new(algorithm, usedforsecurity=False), 0
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "xb") as file:

            def write(chunk: bytes) -> None:
                nonlocal size
                size += file.write(chunk)
                found.update(chunk)

            _download(resource, cached, write)
            file.flush()
            os.fsync(file.fileno())
        if digest and found.hexdigest() != digest:
            raise _unsound(resource, cached, size)
        os.replace(aside, cached)
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{resource.name} cannot be kept",
            where=str(cached.parent),
            got=error.strerror or error,
            hint="free some space or mend the folder, or set GRAPHC_CACHE to a folder of your own",
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink()
    return cached


def _digest_of(path: Path, algorithm: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    except OSError:
        return ""


def _unsound(resource: Resource, cached: Path, size: int) -> DataError:
    algorithm, digest = resource.digest
    return DataError(
        f"the download of {resource.name} is not the file that it should be",
        where=resource.url,
        got=f"{size} bytes, another content than expected",
        expected=f"{'SHA-256' if algorithm == 'sha256' else 'MD5'} {digest} of the content",
        hint=f"try again later, or put a sound copy at {cached}",
    )


def _read(path: Path, resource: Resource) -> bytes | None:
    """The content of a local file; None if it is absent, unreadable or has an unexpected content."""
    try:
        if path.stat().st_size > resource.limit + _PACKING:
            return None
        return _unpack(path.read_bytes(), resource)
    except OSError:
        return None


def _unpack(raw: bytes, resource: Resource) -> bytes | None:
    """Decompresses at most the expected size, and checks the digest."""
    content = raw
    if resource.packed:
        stream = zlib.decompressobj(_GZIP)
        try:
            content = stream.decompress(raw, resource.limit + 1)
        except zlib.error:
            return None
    algorithm, digest = resource.digest
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    sound = len(content) <= resource.limit and digest in ("", found)
    return content if sound else None


def _download(resource: Resource, cached: Path, write: Callable[[bytes], object]) -> None:
    """Downloads a file, and passes on each part of it."""
    import http.client  # noqa: PLC0415

    try:
        _receive(resource, write)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise FileError(
            f"{resource.name} could not be downloaded",
            where=resource.url,
            got=str(error) or type(error).__name__,
            hint=f"check the network, or put the file at {cached}",
        ) from error


def _receive(resource: Resource, write: Callable[[bytes], object]) -> None:
    # Slow to import, and rarely needed.
    from urllib.request import Request, urlopen  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    deadline = time.monotonic() + WHOLE_SECONDS
    size = 0
    request = Request(resource.url, headers={"User-Agent": "graphc"})
    with (
        urlopen(request, timeout=SILENCE_SECONDS) as reply,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        length = reply.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        task = progress.add_task(f"Downloading {resource.name}", total=total)
        while chunk := reply.read(_CHUNK):
            write(chunk)
            size += len(chunk)
            progress.update(task, completed=size)
            if size > resource.limit + _PACKING:
                raise OSError(f"the server sends more than the {resource.limit} bytes that the file has")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{size} bytes came in {WHOLE_SECONDS:.0f} s")
    if total is not None and size != total:
        raise OSError(f"the connection ended after {size} of {total} bytes")


def _beside(path: Path) -> Path:
    """A name for a file until it is complete."""
    return path.with_name(f"aside-{os.getpid()}-{secrets.token_hex(4)}")


def _store(path: Path, raw: bytes | bytearray) -> None:
    """Stores a download atomically; a failure results in a warning."""
    aside = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        text = FileError(
            f"{path.name} cannot be kept; the next run downloads it again",
            where=str(path.parent),
            got=error.strerror or error,
            hint="free some space or mend the folder, or set GRAPHC_CACHE to a folder of your own",
        )
        warnings.warn(str(text), CacheWarning, stacklevel=4)
