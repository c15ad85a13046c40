"""Compilation targets: a backend, and the properties of the machine that passes use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphc.codegen.ir.kernel import Kernel
from graphc.plan import Plan

# Replaces scheduled kernels of a plan by kernels that were measured to be faster.
Tune: TypeAlias = Callable[[Plan, Mapping[str, Kernel]], Mapping[str, Kernel]]


@dataclass(frozen=True, slots=True)
class Target:
    """A compilation target.

    Args:
        backend: `numpy`, `cpu` or `cuda`; `c99` for portable C, which others compile and run.
        fused: Whether operations share kernels.
        vector_bytes: The size of the processor's vector registers, for `cpu`.
        processors: The number of threads of a program, and of concurrent C compilers, for `cpu`.
        profiled: Whether the program measures its kernels; only that of `cpu` can.
        has_lapack: Whether programs for `cpu` may call LAPACK.
        tune: The autotuner of kernels. None: kernels are not tuned.
    """

    backend: str
    fused: bool = True
    vector_bytes: int = 64
    processors: int = 2
    profiled: bool = False
    has_lapack: bool = False
    tune: Tune | None = None
