"""The primitive operations; importing this package registers them all."""

from graphc.primitives import (
    contraction,
    control,
    convolution,
    cumulative,
    indexing,
    pointwise,
    random,
    reductions,
    sources,
    views,
    windows,
)

__all__ = [
    "contraction",
    "control",
    "convolution",
    "cumulative",
    "indexing",
    "pointwise",
    "random",
    "reductions",
    "sources",
    "views",
    "windows",
]
