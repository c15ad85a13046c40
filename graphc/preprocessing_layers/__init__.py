"""Layers that prepare data: images, categories, texts. They are names of `graphc.layers`, too."""

from graphc.preprocessing_layers.categories import CategoryEncoding, Discretization
from graphc.preprocessing_layers.hashing import Hashing
from graphc.preprocessing_layers.images import CenterCrop, Resizing
from graphc.preprocessing_layers.normalization import Normalization
from graphc.preprocessing_layers.text import TextVectorization
from graphc.preprocessing_layers.vocabulary import IntegerLookup, StringLookup

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "Hashing",
    "IntegerLookup",
    "Normalization",
    "Resizing",
    "StringLookup",
    "TextVectorization",
]
