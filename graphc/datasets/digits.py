"""1,797 handwritten digits of 8x8 pixels, embedded in graphc; `data/README.md` has their origin and license."""

from __future__ import annotations

from pathlib import Path

from graphc.datasets.common import Images, Split, checked, read_npz
from graphc.errors import DataError, FileError

CLASSES = tuple("0123456789")
PEAK = 16

_FILE = Path(__file__).parent / "data" / "digits.npz"
# The images are sorted by their 13 writers, so that most test images are by writers who are not in the training data.
_TRAIN = 1437


def load_data() -> Split:
    """Loads the digits: the first 1,437 for training, the last 360, of other writers, for testing.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8: images of shape (1437, 8, 8) and (360, 8, 8) with pixels of
        0 to 16 (not 255), and labels of shape (1437,) and (360,), 0 to 9.

    Raises:
        FileError: if the installation of graphc is damaged.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, x_test.shape, int(x_train.max())
    ((1437, 8, 8), (360, 8, 8), 16)
    """
    return load().split


def load() -> Images:
    """Loads the data, with a description of their source.

    Raises:
        FileError: if the installation of graphc is damaged.
    """
    try:
        images, labels = read_npz(_FILE.read_bytes(), ("images", "labels"), _FILE.name)
    except (OSError, DataError) as error:
        raise FileError(f"{_FILE.name} is missing or damaged", where=str(_FILE), hint="install graphc again") from error
    split = ((images[:_TRAIN], labels[:_TRAIN]), (images[_TRAIN:], labels[_TRAIN:]))
    return Images(checked(split, "the digits", len(CLASSES)), "embedded in graphc")
