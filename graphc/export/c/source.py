"""The source of an exported program: constants, kernels, and the function that runs them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.codegen.c99.render_kernel import stored
from graphc.codegen.c99.render_program import C99Source
from graphc.codegen.cstyle.source import Lines
from graphc.export.c.interface import Interface
from graphc.export.c.layout import Memory
from graphc.export.c.weights import array_text, signature
from graphc.plan import Buffer, Plan
from graphc.tracing import BATCH, Array


def source_text(
    interface: Interface, plan: Plan, source: C99Source, memory: Memory, values: Mapping[str, Array], header: str
) -> str:
    """The source.

    Args:
        interface: What it offers.
        plan: The plan.
        source: The plan's kernels and statements.
        memory: The places of its buffers.
        values: The values of the states, by name.
        header: The name of the header's file.
    """
    states = [buffer for buffer in plan.buffers if buffer.role == "state"]
    parts = [f"/* Made by graphc; see {header}. */", f'#include "{header}"', source.head]
    if memory.weights is None:
        parts += [_constant(buffer) for buffer in plan.buffers if buffer.value is not None]
    parts += [array_text(f"gc_state{b.id}", values[b.name], stored(b.dtype)) for b in states]
    parts += [source.functions]
    if states:
        parts += [_initialize(interface, states, memory)]
    return "\n".join([*parts, _predict(interface, plan, source, memory)])


def _constant(buffer: Buffer) -> str:
    assert buffer.value is not None
    kind = {"complex64": "float", "complex128": "double"}.get(buffer.dtype.name, stored(buffer.dtype))
    return array_text(f"gc_constant{buffer.id}", np.asarray(buffer.value.numpy()), kind)


def _initialize(interface: Interface, states: list[Buffer], memory: Memory) -> str:
    out = Lines()
    out(f"void {interface.name}_initialize({interface.name}_state *state) {{")
    for buffer in states:
        out(f"memcpy(state->bytes + {memory.state[buffer.id]}, gc_state{buffer.id}, sizeof gc_state{buffer.id});")
    out("}")
    return str(out)


def _predict(interface: Interface, plan: Plan, source: C99Source, memory: Memory) -> str:
    out, prefix = Lines(), interface.prefix
    out(f"{interface.prototype} {{")
    for name, identifier in plan.identifiers().items():
        if name == BATCH:
            out(f"const long {identifier} = (long)batch;")
            out(f"(void){identifier};")
    out("(void)arena;")
    problem = "!=" if interface.is_fixed else ">"
    out(f"if (batch {problem} {prefix}_MAX_BATCH) return {prefix}_ERROR_BATCH;")
    if memory.weights is not None:
        head = ", ".join(map(str, signature(plan)))
        out(f"static const unsigned char head[] = {{{head}}};")
        out(f"if (memcmp(weights, head, sizeof head) != 0) return {prefix}_ERROR_WEIGHTS;")
    out("if (batch == 0) return 0;")
    accessed = {id for step in plan.steps for id in (*step.reads, *step.writes)}
    for argument in interface.inputs:
        if argument.buffer not in accessed:
            out(f"(void){argument.name};")
    for buffer in (buffer for buffer in plan.buffers if buffer.id in accessed):
        const = "const " * (buffer.role in ("input", "constant"))
        out(f"{const}{stored(buffer.dtype)} *const b{buffer.id} = {_place(buffer, interface, memory)};")
    for line in source.statements.splitlines():
        out(line.strip())
    out("return 0;")
    out("}")
    return str(out)


def _place(buffer: Buffer, interface: Interface, memory: Memory) -> str:
    """The address of a buffer."""
    id, type = buffer.id, stored(buffer.dtype)
    if buffer.role in ("input", "output"):
        arguments = interface.inputs if buffer.role == "input" else interface.outputs
        name = next(argument.name for argument in arguments if argument.buffer == id)
        return f"(const {type} *){name}" if buffer.role == "input" else f"({type} *){name}"
    if buffer.role == "constant":
        if memory.weights is None:
            return f"(const {type} *)gc_constant{id}"
        return f"(const {type} *)(const void *)((const unsigned char *)weights + {memory.weights[id]})"
    if buffer.role == "state":
        return f"({type} *)(void *)(state->bytes + {memory.state[id]})"
    return f"({type} *)(void *)(arena->bytes + {memory.arena[id]})"
