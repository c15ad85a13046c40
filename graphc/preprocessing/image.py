"""The names of `keras.preprocessing.image`, and those that only `tf.keras` has."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.data.resampling import METHODS, fitted
from graphc.errors import DataError
from graphc.preprocessing.image_changes import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from graphc.preprocessing.image_generator import ImageDataGenerator
from graphc.preprocessing.image_iterators import DirectoryIterator, Iterator, NumpyArrayIterator
from graphc.tracing import Tensor, as_tensor, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.images import array_to_img, checked_format, img_to_array, load_img, save_img


def smart_resize(x: Any, size: Any, interpolation: str = "bilinear", data_format: str = "channels_last") -> Any:
    """Images in another size, cropped around their centre to its ratio of height to width before.

    Args:
        x: Array or tensor with values, of shape (height, width, channels) or (batch, height, width, channels).
        size: Height and width of the result.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A NumPy array if `x` is one, else a tensor; float32, or for `"nearest"` the dtype of `x`.

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if `x` is no image.

    Example:

    >>> smart_resize(np.ones((20, 30, 3)), (10, 10)).shape
    (10, 10, 3)
    """
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise argument_error("size", size, "a pair of integers, height and width")
    if interpolation not in METHODS:
        raise argument_error("interpolation", interpolation, f"one of {METHODS}")
    first = checked_format(data_format) == "channels_first"
    images = np.asarray(x) if isinstance(x, np.ndarray) else as_tensor(x).array
    if images.ndim not in (3, 4):
        raise DataError(
            "these are no images", where=describe(user_line()), got=f"shape {images.shape}", expected="3 or 4 axes"
        )
    images = np.moveaxis(images, -3, -1) if first else images
    batch = images.reshape(-1, *images.shape[-3:])
    target = int(size[0]), int(size[1])
    dtype = images.dtype if interpolation == "nearest" else np.dtype(np.float32)
    resized = np.stack([fitted(image, target, interpolation, crop=True, pad=False) for image in batch])
    result = resized.reshape(*images.shape[:-3], *resized.shape[1:]).astype(dtype, copy=False)
    result = np.ascontiguousarray(np.moveaxis(result, -1, -3)) if first else result
    return result if isinstance(x, np.ndarray) else Tensor(result)


__all__ = [
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]
