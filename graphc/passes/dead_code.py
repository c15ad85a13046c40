"""Dead code elimination."""

from __future__ import annotations

from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref


def eliminate_dead(graph: Graph) -> Graph:
    """Removes nodes on which no result depends; inputs stay, so that the caller's arguments stay the same."""
    live = graph.ancestors(graph.roots) | {node.id for node in graph.of_op("input")} | set(graph.updates)
    if len(live) == len(graph.table):
        return graph
    ids = {id: place for place, id in enumerate(sorted(live))}

    def moved(ref: Ref) -> Ref:
        return Ref(ids[ref.node], ref.out)

    nodes = [
        Node(ids[node.id], node.op, node.attrs, tuple(map(moved, node.inputs)), node.outs, node.loc)
        for node in graph.table.values()
        if node.id in ids
    ]
    updates = {ids[id]: moved(ref) for id, ref in graph.updates.items()}
    return Graph(nodes, map(moved, graph.outputs), updates, graph.symbols)
