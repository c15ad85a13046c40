"""Small data sets, with Keras's names and formats."""

from graphc.datasets import digits, fashion_mnist, mnist
from graphc.datasets.demo import Dataset, load_demo_data

__all__ = ["Dataset", "digits", "fashion_mnist", "load_demo_data", "mnist"]
