"""Batches of images of arrays and files, changed at random: what `ImageDataGenerator` returns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator as Batches
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from graphc import config
from graphc.errors import DataError, FileError
from graphc.frames import warn
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.images import array_to_img, img_to_array, load_img
from graphc.utils.messages import print_msg
from graphc.utils.py_dataset import PyDataset

_FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
_SUBSETS = ("training", "validation", None)


class Changes(Protocol):
    """What iterators need of an `ImageDataGenerator`."""

    _validation_split: float

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """A randomly changed image."""
        ...

    def standardize(self, x: Array) -> Array:
        """A normalized image."""
        ...


class Iterator(PyDataset):
    """The base class of iterators of batches of images; they go on for ever.

    Args:
        n: The number of samples.
        batch_size: The number of samples in a batch.
        shuffle: Whether the order changes in each epoch.
        seed: Of the order and the changes. None: those of NumPy's generator.
        **kwargs: Of `PyDataset`.
    """

    white_list_formats = _FORMATS

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index, self.total_batches_seen = 0, 0
        self.index_array: Array | None = None
        self.lock = threading.Lock()

    def _set_index_array(self) -> Array:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)
        return self.index_array

    def _begin_batch(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError(f"there are {len(self)} batches, and not {index + 1}")
        self._begin_batch()
        order = self._set_index_array() if self.index_array is None else self.index_array
        return self._get_batches_of_transformed_samples(order[self.batch_size * index :][: self.batch_size])

    def __iter__(self) -> Batches[Any]:
        return self

    def __next__(self) -> Any:
        with self.lock:
            self._begin_batch()
            first = self.batch_index * self.batch_size
            order = self._set_index_array() if self.batch_index == 0 or self.index_array is None else self.index_array
            self.batch_index = self.batch_index + 1 if first + self.batch_size < self.n else 0
        return self._get_batches_of_transformed_samples(order[first : first + self.batch_size])

    def next(self) -> Any:
        """The next batch."""
        return next(self)

    def on_epoch_end(self) -> None:
        """Chooses another order."""
        self._set_index_array()

    def reset(self) -> None:
        """Begins anew with the first batch."""
        self.batch_index = 0

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        raise NotImplementedError("an Iterator defines `_get_batches_of_transformed_samples`")


@dataclass(frozen=True)
class Saving:
    """Where the images of batches are written, for a look at them.

    Args:
        folder: The folder. None: nowhere.
        prefix: What names of files begin with.
        format: The kind of files.
    """

    folder: Any = None
    prefix: str = ""
    format: str = "png"

    def write(self, images: Array, index_array: Array, data_format: str) -> None:
        """Writes images to files, with their indices in the names."""
        for image, index in zip(images, index_array, strict=True) if self.folder else ():
            name = f"{self.prefix}_{index}_{np.random.randint(10**7)}.{self.format}"
            array_to_img(image, data_format, scale=True).save(os.path.join(self.folder, name))


def part_of(subset: str | None, split: float) -> tuple[float, float] | None:
    """The part of the samples that a subset is, from and to."""
    if subset not in _SUBSETS:
        raise argument_error("subset", subset, f"one of {_SUBSETS}")
    return {"training": (split, 1.0), "validation": (0.0, split)}[subset] if subset else None


class NumpyArrayIterator(Iterator):
    """Batches of images in an array; see `ImageDataGenerator.flow`."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Changes,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        self.dtype = config.floatx() if dtype is None else dtype
        self.data_format = data_format or config.image_data_format()
        others: list[Any] = []
        if isinstance(x, list | tuple):
            x, others = x[0], list(x[1]) if isinstance(x[1], list) else [x[1]]
        rows: dict[str, Any] = {"y": y, "sample_weight": sample_weight}
        rows |= {f"x[1][{i}]": part for i, part in enumerate(others)}
        arrays = {name: None if part is None else np.asarray(part) for name, part in rows.items()}
        for name, array in arrays.items():
            if array is not None and len(array) != len(x):
                raise DataError(
                    "each image has one row of the others", where=describe(user_line()), got=f"{name}: {array.shape}"
                )
        chosen = self._rows(len(x), arrays["y"], subset, image_data_generator._validation_split, ignore_class_split)
        taken = {name: None if array is None else array[chosen] for name, array in arrays.items()}
        self.x, self.y, self.sample_weight = (
            np.asarray(x[chosen], self.dtype),
            taken.pop("y"),
            taken.pop("sample_weight"),
        )
        self.x_misc = [array for array in taken.values() if array is not None]
        if self.x.ndim != 4:
            raise DataError(
                "these are no images", where=describe(user_line()), got=f"shape {self.x.shape}", expected="4 axes"
            )
        channels = self.x.shape[3 if self.data_format == "channels_last" else 1]
        if channels not in (1, 3, 4):
            warn(f"images have 1, 3 or 4 channels, and not {channels}; they are {self.data_format}")
        self.image_data_generator, self._saving = image_data_generator, Saving(save_to_dir, save_prefix, save_format)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    @staticmethod
    def _rows(count: int, y: Any, subset: str | None, split: float, ignores_classes: bool) -> slice:
        part = part_of(subset, split)
        if part is None:
            return slice(None)
        middle = int(count * split)
        if y is not None and not ignores_classes and set(np.unique(y[:middle])) != set(np.unique(y[middle:])):
            raise DataError(
                "the two subsets do not have the same classes",
                where=describe(user_line()),
                hint="shuffle the images, which may be sorted by class",
            )
        return slice(middle, None) if subset == "training" else slice(middle)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        changes = self.image_data_generator
        images = np.zeros((len(index_array), *self.x.shape[1:]), self.dtype)
        for i, index in enumerate(index_array):
            images[i] = changes.standardize(np.array(changes.random_transform(self.x[index])))
        self._saving.write(images, index_array, self.data_format)
        x = [images, *(part[index_array] for part in self.x_misc)] if self.x_misc else images
        rest = [part[index_array] for part in (self.y, self.sample_weight) if part is not None]
        return (x, *rest) if self.y is not None else x


