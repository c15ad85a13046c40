"""The data of `graphc demo`: Fashion-MNIST if available, else the embedded digits."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.datasets import digits, fashion_mnist
from graphc.datasets.common import Part
from graphc.errors import DataError, FileError


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set with the information that training needs.

    Args:
        name: Its name.
        source: A description of its source.
        train: Images and labels, uint8.
        test: Images and labels, uint8.
        classes: The names of the labels 0, 1, 2, ...
        peak: The maximum value of a pixel; images are scaled by 1 / peak.
    """

    name: str
    source: str
    train: Part
    test: Part
    classes: tuple[str, ...]
    peak: int


def load_demo_data(*, download: bool = True) -> Dataset:
    """Returns Fashion-MNIST from the local cache, Debian's package or a download, else the embedded digits.

    Args:
        download: Whether downloads are allowed.

    Returns:
        The data; `source` describes where they come from and, for the digits, the reason.

    Example:

    ```python
    data = load_demo_data()
    print(data.name, "from", data.source)
    ```
    """
    try:
        images = fashion_mnist.load(download=download)
    except (FileError, DataError) as error:
        own = digits.load()
        reason = f"{own.source}, since Fashion-MNIST is not to be had: {error.problem} ({error.got or error.expected})"
        return Dataset("handwritten digits 8x8", reason, *own.split, digits.CLASSES, digits.PEAK)
    return Dataset("Fashion-MNIST", images.source, *images.split, fashion_mnist.CLASSES, 255)
