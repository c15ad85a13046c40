"""C99 for the CPU: a kernel as a function, by how its contraction is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.cpu.contraction import contraction_cut
from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.functions import KernelText
from graphc.codegen.cpu.gemm.microkernels import TileFunction
from graphc.codegen.cpu.gemm.render import GemmPrinter
from graphc.codegen.cpu.shared_loops import SharedLoopPrinter
from graphc.codegen.cpu.winograd.render import WinogradPrinter
from graphc.codegen.cpu.winograd.tiling import Winograd
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.walk import dtypes_of


@dataclass(frozen=True)
class Function:
    """A kernel in C.

    Args:
        declaration: Its declaration.
        definition: Its definition.
        tiles: The tile functions that it calls.
        intrinsics: The intrinsics whose text it needs.
        has_halves: Whether it computes with halves.
        has_complex: Whether it computes with complex numbers.
    """

    declaration: str
    definition: str
    tiles: frozenset[TileFunction]
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
    cut = contraction_cut(kernel, vector_bytes)
    scratch = ["void *restrict scratch"] if cut is not None and cut.scratch_bytes != 0 else []
    params = [*pointers.values(), *scratch, *sizes.values(), "const gc_worker *self"]
    head = f"GC_KERNEL void {kernel.name}({', '.join(params)})"
    text = KernelText(kernel.name, symbols, pointers | sizes)
    out = text.loops.out
    out(f"{head} {{")
    for name in symbols.values():
        out(f"(void){name};")
    if isinstance(cut, Winograd):
        WinogradPrinter(text, kernel, cut).print()
    elif cut is not None:
        GemmPrinter(text, kernel, cut).print()
    else:
        SharedLoopPrinter(text.loops).kernel(kernel)
    out("}")
    used = dtypes_of(kernel)
    return Function(
        f"{head};",
        f"{text.functions}{out}",
        frozenset(text.tiles),
        frozenset(text.intrinsics),
        any(dtype.accumulator is not dtype for dtype in used),
        any(dtype.is_complex for dtype in used),
    )
