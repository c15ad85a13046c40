"""How a kernel's contraction is computed in C: by tiles of products, by a library, or as Winograd does."""

from __future__ import annotations

from graphc.codegen.cpu.gemm.blas import blocks
from graphc.codegen.cpu.gemm.choose_tiling import tiling
from graphc.codegen.cpu.gemm.tiling import Tiling
from graphc.codegen.cpu.winograd.tiling import Winograd, winograd
from graphc.codegen.ir.kernel import Kernel


def contraction_tiling(kernel: Kernel, vector_bytes: int) -> Winograd | Tiling | None:
    """How a scheduled kernel's contraction is computed; None where it has plain loops.

    Args:
        kernel: The kernel.
        vector_bytes: The size of the processor's vector registers.
    """
    if kernel.by_library:
        return blocks(kernel, vector_bytes)
    return winograd(kernel, vector_bytes) or tiling(kernel, vector_bytes)
