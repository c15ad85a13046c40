"""Large reductions in two steps, so that threads have enough independent work."""

from __future__ import annotations

from graphc import dims
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import Node
from graphc.passes.rewrite import rewrite

# A reduction with more results than these has enough independent work.
FEW_ELEMENTS = 4096
# The inner step combines at least this many elements into one.
LEAST_INNER = 16


def split_reductions(graph: Graph) -> Graph:
    """Reduces over all axes but the first, then over the first, where the result has few elements.

    The order in which elements are combined does not depend on the number of threads.
    """
    return rewrite(graph, {op: _split for op in graph.ops if primitive(op).splits})


def _split(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    (x,), axes = operands, sorted(node.attrs["axes"])
    if len(axes) < 2 or (x.dtype.is_float and x.dtype.bits < 32):
        return None
    inner = dims.product(x.shape[axis] for axis in axes[1:])
    left = dims.product(node.outs[0].shape)
    few = isinstance(left, int) and left <= FEW_ELEMENTS
    if not few or (isinstance(inner, int) and inner < LEAST_INNER):
        return None
    partial = builder.apply(node.op, x, axes=tuple(axes[1:]))
    return builder.apply(node.op, partial, axes=(axes[0],))
