"""Files of arrays: written atomically, to a temporary file that is then renamed, and validated when read.

The shapes and dtypes of a file's arrays are read before the arrays. The caller compares a shape with the expected one
before it reads an array, so that a file cannot cause arbitrary allocations. The libraries for the formats are imported
on first use.
"""

from __future__ import annotations

import ctypes
import io
import math
import os
import shutil
import socket
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import DTypeError, FileError, WeightsError
from graphc.tracing import Array, Variable

# The maximum depth of nested groups; Keras's files have a few for each level of nested models.
_DEEPEST = 200
_BFLOAT16 = "bfloat16"
# What is larger than the first number of bytes may be this many times as large as what is stored of it: zeros can be
# compressed to a thousandth, weights hardly at all.
_SMALL, _MOST_EXPANSION = 1 << 24, 100
# The filters of HDF5 by which arrays may be stored; others are code that the library would look for.
_FILTERS = MappingProxyType({1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"})
# What libraries raise for files that are not what they should be.
DAMAGED = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)


@dataclass(frozen=True)
class Entry:
    """An array in a file.

    Args:
        shape: Its shape.
        dtype: Its dtype.
        load: Reads it, while the file is open.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], Array]

    def read(self) -> Array:
        """The array.

        Raises:
            FileError: if it cannot be read.
        """
        try:
            return self.load()
        except DAMAGED as error:
            raise FileError("an array in a file cannot be read", got=str(error)[:200]) from None

    @property
    def size(self) -> int:
        """The number of bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def converts(entry: Entry, variable: Variable) -> bool:
    """Whether an array can be cast to the dtype of a variable without losing more than precision."""
    try:
        given = dtypes.as_dtype(entry.dtype)
    except DTypeError:
        return False
    wanted = variable.type.dtype
    return (
        given.is_complex <= wanted.is_complex
        and given.is_inexact <= wanted.is_inexact
        and wanted.is_bool <= given.is_bool
    )


def check_size(what: str, size: int, stored: int) -> None:
    """Checks that something is not much larger than what is stored of it.

    Raises:
        FileError: if it is.
    """
    if size > max(_SMALL, _MOST_EXPANSION * stored):
        raise too_large(what, size, max(_SMALL, _MOST_EXPANSION * stored))


def too_large(what: str, size: int, most: int) -> FileError:
    """The error for something in a file that would take more memory than it should."""
    return WeightsError(f"{what} is larger than it can be", got=f"{size} bytes", expected=f"{most} at most")


def kind_of(path: Path) -> str:
    """The format according to the name of a file: `"safetensors"` or `"h5"`.

    Raises:
        FileError: if the name has another ending.
    """
    for kind in ("safetensors", "h5"):
        if path.name.endswith(f".weights.{kind}"):
            return kind
    raise WeightsError(
        "the name of a file of weights has another ending",
        got=path.name,
        expected="one that ends with .weights.safetensors or .weights.h5",
    )


# ---- writing


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A context with the path of a temporary file, which replaces `target` if the block ends without an error.

    The file has the mode of the file that it replaces, else the default mode. It is synchronized to disk before it is
    renamed, and its folder after. A symbolic link is kept, and its target replaced. Temporary files of killed processes
    are removed.

    Args:
        target: The path of the file; its folder is created if necessary.

    Raises:
        OSError: if the folder or the file cannot be written, or `ValueError` for an invalid name.
    """
    path = Path(os.path.realpath(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    handle, name = tempfile.mkstemp(prefix=_prefix(path, os.getpid()), dir=path.parent)
    aside = Path(name)
    try:
        os.close(handle)
        yield aside
        _synced(aside)
        os.chmod(aside, _mode(path))
        os.replace(aside, path)
        _synced(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_written_aside(target: Path) -> Iterator[Path]:
    """A context with the path of a temporary folder, which replaces `target` if the block ends without an error.

    Raises:
        OSError: if the folder cannot be written.
    """
    path = Path(os.path.realpath(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    aside = Path(tempfile.mkdtemp(prefix=_prefix(path, os.getpid()), dir=path.parent))
    try:
        yield aside
        for part in (*aside.rglob("*"), aside):
            os.chmod(part, _default_mode(0o777 if part.is_dir() else 0o666))
            _synced(part)
        _exchange(aside, path)
        _synced(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def _exchange(aside: Path, path: Path) -> None:
    """Puts a new folder in the place of an old one, at once where the system can."""
    if not path.exists():
        os.rename(aside, path)
        return
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None or rename(_AT_FDCWD, os.fsencode(aside), _AT_FDCWD, os.fsencode(path), _RENAME_EXCHANGE) != 0:
        old = aside.with_name(f"{aside.name}.old")
        os.rename(path, old)
        os.rename(aside, path)
        os.rename(old, aside)


def _prefix(path: Path, process: int | str) -> str:
    """The prefix of the temporary files of a process on this machine."""
    # A name has at most 255 bytes, which that of the target may use up.
    return f".{path.name[:60]}.{socket.gethostname()[:40]}-{process}."


def _remove_stale(path: Path) -> None:
    """Removes temporary files for the same target of processes on this machine that have ended."""
    start = _prefix(path, "")[:-1]
    for left in path.parent.iterdir():
        process = left.name.removeprefix(start).partition(".")[0] if left.name.startswith(start) else ""
        if process.isdigit() and not _runs(int(process)):
            with suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _mode(path: Path) -> int:
    """The mode of an existing file, else that of a new one."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    return _default_mode(0o666)


def _default_mode(most: int) -> int:
    """The mode of a new file or folder."""
    mask = os.umask(0)
    os.umask(mask)
    return most & ~mask


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, arrays: Mapping[str, Array], kind: str) -> None:
    """Writes arrays to a file, which replaces an existing one.

    Args:
        path: The path of the file.
        arrays: The arrays, by key.
        kind: The format.

    Raises:
        FileError: if it cannot be written; an existing file is then unchanged.
    """
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        with written_aside(path) as aside:
            (_write_safetensors if kind == "safetensors" else _write_h5)(aside, arrays)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        # The libraries report a full disk with various exceptions.
        raise FileError(
            "the weights cannot be written",
            got=f"{path}: {error}",
            expected="a folder that can be written, with room for the file",
            hint="choose another folder or a shorter name, or make room",
        ) from None


