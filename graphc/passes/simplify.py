"""Algebraic simplification: identities, chains of views, constant folding, and computing before broadcasting.

One pass over the nodes rebuilds the graph through a hash-consing builder, which also eliminates common subexpressions.
Rules keep values, NaN and infinities included; sums may be formed in another order.
"""

from __future__ import annotations

import numpy as np

from graphc import dims
from graphc.errors import GraphcError
from graphc.graph.builder import Builder, Value, build_like
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Array, Attrs, Node, Ref, at_origin

# Constants of up to this many elements are computed at compile time.
FOLD_ELEMENTS = 1024

Operands = tuple[Value, ...]


def simplify(graph: Graph) -> Graph:
    """Rewrites a graph by the rules of its operations, and by those of this module.

    Returns:
        A graph that computes the same results.
    """
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        inputs = tuple([mapping[ref] for ref in node.inputs])
        builder.loc = node.loc
        refs = _emit(builder, node, inputs)
        for out, ref in enumerate(refs):
            mapping[Ref(node.id, out)] = ref
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _emit(builder: Builder, node: Node, inputs: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """Adds the simplified form of a node whose inputs are equal to those in the old graph."""
    op, attrs = node.op, node.attrs
    rule = primitive(op)
    produced = {builder.nodes[ref.node].op for ref in inputs}
    simplified: Value | tuple[Value, ...] | None = None
    of_constants = bool(produced) and all(primitive(producer).literal for producer in produced)
    if rule.simplify is not None or of_constants or produced == {"broadcast"}:
        operands = tuple([Value(builder, ref) for ref in inputs])
        if of_constants:
            simplified = _folded(builder, op, attrs, operands)
        if simplified is None and rule.simplify is not None:
            simplified = rule.simplify(builder, attrs, operands)
        if simplified is None and rule.kind is Kind.POINTWISE:
            simplified = _computed_before_broadcast(op, attrs, operands)
    if isinstance(simplified, tuple):
        return tuple([value.ref for value in simplified])
    if simplified is not None:
        return (simplified.ref,)
    added = builder.add(op, inputs, attrs, node.outs)
    return tuple([Ref(added.id, out) for out in range(len(added.outs))])


# ---- constants


def _folded(builder: Builder, op: str, attrs: Attrs, operands: Operands) -> Value | None:
    """The value of an operation whose operands are constants; None where it is not folded."""
    rule = primitive(op)
    types = rule.infer(*(operand.type for operand in operands), **attrs)
    if isinstance(types, tuple) or any(isinstance(dim, dims.IntExpr) for dim in types.shape):
        return None
    repeats = rule.view.affine and not rule.view.once  # unfolded, it takes no memory
    if types.elements > (1 if repeats else FOLD_ELEMENTS):
        return None
    arrays = [builder.node(operand.ref).attrs["value"].numpy() for operand in operands]
    try:
        result = np.asarray(rule.eval(*arrays, **attrs))
    except GraphcError as error:  # raised by a rule of the user's
        raise at_origin(error, builder.loc) from error.__cause__
    return builder.apply("constant", value=Array.of(result))


# ---- computing before broadcasting


def _computed_before_broadcast(op: str, attrs: Attrs, operands: Operands) -> Value | None:
    """`f(broadcast(x), broadcast(y)) = broadcast(f(x, y))` where both are broadcast alike, or literals."""
    if not operands or not operands[0].shape:
        return None
    builder = operands[0].builder
    nodes = [builder.node(operand.ref) for operand in operands]
    if any(node.op != "broadcast" for node in nodes):
        return None
    widest = max(nodes, key=lambda node: len(node.attrs["axes"]))
    inner: list[Value] = []
    for node in nodes:
        source = builder.value(node.inputs[0])
        if node.attrs["axes"] == widest.attrs["axes"]:
            inner.append(source)
        elif source.shape == ():
            inner.append(builder.broadcast(source, builder.type(widest.inputs[0]).shape, ()))
        else:
            return None
    small = builder.apply(op, *inner, **attrs)
    return builder.apply("broadcast", small, **widest.attrs)
