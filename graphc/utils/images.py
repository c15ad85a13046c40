"""Pictures: to and from files and arrays. PNG files are written without help, all else is done by Pillow."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc import config, dtypes
from graphc.errors import ArgumentError, DataError, DataWarning, FileError, MissingPackageError
from graphc.tracing import describe, user_line
from graphc.utils.arguments import argument_error

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # PNG's number for grey, RGB, and RGB with opacity, by the number of channels
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}  # Pillow's names
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def require_pillow(user: str) -> ModuleType:
    """Pillow's module `Image`, in which it opens files and makes pictures.

    Args:
        user: What needs it, in the message.

    Raises:
        MissingPackageError: if Pillow is not installed.
    """
    try:
        return import_module("PIL.Image")
    except ImportError as error:
        raise MissingPackageError(
            f"{user} needs Pillow", where=describe(user_line()), got=str(error), hint="pip install 'graphc[images]'"
        ) from error


def checked_format(data_format: Any) -> str:
    """The layout of images: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Raises:
        ArgumentError: if it is neither.
    """
    chosen = config.image_data_format() if data_format is None else data_format
    if chosen not in config.DATA_FORMATS:
        raise ArgumentError(
            "no such data_format", where=describe(user_line()), got=repr(chosen), expected=str(config.DATA_FORMATS)
        )
    return str(chosen)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Reads an image file.

    Args:
        path: Path of the file, or an `io.BytesIO` with its content.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`. Grey images of 16 or 32 bits stay so.
        target_size: Height and width to which it is resized. None: as it is.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: Whether it is cropped to the ratio of `target_size`, around its centre, before.

    Returns:
        A `PIL.Image.Image`; `img_to_array` makes an array of it.

    Raises:
        ArgumentError: if an argument is invalid.
        FileError: if the file cannot be read.
        DataError: if it is no image.
        MissingPackageError: if Pillow is not installed.

    Example:

    ```python
    image = utils.load_img("cat.jpg", target_size=(180, 180))
    batch = utils.img_to_array(image)[None]
    ```
    """
    if color_mode not in _MODES:
        raise argument_error("color_mode", color_mode, f"one of {tuple(_MODES)}")
    if interpolation not in _INTERPOLATIONS:
        raise argument_error("interpolation", interpolation, f"one of {_INTERPOLATIONS}")
    image = _opened(path)
    if image.mode != _MODES[color_mode] and not (color_mode == "grayscale" and image.mode in ("I;16", "I")):
        image = image.convert(_MODES[color_mode])
    if target_size is None:
        return image
    if not isinstance(target_size, list | tuple) or len(target_size) != 2:
        raise argument_error("target_size", target_size, "a pair of integers, height and width, or None")
    height, width = map(int, target_size)
    if image.size == (width, height):
        return image
    method = getattr(require_pillow("load_img").Resampling, interpolation.upper())
    return image.resize((width, height), method, box=_centre(image.size, width, height) if keep_aspect_ratio else None)


