"""Tensors without elements become literals, and so do results that are computed from nothing else.

Sums over no elements are 0 and products 1, concatenations leave empty parts out, and a padded empty tensor is padding
alone, also under windows. A maximum of no elements is refused where a graph is built.
"""

from __future__ import annotations

from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref, TensorType


def is_empty(type: TensorType) -> bool:
    """Whether a tensor certainly has no elements."""
    return 0 in type.shape


def without_empty(graph: Graph) -> Graph:
    """The graph with literals in place of tensors without elements, and of what is formed of nothing else."""
    if not any(is_empty(type) for node in graph.table.values() for type in node.outs):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        with builder.located(node.loc):
            found = _known(builder, node, [builder.value(mapping[ref]) for ref in node.inputs])
        if found is None:
            copied = keep_node(builder, node, mapping)
            mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
        else:
            mapping[Ref(node.id)] = found.ref
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _known(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    """What a node is known to be, if it is empty or formed of something that is."""
    rule, type = primitive(node.op), node.outs[0]
    if len(node.outs) > 1 or (rule.kind is Kind.SOURCE and not rule.literal):
        return None
    if is_empty(type):
        return builder.full(0, type.shape, type.dtype)
    if rule.of_empty is None or not any(is_empty(operand.type) for operand in operands):
        return None
    return rule.of_empty(builder, node.attrs, operands, type)
