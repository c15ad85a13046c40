"""Contractions that are not matrix products, as reductions."""

from __future__ import annotations

from dataclasses import replace

from graphc.codegen.ir.kernel import Accumulator, Contract, Kernel, Reduce
from graphc.codegen.ir.matmul_roles import factors
from graphc.exprs import call


def vectors_as_reductions(kernel: Kernel) -> Kernel:
    """The kernel with its contraction as a reduction, if that is no product of matrices.

    Where only one factor has axes of its own, each of its elements is used once: there is no reuse in registers or
    shared memory.
    """
    if kernel.contraction is None:
        return kernel
    f = factors(kernel)
    return kernel if f.m and f.n else as_reductions(kernel)


def as_reductions(kernel: Kernel) -> Kernel:
    """The kernel with its contraction as a reduction."""

    def reduction(stmt: Contract) -> Reduce:
        value = call("mul", stmt.lhs, stmt.rhs)
        return Reduce(stmt.axes, stmt.body, (Accumulator(stmt.name, "sum", value, stmt.dtype),))

    body = tuple(reduction(stmt) if isinstance(stmt, Contract) else stmt for stmt in kernel.body)
    return replace(kernel, body=body)
