"""What is not stored, but computed by everyone who reads it: views, counting, comparisons."""

from __future__ import annotations

from graphc import dims
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref
from graphc.passes.analysis.access import ReadRecorder
from graphc.primitives.views import ravel

ALONE = (Kind.SCAN, Kind.SCATTER, Kind.REGION, Kind.LIBRARY)
# As many operations as one expression may hold: lowering and printing go down from each to those inside it.
MOST_PULLED = 64


def pulled_nodes(graph: Graph) -> set[int]:
    """The nodes that every reader computes for itself, as it needs them.

    Views, literals, and arithmetic on indices are; but what contractions, loops and the caller read is stored.
    Comparisons of stored values are pulled, too: to compute them again reads what their reader mostly reads anyway.
    """
    free: set[int] = set()
    for node in graph.table.values():
        rule = primitive(node.op)
        kind, literal = rule.kind, rule.literal and node.outs[0].elements == 1
        if literal or kind is Kind.VIEW or (kind is Kind.POINTWISE and _counts(graph, node, free)):
            free.add(node.id)
    roots = {ref.node for ref in graph.roots}
    stored = set(roots)
    for node in graph.table.values():
        kind = primitive(node.op).kind
        if kind in (Kind.CONTRACT, *ALONE):
            stored |= {ref.node for ref in node.inputs if not _plain(graph, ref, free, node)}
        elif kind is Kind.SOURCE and node.id not in free:
            stored.add(node.id)
    free -= stored
    _keep_shallow(graph, free, stored)
    for node in graph.table.values():
        compares = primitive(node.op).kind is Kind.POINTWISE and node.outs[0].dtype.is_bool
        if compares and node.id not in stored and all(ref.node in free | stored for ref in node.inputs):
            free.add(node.id)
    return free


def _keep_shallow(graph: Graph, free: set[int], stored: set[int]) -> None:
    """Stores operands of what would be pulled together with too many others."""
    pulled: dict[int, int] = {}
    for node in graph.table.values():
        behind = {ref.node for ref in node.inputs if ref.node in free}
        total = 1 + sum(pulled[id] for id in behind)
        if total > MOST_PULLED:
            heavy = {id for id in behind if graph.node(id).inputs}
            free -= heavy
            stored |= heavy
            total = 1
        pulled[node.id] = total


def _counts(graph: Graph, node: Node, free: set[int]) -> bool:
    """Whether integers, or a scalar, come from counting, sizes and scalars only, so that readers can do it again."""
    if not node.outs[0].dtype.is_integer:
        return node.outs[0].elements == 1 and all(ref.node in free for ref in node.inputs)
    return all(
        ref.node in free or (primitive(graph.node(ref.node).op).kind is Kind.SOURCE and graph.type(ref).rank == 0)
        for ref in node.inputs
    ) and not all(primitive(graph.node(ref.node).op).literal for ref in node.inputs)


def _plain(graph: Graph, ref: Ref, free: set[int], reader: Node) -> bool:
    """Whether an operand can be read in place: through views that only rename places, at affine positions."""
    node = graph.node(ref.node)
    rule = primitive(reader.op)
    if node.id not in free or rule.kind in ALONE:
        return False
    chain = node
    while chain.id in free and chain.inputs:
        view = primitive(chain.op).view
        # The axes of a filter and of a window join to few if they lie in order, and a filter is soon stored in order.
        if not view.affine or not (view.ordered or rule.any_order):
            return False
        chain = graph.node(chain.inputs[0].node)
    if chain.id in free:
        return False
    recorder = ReadRecorder(graph, free)
    recorder.follow(ref, tuple(dims.axis(f"p{i}", e) for i, e in enumerate(node.outs[0].shape)))
    return all(
        atom.kind not in ("div", "mod")
        for source, index in recorder.found
        for atom in dims.atoms(ravel(index, graph.type(source).shape))
    )
