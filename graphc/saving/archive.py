"""Model files (`.keras`): a ZIP archive with the configuration and the weights, read without running what is in it.

What a member claims to be is checked before memory is taken for it, and nothing is unpacked to a path that the archive
names.
"""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from graphc.errors import FileError, GraphcError, WeightsError
from graphc.saving.files import Entry, h5_entries, write_h5, written_aside
from graphc.tracing import Array

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
# The folder of the files that layers write themselves.
_FILES = "assets/"
# The version of Keras whose format this is.
_VERSION = "3.15.1"
# The largest configuration, in bytes, and the largest ratio of a member to its compressed size.
_MOST_TEXT, _MOST_RATIO = 1 << 28, 1000


def write(
    path: Path, config: Mapping[str, Any], arrays: Mapping[str, Array], files: Mapping[str, bytes] | None = None
) -> None:
    """Writes a model file, which replaces an existing one when it is complete.

    Args:
        path: The path of the file.
        config: The configuration of the model.
        arrays: Its weights and the state of its optimizer, by key.
        files: The contents of the files that its layers write, by name.

    Raises:
        FileError: if it cannot be written; an existing file is then unchanged.
    """
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    try:
        with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
            archive.writestr(METADATA, json.dumps({"keras_version": _VERSION, "date_saved": now}))
            archive.writestr(CONFIG, json.dumps(config))
            weights = io.BytesIO()
            write_h5(weights, arrays)
            with archive.open(WEIGHTS, "w", force_zip64=True) as member:
                member.write(weights.getbuffer())
            for name, content in (files or {}).items():
                archive.writestr(_FILES + name, content)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise FileError("the model cannot be written", got=f"{path}: {error}") from None


@contextmanager
def opened(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Entry]]]:
    """A context with the configuration in a model file and the entries of its weights.

    Raises:
        FileError: if it is no such file.
    """
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

    if not path.is_file():
        raise WeightsError("there is no such file", got=str(path), hint="check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            config = _json(path, _member(path, archive, CONFIG, _MOST_TEXT))
            with h5py.File(io.BytesIO(_member(path, archive, WEIGHTS, None)), "r") as file:
                yield config, h5_entries(file)
    except GraphcError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, KeyError, ValueError) as error:
        raise FileError(
            "the model file cannot be read", got=f"{path}: {error}", expected="a file that `model.save` wrote"
        ) from None


def files(path: Path) -> dict[str, bytes]:
    """The files that layers wrote into a model file, by name.

    Raises:
        FileError: if one cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.startswith(_FILES) and not name.endswith("/")]
            return {name[len(_FILES) :]: _member(path, archive, name, None) for name in names}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise FileError("the model file cannot be read", got=f"{path}: {error}") from None


def _member(path: Path, archive: zipfile.ZipFile, name: str, most: int | None) -> bytes:
    """The bytes of a member."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FileError(f"the model file has no {name}", got=str(path), expected="a file of `model.save`") from None
    limit = min(most or info.file_size, _MOST_RATIO * max(info.compress_size, 1))
    if info.file_size > limit:
        raise FileError(
            f"{name} in the model file is larger than it can be",
            got=f"{info.file_size} bytes of {info.compress_size} compressed",
            expected=f"{limit} at most",
        )
    return archive.read(info)


def _json(path: Path, text: bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError("the configuration in the model file is no JSON", got=f"{path}: {error}") from None
    if not isinstance(config, dict):
        raise FileError("the configuration in the model file is none of a model", got=str(path))
    return cast("dict[str, Any]", config)
