"""Factoring and reassociation: factors that are available early are multiplied first.

Reverse mode multiplies a cotangent by one local derivative after the other, and adds up the products of different
paths: `g * a * b + g * c`. All factors but `g` are computed in the forward pass. As `g * (a * b + c)`, with
the bracket computed in the forward pass, too, one value instead of three is stored until the cotangent is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from graphc.graph.builder import Builder, Value, build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref

_HEAVY = (Kind.CONTRACT, Kind.REDUCE, Kind.SCAN, Kind.SCATTER, Kind.REGION, Kind.LIBRARY)


def factor(graph: Graph) -> Graph:
    """Multiplies the factors that are available early first, and factors the latest one out of sums.

    A value is later the more contractions, reductions and loops are on the longest path to it.
    """
    if not any(_is_product(node) for node in graph.table.values()):
        return graph
    return _Factoring(graph).run()


def _is_product(node: Node) -> bool:
    return node.op == "mul" and node.outs[0].dtype.is_inexact


class _Factoring:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder: Builder = build_like(graph)
        self.depth = _depths(graph)
        self.uses = Counter(ref for node in graph.table.values() for ref in node.inputs)
        self.uses.update(graph.roots)
        self.mapping: dict[Ref, Ref] = {}

    def run(self) -> Graph:
        for node in self.graph.table.values():
            with self.builder.located(node.loc):
                value = self._product(node) if _is_product(node) else self._sum(node) if node.op == "add" else None
            if value is not None:
                self.mapping[Ref(node.id)] = value.ref
                continue
            copied = keep_node(self.builder, node, self.mapping)
            self.mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
        self.builder.updates = {self.mapping[Ref(id)].node: self.mapping[ref] for id, ref in self.graph.updates.items()}
        return self.builder.finish(self.mapping[ref] for ref in self.graph.outputs)

    def _factors(self, ref: Ref) -> Iterator[Ref]:
        """The factors of a product, through partial products that no other node reads."""
        for operand in self.graph.node(ref.node).inputs:
            if _is_product(self.graph.node(operand.node)) and self.uses[operand] == 1:
                yield from self._factors(operand)
            else:
                yield operand

    def _split(self, ref: Ref) -> tuple[Ref, list[Ref]] | None:
        """The latest factor of a product, and the others; None where several are equally late."""
        factors = list(self._factors(ref))
        latest = max(factors, key=lambda factor: self.depth[factor.node])
        others = [factor for factor in factors if factor != latest]
        single = len(others) == len(factors) - 1
        return (latest, others) if single and self._before(others, latest) else None

    def _before(self, refs: list[Ref], latest: Ref) -> bool:
        return all(self.depth[ref.node] < self.depth[latest.node] for ref in refs)

    def _product(self, node: Node) -> Value | None:
        split = self._split(Ref(node.id))
        if split is None or len(split[1]) < 2:
            return None
        return self.builder.apply("mul", self._value(split[0]), self._multiplied(split[1]))

    def _sum(self, node: Node) -> Value | None:
        if not node.outs[0].dtype.is_inexact:
            return None
        alone = all(self.uses[ref] == 1 and _is_product(self.graph.node(ref.node)) for ref in node.inputs)
        splits = [self._split(ref) for ref in node.inputs] if alone else []
        if len(splits) != 2 or splits[0] is None or splits[1] is None or splits[0][0] != splits[1][0]:
            return None
        (latest, others), (_, more) = splits[0], splits[1]
        total = self.builder.apply("add", self._multiplied(others), self._multiplied(more))
        return self.builder.apply("mul", self._value(latest), total)

    def _value(self, ref: Ref) -> Value:
        return self.builder.value(self.mapping[ref])

    def _multiplied(self, refs: list[Ref]) -> Value:
        """The product, constants first, so that they become one."""
        ordered = sorted(refs, key=lambda ref: self.depth[ref.node])
        product = self._value(ordered[0])
        for ref in ordered[1:]:
            product = self.builder.apply("mul", product, self._value(ref))
        return product


def _depths(graph: Graph) -> dict[int, int]:
    """The number of heavy operations on the longest path to each node; -1 for nodes that depend on constants only."""
    depth: dict[int, int] = {}
    for node in graph.table.values():
        kind = primitive(node.op).kind
        if kind is Kind.SOURCE:
            depth[node.id] = -1 if primitive(node.op).literal else 0
        else:
            depth[node.id] = max((depth[ref.node] for ref in node.inputs), default=-1) + (kind in _HEAVY)
    return depth
