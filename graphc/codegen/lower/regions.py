"""Blocks of steps inside others: regions with carries as states, and their buffers in the enclosing plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.dims import Dim
from graphc.graph.builder import build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Ref
from graphc.plan import Branch, Copy, Launch, LibraryCall, Plan, Step, While


@dataclass(frozen=True, slots=True)
class Place:
    """The outer buffer of a block's buffer: all of it, or one row in each iteration."""

    buffer: int
    is_row: bool = False


def with_states(graph: Graph, carries: int) -> Graph:
    """The graph of a region with its carries as states that it updates."""
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    places = {f"s{carry}": carry for carry in range(carries)}
    for node in graph.table.values():
        is_carry = node.attrs.get("name") in places and primitive(node.op).kind is Kind.SOURCE
        copied = builder.add("state", (), node.attrs) if is_carry else copy_node(builder, node, mapping)
        mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
    inputs = graph.inputs
    for carry, ref in enumerate(graph.outputs[:carries]):
        state = mapping[Ref(inputs[f"s{carry}"].id)]
        builder.update(builder.value(state), builder.value(mapping[ref]))
    return builder.finish(mapping[ref] for ref in graph.outputs[carries:])


def places_of(plan: Plan, given: Mapping[str, Place], results: Sequence[Place]) -> dict[int, Place]:
    """The outer buffers of the inputs, states and outputs of a block, by the block's buffer ids.

    Args:
        plan: The plan of the block.
        given: The place of each input and state, by name.
        results: The place of each output.
    """
    named = plan.named("input") | plan.named("state")
    places = {buffer.id: given[name] for name, buffer in named.items()}
    return places | dict(zip(plan.outputs, results, strict=True))


@dataclass(frozen=True, slots=True)
class Around:
    """The mapping of a block's buffers to those of the enclosing plan.

    Args:
        ids: The outer buffer of each buffer of the block.
        rows: For buffers of the block that are one row of an outer buffer: the element at which that row starts.
    """

    ids: Mapping[int, int]
    rows: Mapping[int, Dim]

    def step(self, step: Step) -> Step:
        """A step of the block on the outer buffers; kernels still address rows as whole buffers."""
        match step:
            case Launch():
                buffers, reads, writes = map(self._ids, (step.buffers, step.reads, step.writes))
                return replace(step, buffers=buffers, reads=reads, writes=writes)
            case Copy(source, target, elements, source_offset, target_offset):
                starts = source_offset + self.rows.get(source, 0), target_offset + self.rows.get(target, 0)
                return Copy(self.ids[source], self.ids[target], elements, *starts)
            case LibraryCall():
                touched = (*step.operands, *step.results)
                offsets = tuple(o + self.rows.get(id, 0) for o, id in zip(step.offsets, touched, strict=True))
                return replace(
                    step, operands=self._ids(step.operands), results=self._ids(step.results), offsets=offsets
                )
        inner = step.with_blocks(*(tuple(map(self.step, block)) for block in step.blocks))
        match inner:
            case While(holds):
                return replace(inner, holds=self.ids[holds])
            case Branch(index):
                return replace(inner, index=self.ids[index], offset=inner.offset + self.rows.get(index, 0))
        return inner

    def _ids(self, buffers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.ids[id] for id in buffers)
