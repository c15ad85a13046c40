"""MNIST: 70,000 handwritten digits.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998. Yann LeCun and Corinna Cortes
hold the copyright; the licence is Creative Commons Attribution-Share Alike 3.0.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.datasets.common import Images, Split, checked, read_npz
from graphc.datasets.fetch import KERAS, Resource, fetch

CLASSES = tuple("0123456789")

FILE = Resource(
    "mnist.npz",
    f"{KERAS}mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    limit=16 << 20,
    packed=False,
)


def load_data(path: str = "mnist.npz") -> Split:
    """Loads MNIST: from the local cache, else a download.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8: images of shape (60000, 28, 28) and (10000, 28, 28) with
        pixels of 0 to 255, and labels of shape (60000,) and (10000,), 0 to 9.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.

    Example:

    ```python
    (x_train, y_train), (x_test, y_test) = graphc.datasets.mnist.load_data()
    assert x_train.shape == (60000, 28, 28)
    ```
    """
    return load(replace(FILE, name=path)).split


def load(file: Resource = FILE, *, download: bool = True) -> Images:
    """Loads the data, with a description of their source.

    Args:
        file: The `.npz` file.
        download: Whether downloads are allowed.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    fetched = fetch(file, group=".", download=download)
    x_train, y_train, x_test, y_test = read_npz(fetched.content, ("x_train", "y_train", "x_test", "y_test"), file.name)
    split = ((x_train, y_train), (x_test, y_test))
    return Images(checked(split, "MNIST", len(CLASSES)), fetched.source)
