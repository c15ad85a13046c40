"""Model files: a ZIP archive or a folder with configuration, weights and files of layers, read without running them.

What a member claims to be is checked before memory is taken for it, and nothing is unpacked to a path that the archive
names.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from graphc.errors import FileError, WeightsError
from graphc.saving.files import (
    DAMAGED,
    Entry,
    check_size,
    folder_written_aside,
    h5_entries,
    h5_of,
    too_large,
    written_aside,
)
from graphc.tracing import Array

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
# Where training stands: Keras does not look for it.
_TRAINING = "training.h5"
# The folder of the files that layers write themselves.
_FILES = "assets/"
# The version of Keras whose format this is.
_VERSION = "3.15.1"
# The largest configuration in bytes, and the largest number of members.
_MOST_TEXT, _MOST_MEMBERS = 1 << 26, 1 << 16
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class Members(Protocol):
    """The members of a model file."""

    def names(self) -> list[str]:
        """Their names."""

    def read(self, name: str) -> bytes:
        """The bytes of one."""

    def size(self, name: str) -> int:
        """The number of bytes of one."""


# ---- writing


def write(
    path: Path,
    config: Mapping[str, Any] | None,
    arrays: Mapping[str, Array],
    files: Mapping[str, bytes] | None = None,
    training: Mapping[str, Array] | None = None,
    zipped: bool = True,
) -> None:
    """Writes a model file, which replaces an existing one when it is complete.

    Args:
        path: The path of the file, or of the folder.
        config: The configuration of the model. None: that of a checkpoint, which has none.
        arrays: Its weights and the states of its optimizers, by key.
        files: The contents of the files that its layers write, by name.
        training: The state of training, as arrays by name. None: it is left out.
        zipped: Whether it is an archive; else a folder.

    Raises:
        FileError: if it cannot be written; an existing file is then unchanged.
    """
    members = _members(config, arrays, files or {}, training)
    try:
        if zipped:
            with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
                for name, content in members:
                    with archive.open(name, "w", force_zip64=True) as member:
                        member.write(content)
        else:
            with folder_written_aside(path) as aside:
                for name, content in members:
                    target = aside / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError("the model cannot be written", got=f"{path}: {error}") from None


def _members(
    config: Mapping[str, Any] | None,
    arrays: Mapping[str, Array],
    files: Mapping[str, bytes],
    training: Mapping[str, Array] | None,
) -> Iterator[tuple[str, Any]]:
    if config is not None:
        now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
        yield METADATA, json.dumps({"keras_version": _VERSION, "date_saved": now}).encode()
        yield CONFIG, json.dumps(config).encode()
    yield WEIGHTS, h5_of(arrays)
    for name, content in files.items():
        yield _FILES + name, content
    if training is not None:
        yield _TRAINING, h5_of(training)


# ---- reading


class ModelFile:
    """A model file that is open for reading.

    Args:
        path: Its path.
        members: Its members.
    """

    def __init__(self, path: Path, members: Members) -> None:
        self.path, self._members = path, members

    def config(self) -> dict[str, Any]:
        """The configuration of the model.

        Raises:
            FileError: if it is none.
        """
        if CONFIG in self._members.names() and self._members.size(CONFIG) > _MOST_TEXT:
            raise too_large(f"{CONFIG} in the model file", self._members.size(CONFIG), _MOST_TEXT)
        return _json(self.path, self._read(CONFIG))

    def metadata(self) -> dict[str, Any] | None:
        """What the file tells of itself; None if it tells nothing."""
        return _json(self.path, self._read(METADATA)) if METADATA in self._members.names() else None

    def weights(self) -> dict[str, Entry]:
        """The entries of the weights, by key."""
        return self._entries(WEIGHTS)

    def training(self) -> dict[str, Entry] | None:
        """The entries of the state of training, by name; None if there are none."""
        return self._entries(_TRAINING) if _TRAINING in self._members.names() else None

    def files(self) -> dict[str, bytes]:
        """The files that layers wrote, by name."""
        names = [name for name in self._members.names() if name.startswith(_FILES) and not name.endswith("/")]
        return {name[len(_FILES) :]: self._read(name) for name in names}

    def _entries(self, name: str) -> dict[str, Entry]:
        import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

        content = self._read(name)
        try:
            # It stays open as long as its entries are there.
            return h5_entries(h5py.File(io.BytesIO(content), "r"), len(content))
        except DAMAGED as error:
            raise unreadable(self.path, error) from None

    def _read(self, name: str) -> bytes:
        if name not in self._members.names():
            raise FileError(f"the model file has no {name}", got=str(self.path), expected="a file of `model.save`")
        try:
            return self._members.read(name)
        except DAMAGED as error:
            raise unreadable(self.path, error) from None


def unreadable(path: Path, error: BaseException) -> FileError:
    """The error for a model file that is none; ours stay what they are."""
    if isinstance(error, FileError):
        return error
    return FileError(
        "the model file cannot be read",
        got=f"{path}: {str(error)[:200] or type(error).__name__}",
        expected="a file that `model.save` wrote",
    )


@contextmanager
def opened(path: Path) -> Iterator[ModelFile]:
    """A context with a model file: an archive, or a folder.

    Raises:
        FileError: if it is no such file.
    """
    if path.is_dir():
        yield ModelFile(path, _Folder(path))
        return
    if not path.is_file():
        raise WeightsError("there is no such file", got=str(path), hint="check the path")
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise unreadable(path, error) from None
    with archive:
        yield ModelFile(path, _Archive(path, archive))


class _Archive:
    """The members of a ZIP archive, whose directory is checked as a whole before any of them is read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist()}
        self._check(path, archive.infolist())

    def _check(self, path: Path, infos: list[zipfile.ZipInfo]) -> None:
        if len(infos) > _MOST_MEMBERS or len(infos) > len(self._infos):
            raise FileError("the model file has too many members, or one twice", got=f"{len(infos)} members")
        stored = os.path.getsize(path)
        for info in infos:
            inside(info.filename)
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise FileError("a member of the model file is a link or a device", got=info.filename[:80])
            if info.flag_bits & _ENCRYPTED or info.compress_type not in _COMPRESSION:
                raise FileError("a member of the model file is encrypted, or compressed in an unknown way", got=info)
            check_size(f"{info.filename[:80]} in the model file", info.file_size, info.compress_size)
        check_size("all that is in the model file", sum(info.file_size for info in infos), stored)
        if sum(info.compress_size for info in infos) > stored:
            raise FileError("members of the model file lie one upon another", got=str(path))

    def names(self) -> list[str]:
        return list(self._infos)

    def size(self, name: str) -> int:
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        return self._archive.read(self._infos[name])


