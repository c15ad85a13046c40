"""Event files of TensorBoard: records of protocol buffers, written without its packages.

A record is its length, the checksum of that, the data and their checksum. An event has a time, a step, and values with
tags; https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto has the numbers of the fields.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import FileError
from graphc.tracing import Array
from graphc.utils.images import png

_BUCKETS = 30
_STRING = 7  # the number of the dtype of text
_files = itertools.count()


@lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


def checksum(data: bytes) -> int:
    """The masked CRC-32C of a record.

    Example:

    >>> hex(checksum(b"123456789"))
    '0xc78ab0e5'
    """
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# ---- protocol buffers


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers have ten bytes
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(parts) + bytes([value])


def _field(number: int, value: Any) -> bytes:
    """A field of a message: an integer, a double, or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    return _varint(number << 3 | 2) + _varint(len(value)) + bytes(value)


def scalar(tag: str, value: float) -> bytes:
    """A number."""
    return _value(tag, _varint(2 << 3 | 5) + struct.pack("<f", value))


def histogram(tag: str, values: Array) -> bytes:
    """How many values are in each of thirty intervals of equal size; those that are not finite are left out."""
    flat = values.astype(np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return b""
    counts, edges = np.histogram(flat, _BUCKETS)
    numbers = (flat.min(), flat.max(), flat.size, flat.sum(), np.square(flat).sum())
    fields = b"".join(_field(i + 1, float(number)) for i, number in enumerate(numbers))
    fields += _field(6, edges[1:].astype("<f8").tobytes()) + _field(7, counts.astype("<f8").tobytes())
    return _value(tag, _field(5, fields))


def image(tag: str, pixels: Array) -> bytes:
    """An image: uint8 of shape (height, width, channels)."""
    height, width, channels = pixels.shape
    fields = _field(1, height) + _field(2, width) + _field(3, channels) + _field(4, png(pixels))
    return _value(tag, _field(4, fields))


def text(tag: str, content: str, plugin: str) -> bytes:
    """A text for a plugin of TensorBoard."""
    metadata = _field(1, _field(1, plugin.encode()) + _field(2, b"1"))
    tensor = _field(1, _STRING) + _field(2, b"") + _field(8, content.encode())
    return _value(tag, _field(8, tensor) + _field(9, metadata))


def _value(tag: str, fields: bytes) -> bytes:
    return _field(1, _field(1, tag.encode()) + fields)


class EventFile:
    """A file of events in a folder.

    Args:
        folder: The folder, which is made if it is absent.

    Raises:
        FileError: if it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_files)}.v2"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(folder / name, "xb")  # noqa: SIM115  (it is open as long as training runs)
        except OSError as error:
            raise FileError("an event file cannot be written", got=f"{folder}: {error.strerror}") from error
        self._record(_field(1, time.time()) + _field(3, b"brain.Event:2"))

    def add(self, step: int, *values: bytes) -> None:
        """Adds an event.

        Args:
            step: Its step.
            *values: What `scalar`, `histogram`, `image` and `text` made.
        """
        self._record(_field(1, time.time()) + _field(2, step) + _field(5, b"".join(values)))

    def _record(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        parts = length, struct.pack("<I", checksum(length)), data, struct.pack("<I", checksum(data))
        try:
            self._file.write(b"".join(parts))
            self._file.flush()
        except OSError as error:
            raise FileError("an event file cannot be written", got=f"{self._file.name}: {error.strerror}") from error

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
