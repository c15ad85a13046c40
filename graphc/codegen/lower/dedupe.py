"""Deduplication of kernels: layers of the same shape share kernels, launched on their own buffers."""

from __future__ import annotations

from dataclasses import replace

from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.graph.types import Ref, union
from graphc.plan import Branch, Launch, Loop, Step, While


def deduplicate(assembly: Assembly) -> Assembly:
    """Replaces kernels that only differ in the values on which they are launched by one of them.

    The first of them stays, with the origins of all of them.
    """
    alike: dict[Kernel, list[Kernel]] = {}
    for kernel in assembly.kernels.values():
        alike.setdefault(anonymous(kernel), []).append(kernel)
    if len(alike) == len(assembly.kernels):
        return assembly
    kernels = {ks[0].name: replace(ks[0], origins=union(*(k.origins for k in ks))) for ks in alike.values()}
    names = {kernel.name: ks[0].name for ks in alike.values() for kernel in ks}

    def renamed(step: Step) -> Step:
        if isinstance(step, Loop | While | Branch):
            return step.with_blocks(*(tuple(map(renamed, block)) for block in step.blocks))
        return replace(step, kernel=names[step.kernel]) if isinstance(step, Launch) else step

    plan = replace(assembly.plan, steps=tuple(renamed(step) for step in assembly.plan.steps))
    return Assembly(plan, kernels)


_NOTHING = Ref(-1)


def anonymous(kernel: Kernel) -> Kernel:
    """A kernel without its name, origins and the values on which it is launched."""
    params = tuple(replace(param, value=_NOTHING) for param in kernel.params)
    return replace(kernel, name="", params=params, origins=(), comment="")
