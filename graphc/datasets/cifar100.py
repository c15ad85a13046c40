"""CIFAR-100: 60,000 photos of a hundred classes, which belong to twenty kinds.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from graphc.datasets.cifar import Part, load
from graphc.datasets.fetch import Resource
from graphc.utils.arguments import argument_error

FILE = Resource(
    "cifar-100-python-target_archive",  # the name that Keras gives it in its cache
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    limit=256 << 20,
    packed=False,
)


def load_data(label_mode: str = "fine") -> tuple[Part, Part]:
    """Loads CIFAR-100: from the local cache, else a download.

    Args:
        label_mode: `"fine"`: the hundred classes; `"coarse"`: the twenty kinds.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: photos of shape (50000, 32, 32, 3) and (10000, 32, 32, 3), uint8,
        or with channels first where that is the default, and labels of shape (50000, 1) and (10000, 1).

    Raises:
        ArgumentError: if there are no such labels.
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    if label_mode not in ("fine", "coarse"):
        raise argument_error("label_mode", label_mode, "'fine' or 'coarse'")
    return load(FILE, ["cifar-100-python/train"], ["cifar-100-python/test"], f"{label_mode}_labels")
