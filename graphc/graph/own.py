"""Users' primitives in graphs: compiled programs are valid as long as the rules of these primitives do not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from graphc.graph.registry import REGISTRY, Primitive

if TYPE_CHECKING:
    from graphc.graph.core import Graph

# For each user's primitive in a graph, its name and the digest of its rules; without a digest, the record itself, which
# must then stay the same object.
OwnRules: TypeAlias = tuple[tuple[str, "str | Primitive"], ...]


def own_ops(graph: Graph) -> set[str]:
    """The names of the users' primitives in a graph, and in the graphs that its operations run."""
    names: set[str] = set()
    for op in graph.ops:
        rule = REGISTRY.get(op)
        if rule is None:
            continue
        if rule.code is not None:
            names.add(op)
        for body in _bodies(graph, rule):
            names |= own_ops(body)
    return names


def _bodies(graph: Graph, rule: Primitive) -> Iterator[Graph]:
    if rule.regions:
        for node in graph.of_op(rule.name):
            yield from rule.graphs(node.attrs)


def own_rules(graph: Graph) -> OwnRules:
    """The rules of the users' primitives in a graph, as they are now."""
    return tuple((name, _rules(REGISTRY[name])) for name in sorted(own_ops(graph)))


def _rules(primitive: Primitive) -> str | Primitive:
    return (primitive.code() if primitive.code is not None else None) or primitive


def are_current(rules: OwnRules) -> bool:
    """Whether rules have not changed since `own_rules` returned them."""
    for name, known in rules:
        rule = REGISTRY[name]
        if rule is not known and (isinstance(known, Primitive) or _rules(rule) != known):
            return False
    return True


def have_digests(rules: OwnRules) -> bool:
    """Whether all rules have digests, so that other processes can compare theirs."""
    return all(isinstance(known, str) for _, known in rules)
