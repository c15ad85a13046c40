"""What a graph is compiled for, and what passes may know of the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphc.codegen.ir.kernel import Kernel
from graphc.plan import Plan

# Replaces the scheduled kernels of a plan by those that were measured to be faster.
Tune: TypeAlias = Callable[[Plan, Mapping[str, Kernel]], Mapping[str, Kernel]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a graph is compiled for.

    Args:
        backend: `numpy`, `cpu` or `cuda`.
        fused: Whether operations share kernels.
        vector_bytes: The size of the processor's vector registers, for `cpu`.
        processors: How many threads of a program, and compilers, run at the same time, for `cpu`.
        profiled: Whether the program measures its kernels; only that of `cpu` can.
        has_lapack: Whether programs for `cpu` may call LAPACK.
        tune: Autotuning of kernels. None: there is none.
    """

    backend: str
    fused: bool = True
    vector_bytes: int = 64
    processors: int = 2
    profiled: bool = False
    has_lapack: bool = False
    tune: Tune | None = None
