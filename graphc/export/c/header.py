"""The header of an exported program."""

from __future__ import annotations

import re

from graphc.export.c.interface import Argument, Interface
from graphc.tracing import BATCH


def escaped(text: str) -> str:
    """Text of the user's as a part of a comment: letters, digits and a few signs that end no comment and no line."""
    return re.sub(r"[^A-Za-z0-9_ .,:()\[\]-]", "_", text)[:80]


def header_text(interface: Interface, file: str) -> str:
    """The header, which lies in a file of a name."""
    guard = f"GRAPHC_{interface.prefix}_H"
    return "\n".join(
        [
            *_description(interface, file),
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            "#include <stddef.h>",
            "",
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            *_declarations(interface),
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "",
            "#endif",
            "",
        ]
    )


def _description(interface: Interface, file: str) -> list[str]:
    memory, name = interface.memory, interface.name
    batch = f"exactly {interface.max_batch}" if interface.is_fixed else f"up to {interface.max_batch}"
    lines = [
        f"/* {name}: what a model predicts, as C99. It was made by graphc; make it anew, do not edit it.",
        "",
        f"   {name}_predict takes {batch} samples, in arrays without gaps, in row-major order:",
        "",
    ]
    lines += [f"     {_described(argument)}" for argument in (*interface.inputs, *interface.outputs)]
    lines += [
        "",
        "   Inputs and outputs must not overlap. It returns 0, or an error (below), and has then written nothing.",
        "   It allocates no memory, and changes none but its arguments. Calls at the same time need an arena each;",
        "   what is in an arena before a call, and after it, does not matter.",
        "",
        f"   Memory: {memory.arena_bytes} bytes for the arena"
        + (f", {memory.state_bytes} for the state" if memory.state_bytes else "")
        + (f", {memory.weights_bytes} for the weights" if memory.weights is not None else "")
        + ". Link with -lm; -O3 makes it fast.",
    ]
    if memory.weights is not None:
        lines += [
            "",
            f"   The weights are the contents of {name}_weights.bin, for machines with little-endian numbers, at an",
            "   address that is a multiple of 8.",
        ]
    return [*lines, "", "   Example:", "", *(f"     {line}".rstrip() for line in _example(interface, file)), "*/"]


def _described(argument: Argument) -> str:
    shape = ", ".join("batch" if str(dim) == BATCH else str(dim) for dim in argument.type.shape)
    note = {"float16": ", as bits", "bfloat16": ", as bits"}.get(argument.type.dtype.name, "")
    note = ", as pairs of real and imaginary part" if argument.type.dtype.is_complex else note
    return f"{argument.name}[{shape}]  {argument.type.dtype.name}{note}  ({escaped(argument.label)})"


def _example(interface: Interface, file: str) -> list[str]:
    name, prefix, memory = interface.name, interface.prefix, interface.memory
    count = interface.max_batch if interface.is_fixed else 1
    lines = ["#include <stdio.h>", f'#include "{file}"', "", f"static {name}_arena arena;"]
    if memory.state_bytes:
        lines += [f"static {name}_state state;"]
    if memory.weights is not None:
        lines += [f"static union {{ double alignment; unsigned char bytes[{prefix}_WEIGHTS_BYTES]; }} weights;"]
    for argument in (*interface.inputs, *interface.outputs):
        kind = argument.declaration.removeprefix("const ").rpartition("*")[0]
        lines += [f"static {kind}{argument.name}[{count} * {_size(interface, argument)}];"]
    lines += ["", "int main(void) {"]
    if memory.weights is not None:
        lines += [
            f'  FILE *file = fopen("{name}_weights.bin", "rb");',
            "  if (!file || fread(weights.bytes, 1, sizeof weights.bytes, file) != sizeof weights.bytes) return 1;",
            "  fclose(file);",
        ]
    if memory.state_bytes:
        lines += [f"  {name}_initialize(&state);"]
    arguments = [*(x.name for x in interface.inputs), str(count), *(y.name for y in interface.outputs)]
    arguments += ["&state"] * bool(memory.state_bytes) + ["weights.bytes"] * (memory.weights is not None) + ["&arena"]
    first = interface.outputs[0]
    lines += [
        f"  // ... fill {' and '.join(x.name for x in interface.inputs)} ...",
        f"  if ({name}_predict({', '.join(arguments)}) != 0) return 1;",
        f'  for (int i = 0; i < {count} * {_size(interface, first)}; ++i) printf("%g\\n", (double){first.name}[i]);',
        "  return 0;",
        "}",
    ]
    return lines


def _size(interface: Interface, argument: Argument) -> str:
    """The macro of the number of elements of a sample."""
    return f"{interface.prefix}_{argument.name.upper()}_SIZE"


def _declarations(interface: Interface) -> list[str]:
    name, prefix, memory = interface.name, interface.prefix, interface.memory
    lines = [
        f"#define {prefix}_MAX_BATCH {interface.max_batch}",
        f"#define {prefix}_ARENA_BYTES {memory.arena_bytes}",
    ]
    if memory.state_bytes:
        lines += [f"#define {prefix}_STATE_BYTES {memory.state_bytes}"]
    if memory.weights is not None:
        lines += [f"#define {prefix}_WEIGHTS_BYTES {memory.weights_bytes}"]
    lines += ["", "/* Elements of each sample. */"]
    for argument in (*interface.inputs, *interface.outputs):
        pairs = 2 if argument.type.dtype.is_complex else 1
        lines += [f"#define {_size(interface, argument)} {argument.sample * pairs}"]
    lines += [
        "",
        "/* Errors: another number of samples than the program takes; weights that are not those of this program. */",
        f"#define {prefix}_ERROR_BATCH 1",
        f"#define {prefix}_ERROR_WEIGHTS 2",
        "",
        "/* Memory for what a call computes. The first member makes it aligned. */",
        f"typedef union {{ double alignment; unsigned char bytes[{memory.arena_bytes}]; }} {name}_arena;",
        "",
    ]
    if memory.state_bytes:
        lines += [
            "/* What is kept from one call to the next; this sets it to what it was when the model was exported. */",
            f"typedef union {{ double alignment; unsigned char bytes[{memory.state_bytes}]; }} {name}_state;",
            f"void {name}_initialize({name}_state *state);",
            "",
        ]
    return [*lines, f"{interface.prototype};", ""]
