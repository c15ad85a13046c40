"""Small data sets to try models on, under the names and in the form that Keras gives them."""

from graphc.datasets import digits, fashion_mnist, mnist
from graphc.datasets.demo import Dataset, load_demo_data

__all__ = ["Dataset", "digits", "fashion_mnist", "load_demo_data", "mnist"]
