"""Tensors without elements become literals, and so do results whose operands have no elements.

Sums over no elements are 0 and products 1, concatenations leave empty parts out, and a padded empty tensor is only
padding, also under windows. The builder refuses a maximum of no elements.
"""

from __future__ import annotations

from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref, TensorType


def is_empty(type: TensorType) -> bool:
    """Whether a tensor has no elements, at any symbolic sizes."""
    return 0 in type.shape


def without_empty(graph: Graph) -> Graph:
    """The graph with literals for tensors without elements and for results of such operands."""
    if not any(is_empty(type) for node in graph.table.values() for type in node.outs):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        with builder.located(node.loc):
            known = _known(builder, node, [builder.value(mapping[ref]) for ref in node.inputs])
        if known is None:
            copied = keep_node(builder, node, mapping)
            mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
        else:
            mapping[Ref(node.id)] = known.ref
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _known(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    """The value of a node that has no elements, or an operand without elements; None where it is not known."""
    rule = primitive(node.op)
    if len(node.outs) != 1 or (rule.kind is Kind.SOURCE and not rule.literal):
        return None
    (type,) = node.outs
    if is_empty(type):
        return builder.full(0, type.shape, type.dtype)
    if rule.of_empty is None or not any(is_empty(operand.type) for operand in operands):
        return None
    return rule.of_empty(builder, node.attrs, operands, type)
