"""Working memory of kernels: sums and panels of products, transformed filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc import dtypes
from graphc.codegen.cpu.caches import whole_lines
from graphc.codegen.cpu.contraction import contraction_tiling
from graphc.codegen.cpu.persistent import steady
from graphc.codegen.cpu.winograd.tiling import Winograd
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.dims import Dim
from graphc.plan import Branch, Buffer, Launch, Loop, Step, While


@dataclass(frozen=True, slots=True)
class Scratch:
    """The working memory of a kernel.

    Args:
        nbytes: Its size.
        made_of: The parameter on which alone the contents depend; None where these are different in each launch.
    """

    nbytes: Dim
    made_of: str | None = None


def scratch(kernel: Kernel, vector_bytes: int) -> Scratch:
    """The working memory that a scheduled kernel needs: none, or sums and panels, or a transformed filter.

    Args:
        kernel: The kernel.
        vector_bytes: The size of the processor's vector registers.
    """
    tiling = contraction_tiling(kernel, vector_bytes)
    if tiling is None:
        return Scratch(0)
    return Scratch(tiling.scratch_bytes, tiling.filter.load.buffer if isinstance(tiling, Winograd) else None)


def allot_scratch(assembly: Assembly, vector_bytes: int) -> Assembly:
    """Gives the kernels of a plan the working memory that they need.

    Args:
        assembly: The plan and its scheduled kernels.
        vector_bytes: The size of the processor's vector registers.
    """
    needs = {name: scratch(kernel, vector_bytes) for name, kernel in assembly.kernels.items()}
    return with_scratch(assembly, {name: need for name, need in needs.items() if need.nbytes != 0})


def with_scratch(assembly: Assembly, needs: Mapping[str, Scratch]) -> Assembly:
    """Gives some kernels working memory in the arena, as a last buffer; persistent if it depends on steady ones."""
    buffers, known = list(assembly.plan.buffers), steady(assembly.plan)

    def equipped(step: Step, always: bool = True) -> Step:
        if isinstance(step, Loop):
            # A loop that the first run may not enter computes nothing for later runs.
            runs = always and isinstance(step.count, int) and step.count > 0 and not step.slots
            first = len(buffers)
            steps = tuple(equipped(inner, runs) for inner in step.steps)
            own = range(first, len(buffers)) if step.slots else ()
            return replace(step, steps=steps, private=(*step.private, *own))
        if isinstance(step, While | Branch):
            return step.with_blocks(*(tuple(equipped(inner, False) for inner in block) for block in step.blocks))
        if not isinstance(step, Launch) or step.kernel not in needs:
            return step
        need, id = needs[step.kernel], len(buffers)
        names = [param.name for param in assembly.kernels[step.kernel].params]
        kept = always and need.made_of is not None and step.buffers[names.index(need.made_of)] in known
        buffers.append(Buffer(id, "persistent" if kept else "scratch", dtypes.uint8, whole_lines(need.nbytes)))
        return replace(step, buffers=(*step.buffers, id), writes=(*step.writes, id))

    steps = tuple(equipped(step) for step in assembly.plan.steps)
    return replace(assembly, plan=replace(assembly.plan, steps=steps, buffers=tuple(buffers)))
