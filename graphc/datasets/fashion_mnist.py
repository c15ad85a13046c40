"""Fashion-MNIST: 70,000 pictures of clothes in ten classes.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv:1708.07747. The copyright is held by Zalando SE; the licence is MIT.
"""

from __future__ import annotations

from pathlib import Path

from graphc.datasets import idx
from graphc.datasets.common import Images, Split, checked
from graphc.datasets.fetch import Resource, fetch
from graphc.errors import FileError

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
# Debian's package dataset-fashion-mnist. Its files are recompressed; with the file name and time that the authors' own
# had in their gzip headers they have the MD5 sums that the authors publish, so the content is the same.
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def _file(name: str, digest: str, size: int) -> Resource:
    return Resource(name, _ORIGIN + name, digest, size, packed=True)


FILES = (
    _file("train-images-idx3-ubyte.gz", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 47_040_016),
    _file("train-labels-idx1-ubyte.gz", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 60_008),
    _file("t10k-images-idx3-ubyte.gz", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 7_840_016),
    _file("t10k-labels-idx1-ubyte.gz", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 10_008),
)


def load_data() -> Split:
    """Loads Fashion-MNIST: from the local cache, else Debian's package dataset-fashion-mnist, else a download.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8: images of shape (60000, 28, 28) and (10000, 28, 28) with
        pixels of 0 to 255, and labels of shape (60000,) and (10000,), 0 to 9 as in `CLASSES`.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.

    Example:

    ```python
    (x_train, y_train), (x_test, y_test) = graphc.datasets.fashion_mnist.load_data()
    assert x_train.shape == (60000, 28, 28)
    ```
    """
    return load().split


def load(files: tuple[Resource, ...] = FILES, *, installed: Path = _DEBIAN, download: bool = True) -> Images:
    """Loads the data, with a description of their source.

    Args:
        files: Training images, training labels, test images and test labels.
        installed: The folder of Debian's package.
        download: Whether downloads are allowed.

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    try:
        sources = [fetch(file, group="fashion-mnist", installed=installed, download=download) for file in files]
    except FileError as error:
        error.hint = f"{error.hint}; Debian, Ubuntu: `apt install dataset-fashion-mnist`"
        raise
    arrays = [idx.parse(one.content, file.name) for one, file in zip(sources, files, strict=True)]
    split = ((arrays[0], arrays[1]), (arrays[2], arrays[3]))
    return Images(checked(split, "Fashion-MNIST", len(CLASSES)), "; ".join(dict.fromkeys(f.source for f in sources)))
