"""CIFAR-10: 60,000 photos of ten classes.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import numpy as np

from graphc.datasets.cifar import Part, load
from graphc.datasets.fetch import Resource

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

FILE = Resource(
    "cifar-10-batches-py-target_archive",  # the name that Keras gives it in its cache
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    limit=256 << 20,
    packed=False,
)


def load_data() -> tuple[Part, Part]:
    """Loads CIFAR-10: from the local cache, else a download.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8: photos of shape (50000, 32, 32, 3) and (10000, 32, 32, 3), or
        with channels first where that is the default, and labels of shape (50000, 1) and (10000, 1), 0 to 9 as in
        `CLASSES`.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    names = [f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)]
    (x_train, y_train), (x_test, y_test) = load(FILE, names, ["cifar-10-batches-py/test_batch"], "labels")
    return (x_train, y_train.astype(np.uint8)), (x_test, y_test.astype(np.uint8))
