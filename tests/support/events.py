"""Reads event files of TensorBoard: records are checked, and their fields are taken apart."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphc.callbacks.event_files import checksum


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The number and value of each field of a message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}[kind] if kind in (1, 5) else varint()
        part = data[at : at + size]
        assert len(part) == size
        at += size
        yield key >> 3, struct.unpack("<d" if kind == 1 else "<f", part)[0] if kind in (1, 5) else part


def records(path: Path) -> Iterator[dict[int, Any]]:
    """The events of a file, as fields by number; their checksums are checked."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        content = data[at + 12 : at + 12 + size]
        sums = struct.unpack_from("<I", data, at + 8) + struct.unpack_from("<I", data, at + 12 + size)
        assert sums == (checksum(data[at : at + 8]), checksum(content))
        yield dict(fields(content))
        at += size + 16


def values(folder: Path) -> list[tuple[str, int, dict[int, Any]]]:
    """The tag, step and fields of each value of the event files in a folder, in the order of time."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        events = list(records(path))
        assert events[0][3] == b"brain.Event:2"
        for event in events[1:]:
            for _, value in fields(event[5]):
                parts = dict(fields(value))
                found.append((parts[1].decode(), event.get(2, 0), parts))
    return found


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """The numbers of the event files in a folder, by tag and step."""
    return {(tag, step): parts[2] for tag, step, parts in values(folder) if 2 in parts}
