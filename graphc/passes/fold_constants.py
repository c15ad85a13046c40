"""Programs that keep their weights: states become constants, and what is computed from constants alone is computed now.

So the scales of a batch normalization and transposed weights are stored, and not computed in every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import dims
from graphc.errors import GraphcError
from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Array, Node, Ref, at_origin
from graphc.passes.rewrite import rewrite
from graphc.passes.simplify import FOLD_ELEMENTS

# Operations whose references compute nothing but their result.
_FOLDED = (Kind.POINTWISE, Kind.VIEW, Kind.REDUCE, Kind.CONTRACT, Kind.SCAN, Kind.SCATTER, Kind.LIBRARY)


def with_constants(graph: Graph, values: Mapping[str, np.ndarray[Any, Any]]) -> Graph:
    """The graph with constants in the place of states that it does not update.

    Args:
        graph: A graph.
        values: The value of each such state, by name.
    """

    def fixed(builder: Builder, node: Node, _: list[Value]) -> Value | None:
        name = node.attrs["name"]
        if node.id in graph.updates or name not in values:
            return None
        return builder.apply("constant", value=Array.of(values[name]))

    return rewrite(graph, {"state": fixed})


def fold_constants(graph: Graph) -> Graph:
    """Computes what depends on constants alone, where that takes no more memory.

    Views of constants that are also read as they are stay: they would be stored twice.
    """
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        value = _value(graph, node, [builder.node(mapping[ref]) for ref in node.inputs])
        if value is None:
            copied = keep_node(builder, node, mapping)
            mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
        else:
            with builder.located(node.loc):
                mapping[Ref(node.id)] = builder.apply("constant", value=Array.of(value)).ref
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _value(graph: Graph, node: Node, operands: list[Node]) -> np.ndarray[Any, Any] | None:
    """The result of a node; None where it is to be computed in each run."""
    rule = primitive(node.op)
    if rule.kind not in _FOLDED or len(node.outs) != 1 or not operands or rule.eval is None:
        return None
    if not all(primitive(operand.op).literal for operand in operands):
        return None
    elements = node.outs[0].elements
    held = sum(dims.evaluate(operand.outs[0].elements, {}) for operand in operands)
    if not isinstance(elements, int) or elements > max(held, FOLD_ELEMENTS):
        return None
    if rule.kind is Kind.VIEW and any(len(graph.users[ref]) > 1 for ref in node.inputs):
        return None
    arrays = [operand.attrs["value"].numpy() for operand in operands]
    try:
        with np.errstate(all="ignore"):
            return np.asarray(rule.eval(*arrays, **node.attrs), node.outs[0].dtype.numpy)
    except GraphcError as error:  # raised by a rule of the user's
        raise at_origin(error, node.loc) from error.__cause__
