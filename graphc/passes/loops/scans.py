"""Common subexpressions and dead code among scans, which differentiation leaves behind.

The gradient of a scan runs it once more, and stacks the carries of every step. That scan computes all results
of the plain one, and replaces it. Unused results, sequences, constants, and carries that only feed themselves are then
removed from the bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from graphc.graph.builder import Builder, build_like, copy_node, inline
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import Attrs, Node, Ref
from graphc.passes.rewrite import has_regions, rewrite_regions
from graphc.primitives.control import ScanSignature, signature_of


def simplify_scans(graph: Graph, in_body: Callable[[Graph], Graph] | None = None) -> Graph:
    """Joins scans that compute the same, and removes dead code from their bodies.

    Args:
        graph: The graph.
        in_body: A rewrite applied to every body, such as `simplify`; this one is applied to bodies as well.

    Returns:
        A graph that computes the same results.
    """
    if not has_regions(graph):
        return graph
    graph = _join(graph)
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        if node.op == "scan":
            _copy_trimmed(builder, graph, node, mapping, in_body)
            continue
        if primitive(node.op).regions:
            node = replace(node, attrs=rewrite_regions(node, partial(_simplified, in_body=in_body)))
        copied = copy_node(builder, node, mapping)
        mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
    return _finished(builder, graph, mapping)


def _simplified(body: Graph, in_body: Callable[[Graph], Graph] | None) -> Graph:
    return simplify_scans(body if in_body is None else in_body(body), in_body)


def _finished(builder: Builder, graph: Graph, mapping: Mapping[Ref, Ref]) -> Graph:
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


# ---- joining


def _join(graph: Graph) -> Graph:
    """Replaces every scan that is a prefix of another by that other, at the place of the first of them."""
    instead = _replacements(graph)
    if not instead:
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        larger = instead.get(node.id, node)
        with builder.located(node.loc):
            # Both have the same operands, which come before the first of them.
            copied = builder.add(node.op, tuple(mapping[ref] for ref in node.inputs), larger.attrs)
        mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
    return _finished(builder, graph, mapping)


def _replacements(graph: Graph) -> dict[int, Node]:
    """For each scan that is a prefix of others, the one of these with the most results."""
    alike: dict[tuple[object, ...], list[Node]] = {}
    for node in graph.of_op("scan"):
        alike.setdefault((node.inputs, _without_body(node.attrs)), []).append(node)
    instead: dict[int, Node] = {}
    for group in alike.values():
        longest = sorted(group, key=lambda node: (-len(node.attrs["body"].outputs), node.id))
        for node in group:
            larger = next(other for other in longest if _is_prefix(node.attrs["body"], other.attrs["body"]))
            if larger is not node:
                instead[node.id] = larger
    return instead


def _without_body(attrs: Attrs) -> Attrs:
    return Attrs({name: attr for name, attr in attrs.items() if name != "body"})


def _is_prefix(body: Graph, larger: Graph) -> bool:
    """Whether a body's results are the first results of the other, both built from equal nodes."""
    if len(body.outputs) > len(larger.outputs):
        return False
    if body is larger:
        return True
    # Built in one hash-consing builder, equal values are one value.
    builder = build_like(larger)
    arguments = {name: builder.input(name, node.outs[0]) for name, node in larger.inputs.items()}
    wanted = [value.ref for value in inline(builder, larger, arguments)]
    results = [value.ref for value in inline(builder, body, arguments)]
    return results == wanted[: len(results)]


# ---- trimming


def _copy_trimmed(
    builder: Builder,
    graph: Graph,
    node: Node,
    mapping: dict[Ref, Ref],
    in_body: Callable[[Graph], Graph] | None,
) -> None:
    """Adds a scan without unused operands and results."""
    signature, body = signature_of(node.attrs), node.attrs["body"]
    read = set(graph.roots) | graph.users.keys()
    wanted = [out for out in range(len(node.outs)) if Ref(node.id, out) in read]
    if not wanted:
        wanted = list(range(len(node.outs)))
    body = _simplified(body, in_body)
    needed = _needed(body, signature, wanted)
    inputs = [name for name in signature.names if name in needed.names]
    trimmed = ScanSignature(*(sum(name[0] == letter for name in inputs) for letter in "csx"))
    with builder.located(node.loc):
        operands = [mapping[node.inputs[signature.names.index(name)]] for name in inputs]
        attrs = {**node.attrs, "constants": trimmed.constants, "carries": trimmed.carries, "xs": trimmed.xs}
        attrs["body"] = _trimmed(body, inputs, trimmed, needed.outs)
        copied = builder.add("scan", tuple(operands), attrs)
    for position, out in enumerate(needed.outs):
        mapping[Ref(node.id, out)] = Ref(copied.id, position)


class _Needed:
    """The inputs and results of a body that some of its results need."""

    def __init__(self, names: set[str], outs: list[int]) -> None:
        self.names = names
        self.outs = outs


def _needed(body: Graph, signature: ScanSignature, wanted: Sequence[int]) -> _Needed:
    """Follows carries around the loop until nothing is added."""
    outs = set(wanted)
    while True:
        behind = body.ancestors(body.outputs[out] for out in outs)
        names = {node.attrs["name"] for node in body.of_op("input") if node.id in behind}
        # A carry that is a result is an operand, too, even if it is not read.
        carried = {i for i in range(signature.carries) if f"s{i}" in names or i in outs}
        names |= {f"s{i}" for i in carried}
        if carried <= outs:
            return _Needed(names, sorted(outs))
        outs |= carried


def _trimmed(body: Graph, inputs: Sequence[str], signature: ScanSignature, outs: Sequence[int]) -> Graph:
    """The body with some of its inputs, renumbered, and some of its results."""
    builder = build_like(body)
    renamed = dict(zip(inputs, signature.names, strict=True))
    mapping: dict[Ref, Ref] = {}
    # Inputs are in the order of the operands.
    for name in inputs:
        mapping[Ref(body.inputs[name].id)] = builder.input(renamed[name], body.inputs[name].outs[0]).ref
    behind = body.ancestors(body.outputs[out] for out in outs)
    for node in body.table.values():
        if node.op == "input" or node.id not in behind:
            continue
        copied = copy_node(builder, node, mapping)
        mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
    return builder.finish(mapping[body.outputs[out]] for out in outs)
