"""Fetches the files of a data set: from the cache, else from installed packages, else from the network.

Each file is verified by the SHA-256 (or MD5) sum of its decompressed content, which does not depend on the compression.
A file with another sum is not used, whatever its source.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphc.errors import CacheWarning, DataError, FileError
from graphc.runtime import cache
from graphc.utils.downloads import receive

# How long the download of a file of a data set may take.
WHOLE_SECONDS = 1800.0

_GZIP = 16 + zlib.MAX_WBITS
# The maximum overhead of a compressed file: a header with a file name, and incompressible blocks.
_PACKING = 1 << 16


@dataclass(frozen=True, slots=True)
class Resource:
    """One file of a data set.

    Args:
        name: Its file name, in the cache and in installed packages.
        url: Its URL.
        digest: The SHA-256 sum of its decompressed content, or the MD5 sum where only that is known.
        limit: The maximum size of the content in bytes, which bounds the memory that a wrong file can take.
        packed: Whether it is compressed with gzip.
    """

    name: str
    url: str
    digest: str
    limit: int
    packed: bool

    @property
    def algorithm(self) -> str:
        """The name of the sum."""
        return "md5" if len(self.digest) == 32 else "sha256"


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
    raw = _download(resource, cached)
    content = _unpack(raw, resource)
    if content is None:
        raise DataError(
            f"the download of {resource.name} is not the file that it should be",
            where=resource.url,
            got=f"{len(raw)} bytes, another content than expected",
            expected=f"{resource.algorithm} {resource.digest} of the content",
            hint=f"try again later, or put a sound copy at {cached}",
        )
    _store(cached, raw)
    return Found(content, f"download from {resource.url}")


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
    sound = len(content) <= resource.limit and hashlib.new(resource.algorithm, content).hexdigest() == resource.digest
    return content if sound else None


def _download(resource: Resource, cached: Path) -> bytes:
    import http.client  # noqa: PLC0415

    try:
        data = bytearray()
        receive(resource.url, resource.name, data.extend, resource.limit + _PACKING, WHOLE_SECONDS)
        return bytes(data)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise FileError(
            f"{resource.name} could not be downloaded",
            where=resource.url,
            got=str(error) or type(error).__name__,
            hint=f"check the network, or put the file at {cached}",
        ) from error


def _store(path: Path, raw: bytes) -> None:
    """Stores a download atomically; a failure results in a warning."""
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