class _Folder:
    """The files in a folder; links that lead out of it are refused."""

    def __init__(self, path: Path) -> None:
        root = path.resolve()
        self._files: dict[str, Path] = {}
        for file in sorted(path.rglob("*")):
            if not file.resolve().is_relative_to(root):
                raise FileError("a link in the folder of the model leads out of it", got=str(file))
            if file.is_file():
                self._files[file.relative_to(path).as_posix()] = file
            if len(self._files) > _MOST_MEMBERS:
                raise FileError("the folder of the model has too many files", got=str(path))

    def names(self) -> list[str]:
        return list(self._files)

    def size(self, name: str) -> int:
        return self._files[name].stat().st_size

    def read(self, name: str) -> bytes:
        return self._files[name].read_bytes()


def inside(name: str) -> tuple[str, ...]:
    """The parts of a relative path without steps upwards.

    Raises:
        FileError: if the path leads elsewhere.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or any(c in name for c in "\\:\0") or not path.parts:
        raise FileError("a file in the model file has a name that leads elsewhere", got=repr(name)[:80])
    return path.parts


def _json(path: Path, text: bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError("the configuration in the model file is no JSON", got=f"{path}: {str(error)[:200]}") from None
    if not isinstance(config, dict):
        raise FileError("the configuration in the model file is none of a model", got=str(path))
    return cast("dict[str, Any]", config)
