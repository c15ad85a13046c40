"""California Housing: 20,640 districts with 8 features each, and the median price of houses in dollars.

Source: R. Pace, R. Barry, "Sparse Spatial Autoregressions", 1997, of the census of 1990.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.datasets.fetch import KERAS, Resource
from graphc.datasets.housing import Part, load
from graphc.utils.arguments import argument_error

FILE = Resource(
    "california_housing.npz",
    f"{KERAS}california_housing.npz",
    "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    limit=8 << 20,
    packed=False,
)


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Part, Part]:
    """Loads California Housing: from the local cache, else a download.

    Args:
        version: `"large"`: all rows; `"small"`: the first 600.
        path: The path of the file, relative to the folder of data sets in the cache.
        test_split: The part of the rows for testing.
        seed: Of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (rows, 8), and prices of shape (rows,).

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    if version not in ("large", "small"):
        raise argument_error("version", version, "'large' or 'small'")
    return load(replace(FILE, name=path), test_split, seed, 600 if version == "small" else None)