def _write_safetensors(path: Path, arrays: Mapping[str, Array]) -> None:
    from safetensors.numpy import save as bytes_of  # noqa: PLC0415

    # safetensors has no NumPy dtype for bfloat16: the bits are stored as uint16, and the dtype in the metadata.
    metadata = {key: dtypes.as_dtype(array.dtype).name for key, array in arrays.items()}
    bits = {key: array.view(np.uint16) if _is_bfloat16(array) else array for key, array in arrays.items()}
    # The library's own writing to a file leaves temporary ones when it is interrupted.
    path.write_bytes(bytes_of({key: np.ascontiguousarray(array) for key, array in bits.items()}, metadata))


def h5_of(arrays: Mapping[str, Array]) -> memoryview:
    """Arrays as the bytes of an HDF5 file, in Keras's form."""
    with h5_in_memory() as (file, content):
        for key, array in arrays.items():
            dataset = file.create_dataset(key, data=array)
            if _is_bfloat16(array):
                # HDF5 has no bfloat16; this attribute is Keras's convention.
                dataset.attrs["dtype"] = _BFLOAT16
    return content.getbuffer()


@contextmanager
def h5_in_memory() -> Iterator[tuple[Any, io.BytesIO]]:
    """A context with a new HDF5 file, and what has its bytes at the end.

    The library writes no file itself: where a disk is full it crashes when the next file is opened.
    """
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file, content


def _write_h5(path: Path, arrays: Mapping[str, Array]) -> None:
    path.write_bytes(h5_of(arrays))


def _is_bfloat16(array: Array) -> bool:
    return dtypes.as_dtype(array.dtype) is dtypes.bfloat16


# ---- reading


