"""The driver of passes that replace single operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import Attrs, Node, Ref

Rewrite = Callable[[Builder, Node, list[Value]], Value | None]
RewriteMany = Callable[[Builder, Node, list[Value]], Sequence[Value] | None]


def rewrite(graph: Graph, rules: Mapping[str, Rewrite]) -> Graph:
    """Replaces operations of one result by what rules make of them.

    Args:
        graph: A graph.
        rules: By operation: gets the node and its operands in the new graph, and gives the value that takes its
            place, or None to keep the node.
    """

    def many(rule: Rewrite) -> RewriteMany:
        def rewritten(builder: Builder, node: Node, operands: list[Value]) -> Sequence[Value] | None:
            found = rule(builder, node, operands)
            return None if found is None else (found,)

        return rewritten

    return rewrite_many(graph, {op: many(rule) for op, rule in rules.items()})


def rewrite_many(graph: Graph, rules: Mapping[str, RewriteMany]) -> Graph:
    """Replaces operations by what rules make of them, all results of each."""
    if not any(node.op in rules for node in graph.table.values()):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        found: Sequence[Value] | None = None
        if node.op in rules:
            with builder.located(node.loc):
                found = rules[node.op](builder, node, [builder.value(mapping[ref]) for ref in node.inputs])
        if found is None:
            copied = keep_node(builder, node, mapping)
            found = [builder.value(Ref(copied.id, out)) for out in range(len(node.outs))]
        mapping |= {Ref(node.id, out): value.ref for out, value in enumerate(found)}
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def has_regions(graph: Graph) -> bool:
    """Whether an operation of a graph runs graphs of its own."""
    return any(primitive(op).regions for op in graph.ops)


def rewrite_regions(node: Node, pass_: Callable[[Graph], Graph]) -> Attrs:
    """The attributes of a node, with a pass applied to the graphs that it runs."""
    regions = primitive(node.op).regions

    def rewritten(attr: Any) -> Any:
        return tuple(map(pass_, attr)) if isinstance(attr, tuple) else pass_(attr)

    return Attrs({name: rewritten(attr) if name in regions else attr for name, attr in node.attrs.items()})
