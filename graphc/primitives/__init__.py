"""The primitive operations; importing this package registers them all."""

from graphc.primitives import (
    boundary,
    conditional,
    contraction,
    control,
    convolution,
    cumulative,
    indexing,
    linalg,
    parts,
    pointwise,
    random,
    reductions,
    sorting,
    sources,
    views,
    windows,
)

__all__ = [
    "boundary",
    "conditional",
    "contraction",
    "control",
    "convolution",
    "cumulative",
    "indexing",
    "linalg",
    "parts",
    "pointwise",
    "random",
    "reductions",
    "sorting",
    "sources",
    "views",
    "windows",
]
