"""Reads what computes the values of a graph, to find patterns in it."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref


class Matcher:
    """Reads what computes the values of a graph.

    Args:
        graph: The graph.
        opset: The version of the operators.
    """

    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph, self.opset = graph, opset
        self.outputs = set(graph.outputs)
        self._constant: dict[int, bool] = {}

    def node(self, ref: Ref) -> Node:
        """The node that computes a value."""
        return self.graph.node(ref.node)

    def operands(self, ref: Ref, op: str) -> tuple[Ref, ...] | None:
        """The operands of the operation that computes a value; None if it is another one."""
        node = self.node(ref)
        return node.inputs if node.op == op else None

    def either(self, ref: Ref, op: str) -> list[tuple[Ref, Ref]]:
        """The operands of a commutative operation in both orders; none if another one computes the value."""
        found = self.operands(ref, op)
        return [] if found is None else [(found[0], found[1]), (found[1], found[0])]

    def is_alone(self, ref: Ref) -> bool:
        """Whether a value is read once."""
        return len(self.graph.users.get(ref, ())) == 1 and ref not in self.outputs

    def under(self, ref: Ref) -> Ref:
        """The value that is broadcast to another; the value itself if none is."""
        found = self.operands(ref, "broadcast")
        return ref if found is None else found[0]

    def spread_along(self, ref: Ref, axes: Sequence[int]) -> Ref | None:
        """The value whose axes become the given ones of a value; None where they are others."""
        node = self.node(ref)
        if node.op == "broadcast" and node.attrs["axes"] == tuple(axes):
            return node.inputs[0]
        return ref if tuple(axes) == tuple(range(self.graph.type(ref).rank)) else None

    def number(self, ref: Ref) -> float | None:
        """The number that all elements of a value are; None if there is none."""
        node = self.node(self.under(ref))
        if node.op != "constant":
            return None
        array = node.attrs["value"].numpy()
        return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind == "f" else None

    def is_number(self, ref: Ref, wanted: float) -> bool:
        """Whether all elements of a value are a number, up to rounding."""
        found = self.number(ref)
        return found is not None and abs(found - wanted) <= 2e-7 * abs(wanted)

    def is_constant(self, ref: Ref) -> bool:
        """Whether a value depends on weights and constants alone."""
        if ref.node not in self._constant:
            node = self.node(ref)
            sources = node.op in ("state", "constant") or (bool(node.inputs) and node.op != "random_bits")
            self._constant[ref.node] = sources and all(map(self.is_constant, node.inputs))
        return self._constant[ref.node]