class FileIterator(Iterator):
    """The base class of iterators of batches of image files."""

    filepaths: list[str]
    classes: Any
    class_indices: dict[str, int]
    class_mode: str | None
    sample_weight: Any = None
    _modes: tuple[str | None, ...] = ("categorical", "binary", "sparse", "input", None)

    def _prepare(
        self,
        image_data_generator: Any,
        target_size: Any,
        color_mode: str,
        class_mode: str | None,
        data_format: str | None,
        saving: Saving,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
        dtype: Any,
    ) -> None:
        if class_mode not in self._modes:
            raise argument_error("class_mode", class_mode, f"one of {self._modes}")
        if color_mode not in _CHANNELS:
            raise argument_error("color_mode", color_mode, f"one of {tuple(_CHANNELS)}")
        self.image_data_generator, self.class_mode, self._saving = image_data_generator, class_mode, saving
        self.target_size, self.color_mode = tuple(target_size), color_mode
        self.data_format = data_format or config.image_data_format()
        self.dtype = config.floatx() if dtype is None else dtype
        channels = (_CHANNELS[color_mode],)
        last = self.data_format == "channels_last"
        self.image_shape = (*self.target_size, *channels) if last else (*channels, *self.target_size)
        self._part = part_of(subset, getattr(image_data_generator, "_validation_split", 0.0))
        self._reading: dict[str, Any] = {"interpolation": interpolation, "keep_aspect_ratio": keep_aspect_ratio}

    def _taken(self, files: Any) -> Any:
        """The part of a sequence of files that the subset is."""
        if self._part is None:
            return files
        return files[int(self._part[0] * len(files)) : int(self._part[1] * len(files))]

    @property
    def labels(self) -> Any:
        """The label of each file."""
        return self.classes

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        images = np.zeros((len(index_array), *self.image_shape), self.dtype)
        for i, index in enumerate(index_array):
            with load_img(self.filepaths[index], self.color_mode, self.target_size, **self._reading) as file:
                image = img_to_array(file, data_format=self.data_format)
            if self.image_data_generator:
                image = self.image_data_generator.random_transform(image)
                image = self.image_data_generator.standardize(np.array(image))
            images[i] = image
        self._saving.write(images, index_array, self.data_format)
        if self.class_mode is None:
            return images
        batch = images, self._targets_of(images, index_array)
        return batch if self.sample_weight is None else (*batch, self.sample_weight[index_array])

    def _targets_of(self, images: Array, index_array: Array) -> Any:
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode == "multi_output":
            return tuple(part[index_array] for part in self.labels)
        if self.class_mode == "raw":
            return self.labels[index_array]
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[index] for index in index_array], self.dtype)
        targets = np.zeros((len(images), len(self.class_indices)), self.dtype)
        for row, index in zip(targets, index_array, strict=True):
            row[self.classes[index]] = 1.0
        return targets


