"""The names of `keras.preprocessing.sequence`."""

from graphc.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]
