"""C99 for the CPU: a kernel as a function, by how its contraction is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.cpu.contraction import contraction_tiling
from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.functions import KernelText
from graphc.codegen.cpu.gemm.microkernels import PreludeFunction
from graphc.codegen.cpu.gemm.render import GemmPrinter
from graphc.codegen.cpu.shared_loops import SharedLoopPrinter
from graphc.codegen.cpu.winograd.render import WinogradPrinter
from graphc.codegen.cpu.winograd.tiling import Winograd
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.walk import dtypes_of


@dataclass(frozen=True)
class Function:
    """A kernel in C: its declaration, its definition, and what the program must include for it.

    Args:
        declaration: The declaration of the function.
        definition: The definition of the function and of its helper functions.
        prelude_functions: The functions of the prelude that it calls, which are generated for a shape.
        intrinsics: The intrinsics that it calls and that need a definition.
        has_halves: Whether it computes with float16 or bfloat16.
        has_complex: Whether it computes with complex numbers.
    """

    declaration: str
    definition: str
    prelude_functions: frozenset[PreludeFunction]
    intrinsics: frozenset[str]
    has_halves: bool
    has_complex: bool


def render_kernel(kernel: Kernel, symbols: Mapping[str, str], vector_bytes: int) -> Function:
    """The function of a kernel.

    Args:
        kernel: The scheduled kernel.
        symbols: The identifier of each symbolic size that it takes.
        vector_bytes: The size of the processor's vector registers.
    """
    pointers = {}
    for param in kernel.params:
        const = "" if param.written else "const "
        # Loops over _Bool in memory are not vectorised by gcc 12; its values are bytes of 0 or 1.
        stored = "unsigned char" if param.dtype.is_bool else C.types[param.dtype]
        pointers[param.name] = f"{const}{stored} *restrict {param.name}"
    sizes = {name: f"long {name}" for name in symbols.values()}
    tiling = contraction_tiling(kernel, vector_bytes)
    scratch = ["void *restrict scratch"] if tiling is not None and tiling.scratch_bytes != 0 else []
    params = [*pointers.values(), *scratch, *sizes.values(), "const gc_worker *self"]
    head = f"GC_KERNEL void {kernel.name}({', '.join(params)})"
    text = KernelText(kernel.name, symbols, pointers | sizes)
    out = text.loops.out
    out(f"{head} {{")
    for name in symbols.values():
        out(f"(void){name};")
    if isinstance(tiling, Winograd):
        WinogradPrinter(text, kernel, tiling).print()
    elif tiling is not None:
        GemmPrinter(text, kernel, tiling).print()
    else:
        SharedLoopPrinter(text.loops).kernel(kernel)
    out("}")
    used = dtypes_of(kernel)
    return Function(
        f"{head};",
        f"{text.functions}{out}",
        frozenset(text.prelude_functions),
        frozenset(text.intrinsics),
        any(dtype.accumulator is not dtype for dtype in used),
        any(dtype.is_complex for dtype in used),
    )
