"""Boston Housing: 506 districts with 13 features each, and the median price of houses in 1,000 dollars.

Source: D. Harrison, D. Rubinfeld, "Hedonic prices and the demand for clean air", 1978. One of the features encodes the
share of Black residents by what its authors assumed it does to prices: use it for comparisons with old work only.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.datasets.fetch import KERAS, Resource
from graphc.datasets.housing import Part, load

FILE = Resource(
    "boston_housing.npz",
    f"{KERAS}boston_housing.npz",
    "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    limit=1 << 20,
    packed=False,
)


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads Boston Housing: from the local cache, else a download.

    Args:
        path: The path of the file, relative to the folder of data sets in the cache.
        test_split: The part of the rows for testing.
        seed: Of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (rows, 13), and prices of shape (rows,).

    Raises:
        FileError: if it is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    return load(replace(FILE, name=path), test_split, seed)
