"""Pickles in data sets: read without running what is in them.

Old data sets hold lists of numbers, and NumPy arrays, as pickles, which may hold calls of any function. Here, a pickle
may name what makes NumPy arrays, and nothing else.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.errors import DataError

_ALLOWED = frozenset(
    {
        *(
            (module, name)
            for module in ("numpy.core.multiarray", "numpy._core.multiarray")
            for name in ("_reconstruct", "scalar")
        ),
        *(("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")),
    }
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """What a pickle names, if it may."""
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        # The module has another name in some releases of NumPy.
        return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)


def read_pickle(data: bytes, what: str) -> Any:
    """Reads a pickle of numbers, text, lists, dictionaries and arrays; text of Python 2 is read as bytes.

    Args:
        data: The pickle.
        what: Its name in errors.

    Raises:
        DataError: if it is damaged, or names anything else.
    """
    try:
        return _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # unpickling raises various exceptions
        raise DataError(f"{what} is not what it should be", got=f"{type(error).__name__}: {error}") from error


def read_lists(data: bytes, names: tuple[str, ...], what: str) -> list[NDArray[Any]]:
    """Returns named arrays of a NumPy archive, which may be arrays of lists.

    Args:
        data: The whole file.
        names: The names of the arrays.
        what: The name of the archive in errors.

    Raises:
        DataError: if it is not such an archive, is damaged, or lacks an array.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [_array(archive.read(f"{name}.npy"), what) for name in names]
    except DataError:
        raise
    except Exception as error:  # the readers of zip, deflate and .npy raise various exceptions
        text = f"{what} is not the archive that it should be"
        raise DataError(text, got=f"{type(error).__name__}: {error}", expected="arrays " + ", ".join(names)) from error


def _array(content: bytes, what: str) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = read(stream)
    if not dtype.hasobject:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        return array
    found = read_pickle(stream.read(), what)
    if not isinstance(found, np.ndarray):
        raise DataError(f"{what} is not what it should be", got=type(found).__name__, expected="an array")
    return found
