"""Small data sets, with Keras's names and formats."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.datasets import (
        boston_housing,
        california_housing,
        cifar10,
        cifar100,
        digits,
        fashion_mnist,
        imdb,
        mnist,
        reuters,
    )
    from graphc.datasets.demo import Dataset, load_demo_data

_SUBMODULES = (
    *("boston_housing", "california_housing", "cifar10", "cifar100", "digits", "fashion_mnist", "imdb", "mnist"),
    "reuters",
)
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(
        __name__, _SUBMODULES, dict.fromkeys(("Dataset", "load_demo_data"), "graphc.datasets.demo")
    )

__all__ = [
    "Dataset",
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "load_demo_data",
    "mnist",
    "reuters",
]
