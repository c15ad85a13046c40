"""Schedules, the same for all targets: how a kernel's loops run, by legible rules from the strides of its accesses.

A schedule keeps what a kernel computes. Which axis is `vector` tells renderers where neighbouring elements lie in
memory.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.schedule.accumulators import widen_sums
from graphc.codegen.schedule.bind import bind_vector
from graphc.codegen.schedule.contractions import vectors_as_reductions
from graphc.codegen.schedule.flatten import flatten
from graphc.codegen.schedule.merge_axes import merge_axes

# Kernel to kernel, in order.
SCHEDULE: tuple[tuple[str, Callable[[Kernel], Kernel]], ...] = (
    ("flatten", flatten),
    ("merge_axes", merge_axes),
    ("vectors_as_reductions", vectors_as_reductions),
    ("bind_vector", bind_vector),
    ("widen_sums", widen_sums),
)


def schedule(kernel: Kernel) -> Kernel:
    """A kernel after all of `SCHEDULE`, checked."""
    for _, rewrite in SCHEDULE:
        kernel = rewrite(kernel)
    check(kernel)
    return kernel
