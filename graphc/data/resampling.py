"""Images of another size, as `ops.image.resize` without antialiasing makes them, for one image in NumPy at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from graphc.tracing import Array


def _triangle(x: Array) -> Array:
    result: Array = np.maximum(0, 1 - x)
    return result


def _cubic(x: Array) -> Array:
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        return np.where(x > radius, 0, np.sinc(x) * np.sinc(x / radius))

    return kernel


# How far a kernel reaches, and its values at distances.
_KERNELS = MappingProxyType(
    {
        "bilinear": (1, _triangle),
        "bicubic": (2, _cubic),
        "lanczos3": (3, _lanczos(3)),
        "lanczos5": (5, _lanczos(5)),
    }
)
METHODS = ("nearest", *_KERNELS)


@lru_cache(maxsize=256)
def _taps(source: int, target: int, method: str) -> tuple[Array, Array]:
    """For each new place, the places that it is computed from, and their weights: (target, taps)."""
    if method == "nearest":  # in float32, as in JAX, which decides ties
        places = np.floor((np.arange(target, dtype=np.float32) + 0.5) * source / target).astype(np.intp)
        return places[:, None], np.ones((target, 1), np.float32)
    centers = (np.arange(target) + 0.5) * source / target - 0.5
    radius, kernel = _KERNELS[method]
    places = np.floor(centers).astype(np.intp)[:, None] + np.arange(1 - radius, radius + 1)
    inside = (places >= 0) & (places < source)
    weights = np.where(inside, kernel(np.abs(centers[:, None] - places)), 0)
    weights = weights / weights.sum(1, keepdims=True)
    return np.clip(places, 0, source - 1), weights.astype(np.float32)


def resized(image: Array, size: tuple[int, int], method: str) -> Array:
    """An image of (height, width, channels) in another size, in float32.

    Example:

    >>> resized(np.array([[[0], [4]]], "uint8"), (1, 4), "bilinear").ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    # The axis that shrinks most comes first: the other one then has less to do.
    for axis in sorted((0, 1), key=lambda axis: size[axis] / image.shape[axis]):
        if image.shape[axis] != size[axis]:
            image = _along(image, axis, *_taps(image.shape[axis], size[axis], method))
    return image.astype(np.float32, copy=False)


def _along(image: Array, axis: int, places: Array, weights: Array) -> Array:
    if places.shape[1] == 1:
        return np.take(image, places[:, 0], axis)
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    total = np.take(image, places[:, 0], axis) * weights[:, 0].reshape(shape)
    for tap in range(1, places.shape[1]):
        total += np.take(image, places[:, tap], axis) * weights[:, tap].reshape(shape)
    return total


def fitted(image: Array, size: tuple[int, int], method: str, crop: bool, pad: bool) -> Array:
    """An image resized, cropped or padded to the new ratio of its sides before."""
    height, width = image.shape[:2]
    # The sides of the same ratio as the new ones, one as it is and the other smaller (to crop) or larger (to pad).
    other_height, other_width = int(float(width * size[0]) / size[1]), int(float(height * size[1]) / size[0])
    if crop:
        rows, columns = (max(min(a, b), 1) for a, b in ((height, other_height), (width, other_width)))
        top, left = (height - rows) // 2, (width - columns) // 2
        image = image[top : top + rows, left : left + columns]
    elif pad:
        rows, columns = max(height, other_height), max(width, other_width)
        above, before = (rows - height) // 2, (columns - width) // 2
        # As in Keras, both sides get the same: the rest of an odd number is dropped.
        image = np.pad(image, ((above, above), (before, before), (0, 0)))
    return resized(image, size, method)
