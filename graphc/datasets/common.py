"""Common parts of the image data sets."""

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
    """Training and test data, and a description of their source."""

    split: Split
    source: str


def checked(split: Split, name: str, classes: int) -> Split:
    """Checks that data are a valid image data set, and returns them.

    Args:
        split: Training and test data, each images and labels.
        name: The name in errors.
        classes: The number of classes.

    Raises:
        DataError: if a part does not consist of images with one label each, or a label is out of range.
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
    """Returns named arrays of a NumPy archive, without unpickling.

    Args:
        data: The whole file.
        names: The names of the arrays.
        what: The name of the archive in errors.

    Raises:
        DataError: if it is not such an archive, is damaged, or lacks an array.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except Exception as error:  # the readers of zip, deflate and .npy raise various exceptions
        text = f"{what} is not the archive that it should be"
        raise DataError(text, got=f"{type(error).__name__}: {error}", expected="arrays " + ", ".join(names)) from error
