"""`ImageDataGenerator`: batches of images that are changed at random and normalized, on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import config
from graphc.errors import DataError
from graphc.frames import warn
from graphc.preprocessing.image_changes import apply_affine_transform, apply_brightness_shift, apply_channel_shift
from graphc.preprocessing.image_iterators import DataFrameIterator, DirectoryIterator, NumpyArrayIterator
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.images import checked_format


class ImageDataGenerator:
    """Batches of images that are changed at random and normalized; new programs use layers such as `RandomFlip`.

    Args:
        featurewise_center: Whether the mean of each channel, which `fit` computes, is subtracted.
        samplewise_center: Whether the mean of each image is subtracted.
        featurewise_std_normalization: Whether images are divided by the deviation of each channel.
        samplewise_std_normalization: Whether each image is divided by its deviation.
        zca_whitening: Whether pixels are made uncorrelated.
        zca_epsilon: What is added to singular values for that.
        rotation_range: The largest angle of rotations, in degrees.
        width_shift_range: The largest shift, as a part of the width; 1 or more: in pixels; or a list of shifts.
        height_shift_range: Likewise for the height.
        brightness_range: Pair of numbers, between which the factor of the brightness is.
        shear_range: The largest angle of shears, in degrees.
        zoom_range: Pair of numbers, between which the zoom is; or a number `z`: from `1 - z` to `1 + z`.
        channel_shift_range: The largest number that is added.
        fill_mode: What is outside of images: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: The value outside, for `"constant"`.
        horizontal_flip: Whether half of the images are flipped from left to right.
        vertical_flip: Whether half of the images are flipped upside down.
        rescale: A factor for all values, applied after the changes. None: none.
        preprocessing_function: Function of an image of three axes, applied after the changes.
        data_format: `"channels_last"` or `"channels_first"`. None: that of `config`.
        validation_split: The part of the samples that the subset `"validation"` is.
        interpolation_order: 0: the nearest pixel; 1: linear interpolation.
        dtype: The dtype of batches. None: `config.floatx()`.

    Example:

    >>> generator = ImageDataGenerator(rescale=0.5, horizontal_flip=True)
    >>> x, y = next(generator.flow(np.ones((8, 4, 4, 1)), np.arange(8), batch_size=2))
    >>> x.shape, float(x.max()), y.shape
    ((2, 4, 4, 1), 0.5, (2,))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Array] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.dtype = config.floatx() if dtype is None else dtype
        self.data_format = checked_format(data_format)
        last = self.data_format == "channels_last"
        self.channel_axis, self.row_axis, self.col_axis = (3, 1, 2) if last else (1, 2, 3)
        if validation_split and not 0 < validation_split < 1:
            raise argument_error("validation_split", validation_split, "a number between 0 and 1")
        self._validation_split = validation_split
        single = isinstance(zoom_range, int | float)
        self.zoom_range = [1 - zoom_range, 1 + zoom_range] if single else zoom_range
        for name, pair in (("zoom_range", self.zoom_range), ("brightness_range", brightness_range)):
            if pair is not None and not (isinstance(pair, list | tuple) and len(pair) == 2):
                raise argument_error(name, pair, "a pair of numbers")
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None

    # ---- batches

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of images in an array.

        Args:
            x: Images, of four axes; or a pair of them and a list of other arrays.
            y: A target for each. None: batches have none.
            batch_size: The number of images in a batch.
            shuffle: Whether they are shuffled.
            sample_weight: A weight for each.
            seed: Of the order and the changes.
            save_to_dir: A folder to which the images of batches are written.
            save_prefix: What the names of these files begin with.
            save_format: The kind of these files.
            ignore_class_split: Whether the subsets may have different classes.
            subset: `"training"` or `"validation"`. None: all.
        """
        saved = (save_to_dir, save_prefix, save_format)
        order = (batch_size, shuffle, sample_weight, seed)
        return NumpyArrayIterator(x, y, self, *order, self.data_format, *saved, subset, ignore_class_split, self.dtype)

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of image files in the folders of a folder: one for each class.

        Args:
            directory: The folder.
            target_size: Height and width to which images are resized.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: The names of the folders, in the order of their classes. None: all, sorted.
            class_mode: `"categorical"`: targets are one-hot; `"binary"`, `"sparse"`: numbers; `"input"`: the images;
                None: there are none.
            batch_size: As of `flow`, like the next ones.
            shuffle: Likewise.
            seed: Likewise.
            save_to_dir: Likewise.
            save_prefix: Likewise.
            save_format: Likewise.
            follow_links: Whether links to folders are followed.
            subset: As of `flow`.
            interpolation: As of `load_img`.
            keep_aspect_ratio: As of `load_img`.
        """
        kind: Any = (target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, self.data_format)
        rest: Any = (save_to_dir, save_prefix, save_format, follow_links, subset, interpolation, keep_aspect_ratio)
        options: Any = {"dtype": self.dtype}
        return DirectoryIterator(directory, self, *kind, *rest, **options)

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of the image files whose names and classes are in a table.

        Args:
            dataframe: The table, of pandas.
            directory: The folder to which names are relative. None: they are whole paths.
            x_col: The column of the names.
            y_col: The column of the classes; for `"raw"` and `"multi_output"` one or several of targets.
            weight_col: The column of the samples' weights.
            target_size: As of `flow_from_directory`, like the others; `class_mode` may be `"raw"` and
                `"multi_output"`, too.
            color_mode: Likewise.
            classes: Likewise.
            class_mode: Likewise.
            batch_size: Likewise.
            shuffle: Likewise.
            seed: Likewise.
            save_to_dir: Likewise.
            save_prefix: Likewise.
            save_format: Likewise.
            subset: Likewise.
            interpolation: Likewise.
            validate_filenames: Whether names of files that do not exist, or are no images, are left out.
            **kwargs: Of earlier versions; without effect, with a warning.
        """
        for name in kwargs:
            warn(f"{name} of flow_from_dataframe has no effect")
        class_mode = "raw" if class_mode == "other" else class_mode
        columns: Any = (x_col, y_col, weight_col)
        kind: Any = (target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, self.data_format)
        saved: Any = (save_to_dir, save_prefix, save_format, subset, interpolation)
        options: Any = {"dtype": self.dtype, "validate_filenames": validate_filenames}
        return DataFrameIterator(dataframe, directory, self, *columns, *kind, *saved, **options)

    # ---- one image

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Changes drawn at random, which `apply_transform` applies.

        Args:
            img_shape: The shape of an image, of three axes.
            seed: Of NumPy's generator. None: it goes on.
        """
        if seed is not None:
            np.random.seed(seed)
        theta = np.random.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        ty = _shift(self.height_shift_range, img_shape[self.row_axis - 1])
        tx = _shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = np.random.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        low, high = self.zoom_range
        zx, zy = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
        flips = [(np.random.random() < 0.5) * flips for flips in (self.horizontal_flip, self.vertical_flip)]
        shift, bright = self.channel_shift_range, self.brightness_range
        return {
            **{"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy},
            **{"flip_horizontal": flips[0], "flip_vertical": flips[1]},
            "channel_shift_intensity": np.random.uniform(-shift, shift) if shift else None,
            "brightness": np.random.uniform(*bright) if bright is not None else None,
        }

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Array:
        """An image with the changes that `get_random_transform` returned."""
        known = transform_parameters
        affine = {name: known[name] for name in ("theta", "tx", "ty", "shear", "zx", "zy") if name in known}
        rows, columns, channels = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        outside = (self.fill_mode, self.cval, self.interpolation_order)
        names = ("row_axis", "col_axis", "channel_axis", "fill_mode", "cval", "order")
        options: dict[str, Any] = dict(zip(names, (rows, columns, channels, *outside), strict=True))
        image = apply_affine_transform(x, **affine, **options)
        if known.get("channel_shift_intensity") is not None:
            image = apply_channel_shift(image, known["channel_shift_intensity"], channels)
        if known.get("flip_horizontal"):
            image = np.flip(image, columns)
        if known.get("flip_vertical"):
            image = np.flip(image, rows)
        if known.get("brightness") is not None:
            image = apply_brightness_shift(image, known["brightness"], False)
        return image

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """An image changed at random.

        Args:
            x: Array of three axes.
            seed: Of NumPy's generator. None: it goes on.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    # ---- normalization

    def standardize(self, x: Array) -> Array:
        """An image, or a batch of them, rescaled and normalized; the array may be changed in place."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center and self._knows("featurewise_center", self.mean):
            x -= self.mean
        if self.featurewise_std_normalization and self._knows("featurewise_std_normalization", self.std):
            x /= self.std + 1e-6
        if self.zca_whitening and self._knows("zca_whitening", self.zca_whitening_matrix):
            x = (x.reshape(-1, int(np.prod(x.shape[-3:]))) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def _knows(self, name: str, value: Any) -> bool:
        if value is None:
            warn(f"{name} has no effect before `fit` was called on images")
        return value is not None

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Computes what `featurewise_center`, `featurewise_std_normalization` and `zca_whitening` need.

        Args:
            x: Images, of four axes.
            augment: Whether images are changed at random before.
            rounds: How often each is, then.
            seed: Of NumPy's generator.

        Raises:
            DataError: if `x` are no images.
        """
        images = np.array(x, dtype=self.dtype)
        if images.ndim != 4:
            raise DataError(
                "these are no images", where=describe(user_line()), got=f"shape {images.shape}", expected="4 axes"
            )
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            images *= self.rescale
        if augment:
            images = np.stack([self.random_transform(image) for _ in range(rounds) for image in images])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = images.mean(axis=axes, keepdims=True)[0]
            images -= self.mean
        if self.featurewise_std_normalization:
            self.std = images.std(axis=axes, keepdims=True)[0]
            images /= self.std + 1e-6
        if self.zca_whitening:
            flat = images.reshape(len(images), -1)
            u, s, _ = np.linalg.svd(flat.T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(images)) / (s + self.zca_epsilon))) @ u.T


def _shift(reach: Any, size: int) -> Any:
    """A shift in pixels, drawn at random."""
    if not np.any(reach):
        return 0
    if np.ndim(reach) == 1 or isinstance(reach, int | np.integer):
        shift = np.random.choice(reach) * np.random.choice([-1, 1])
    else:
        shift = np.random.uniform(-reach, reach)
    return shift * size if np.max(reach) < 1 else shift
