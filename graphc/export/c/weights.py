"""Weights as C text, and as a file."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np

from graphc.export.c.layout import Memory
from graphc.plan import Plan

Array = np.ndarray[Any, Any]
_WIDTH = 116


def array_text(name: str, values: Array, type: str) -> str:
    """The definition of a constant array with some values: decimal numbers that are read back as they were."""
    flat = values.reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    lines, line = [], " "
    for text in _numbers(flat):
        if len(line) + len(text) + 2 > _WIDTH:
            lines.append(line)
            line = " "
        line += f" {text},"
    lines.append(line)
    return f"static const {type} {name}[{len(flat)}] = {{\n" + "\n".join(lines) + "\n};\n"


def _numbers(flat: Array) -> list[str]:
    kind = flat.dtype.kind
    if flat.dtype == np.bool_:
        return [str(int(value)) for value in flat]
    if flat.dtype.itemsize == 2 and kind not in "iu":  # halves are bits
        return [str(bits) for bits in flat.view(np.uint16)]
    if kind in "iu":
        suffix = {"i8": "LL", "u8": "ULL", "u4": "u"}.get(f"{kind}{flat.dtype.itemsize}", "")
        return [_whole(int(value), suffix) for value in flat]
    suffix, type = ("f", "float") if flat.dtype.itemsize == 4 else ("", "double")
    return [_real(str(value), suffix, type) for value in flat]  # NumPy's text is the shortest that is read back exactly


def _whole(value: int, suffix: str) -> str:
    if value in (-(1 << 63), -(1 << 31)):  # C has no literal of the lowest integers
        return f"({value + 1}{suffix} - 1)"
    return f"{value}{suffix}"


def _real(text: str, suffix: str, type: str) -> str:
    known = {"nan": f"({type})NAN", "inf": f"({type})INFINITY", "-inf": f"-({type})INFINITY"}
    return known.get(text) or text + suffix


def signature(plan: Plan) -> bytes:
    """Eight bytes that tell files of weights apart."""
    digest = sha256()
    for buffer in plan.buffers:
        if buffer.value is not None:
            digest.update(f"{buffer.id} {buffer.dtype.name} {buffer.value.shape}".encode())
            digest.update(buffer.value.data)
    return digest.digest()[:8]


def weights_file(plan: Plan, memory: Memory) -> bytes:
    """The contents of the file of weights: a head that begins with the signature, then each constant at its place."""
    assert memory.weights is not None
    contents = bytearray(memory.weights_bytes)
    contents[:8] = signature(plan)
    for id, start in memory.weights.items():
        value = plan.buffers[id].value
        assert value is not None
        little = value.numpy().astype(value.dtype.numpy.newbyteorder("<")).tobytes()
        contents[start : start + len(little)] = little
    return bytes(contents)
