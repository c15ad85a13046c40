"""What Keras keeps of the time before its third version."""

from graphc.legacy import saving

__all__ = ["saving"]
