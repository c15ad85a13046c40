"""Tensors without elements: nobody computes them, and what is formed of them is known.

Sums over nothing are 0 and products 1, concatenations leave such parts out, and what is padded is padding alone, also
under windows. Largest elements of nothing are refused where a graph is built.
"""

from __future__ import annotations

from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref, TensorType
from graphc.primitives.windows import identity

_ONES = frozenset(("prod", "all"))


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
    kind, type = primitive(node.op).kind, node.outs[0]
    if node.op in ("input", "state") or len(node.outs) > 1:
        return None
    if is_empty(type):
        return builder.full(0, type.shape, type.dtype)
    if not any(is_empty(operand.type) for operand in operands):
        return None
    if node.op == "concatenate":
        return builder.apply("concatenate", *(x for x in operands if not is_empty(x.type)), axis=node.attrs["axis"])
    if node.op == "pad":
        return builder.full(node.attrs["value"], type.shape, type.dtype)
    if node.op == "window_reduce":
        return builder.full(identity(node.attrs["combine"], type.dtype), type.shape, type.dtype)
    if kind in (Kind.REDUCE, Kind.CONTRACT, Kind.SCATTER):
        return builder.full(int(node.op in _ONES), type.shape, type.dtype)
    return None