class DirectoryIterator(FileIterator):
    """Batches of image files, a class in each folder; see `ImageDataGenerator.flow_from_directory`."""

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        saving = Saving(save_to_dir, save_prefix, save_format)
        changes = (image_data_generator, target_size, color_mode, class_mode, data_format, saving, subset)
        self._prepare(*changes, interpolation, keep_aspect_ratio, dtype)
        if not os.path.isdir(directory):
            raise FileError("there is no such folder", where=describe(user_line()), got=str(directory))
        self.directory = directory
        found = sorted(part.name for part in Path(directory).iterdir() if part.is_dir())
        names = list(classes) if classes else found
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.num_classes, self.filenames = len(names), []
        labels: list[int] = []
        for name, label in self.class_indices.items():
            files = self._taken(_files(directory, name, follow_links))
            self.filenames += files
            labels += [label] * len(files)
        self.classes, self.samples = np.array(labels, "int32"), len(labels)
        self.filepaths = [os.path.join(directory, name) for name in self.filenames]
        print_msg(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)


def _files(directory: Any, name: str, follow_links: bool) -> list[str]:
    """The image files in a folder and those in it, by their paths within the directory."""
    found: list[str] = []
    for root, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=follow_links)):
        inner = os.path.relpath(root, directory)
        found += [os.path.join(inner, file) for file in sorted(files) if file.lower().endswith(_FORMATS)]
    return found


class DataFrameIterator(FileIterator):
    """Batches of the image files in a table; see `ImageDataGenerator.flow_from_dataframe`."""

    _modes = ("binary", "categorical", "input", "multi_output", "raw", "sparse", None)

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
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
        data_format: str | None = "channels_last",
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        saving = Saving(save_to_dir, save_prefix, save_format)
        changes = (image_data_generator, target_size, color_mode, class_mode, data_format, saving, subset)
        self._prepare(*changes, interpolation, keep_aspect_ratio, dtype)
        self.directory = directory or ""
        paths = [os.path.join(self.directory, name) for name in dataframe[x_col]]
        rows = np.arange(len(paths))
        if validate_filenames:
            rows = np.array([i for i in rows if paths[i].lower().endswith(_FORMATS) and os.path.isfile(paths[i])], int)
            if len(rows) < len(paths):
                warn(f"{len(paths) - len(rows)} names in {x_col!r} are no image files, and are left out")
        by_class = class_mode in ("binary", "categorical", "sparse")
        labels = list(dataframe[y_col]) if by_class else []
        if by_class:
            names = list(dict.fromkeys(classes)) if classes else sorted({c for i in rows for c in _listed(labels[i])})
            self.class_indices = {name: i for i, name in enumerate(names)}
            rows = np.array([i for i in rows if any(c in self.class_indices for c in _listed(labels[i]))], int)
            if class_mode == "binary" and len(names) != 2:
                raise argument_error("class_mode", class_mode, f"another one: there are {len(names)} classes")
        rows = self._taken(rows)
        self.filepaths, self.samples = [paths[i] for i in rows], len(rows)
        self.filenames = [dataframe[x_col].tolist()[i] for i in rows]
        self.sample_weight = dataframe[weight_col].to_numpy()[rows] if weight_col else None
        self.classes = self._labels_of(dataframe, y_col, labels, rows)
        counted = f" belonging to {len(self.class_indices)} classes" if by_class else ""
        state = "validated" if validate_filenames else "non-validated"
        print_msg(f"Found {self.samples} {state} image filenames{counted}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _labels_of(self, table: Any, y_col: Any, labels: list[Any], rows: Array) -> Any:
        if self.class_mode == "multi_output":
            return [np.array([table[column].tolist()[i] for i in rows]) for column in y_col]
        if self.class_mode == "raw":
            return table[y_col].to_numpy()[rows]
        known = self.class_indices if labels else {}
        several = [[known[c] for c in _listed(labels[i]) if c in known] for i in rows] if labels else []
        return [
            indices if isinstance(labels[i], list | tuple) else indices[0]
            for i, indices in zip(rows, several, strict=False)
        ]


def _listed(label: Any) -> list[Any]:
    return list(label) if isinstance(label, list | tuple) else [label]