@contextmanager
def opened(path: Path, kind: str) -> Iterator[dict[str, Entry]]:
    """A context with the entries of a file of arrays by key; arrays are read on demand.

    Args:
        path: The file.
        kind: Its format.

    Raises:
        FileError: if it cannot be read, or contains something else than plain arrays.
    """
    if not os.path.isfile(path):
        raise WeightsError("there is no such file", got=str(path), hint="check the path")
    with ExitStack() as stack:
        with readable(path):
            entries = (_safetensors if kind == "safetensors" else _h5)(path, stack)
        yield entries


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A context in which errors of libraries that read a file become errors of ours.

    Raises:
        FileError: if the file cannot be read.
    """
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        yield
    except FileError:
        raise
    except (*DAMAGED, SafetensorError) as error:
        raise FileError(
            "the file cannot be read",
            got=f"{path}: {str(error)[:200]}",
            expected="weights",
            hint="is it a file of weights?",
        ) from None


def _safetensors(path: Path, stack: ExitStack) -> dict[str, Entry]:
    from safetensors import safe_open  # noqa: PLC0415

    file = stack.enter_context(safe_open(path, framework="numpy"))
    metadata = file.metadata() or {}
    return {key: _safetensor(file, key, metadata.get(key)) for key in file.keys()}  # noqa: SIM118  (no mapping)


def _safetensor(file: Any, key: str, note: str | None) -> Entry:
    part = file.get_slice(key)
    shape, code = tuple(part.get_shape()), part.get_dtype()
    half = dtypes.bfloat16.numpy
    if code == "U16" and note == _BFLOAT16:
        return Entry(shape, half, lambda: file.get_tensor(key).view(half))
    if code not in _SAFETENSORS:
        raise WeightsError("the file holds an array of a dtype that no weight has", got=f"{key}: {code}")
    return Entry(shape, dtypes.as_dtype(_SAFETENSORS[code]).numpy, lambda: file.get_tensor(key))


_SAFETENSORS = MappingProxyType(
    {
        **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
        **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
        **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
        "BF16": _BFLOAT16,
        "C64": "complex64",
        "BOOL": "bool",
    }
)


def _h5(path: Path, stack: ExitStack) -> dict[str, Entry]:
    import h5py  # noqa: PLC0415

    return h5_entries(stack.enter_context(h5py.File(path, "r")), os.path.getsize(path))


def h5_entries(file: Any, stored: int) -> dict[str, Entry]:
    """The arrays of an HDF5 file. Links, external and repeated objects are rejected, and never followed.

    Args:
        file: The file.
        stored: Its size in bytes.

    Raises:
        FileError: if it holds something else than arrays of numbers, or arrays much larger than what is stored of them.
    """
    import h5py  # noqa: PLC0415

    found: dict[str, Entry] = {}
    seen: set[Any] = set()
    stack = [("", file, 0)]
    while stack:
        prefix, group, depth = stack.pop()
        for name in group:
            key = prefix + name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise WeightsError("the file of weights holds a link", got=key, expected="arrays and groups")
            part = group[name]
            if part.id in seen or depth > _DEEPEST:
                raise WeightsError("the groups of the file go round in circles or are too deep", got=key[:80])
            seen.add(part.id)
            if isinstance(part, h5py.Group):
                stack.append((f"{key}/", part, depth + 1))
            elif isinstance(part, h5py.Dataset):
                found[key] = _dataset(key, part)
            else:
                raise WeightsError("the file holds something else than arrays and groups", got=key[:80])
    check_size("all that is in the file", sum(entry.size for entry in found.values()), stored)
    return found


def _dataset(key: str, dataset: Any) -> Entry:
    if dataset.external or dataset.is_virtual:
        raise WeightsError(
            "an array of the file lies in another file",
            got=key,
            expected="arrays in the file itself",
            hint="do not load it: it would read any file of yours into the weights",
        )
    if dataset.shape is None:
        raise WeightsError("the file holds an array without a shape", got=key)
    dtype: np.dtype[Any] = dataset.dtype
    half = dtypes.bfloat16.numpy
    if dtype.hasobject or dtype.names or dtype.subdtype or dtype.kind not in "biufcV":
        raise WeightsError("the file holds an array of a dtype that no weight has", got=f"{key[:80]}: {dtype}")
    _check_storage(key[:80], dataset, math.prod(dataset.shape) * dtype.itemsize)
    if dtype.kind == "V" and dtype.itemsize == half.itemsize and dataset.attrs.get("dtype") == _BFLOAT16:
        return Entry(dataset.shape, half, lambda: np.asarray(dataset[()]).view(half))
    return Entry(dataset.shape, dtype, lambda: np.asarray(dataset[()]))


def _check_storage(key: str, dataset: Any, size: int) -> None:
    """Checks that an array can be read with the memory that it takes, and by known filters."""
    check_size(key, size, dataset.id.get_storage_size())
    if dataset.chunks is not None:
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if chunk > max(size, _SMALL):  # a part of a chunk cannot be read without the rest
            raise too_large(f"a chunk of {key}", chunk, max(size, _SMALL))
    properties = dataset.id.get_create_plist()
    unknown = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())} - set(_FILTERS)
    if unknown:
        raise WeightsError(
            "an array of the file is stored by a filter that is not known", got=f"{key}: {sorted(unknown)}"
        )
