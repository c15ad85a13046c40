"""The IDX format of MNIST and its successors: a magic number, the sizes, then the bytes.

    0, 0, type, rank | rank sizes, 4 bytes each, big-endian | the elements, row by row

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from graphc.errors import DataError

_UNSIGNED_BYTE = 0x08
_MOST_AXES = 8


def parse(data: bytes, name: str) -> NDArray[np.uint8]:
    """Returns the array in an IDX file of unsigned bytes.

    Args:
        data: The whole file, decompressed.
        name: The name of the file in errors.

    Returns:
        A writable array with its own memory.

    Raises:
        DataError: if it is not such a file, or its length does not match its sizes.

    Example:

    >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels").tolist()
    [7, 8, 9]
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{name} is not an IDX file", got=f"it begins with {data[:4].hex() or 'nothing'}")
    kind, rank = data[2], data[3]
    if kind != _UNSIGNED_BYTE or not 1 <= rank <= _MOST_AXES:
        raise DataError(
            f"{name} is not an IDX file of unsigned bytes",
            got=f"data type {kind:#04x}, {rank} axes",
            expected=f"data type {_UNSIGNED_BYTE:#04x}, 1 to {_MOST_AXES} axes",
        )
    start = 4 + 4 * rank
    if len(data) < start:
        raise DataError(f"{name} ends within its header", got=f"{len(data)} bytes", expected=f"{start} or more")
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"{name} has another length than its sizes say",
            got=f"{len(data) - start} bytes",
            expected=f"{math.prod(shape)} for sizes {shape}",
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
