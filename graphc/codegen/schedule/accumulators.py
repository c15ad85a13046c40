"""Dtypes of accumulators: scheduled kernels add up many floats in float64.

The number of terms that are added one after the other depends on the schedule: in columns (where points are neighbours
in memory), each point adds up all its elements; in rows, the lanes of a vector or the threads of a block share them.
"""

from __future__ import annotations

from dataclasses import replace

from graphc import dims
from graphc.codegen.ir.kernel import Accumulator, Kernel, Let, Reduce, Stmt
from graphc.codegen.ir.walk import expressions, names_in
from graphc.combiners import SUM, combiner
from graphc.dims import Dim
from graphc.exprs import Cast, Expr, Var, cast
from graphc.primitives.base import accumulator

# The fewest vector lanes that share a row: those of the smallest registers.
LANES = 4


def widen_sums(kernel: Kernel) -> Kernel:
    """The kernel with its sums in the dtypes that `primitives.base.accumulator` gives them."""
    columns = bool(kernel.axes) and kernel.axes[-1].bind == "vector"
    used = {name for stmt in kernel.body for expr in expressions(stmt) for name in names_in(expr)}
    body = tuple(part for stmt in kernel.body for part in _statement(stmt, columns, used))
    return kernel if body == kernel.body else replace(kernel, body=body)


def _statement(stmt: Stmt, columns: bool, used: set[str]) -> tuple[Stmt, ...]:
    if not isinstance(stmt, Reduce):
        return (stmt,)
    in_order = columns or bool(stmt.after) or any(not a.operator for a in stmt.accumulators)
    terms = dims.product(axis.extent for axis in stmt.axes)
    wide = [_wide(a, terms if in_order else dims.floordiv(terms, LANES)) for a in stmt.accumulators]
    rounded = tuple(
        Let(old.name, cast(Var(new.name, new.dtype), old.dtype))
        for old, new in zip(stmt.accumulators, wide, strict=True)
        if new is not old and old.name in used
    )
    if stmt.after:
        return (replace(stmt, accumulators=tuple(wide), after=(*rounded, *stmt.after)),)
    return replace(stmt, accumulators=tuple(wide)), *rounded


def _wide(a: Accumulator, terms: Dim) -> Accumulator:
    """The accumulator in a wider dtype and under another name, if it needs one."""
    dtype = accumulator(a.combine, a.dtype, terms, a.part)
    return a if dtype is a.dtype else replace(a, name=f"{a.name}_wide", value=cast(a.value, dtype), dtype=dtype)


def narrow(a: Accumulator) -> Expr | None:
    """The term of a sum that `widen_sums` has widened, without its cast; None for other accumulators."""
    if combiner(a.combine) is not SUM or not isinstance(a.value, Cast):
        return None
    inner = a.value.arg
    # A sum of halves in float32 is not widened by this module.
    return inner if inner.dtype.is_float and inner.dtype.accumulator is not a.dtype else None
