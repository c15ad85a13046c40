"""What passes that replace single operations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.graph.builder import Builder, Value, build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref

Rewrite = Callable[[Builder, Node, list[Value]], Value | None]


def rewrite(graph: Graph, rules: Mapping[str, Rewrite]) -> Graph:
    """Replaces operations by what rules make of them.

    Args:
        graph: A graph.
        rules: By operation: gets the node and its operands in the new graph, and gives the value that takes its
            place, or None to keep the node.
    """
    if not any(node.op in rules for node in graph.table.values()):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        found = None
        if node.op in rules:
            with builder.located(node.loc):
                found = rules[node.op](builder, node, [builder.value(mapping[ref]) for ref in node.inputs])
        if found is not None:
            mapping[Ref(node.id)] = found.ref
            continue
        copied = copy_node(builder, node, mapping)
        mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)
