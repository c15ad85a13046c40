"""The body of a scan as a graph with states, and where its buffers lie in those of the graph around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc.dims import Dim
from graphc.errors import VerificationError
from graphc.graph.builder import build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref
from graphc.plan import Copy, Launch, Loop, Plan, Step
from graphc.primitives.control import ScanSignature, signature_of


@dataclass(frozen=True, slots=True)
class Place:
    """A buffer around the loop that a buffer of the body stands for, whole or one row of it a pass."""

    buffer: int
    is_row: bool


@dataclass(frozen=True, slots=True)
class Body:
    """A scan's body with its carries as states that it updates, and its stacked results as outputs."""

    graph: Graph
    signature: ScanSignature

    def places(self, plan: Plan, operands: list[int], results: list[int]) -> dict[int, Place]:
        """Where the body's inputs, states and outputs lie, by the body's buffer ids."""
        signature = self.signature
        inputs, states = plan.named("input"), plan.named("state")
        found: dict[int, Place] = {}
        for position, name in enumerate(signature.names):
            if name.startswith("s"):
                found[states[name].id] = Place(results[position - signature.constants], False)
            else:
                found[inputs[name].id] = Place(operands[position], name.startswith("x"))
        for id, buffer in zip(plan.outputs, results[signature.carries :], strict=True):
            found[id] = Place(buffer, True)
        return found

    def initial(self, node: Node, by_value: Mapping[Ref, int]) -> list[tuple[int, int]]:
        """What is copied into the carries' buffers before the first pass: pairs of buffers."""
        first = self.signature.constants
        return [
            (by_value[node.inputs[first + carry]], by_value[Ref(node.id, carry)])
            for carry in range(self.signature.carries)
        ]


def carried(node: Node) -> Body:
    """A scan's body as the assembler takes it."""
    body: Graph = node.attrs["body"]
    signature = signature_of(node.attrs)
    builder = build_like(body)
    mapping: dict[Ref, Ref] = {}
    for inner in body.table.values():
        is_carry = inner.op == "input" and inner.attrs["name"].startswith("s")
        copied = builder.add("state", (), inner.attrs) if is_carry else copy_node(builder, inner, mapping)
        mapping |= {Ref(inner.id, out): Ref(copied.id, out) for out in range(len(inner.outs))}
    for carry, ref in enumerate(body.outputs[: signature.carries]):
        state = mapping[Ref(body.inputs[f"s{carry}"].id)]
        builder.update(builder.value(state), builder.value(mapping[ref]))
    graph = builder.finish(mapping[ref] for ref in body.outputs[signature.carries :])
    return Body(graph, signature)


def body_as_step(step: Step, ids: Mapping[int, int], rows: Mapping[int, Dim]) -> Step:
    """A step of the body with the buffers around the loop."""

    def around(buffers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(ids[id] for id in buffers)

    match step:
        case Launch():
            return replace(step, buffers=around(step.buffers), reads=around(step.reads), writes=around(step.writes))
        case Copy(source, target, elements, source_offset, target_offset):
            source_row, target_row = rows.get(source, 0), rows.get(target, 0)
            return Copy(ids[source], ids[target], elements, source_offset + source_row, target_offset + target_row)
        case Loop(symbol, count, steps):
            if any(id in rows for id in (*step.reads, *step.writes)):
                raise VerificationError("a loop inside a loop reads a row in place", got=symbol)
            return Loop(symbol, count, tuple(body_as_step(inner, ids, rows) for inner in steps))
