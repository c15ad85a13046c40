"""Files from the network: downloaded once, checked, and taken out of archives safely."""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from graphc.errors import DataError, FileError, GraphcError
from graphc.runtime import cache
from graphc.tracing import describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.downloads import receive
from graphc.utils.messages import print_msg

_ALGORITHMS = ("auto", "sha256", "md5")
_DIGITS = MappingProxyType({64: "sha256", 32: "md5"})
_FORMATS = ("tar", "zip")
_CHUNK = 1 << 20


def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: Any = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """Downloads a file, unless it is in the cache, and takes out what is in an archive.

    An archive with a path outside of its folder, a device, or more than fits on the disk is refused; links in it become
    copies of the files in the archive that they name. Nothing that was there is touched before all has been checked.

    Args:
        fname: The name of the file. None: the last part of `origin`. Of an archive, a name without a dot is that of the
            folder into which it is extracted; of `name.tgz` this is `name_extracted`.
        origin: Its address.
        untar: As `extract`, for tar archives only.
        md5_hash: As `file_hash`.
        file_hash: The SHA-256 or MD5 sum of the file. None: it is not checked.
        cache_subdir: The folder in the cache, or a folder by its absolute path.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"`: whichever has the length of `file_hash`.
        extract: Whether the file is an archive to extract.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of these, or `"auto"`: both are tried.
        cache_dir: The cache. None: `$KERAS_HOME`, else the cache folder of graphc.
        force_download: Whether to download it also where it is in the cache.

    Returns:
        The path of the file; of an archive that is extracted, that of its folder.

    Raises:
        ArgumentError: if an argument is invalid.
        FileError: if it cannot be downloaded or written.
        DataError: if the file has another sum, or is no archive that may be extracted.

    Example:

    ```python
    folder = utils.get_file(origin="https://example.org/flowers.tgz", extract=True)
    ```
    """
    if origin is None:
        raise argument_error("origin", origin, "the address of the file")
    wanted = _digest(file_hash or md5_hash, "md5" if md5_hash and not file_hash else hash_algorithm)
    name = os.fspath(fname) if fname else unquote(PurePosixPath(urlsplit(origin).path).name)
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise argument_error("fname", name, "the name of a file, without a folder")
    formats = _formats("tar" if untar else archive_format)
    folder = _folder(cache_dir, cache_subdir)
    extracts = extract or untar
    file, target = folder / name, folder / name
    if extracts and fname and "." in name:
        target = folder / f"{name.split('.', 1)[0]}_extracted"
    elif extracts:
        file = folder / f"{name}_archive"
    where = describe(user_line())
    with _errors_say(where, origin):
        if force_download or not _is_there(file, wanted):
            _download(origin, file, wanted)
        if not extracts:
            return str(file)
        _extract(file, target, formats)
    return str(target)


@contextmanager
def _errors_say(where: str | None, origin: str) -> Iterator[None]:
    """Makes errors of the system and of libraries our own, which say what was to be done."""
    try:
        yield
    except GraphcError as error:
        error.locate(where=where)
        raise
    except http.client.HTTPException as error:
        raise FileError("a file cannot be downloaded", where=where, got=f"{origin}: {error!r}") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        problem = "an archive is damaged, or of a kind that cannot be extracted"
        raise DataError(problem, where=where, got=f"{origin}: {error}") from error
    except (OSError, ValueError) as error:
        hint = "check the address and the network, and whether the cache can be written"
        raise FileError(
            "a file cannot be fetched", where=where, got=f"{origin}: {error or type(error).__name__}", hint=hint
        ) from error


def _digest(value: Any, algorithm: Any) -> tuple[str, str] | None:
    """The name of the sum of a file, and the sum."""
    if algorithm not in _ALGORITHMS:
        raise argument_error("hash_algorithm", algorithm, f"one of {_ALGORITHMS}")
    if value is None:
        return None
    found = _DIGITS.get(len(str(value)))
    if found is None or algorithm not in ("auto", found):
        raise argument_error("file_hash", value, "an MD5 sum of 32 digits, or a SHA-256 sum of 64")
    return found, str(value).lower()


def _formats(value: Any) -> tuple[str, ...]:
    formats = _FORMATS if value == "auto" else (value,) if isinstance(value, str) else tuple(value or ())
    if not set(formats) <= set(_FORMATS):
        raise argument_error("archive_format", value, '"auto", "tar", "zip", or a list of these')
    return formats


