"""Triangular masks: values whose elements on one side of a diagonal are one number, as under a causal mask.

Half of the terms of some products of attention are then zero, and half of the elements of others are masked: kernels
may leave these terms and elements out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from graphc.graph.core import Graph
from graphc.graph.registry import AxesOf, Kind, primitive
from graphc.graph.types import Node, Ref

# Masked scores are below this number: their exponentials, relative to the largest score, are zero.
VERY_NEGATIVE = -1e30


@dataclass(frozen=True, slots=True)
class Triangle:
    """Elements where `index[row] - index[column] + offset >= 0`, of a value or of a condition that holds there.

    Args:
        row: The axis along which their number grows.
        column: The axis along which it falls.
        offset: The distance of the diagonal from the first element.
        rest: The value of all other elements: a number, or False.
        is_exact: For a condition: whether it is true for all of these elements. For a value: whether all of these are
            products, so that none of them is as small as the number that masks the others.
    """

    row: int
    column: int
    offset: int
    rest: float = 0.0
    is_exact: bool = True

    def moved(self, places: Callable[[int], int | None]) -> Triangle | None:
        """The triangle with its axes renumbered; None where one of them is removed."""
        row, column = places(self.row), places(self.column)
        return None if row is None or column is None else replace(self, row=row, column=column)


def triangles(graph: Graph) -> dict[Ref, Triangle]:
    """The values of a graph whose elements on one side of a diagonal are one number.

    Args:
        graph: The graph.

    Returns:
        For each such value the triangle of its other elements. An element that counts as zero may be a product of zero
        and a number that is not finite, or the exponential of a score below the number that masks others.
    """
    search = _Search(graph)
    for node in graph.table.values():
        search.visit(node)
    return search.values


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[Ref, Triangle] = {}
        self.conditions: dict[Ref, Triangle] = {}
        self.ramps: dict[Ref, int] = {}  # values that are the index along an axis

    def visit(self, node: Node) -> None:
        """Derives the triangle of a node's result from those of its operands."""
        ref, rule = Ref(node.id), primitive(node.op)
        match node.op:
            case "iota":
                self.ramps[ref] = node.attrs["axis"]
            case "ge" | "le" | "gt" | "lt":
                self._compare(node)
            case "logical_and":
                for operand in node.inputs:
                    if operand in self.conditions:
                        self.conditions[ref] = replace(self.conditions[operand], is_exact=False)
            case "select":
                self._select(node)
            case "sub":
                self._less_largest(node)
            case "exp":
                self._exponential(node)
            case _ if rule.view.axes is not None:
                self._move(node, rule.view.axes)
            case _ if rule.keeps_zero:
                self._keep_zero(node, rule.keeps_zero)

    def _exponential(self, node: Node) -> None:
        known = self.values.get(node.inputs[0])
        if known is not None:
            rest = math.exp(known.rest) if known.rest < 700 else math.inf
            self.values[Ref(node.id)] = replace(known, rest=rest)

    def _keep_zero(self, node: Node, operands: tuple[int, ...]) -> None:
        zeros = [i for i, ref in enumerate(node.inputs) if ref in self.values and self.values[ref].rest == 0]
        # A quotient is zero where its dividend is, and its divisor is not.
        if zeros and all(i in operands for i in zeros):
            self.values[Ref(node.id)] = replace(self.values[node.inputs[zeros[0]]], is_exact=False)

    def _move(self, node: Node, axes_of: AxesOf) -> None:
        operand, ref = node.inputs[0], Ref(node.id)
        places = axes_of(self.graph.type(operand), node.attrs).__getitem__
        for known in (self.values, self.conditions):
            if operand in known and (moved := known[operand].moved(places)) is not None:
                known[ref] = moved
        if operand in self.ramps and (axis := places(self.ramps[operand])) is not None:
            self.ramps[ref] = axis

    def _compare(self, node: Node) -> None:
        left, right = (self.ramps.get(operand) for operand in node.inputs)
        if left is None or right is None or left == right:
            return
        if node.op in ("le", "lt"):
            left, right = right, left
        self.conditions[Ref(node.id)] = Triangle(left, right, -int(node.op in ("gt", "lt")))

    def _select(self, node: Node) -> None:
        condition, then, other = node.inputs
        known, rest, masked = self.conditions.get(condition), self._number(other), self.values.get(then)
        if rest is None:
            return
        if known is not None:
            exact = known.is_exact and self._is_product(self.graph.node(then.node))
            self.values[Ref(node.id)] = replace(known, rest=rest, is_exact=exact)
        elif masked is not None and masked.rest == rest:
            self.values[Ref(node.id)] = replace(masked, is_exact=False)

    def _is_product(self, node: Node) -> bool:
        """Whether a value is a product of matrices, times any factors."""
        rule = primitive(node.op)
        if rule.view.axes is not None or node.op in ("cast", "mul", "div"):
            return any(self._is_product(self.graph.node(operand.node)) for operand in set(node.inputs))
        return rule.kind is Kind.CONTRACT

    def _number(self, ref: Ref) -> float | None:
        """The number that all elements of a value are; None where it is not known."""
        node = self._behind_views(ref)
        if not primitive(node.op).literal or node.outs[0].elements != 1:
            return None
        return float(node.attrs["value"].numpy().reshape(-1)[0])

    def _behind_views(self, ref: Ref) -> Node:
        """The node behind views that keep neighbouring elements together."""
        node = self.graph.node(ref.node)
        while (view := primitive(node.op).view).affine and view.ordered and view.whole:
            node = self.graph.node(node.inputs[0].node)
        return node

    def _less_largest(self, node: Node) -> None:
        """Derives the triangle of a value less its maxima along an axis, each over some element that is not masked."""
        x, largest = node.inputs
        known, top = self.values.get(x), self._behind_views(largest)
        if known is None or not known.is_exact or known.rest > VERY_NEGATIVE or top.op != "max" or top.inputs[0] != x:
            return
        shape, axes = self.graph.type(x).shape, top.attrs["axes"]
        if axes == (known.column,):
            some = known.offset >= 0
        elif axes == (known.row,):
            rows, columns = shape[known.row], shape[known.column]
            some = isinstance(rows, int) and isinstance(columns, int) and rows - columns + known.offset >= 0
        else:
            some = False
        if some:
            self.values[Ref(node.id)] = replace(known, rest=-math.inf)
