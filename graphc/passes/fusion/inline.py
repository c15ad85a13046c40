"""Inlining: views, index arithmetic and comparisons are not stored, but computed by each of their readers."""

from __future__ import annotations

from graphc import dims
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref
from graphc.passes.analysis.access import ReadRecorder
from graphc.primitives.views import ravel

# Operations of these kinds share no kernel with others.
UNFUSED = (Kind.SCAN, Kind.SCATTER, Kind.REGION, Kind.LIBRARY)
# The most operations in one expression: lowering and printing recurse into operands.
MOST_INLINED = 64


def inlined_nodes(graph: Graph) -> set[int]:
    """The nodes that are inlined into each of their readers.

    Views, literals and arithmetic on indices are inlined. Operands of contractions and of loops, and results of the
    graph, are stored. Comparisons of stored values are inlined, too: their readers mostly read the operands anyway.
    """
    inlined: set[int] = set()
    for node in graph.table.values():
        rule = primitive(node.op)
        kind, literal = rule.kind, rule.literal and node.outs[0].elements == 1
        if literal or kind is Kind.VIEW or (kind is Kind.POINTWISE and _is_index_arithmetic(graph, node, inlined)):
            inlined.add(node.id)
    roots = {ref.node for ref in graph.roots}
    stored = set(roots)
    for node in graph.table.values():
        kind = primitive(node.op).kind
        if kind in (Kind.CONTRACT, *UNFUSED):
            stored |= {ref.node for ref in node.inputs if not _is_read_in_place(graph, ref, inlined, node)}
        elif kind is Kind.SOURCE and node.id not in inlined:
            stored.add(node.id)
    inlined -= stored
    _limit_size(graph, inlined, stored)
    for node in graph.table.values():
        compares = primitive(node.op).kind is Kind.POINTWISE and node.outs[0].dtype.is_bool
        if compares and node.id not in stored and all(ref.node in inlined | stored for ref in node.inputs):
            inlined.add(node.id)
    return inlined


def _limit_size(graph: Graph, inlined: set[int], stored: set[int]) -> None:
    """Stores operands of nodes that would otherwise be inlined together with too many others."""
    sizes: dict[int, int] = {}
    for node in graph.table.values():
        inputs = {ref.node for ref in node.inputs if ref.node in inlined}
        total = 1 + sum(sizes[id] for id in inputs)
        if total > MOST_INLINED:
            heavy = {id for id in inputs if graph.node(id).inputs}
            inlined -= heavy
            stored |= heavy
            total = 1
        sizes[node.id] = total


def _is_index_arithmetic(graph: Graph, node: Node, inlined: set[int]) -> bool:
    """Whether a node is index arithmetic: integers, or a scalar, computed from iotas, sizes and scalars alone."""
    if not node.outs[0].dtype.is_integer:
        return node.outs[0].elements == 1 and all(ref.node in inlined for ref in node.inputs)
    return all(
        ref.node in inlined or (primitive(graph.node(ref.node).op).kind is Kind.SOURCE and graph.type(ref).rank == 0)
        for ref in node.inputs
    ) and not all(primitive(graph.node(ref.node).op).literal for ref in node.inputs)


def _is_read_in_place(graph: Graph, ref: Ref, inlined: set[int], reader: Node) -> bool:
    """Whether an operand can be read in place: through views that are affine, at affine positions."""
    node = graph.node(ref.node)
    rule = primitive(reader.op)
    if node.id not in inlined or rule.kind in UNFUSED:
        return False
    chain = node
    while chain.id in inlined and chain.inputs:
        view = primitive(chain.op).view
        # Axes of filters and windows merge to few if they are in order, and a filter is cheap to store in order.
        if not view.affine or not (view.ordered or rule.any_order):
            return False
        chain = graph.node(chain.inputs[0].node)
    if chain.id in inlined:
        return False
    recorder = ReadRecorder(graph, inlined)
    recorder.follow(ref, tuple(dims.axis(f"p{i}", e) for i, e in enumerate(node.outs[0].shape)))
    return all(
        atom.kind not in ("div", "mod")
        for source, index in recorder.reads
        for atom in dims.atoms(ravel(index, graph.type(source).shape))
    )
