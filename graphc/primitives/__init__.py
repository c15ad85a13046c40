"""The primitive operations; importing this package registers them all."""

from graphc.primitives import contraction, indexing, pointwise, random, reductions, sources, views

__all__ = ["contraction", "indexing", "pointwise", "random", "reductions", "sources", "views"]
