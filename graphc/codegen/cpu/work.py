"""The work of a program, from which the number of threads that run it is chosen."""

from __future__ import annotations

from dataclasses import replace

from graphc.codegen.ir.cost import plan_work
from graphc.codegen.lower.assemble import Assembly


def estimate_work(assembly: Assembly) -> Assembly:
    """The plan with its number of scalar operations."""
    work = plan_work(assembly.plan.steps, assembly.kernels)
    return replace(assembly, plan=replace(assembly.plan, work=work))
