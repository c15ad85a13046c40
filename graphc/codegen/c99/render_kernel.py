"""A kernel as a function of portable C99."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.c99.dialect import C99
from graphc.codegen.c99.tiles import TilePrinter, panel_bytes
from graphc.codegen.cstyle.expr import ExprPrinter
from graphc.codegen.cstyle.lane_rows import reduce_row
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.plain_loops import PlainLoopPrinter
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.walk import dtypes_of
from graphc.codegen.schedule.accumulators import widen_sums
from graphc.codegen.schedule.contractions import as_reductions
from graphc.dtypes import DType


@dataclass(frozen=True)
class Function:
    """A kernel in C: its definition, and what the program must include for it.

    Args:
        definition: The definition.
        intrinsics: The intrinsics that it calls and that need a definition.
        has_halves: Whether it computes with float16 or bfloat16.
        has_complex: Whether it computes with complex numbers.
    """

    definition: str
    intrinsics: frozenset[str]
    has_halves: bool
    has_complex: bool


def stored(dtype: DType) -> str:
    """The type of an element in memory; values of booleans are bytes of 0 or 1."""
    return "unsigned char" if dtype.is_bool else C99.types[dtype]


def render_kernel(kernel: Kernel, symbols: Mapping[str, str]) -> Function:
    """The function of a kernel.

    Args:
        kernel: The scheduled kernel.
        symbols: The identifier of each symbolic size that it takes.
    """
    params = []
    for param in kernel.params:
        const = "" if param.written else "const "
        params.append(f"{const}{stored(param.dtype)} *restrict {param.name}")
    if panel_bytes(kernel) != 0:
        params.append("void *restrict scratch")
    params += [f"long {name}" for name in symbols.values()]
    loops = LoopPrinter(ExprPrinter(symbols, C99), reduce_row)
    out, contraction = loops.out, kernel.contraction
    out(f"GC_KERNEL void {kernel.name}({', '.join(params)}) {{")
    for name in symbols.values():
        out(f"(void){name};")
    if contraction is not None and panel_bytes(kernel) != 0:
        type = C99.types[contraction.dtype]
        out(f"{type} *const panel = ({type} *)scratch;")
    if contraction is not None and not contraction.dtype.is_complex:
        TilePrinter(loops, kernel, contraction).print()
    else:
        PlainLoopPrinter(loops).kernel(widen_sums(as_reductions(kernel)))
    out("}")
    used = dtypes_of(kernel)
    return Function(
        str(out),
        frozenset(loops.scalars.intrinsics),
        any(dtype.accumulator is not dtype for dtype in used),
        any(dtype.is_complex for dtype in used),
    )
