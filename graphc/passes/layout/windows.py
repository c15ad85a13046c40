"""Windows that do not overlap: each element lies under one window at most, so that gradients need no search."""

from __future__ import annotations

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Node
from graphc.passes.rewrite import rewrite


def spread_by_tiles(graph: Graph) -> Graph:
    """Rewrites `window_spread` of windows that do not overlap to views and a comparison."""
    return rewrite(graph, {"window_spread": _tiled})


def _tiled(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    attrs, sizes = node.attrs, node.outs[0].shape
    window, g = attrs["window"], operands[0]
    plain = all(low == high == 0 for low, high in attrs["padding"]) and all(d == 1 for d in attrs["dilation"])
    if not plain or attrs["strides"] != window or all(size == 1 for size in window):
        return None
    covered = tuple(count * size for count, size in zip(g.shape, window, strict=True))
    left = tuple(size - wide for size, wide in zip(sizes, covered, strict=True))
    if not all(dims.nonnegative(rest) for rest in left):
        return None
    split = tuple(dim for pair in zip(g.shape, window, strict=True) for dim in pair)
    outer = tuple(range(0, 2 * g.rank, 2))
    spread = builder.broadcast(g, split, outer)
    if len(operands) == 2:
        here = builder.broadcast(_numbers(builder, window), split, tuple(axis + 1 for axis in outer))
        chosen = builder.apply("eq", builder.broadcast(operands[1], split, outer), here)
        spread = builder.apply("select", chosen, spread, builder.full(0, split, g.dtype))
    tiled = builder.apply("reshape", spread, shape=covered)
    if all(rest == 0 for rest in left):
        return tiled
    zeros = (0,) * g.rank
    return builder.apply("pad", tiled, low=zeros, high=left, interior=zeros, value=0.0)


def _numbers(builder: Builder, window: tuple[Dim, ...]) -> Value:
    """The number of each element of a window."""
    count = builder.apply("iota", shape=(dims.product(window),), axis=0, dtype=dtypes.int32)
    return builder.apply("reshape", count, shape=window)
