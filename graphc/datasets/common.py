"""What the image data sets share: the form in which they come."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphc.errors import DataError

Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Split = tuple[Part, Part]


@dataclass(frozen=True, slots=True)
class Images:
    """Training and test data, and the place they came from, in words."""

    split: Split
    source: str


def checked(split: Split, name: str, classes: int) -> Split:
    """Returns the data if it is what an image data set should be.

    Args:
        split: Training and test data, each images and labels.
        name: What to call it in errors.
        classes: How many classes there are.

    Raises:
        DataError: if a part is no stack of images with a label each, or a label is out of range.
    """
    for part, (images, labels) in zip(("training", "test"), split, strict=True):
        fits = images.ndim == 3 and labels.ndim == 1 and len(images) == len(labels) > 0
        if not fits or images.dtype != np.uint8 or labels.dtype != np.uint8 or labels.max() >= classes:
            raise DataError(
                f"the {part} part of {name} is not what it should be",
                got=f"images {images.shape} {images.dtype}, labels {labels.shape} {labels.dtype}",
                expected=f"as many images as labels, uint8, labels below {classes}",
            )
    return split


def read_npz(data: bytes, names: tuple[str, ...], what: str) -> list[NDArray[np.uint8]]:
    """Returns named arrays of a NumPy archive, without ever unpickling.

    Args:
        data: The whole file.
        names: Which arrays.
        what: What to call it in errors.

    Raises:
        DataError: if it is no such archive, is damaged, or lacks one of them.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except Exception as error:  # the readers of zip, deflate and .npy raise whatever they stumble over
        text = f"{what} is not the archive that it should be"
        raise DataError(text, got=f"{type(error).__name__}: {error}", expected="arrays " + ", ".join(names)) from error
