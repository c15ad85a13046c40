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
    """Replaces operations with one result by the values that rules return.

    Args:
        graph: A graph.
        rules: By operation: a function of the node and its operands in the new graph that returns the value that
            replaces it, or None to keep the node.
    """

    def many(rule: Rewrite) -> RewriteMany:
        def rewritten(builder: Builder, node: Node, operands: list[Value]) -> Sequence[Value] | None:
            value = rule(builder, node, operands)
            return None if value is None else (value,)

        return rewritten

    return rewrite_many(graph, {op: many(rule) for op, rule in rules.items()})


def rewrite_many(graph: Graph, rules: Mapping[str, RewriteMany]) -> Graph:
    """Replaces all results of operations by the values that rules return."""
    if not any(node.op in rules for node in graph.table.values()):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        values: Sequence[Value] | None = None
        if node.op in rules:
            with builder.located(node.loc):
                values = rules[node.op](builder, node, [builder.value(mapping[ref]) for ref in node.inputs])
        if values is None:
            copied = keep_node(builder, node, mapping)
            values = [builder.value(Ref(copied.id, out)) for out in range(len(node.outs))]
        mapping |= {Ref(node.id, out): value.ref for out, value in enumerate(values)}
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def has_regions(graph: Graph) -> bool:
    """Whether an operation of a graph has regions."""
    return any(primitive(op).regions for op in graph.ops)


def rewrite_regions(node: Node, pass_: Callable[[Graph], Graph]) -> Attrs:
    """The attributes of a node, with a pass applied to its regions."""
    regions = primitive(node.op).regions

    def rewritten(attr: Any) -> Any:
        return tuple(map(pass_, attr)) if isinstance(attr, tuple) else pass_(attr)

    return Attrs({name: rewritten(attr) if name in regions else attr for name, attr in node.attrs.items()})