def _folder(cache_dir: Any, cache_subdir: Any) -> Path:
    home = cache_dir if cache_dir is not None else os.environ.get("KERAS_HOME")
    if home is None:
        return cache.folder(os.fspath(cache_subdir))
    return Path(home).expanduser().absolute() / cache_subdir


def _is_there(file: Path, wanted: tuple[str, str] | None) -> bool:
    if not file.is_file():
        return False
    if wanted is None or _sum_of(file, wanted[0]) == wanted[1]:
        return True
    print_msg(f"{file} has another {wanted[0]} sum than it should have, and is downloaded again.")
    return False


def _sum_of(file: Path, algorithm: str) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


@contextmanager
def _aside(place: Path) -> Iterator[Path]:
    """A path beside another one, to make there what is moved when it is complete; removed if it is not."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f"aside-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield aside
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            with suppress(OSError):
                aside.unlink(missing_ok=True)


def _download(origin: str, file: Path, wanted: tuple[str, str] | None) -> None:
    print_msg(f"Downloading data from {origin}")
    with _aside(file) as aside:
        with open(aside, "xb") as written:
            receive(origin, file.name, written.write)
        found = wanted and _sum_of(aside, wanted[0])
        if wanted and found != wanted[1]:
            raise DataError(
                "the download is not the file that it should be",
                got=f"{origin}: {wanted[0]} sum {found}",
                expected=wanted[1],
                hint="try again, or correct `file_hash`",
            )
        os.replace(aside, file)


# ---- archives


def _extract(file: Path, target: Path, formats: tuple[str, ...]) -> None:
    """Takes all files out of an archive, first beside the folder where they belong, then into it."""
    kinds: dict[str, tuple[Callable[[Path], bool], Callable[[Path, Path], None]]] = {
        "tar": (tarfile.is_tarfile, _untar),
        "zip": (zipfile.is_zipfile, _unzip),
    }
    unpack = next((unpack for kind, (fits, unpack) in kinds.items() if kind in formats and fits(file)), None)
    if unpack is None:
        raise DataError("this file is no archive", got=str(file), expected=" or ".join(formats) or "no format")
    with _aside(target) as aside:
        aside.mkdir()
        unpack(file, aside)
        if not target.exists():
            os.replace(aside, target)
            return
        for folder, _, names in os.walk(aside):
            place = target / Path(folder).relative_to(aside)
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                os.replace(Path(folder) / name, place / name)


def _untar(file: Path, folder: Path) -> None:
    room = _Room(folder)
    with tarfile.open(file) as archive:
        for member in archive:
            if member.isdir():
                _place(folder, member.name).mkdir(parents=True, exist_ok=True)
                continue
            place = _place(folder, member.name)
            if not (member.isfile() or member.issym() or member.islnk()):
                raise _refused("it holds a device", member.name)
            try:  # a link is followed within the archive
                content = archive.extractfile(member)
            except KeyError:
                content = None
            if content is None:
                raise _refused("it links to what is no file in it", member.name)
            _write(content, place, room)


def _unzip(file: Path, folder: Path) -> None:
    room = _Room(folder)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            place = _place(folder, member.filename)
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise _refused("it holds a link", member.filename)
            with archive.open(member) as content:
                _write(content, place, room)


class _Room:
    """The room on the disk for what is in an archive: half of what is free, whatever the archive says of its sizes."""

    def __init__(self, folder: Path) -> None:
        self._left = shutil.disk_usage(folder).free // 2

    def take(self, size: int, place: Path) -> None:
        self._left -= size
        if self._left < 0:
            raise _refused("it holds more than there is room for on the disk", place.name)


def _place(folder: Path, name: str) -> Path:
    """Where a member of an archive belongs."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise _refused("it holds a path outside of its folder", name)
    return folder.joinpath(*parts)


def _refused(problem: str, name: str) -> DataError:
    hint = "extract it with a tool of your own, if you trust it"
    return DataError(f"the archive is not extracted: {problem}", got=name, hint=hint)


def _write(content: IO[bytes], place: Path, room: _Room) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place, "wb") as file:
        while chunk := content.read(_CHUNK):
            room.take(len(chunk), place)
            file.write(chunk)
