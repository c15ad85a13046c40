"""Data sets of image files."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.data.directory import Request, choice, datasets
from graphc.data.resampling import METHODS, fitted
from graphc.tracing import Array
from graphc.utils.arguments import argument_error
from graphc.utils.images import checked_format, load_img, require_pillow

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A data set of the images in a folder, with a class for each folder in it.

    Args:
        directory: The folder. Images end with `.bmp`, `.gif`, `.jpeg`, `.jpg` or `.png`.
        labels: `"inferred"`: from the folders in it, None: no labels, or a list of integers in the order of the paths.
        label_mode: `"int"`: int32 of shape (batch,); `"binary"`: float32 of shape (batch, 1); `"categorical"`: float32
            of shape (batch, classes); None: no labels.
        class_names: The names of the folders to use, in the order of their classes. None: all, sorted.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`: 3, 4 or 1 channels.
        batch_size: The number of images in a batch. None: no batches.
        image_size: Height and width to which images are resized.
        shuffle: Whether images are shuffled, anew in each iteration.
        seed: Of the order. None: a random one.
        validation_split: The part of the files for validation, from 0 to 1. None: no split.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        follow_links: Whether links to folders are followed.
        crop_to_aspect_ratio: Whether images are cropped to the ratio of `image_size` before.
        pad_to_aspect_ratio: Whether images are padded with zeros to the ratio of `image_size` before.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        format: `"tf"` or `"grain"`: either gives a data set of graphc.
        verbose: Whether the numbers of files and classes are printed.

    Returns:
        A `graphc.data.Dataset` of `(images, labels)`, or of images, float32 of shape (batch, height, width, channels),
        with `class_names` and `file_paths`; for `"both"` a list of two.

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if there are no files, or a file is no image.
        FileError: if the folder is absent, or a file cannot be read.
        MissingPackageError: if Pillow is not installed.

    Example:

    ```python
    train, val = utils.image_dataset_from_directory("flowers", validation_split=0.2, subset="both", seed=1)
    for images, labels in train.take(1):
        assert images.shape[1:] == (256, 256, 3)
    model.fit(train, validation_data=val, epochs=3)
    ```
    """
    choice("format", format, ("tf", "grain"))
    choice("color_mode", color_mode, ("rgb", "rgba", "grayscale"))
    method = choice("interpolation", str(interpolation).lower(), METHODS)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise argument_error("image_size", image_size, "a pair of positive integers: height and width")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise argument_error("pad_to_aspect_ratio", True, "False where crop_to_aspect_ratio is True")
    first = checked_format(data_format) == "channels_first"
    request = Request(
        "image",
        FORMATS,
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    ).checked()
    require_pillow("image_dataset_from_directory")

    def load(path: str) -> Array:
        pixels = np.asarray(load_img(path, color_mode))
        image = pixels[:, :, None] if pixels.ndim == 2 else pixels
        image = fitted(image, (size[0], size[1]), method, crop_to_aspect_ratio, pad_to_aspect_ratio)
        return np.ascontiguousarray(image.transpose(2, 0, 1)) if first else image

    return datasets(request, load)
