"""Finds the files of a data set: in the cache, else installed on the machine, else in the network.

Each file is known by the SHA-256 of its content after decompression: that stays the same when somebody packs it anew,
as Debian did. A file whose digest is another is not used, wherever it came from.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphc.errors import CacheWarning, DataError, FileError
from graphc.runtime import cache

# A server that is silent for this long is given up. A whole file may take as long as a slow line needs.
SILENCE_SECONDS = 15.0
WHOLE_SECONDS = 1800.0

_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
# How much longer than its content a packed file may be: a header with a file name, and blocks that do not shrink.
_PACKING = 1 << 16


@dataclass(frozen=True, slots=True)
class Resource:
    """One file of a data set.

    Args:
        name: Its file name, in the cache and where it is installed.
        url: Where it is downloaded from.
        sha256: The digest of its content, after decompression.
        limit: The most bytes that the content may have, so that a wrong file does not fill the memory.
        packed: Whether it is gzip's output.
    """

    name: str
    url: str
    sha256: str
    limit: int
    packed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A file's content and where it was found, in words."""

    content: bytes
    source: str


def fetch(resource: Resource, *, group: str, installed: Path | None = None, download: bool = True) -> Found:
    """Returns a sound copy of a file, from the nearest place that has one.

    Args:
        resource: Which file.
        group: The folder in the cache of data sets that it belongs to.
        installed: A folder where the machine's own packages put it.
        download: Whether the network may be asked.

    Returns:
        The content, after decompression.

    Raises:
        FileError: if no place has it: there is no network, or the server does not give it.
        DataError: if what the server gave is not the file.
    """
    kept = cache.folder("datasets") / group / resource.name
    content = _read(kept, resource)
    if content is not None:
        return Found(content, f"local cache {kept.parent}")
    if installed is not None:
        content = _read(installed / resource.name, resource)
        if content is not None:
            return Found(content, f"installed in {installed}")
    if not download:
        raise FileError(f"{resource.name} is not on this machine", expected=f"the file {kept}", hint="allow downloads")
    raw = _download(resource, kept)
    content = _unpack(raw, resource)
    if content is None:
        raise DataError(
            f"the download of {resource.name} is not the file that it should be",
            where=resource.url,
            got=f"{len(raw)} bytes, another content than expected",
            expected=f"SHA-256 {resource.sha256} of the content",
            hint=f"try again later, or put a sound copy at {kept}",
        )
    _keep(kept, raw)
    return Found(content, f"download from {resource.url}")


def _read(path: Path, resource: Resource) -> bytes | None:
    """The content of a local file, or None where it is absent, unreadable or not what it should be."""
    try:
        if path.stat().st_size > resource.limit + _PACKING:
            return None
        return _unpack(path.read_bytes(), resource)
    except OSError:
        return None


def _unpack(raw: bytes, resource: Resource) -> bytes | None:
    """Decompresses no more than the file should hold, and checks the digest."""
    content = raw
    if resource.packed:
        stream = zlib.decompressobj(_GZIP)
        try:
            content = stream.decompress(raw, resource.limit + 1)
        except zlib.error:
            return None
    sound = len(content) <= resource.limit and hashlib.sha256(content).hexdigest() == resource.sha256
    return content if sound else None


def _download(resource: Resource, kept: Path) -> bytes:
    import http.client  # noqa: PLC0415

    try:
        return _receive(resource)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise FileError(
            f"{resource.name} could not be downloaded",
            where=resource.url,
            got=str(error) or type(error).__name__,
            hint=f"check the network, or put the file at {kept}",
        ) from error


def _receive(resource: Resource) -> bytes:
    # Slow to import, and needed once in a machine's life.
    from urllib.request import Request, urlopen  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    deadline = time.monotonic() + WHOLE_SECONDS
    data = bytearray()
    request = Request(resource.url, headers={"User-Agent": "graphc"})
    with (
        urlopen(request, timeout=SILENCE_SECONDS) as reply,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        length = reply.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        task = progress.add_task(f"Downloading {resource.name}", total=total)
        while chunk := reply.read(_CHUNK):
            data += chunk
            progress.update(task, completed=len(data))
            if len(data) > resource.limit + _PACKING:
                raise OSError(f"the server sends more than the {resource.limit} bytes that the file has")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(data)} bytes came in {WHOLE_SECONDS:.0f} s")
    if total is not None and len(data) != total:
        raise OSError(f"the connection ended after {len(data)} of {total} bytes")
    return bytes(data)


def _keep(path: Path, raw: bytes) -> None:
    """Stores a download whole or not at all; where it cannot be stored, the data is used all the same."""
    aside = path.with_name(f"aside-{os.getpid()}-{secrets.token_hex(4)}")
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
