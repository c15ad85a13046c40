"""The measurements of autotuning: runs trial programs, and stores their times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphc import codegen, config
from graphc.compiler.build import c_flags
from graphc.plan import Plan
from graphc.runtime import cache
from graphc.runtime.cpu import blas, processor, program_cache, toolchain
from graphc.runtime.cpu.program import CpuProgram

if TYPE_CHECKING:
    from graphc.codegen.cpu.render_program import CSource
    from graphc.codegen.ir.kernel import Kernel
    from graphc.codegen.target import Tune

# The number of runs of a trial program, which times OpenBLAS and generated code for each product.
TRIES = 7


def tuning(sizes: Mapping[str, int]) -> tuple[Tune | None, tuple[str, ...]]:
    """The autotuner of matrix products, and the key of its decisions; None and () where no products are tuned."""
    lent, products = blas.chosen(), config.current().products
    if lent is None:
        return None, ()
    compiler, store = toolchain.find(), cache.default()
    flags, most = c_flags(compiler), processor.cores()
    arguments = compiler.arguments(flags, Path("out"))
    made_for = (program_cache.compiler_digest(), lent, str(most), compiler.version, compiler.target, *arguments)

    def measure(plan: Plan, source: CSource, given: Mapping[str, int], kernels: list[str]) -> list[dict[str, float]]:
        units, common = source.units, source.common
        library = toolchain.build_shared(units, flags=flags, toolchain=compiler, cache=store, common=common)
        # On all processors, however many threads are allowed, since bits of results depend on the decision.
        with config.override(threads=most):
            return CpuProgram(plan, library).trials(kernels, given, TRIES)

    def recall(question: tuple[str, ...]) -> bytes | None:
        return store.get(cache.key(*question, *made_for), program_cache.SUFFIX)

    def keep(question: tuple[str, ...], answer: bytes) -> None:
        store.put(cache.key(*question, *made_for), answer, program_cache.SUFFIX)

    def tune(plan: Plan, kernels: Mapping[str, Kernel]) -> Mapping[str, Kernel]:
        tuner = codegen.cpu.autotune.Tuner(
            products == "library", sizes, processor.vector_bytes(), measure, recall, keep
        )
        return tuner.tuned(plan, kernels)

    asked = [f"{name}={size}" for name, size in sorted(sizes.items())] if products == "measured" else []
    return tune, (lent, products, *asked)
