"""Weights in several HDF5 files and a JSON file that tells which weights are in which, in Keras's form.

New files have other names than old ones until the JSON file names them, so that a process that is killed leaves all old
files or all new ones.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from graphc.errors import ArgumentError, FileError, WeightsError
from graphc.frames import warn
from graphc.saving import files
from graphc.saving.files import DAMAGED, Entry, too_large, written_aside
from graphc.tracing import Array

ENDING = ".weights.json"
_GIGABYTE = 1 << 30
_MOST_TEXT, _MOST_SHARDS = 1 << 26, 100_000
# The name of a file, with its number; and its name until the JSON file names it.
_SHARD, _NEW = "{}_{:05}.weights.h5", "{}_{:05}.new.weights.h5"


def path_of(path: Path) -> Path:
    """The path of the JSON file, if weights are to be in several files.

    Raises:
        WeightsError: if its name ends in another way.
    """
    if path.name.endswith(".weights.h5"):
        changed = path.with_suffix(".json")
        warn(f"weights in several files are found by a JSON file: {changed.name} instead of {path.name}")
        return changed
    if not path.name.endswith(ENDING):
        raise WeightsError(
            "the name of the file that tells where weights are has another ending", got=path.name, expected=ENDING
        )
    return path


def write(path: Path, arrays: Mapping[str, Array], max_shard_size: Any) -> None:
    """Writes arrays to several files, which replace existing ones.

    Args:
        path: The path of the JSON file.
        arrays: The arrays, by key.
        max_shard_size: The largest size of a file, in GB.

    Raises:
        FileError: if a file cannot be written; existing ones are then unchanged.
    """
    path = Path(os.path.realpath(path))
    parts = _parts(arrays, _bytes(max_shard_size))
    base = path.name.removesuffix(ENDING)
    names = {name: [path.with_name(name.format(base, i)) for i in range(len(parts))] for name in (_SHARD, _NEW)}
    size = sum(array.nbytes for array in arrays.values())
    try:
        # A process that was killed may have left files that are used under their first names.
        first = _NEW if any(place.exists() for place in names[_SHARD]) and not _uses(path, base, _NEW) else _SHARD
        for place, part in zip(names[first], parts, strict=True):
            files.write(place, part, "h5")
        _write_map(path, parts, names[first], size)
        if first == _NEW:
            for known, place in zip(names[_SHARD], names[_NEW], strict=True):
                _replace_by(known, place)
            _write_map(path, parts, names[_SHARD], size)
        _remove(path, base, {place.name for place in names[_SHARD]})
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError("the weights cannot be written", got=f"{path}: {error}") from None


def _bytes(max_shard_size: Any) -> float:
    if isinstance(max_shard_size, bool) or not isinstance(max_shard_size, int | float) or not max_shard_size > 0:
        raise ArgumentError("max_shard_size is a number of GB", got=repr(max_shard_size), expected="more than 0")
    return float(max_shard_size) * _GIGABYTE


def _parts(arrays: Mapping[str, Array], most: float) -> list[dict[str, Array]]:
    """The arrays of each file: each is filled up before the next one begins."""
    parts: list[dict[str, Array]] = [{}]
    size = 0
    for key, array in arrays.items():
        if array.nbytes > most:
            raise ArgumentError(
                "a weight is larger than max_shard_size",
                got=f"{key}: {array.nbytes} bytes",
                expected=f"{most:.0f} at most",
                hint="pass a larger max_shard_size",
            )
        size += array.nbytes
        if size > most:
            parts.append({})
            size = array.nbytes
        parts[-1][key] = array
    return parts


def _write_map(path: Path, parts: list[dict[str, Array]], places: list[Path], size: int) -> None:
    names: dict[str, list[str]] = {}
    for part, place in zip(parts, places, strict=True):
        for key in part:
            known = names.setdefault("/" + key.rpartition("/")[0], [])
            if place.name not in known:
                known.append(place.name)
    table = {group: found[0] if len(found) == 1 else found for group, found in names.items()}
    with written_aside(path) as aside:
        aside.write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": table}, indent=4))


def _uses(path: Path, base: str, form: str) -> bool:
    """Whether an existing JSON file names files by a form of names."""
    try:
        return any(name == form.format(base, i) for i, name in enumerate(_names(path)))
    except FileError:
        return False


def _replace_by(known: Path, new: Path) -> None:
    """Lets a name stand for a new file, which keeps its own."""
    with written_aside(known) as aside:
        aside.unlink()
        try:
            os.link(new, aside)
        except OSError:  # a file system without hard links
            shutil.copyfile(new, aside)


def _remove(path: Path, base: str, kept: set[str]) -> None:
    """Removes the files of before that are not used any more."""
    for place in path.parent.iterdir():
        number = place.name.removeprefix(f"{base}_").removesuffix(".weights.h5").removesuffix(".new")
        known = [form.format(base, int(number)) for form in (_SHARD, _NEW)] if _is_number(number) else []
        if place.name in known and place.name not in kept:
            with suppress(OSError):
                place.unlink()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Entry]]:
    """A context with the entries of all files that a JSON file names.

    Raises:
        FileError: if a file cannot be read, or lies elsewhere.
    """
    entries: dict[str, Entry] = {}
    with ExitStack() as stack:
        for name in _names(path):
            for key, entry in stack.enter_context(files.opened(path.with_name(name), "h5")).items():
                if key in entries:
                    raise WeightsError("two files hold the same weight", got=key, expected="one file for each weight")
                entries[key] = entry
        yield entries


def _names(path: Path) -> list[str]:
    """The names of the files, each once."""
    if not path.is_file():
        raise WeightsError("there is no such file", got=str(path), hint="check the path")
    try:
        if path.stat().st_size > _MOST_TEXT:
            raise too_large(path.name, path.stat().st_size, _MOST_TEXT)
        table = json.loads(path.read_bytes())["weight_map"].values()
        names = list(dict.fromkeys(name for found in table for name in ([found] if isinstance(found, str) else found)))
    except FileError:
        raise
    except DAMAGED as error:
        raise FileError("the file that tells where weights are cannot be read", got=f"{path}: {error!r:.200}") from None
    for name in names:
        plain = isinstance(name, str) and Path(name).name == name and name.endswith(".weights.h5") and "\\" not in name
        if not plain or path.with_name(name).is_symlink():
            raise WeightsError("weights lie in another folder", got=repr(name)[:80], expected="files beside this one")
    if len(names) > _MOST_SHARDS:
        raise WeightsError("there are too many files", got=len(names), expected=f"{_MOST_SHARDS} at most")
    return names
