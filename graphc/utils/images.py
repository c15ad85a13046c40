"""Pictures: from arrays to PNG files."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc import config
from graphc.errors import ArgumentError, DataError, FileError
from graphc.tracing import describe, user_line

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # PNG's number for grey, RGB, and RGB with opacity, by the number of channels


def save_img(
    path: str | os.PathLike[str],
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
) -> None:
    """Writes an image to a PNG file; an existing file is replaced.

    Args:
        path: Path of the file, which ends with `.png` unless `file_format` is given.
        x: Array of shape (height, width, channels), or (channels, height, width) with `"channels_first"`. There are
            1, 3 or 4 channels: grey, RGB, or RGB with opacity.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        file_format: `"png"`, the only format. None: the ending of the path.
        scale: Whether the smallest value becomes 0 and the largest 255. False: values are from 0 to 255 as they are.

    Raises:
        ArgumentError: if the format of file or data is another one.
        DataError: if `x` has another shape, or values that are no pixels.
        FileError: if the file cannot be written.

    Example:

    >>> import tempfile
    >>> save_img(tempfile.mkdtemp() + "/grey.png", np.linspace(0, 1, 12).reshape(3, 4, 1))
    """
    where = describe(user_line())
    if (file_format or Path(path).suffix[1:]).lower() != "png":
        raise ArgumentError(
            "images are written as PNG only", where=where, got=repr(file_format or str(path)), expected="`.png`"
        )
    data_format = data_format or config.image_data_format()
    if data_format not in config.DATA_FORMATS:
        raise ArgumentError(
            "no such data_format", where=where, got=repr(data_format), expected=str(config.DATA_FORMATS)
        )
    image = np.asarray(x)
    if image.ndim == 3 and data_format == "channels_first":
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] not in _COLOR_TYPES or not image.size or image.dtype.kind not in "biuf":
        raise DataError(
            "this array is no image",
            where=where,
            got=f"shape {np.shape(x)}, dtype {image.dtype}, {data_format}",
            expected="numbers with axes of height, width and 1, 3 or 4 channels",
            hint="for one grey image of (height, width), pass `x[:, :, None]`",
        )
    try:
        Path(path).write_bytes(_png(_pixels(image, scale, where)))
    except OSError as error:
        raise FileError("the image cannot be written", where=where, got=f"{path}: {error.strerror}") from error


def _pixels(image: NDArray[Any], scale: bool, where: str | None) -> NDArray[np.uint8]:
    values = image.astype(np.float64)
    if scale:
        values -= values.min()
        values = values / (values.max() or 1) * 255  # in this order, the largest is not above 255
    if not (values.min() >= 0 and values.max() <= 255):  # also where a value is NaN
        hint = "pass `scale=True`" if np.isfinite(values).all() else "look for the first operation that is not finite"
        raise DataError(
            "an image has pixels from 0 to 255", where=where, got=f"{image.min()} to {image.max()}", hint=hint
        )
    return values.astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width, channels = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # Each row begins with the number of its filter: 0, none.
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
