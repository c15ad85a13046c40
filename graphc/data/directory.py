"""Files in a folder as samples: their order, labels and split are those of Keras for the same seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.elements import as_element
from graphc.errors import ArgumentError, DataError, FileError
from graphc.runtime.cpu.processor import cores
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error, number, whole_number
from graphc.utils.messages import print_msg

_SUBSETS = ("training", "validation", "both", None)
_LABEL_MODES = ("int", "categorical", "binary", None)
# Reading waits for the disk, and decoding leaves the processor to others only in part.
_READING_THREADS = 4


@dataclass(frozen=True)
class Request:
    """The arguments that all functions for folders have.

    Args:
        kind: What the files are, in messages: `"image"`.
        formats: The endings of their names.
        directory: The folder.
        labels: `"inferred"`: a class for each folder in it; None: no labels; or a list of integers.
        label_mode: `"int"`, `"categorical"`, `"binary"`, or None: no labels.
        class_names: The names of the folders to use, in the order of their classes. None: all, sorted.
        batch_size: The number of samples in a batch. None: no batches.
        shuffle: Whether samples are shuffled.
        seed: Of the order. None: a random one.
        validation_split: The part of the samples for validation. None: no split.
        subset: `"training"`, `"validation"` or `"both"`. None: no split.
        follow_links: Whether links to folders are followed.
        verbose: Whether the numbers of files and classes are printed.
    """

    kind: str
    formats: tuple[str, ...]
    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Any
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def checked(self) -> Request:
        """The request with its arguments checked, and without labels if one of the two arguments says so.

        Raises:
            ArgumentError: if an argument is invalid, or two do not go together.
        """
        if self.label_mode not in _LABEL_MODES:
            raise argument_error("label_mode", self.label_mode, f"one of {_LABEL_MODES}")
        labels = None if self.label_mode is None else self.labels
        if not (labels is None or isinstance(labels, list | tuple) or _is_inferred(labels)):
            raise argument_error("labels", labels, '"inferred", None, or a list of integers, one for each file')
        if self.class_names is not None and not _is_inferred(labels):
            raise argument_error("class_names", self.class_names, 'None unless `labels="inferred"`')
        whole_number("batch_size", self.batch_size, 1, optional=True)
        share = number("validation_split", self.validation_split, optional=True)
        if share and not 0 < share < 1:
            raise argument_error("validation_split", share, "a number between 0 and 1")
        if self.subset not in _SUBSETS or bool(share) != bool(self.subset):
            raise argument_error("subset", self.subset, f"one of {_SUBSETS}, and given together with validation_split")
        if share and self.shuffle and self.seed is None:
            raise ArgumentError(
                "a split of shuffled samples needs a seed",
                where=describe(user_line()),
                hint="pass the same `seed` for both subsets, or `shuffle=False`: else they overlap",
            )
        if not isinstance(self.directory, str | os.PathLike) or not os.path.isdir(self.directory):
            raise FileError("there is no such folder", where=describe(user_line()), got=str(self.directory))
        return replace(self, labels=labels, label_mode=self.label_mode if labels is not None else None)


def _is_inferred(labels: Any) -> bool:
    return isinstance(labels, str) and labels == "inferred"


@dataclass(frozen=True)
class Samples:
    """Paths of files and their labels.

    Args:
        paths: The paths.
        labels: A label for each. None: there are none.
    """

    paths: list[str]
    labels: Array | None

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, which: slice) -> Samples:
        """Some of them."""
        return Samples(self.paths[which], None if self.labels is None else self.labels[which])


def datasets(
    request: Request, load: Callable[[str], Any], combine: Callable[[Dataset, int], Dataset] = Dataset.batch
) -> Any:
    """The data set of a folder; of both subsets, a list of two.

    Args:
        request: What is asked for, checked.
        load: Reads a file; it may be called by several threads at the same time.
        combine: Makes batches of a size.

    Raises:
        DataError: if there are no files, or not as many as labels.
    """
    seed = int(np.random.randint(10**6)) if request.seed is None else request.seed
    samples, class_names = _listed(request, seed)
    if request.label_mode == "binary" and len(class_names or ()) != 2:
        raise argument_error("label_mode", "binary", f"another one: there are {len(class_names or ())} classes, not 2")
    names = ("training", "validation") if request.subset == "both" else (request.subset,)
    results = []
    for name in names:
        shuffles = request.shuffle and not (request.subset == "both" and name == "validation")
        part = _subset(samples, request, name)
        made = _dataset(part, request, len(class_names or ()), load, seed if shuffles else None)
        if request.batch_size is not None:
            made = combine(made, request.batch_size)
        made = made.prefetch()
        made.class_names, made.file_paths = class_names, part.paths
        results.append(made)
    return results if request.subset == "both" else results[0]


def _dataset(part: Samples, request: Request, classes: int, load: Callable[[str], Any], seed: int | None) -> Dataset:
    if part.labels is None:
        chosen = Dataset.from_tensor_slices(part.paths)
        read = load
    else:
        chosen = Dataset.from_tensor_slices((part.paths, _encoded(part.labels, request.label_mode, classes)))

        def read(sample: Any) -> Any:
            return load(sample[0]), sample[1]

    if seed is not None:
        chosen = chosen.shuffle(len(part), seed=seed)
    return chosen.map_in_threads(lambda sample: as_element(read(sample)), min(_READING_THREADS, cores()))


def _encoded(labels: Array, mode: str | None, classes: int) -> Array:
    if mode == "binary":
        return labels.astype(np.float32)[:, None]
    if mode == "categorical":
        # As in Keras: a label that is no class has no one in its row.
        codes: Array = (labels[:, None] == np.arange(classes)).astype(np.float32)
        return codes
    return labels


def _listed(request: Request, seed: int) -> tuple[Samples, list[str] | None]:
    """The samples of a folder in order, or shuffled, and the names of their classes."""
    folder = os.fspath(request.directory)
    inferred = _is_inferred(request.labels)
    classes = _classes(folder, request.class_names) if inferred else [""]
    found = [_files(os.path.join(folder, name), request) for name in classes]
    paths = [path for group in found for path in group]
    labels: Array | None = None
    class_names: list[str] | None = classes
    if inferred:
        labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(group) for group in found])
    elif request.labels is None:
        class_names = None
    else:
        if len(request.labels) != len(paths):
            raise DataError(
                "there is not one label for each file",
                where=describe(user_line()),
                got=f"{len(request.labels)} labels, {len(paths)} files in {folder}",
                hint="labels are in the order of the sorted paths",
            )
        labels, class_names = np.asarray(request.labels), [str(label) for label in sorted(set(request.labels))]
        labels = labels.astype(np.int32) if labels.dtype.kind in "iu" else labels
    if request.verbose:
        belonging = "" if class_names is None else f" belonging to {len(class_names)} classes"
        print_msg(f"Found {len(paths)} files{belonging}.")
    if request.shuffle:
        order = list(range(len(paths)))
        np.random.RandomState(seed).shuffle(order)
        paths, labels = [paths[i] for i in order], None if labels is None else labels[order]
    return Samples(paths, labels), class_names


def _classes(folder: str, wanted: Any) -> list[str]:
    """The folders in a folder, sorted, or those that are wanted."""
    found = sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
    if wanted is None:
        return found
    absent = [name for name in wanted if name not in found]
    if absent:
        raise argument_error("class_names", list(wanted), f"names of folders in {folder}: {', '.join(found) or 'none'}")
    return list(wanted)


def _files(folder: str, request: Request) -> list[str]:
    """The files of a class, sorted by their folders and names."""
    walk = sorted(os.walk(folder, followlinks=request.follow_links), key=lambda step: step[0])
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(request.formats)
    ]


def _subset(samples: Samples, request: Request, name: str | None) -> Samples:
    part = samples
    if name is not None:
        held_out = int((request.validation_split or 0) * len(samples))
        boundary = len(samples) - held_out
        part = samples.part(slice(0, boundary) if name == "training" else slice(boundary, None))
        print_msg(f"Using {len(part)} files for {name}.")
    if not len(part):
        raise DataError(
            f"there are no {request.kind} files" + (f" for {name}" if name else ""),
            where=describe(user_line()),
            got=f"{len(samples)} files in {request.directory}",
            expected="files that end with " + ", ".join(request.formats),
        )
    return part


def choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Checks that an argument is one of some values, and returns it."""
    if value not in choices:
        raise argument_error(name, value, f"one of {', '.join(map(repr, choices))}")
    return value


def read(path: str) -> bytes:
    """The content of a file.

    Raises:
        FileError: if it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError("a file of the data set cannot be read", got=f"{path}: {error.strerror}") from error
