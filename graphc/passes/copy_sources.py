"""Copies of sources that are results, so that every result is computed by a node with a kernel."""

from __future__ import annotations

from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Attrs, Node, Ref


def copy_sources(graph: Graph) -> Graph:
    """Inserts a copy before each result that is a source itself."""
    is_source = {ref: primitive(graph.node(ref.node).op).kind is Kind.SOURCE for ref in graph.roots}
    sources = [ref for ref, is_one in is_source.items() if is_one]
    if not sources:
        return graph
    first = max(graph.table) + 1
    copies = [Node(first + i, "copy", Attrs({}), (ref,), (graph.type(ref),)) for i, ref in enumerate(sources)]
    computed = {ref: ref for ref in graph.roots} | {node.inputs[0]: Ref(node.id) for node in copies}
    updates = {id: computed[ref] for id, ref in graph.updates.items()}
    return Graph([*graph.table.values(), *copies], [computed[ref] for ref in graph.outputs], updates, graph.symbols)
