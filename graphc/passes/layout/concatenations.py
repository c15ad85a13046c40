"""Concatenations of many parts as concatenations of concatenations, so that expressions stay shallow."""

from __future__ import annotations

from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Node
from graphc.passes.rewrite import rewrite

# Concatenations of more parts are split.
MOST_PARTS = 32


def split_concatenations(graph: Graph) -> Graph:
    """Concatenates subsequences of parts first where there are many."""
    return rewrite(graph, {"concatenate": _split})


def _split(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    parts, axis = operands, node.attrs["axis"]
    while len(parts) > MOST_PARTS:
        blocks = [parts[first : first + MOST_PARTS] for first in range(0, len(parts), MOST_PARTS)]
        parts = [builder.apply("concatenate", *block, axis=axis) for block in blocks]
    return None if parts is operands else builder.apply("concatenate", *parts, axis=axis)