def _centre(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The largest part of an image, around its centre, with the ratio of two sides: left, top, right, bottom."""
    columns, rows = min(size[0], size[1] * width // height), min(size[1], size[0] * height // width)
    left, top = (size[0] - columns) // 2, (size[1] - rows) // 2
    return left, top, left + columns, top + rows


def _opened(path: Any) -> Any:
    pillow = require_pillow("load_img")
    if not isinstance(path, str | bytes | os.PathLike | io.BytesIO):
        raise argument_error("path", path, "a path, or an `io.BytesIO`")
    name = "the image" if isinstance(path, io.BytesIO) else os.fsdecode(path)
    try:
        image = pillow.open(path if isinstance(path, io.BytesIO) else io.BytesIO(Path(name).read_bytes()))
        image.load()
    except (pillow.UnidentifiedImageError, pillow.DecompressionBombError, SyntaxError, ValueError, EOFError) as error:
        raise DataError("this file is no image", where=describe(user_line()), got=f"{name}: {error}") from error
    except OSError as error:
        problem = "the image cannot be read" if error.strerror else "this image is damaged"
        raise FileError(problem, where=describe(user_line()), got=f"{name}: {error.strerror or error}") from error
    return image


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> NDArray[Any]:
    """An image as an array.

    Args:
        img: A `PIL.Image.Image`, or an array of (height, width) or of three axes.
        data_format: `"channels_last"` or `"channels_first"`: the layout of the result. None:
            `config.image_data_format()`.
        dtype: The dtype of the result. None: the default float dtype.

    Returns:
        An array of shape (height, width, channels), or (channels, height, width).

    Raises:
        DataError: if it is no image.

    Example:

    >>> img_to_array(np.zeros((4, 6), "uint8")).shape
    (4, 6, 1)
    """
    first = checked_format(data_format) == "channels_first"
    x = np.asarray(img, dtype=dtypes.as_dtype(dtype or config.floatx()).numpy)
    if x.ndim == 2:
        return x[None] if first else x[:, :, None]
    if x.ndim != 3:
        raise DataError("this is no image", where=describe(user_line()), got=f"shape {x.shape}", expected="2 or 3 axes")
    return x.transpose(2, 0, 1) if first else x


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array as an image.

    Args:
        x: Array of shape (height, width, channels), or (channels, height, width) with `"channels_first"`; 1, 3 or 4
            channels.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        scale: Whether the smallest value becomes 0 and the largest 255. False: values are from 0 to 255 as they are.
        dtype: The dtype in which they are scaled. None: the default float dtype.

    Returns:
        A `PIL.Image.Image`. Of one channel with values above 255, one of 32 bits.

    Raises:
        DataError: if `x` is no image.
        MissingPackageError: if Pillow is not installed.
    """
    pillow = require_pillow("array_to_img")
    first = checked_format(data_format) == "channels_first"
    image = np.asarray(x, dtype=dtypes.as_dtype(dtype or config.floatx()).numpy)
    image = image.transpose(1, 2, 0) if first and image.ndim == 3 else image
    if image.ndim != 3 or image.shape[2] not in _COLOR_TYPES or not image.size:
        raise _no_image(x, image, data_format)
    if scale:
        image = image - image.min()
        image = image / (image.max() or 1) * 255
    if image.shape[2] == 1 and image.max() > 255:
        return pillow.fromarray(image[:, :, 0].astype(np.int32))
    pixels = image.astype(np.uint8)
    return pillow.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _no_image(x: Any, image: NDArray[Any], data_format: str | None) -> DataError:
    return DataError(
        "this array is no image",
        where=describe(user_line()),
        got=f"shape {np.shape(x)}, dtype {image.dtype}, {checked_format(data_format)}",
        expected="numbers with axes of height, width and 1, 3 or 4 channels",
        hint="for one grey image of (height, width), pass `x[:, :, None]`",
    )


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an image to a file; an existing file is replaced.

    Args:
        path: Path of the file, or a file opened for writing bytes.
        x: Array of shape (height, width, channels), or (channels, height, width) with `"channels_first"`. There are
            1, 3 or 4 channels: grey, RGB, or RGB with opacity.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        file_format: `"png"`, which needs no other package, or a format of Pillow. None: the ending of the path.
        scale: Whether the smallest value becomes 0 and the largest 255. False: values are from 0 to 255 as they are.
        **kwargs: Arguments for Pillow's `save`.

    Raises:
        ArgumentError: if the format of file or data is another one.
        DataError: if `x` has another shape, or values that are no pixels.
        FileError: if the file cannot be written.
        MissingPackageError: if the format needs Pillow, which is not installed.

    Example:

    >>> import tempfile
    >>> save_img(tempfile.mkdtemp() + "/grey.png", np.linspace(0, 1, 12).reshape(3, 4, 1))
    """
    where = describe(user_line())
    chosen = (file_format or (Path(path).suffix[1:] if isinstance(path, str | os.PathLike) else "")).lower()
    layout = checked_format(data_format)
    image = np.asarray(x)
    if image.ndim == 3 and layout == "channels_first":
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] not in _COLOR_TYPES or not image.size or image.dtype.kind not in "biuf":
        raise _no_image(x, image, data_format)
    pixels = _pixels(image, scale, where)
    if chosen == "png" and not kwargs:
        content = _png(pixels)
    else:
        content = _encoded(pixels, chosen, kwargs)
    if not isinstance(path, str | os.PathLike):
        path.write(content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise FileError("the image cannot be written", where=where, got=f"{path}: {error.strerror}") from error


def _encoded(pixels: NDArray[np.uint8], file_format: str, options: dict[str, Any]) -> bytes:
    """The content of a file of any format that Pillow writes."""
    image = require_pillow(f"to write {file_format or 'an image'}").fromarray(
        pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    )
    known = "jpeg" if file_format == "jpg" else file_format
    if known == "jpeg" and image.mode == "RGBA":
        warnings.warn("JPEG has no opacity, which is left out", DataWarning, stacklevel=3)
        image = image.convert("RGB")
    content = io.BytesIO()
    try:
        image.save(content, format=known or None, **options)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise ArgumentError(
            "the image cannot be written in this format",
            where=describe(user_line()),
            got=f"{file_format!r}: {error}",
            hint="give the path the ending of a format, such as `.png`, or pass `file_format`",
        ) from error
    return content.getvalue()


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
