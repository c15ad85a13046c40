"""The common parts of CIFAR-10 and CIFAR-100: photos of 32x32 pixels, as pickles in an archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc import config
from graphc.datasets.fetch import Resource, fetch
from graphc.datasets.pickles import read_pickle
from graphc.errors import DataError

Part = tuple[NDArray[Any], NDArray[Any]]


def load(file: Resource, train: Sequence[str], test: Sequence[str], label: str) -> tuple[Part, Part]:
    """Loads the photos and labels of some files of an archive.

    Args:
        file: The archive.
        train: The names of the files for training.
        test: The names of the files for testing.
        label: The name of the labels in them.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    content = fetch(file, group=".").content
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            first, second = ([_batch(archive, name, label) for name in names] for names in (train, test))
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise DataError(f"{file.name} is not the archive that it should be", got=str(error)) from error
    return _joined(first), _joined(second)


def _batch(archive: tarfile.TarFile, name: str, label: str) -> Part:
    opened = archive.extractfile(name)
    found: Any = None if opened is None else read_pickle(opened.read(), name)
    try:
        images, labels = np.asarray(found[b"data"]), np.asarray(found[label.encode()])
        photos = images.reshape(len(labels), 3, 32, 32)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} is not what it should be", got=str(error), expected="3,072 bytes a photo") from error
    return photos, labels.reshape(-1, 1)


def _joined(parts: Sequence[Part]) -> Part:
    images, labels = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    return (images.transpose(0, 2, 3, 1) if config.image_data_format() == "channels_last" else images), labels
