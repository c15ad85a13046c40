"""Runs a graph as portable C99, built with all warnings as errors and the checks of undefined behaviour."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from graphc import dims
from graphc.codegen.c99.render_kernel import stored
from graphc.codegen.c99.render_program import C99Source
from graphc.codegen.compilation import Compilation
from graphc.codegen.cstyle.source import Lines
from graphc.codegen.target import Target
from graphc.graph.core import Graph
from graphc.graph.types import resolve
from graphc.runtime.cpu import toolchain
from graphc.runtime.memory import solve

Array = np.ndarray[Any, Any]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


def run_portable(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs of a graph without states."""
    made = Compilation(graph, Target("c99"), verified=True)
    plan, source = made.plan, made.source
    assert plan is not None and isinstance(source, C99Source)
    arena = np.full(solve(plan, sizes).nbytes + 64, 0xA5, np.uint8)
    offsets = solve(plan, sizes).offsets
    out, addresses, kept = Lines(), [], [arena]
    out("void run(void *const *buffers, const long *sizes) {")
    for place, name in enumerate(plan.symbols):
        out(f"const long {plan.identifiers()[name]} = sizes[{place}];")
        out(f"(void){plan.identifiers()[name]};")
    for buffer in plan.buffers:
        type = stored(buffer.dtype)
        out(f"{type} *const b{buffer.id} = ({type} *)buffers[{buffer.id}];")
        out(f"(void)b{buffer.id};")
        if buffer.id in offsets:
            addresses.append(arena.ctypes.data + offsets[buffer.id])
            continue
        if buffer.role == "input":
            array = np.ascontiguousarray(inputs[buffer.name], buffer.dtype.numpy)
        elif buffer.value is not None:
            array = np.array(buffer.value.numpy())
        else:
            array = np.zeros(dims.evaluate(buffer.elements, sizes), buffer.dtype.numpy)
        kept.append(array)
        addresses.append(array.ctypes.data)
    out("(void)sizes;")
    for line in source.statements.splitlines():
        out(line.strip())
    out("}")
    library = _built("\n".join([source.head, source.functions, "void run(void *const *, const long *);", str(out)]))
    given = [sizes[name] for name in plan.symbols]
    library.run((ctypes.c_void_p * max(1, len(addresses)))(*addresses), (ctypes.c_long * max(1, len(given)))(*given))
    by_address = {array.ctypes.data: array for array in kept}
    return [
        by_address[addresses[id]].reshape(resolve(graph.type(ref).shape, sizes))
        for id, ref in zip(plan.outputs, graph.outputs, strict=True)
    ]


@lru_cache(maxsize=4)
def _built(text: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "run.c"), Path(folder, "run.so")
        source.write_text(text)
        flags = (*STRICT, "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=undefined", "-shared", "-fPIC")
        command = [*toolchain.find().command, *flags, source, "-o", library, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]
        return ctypes.CDLL(str(library))
