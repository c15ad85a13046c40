"""A whole program in CUDA C++: its kernels in one unit; the plan runs on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.cstyle.expr import definitions
from graphc.codegen.cstyle.source import Source, prelude
from graphc.codegen.cuda.geometry import Geometry
from graphc.codegen.cuda.render_kernel import render_kernel
from graphc.codegen.ir.kernel import Kernel
from graphc.plan import Plan


@dataclass(frozen=True)
class CudaSource(Source):
    """Source text, and the launch geometry of each kernel in it."""

    geometry: Mapping[str, Geometry]


def render(plan: Plan, kernels: Mapping[str, Kernel]) -> CudaSource:
    """The source of a plan's kernels. Each takes its launch's buffers, then the values of its launch's symbols.

    Args:
        plan: The plan.
        kernels: The scheduled kernels, by name.
    """
    symbols, launches = plan.identifiers(), plan.all_launches()
    functions = {
        name: render_kernel(kernel, {symbol: symbols[symbol] for symbol in launches[name].symbols})
        for name, kernel in kernels.items()
    }
    has_complex = any(function.has_complex for function in functions.values())
    includes = "#include <cuda_fp16.h>\n" if any(function.has_float16 for function in functions.values()) else ""
    called = {name for function in functions.values() for name in function.intrinsics}
    head = [includes, prelude("cuda", "cuda.h"), prelude("cstyle", "scalar.h")]
    if has_complex:
        head += [prelude("cuda", "complex.h"), prelude("cstyle", "complex.h")]
    head += definitions(called)
    texts = {name: function.definition for name, function in functions.items()}
    geometry = {name: function.geometry for name, function in functions.items()}
    return CudaSource("\n".join([*head, *texts.values()]), texts, geometry)
