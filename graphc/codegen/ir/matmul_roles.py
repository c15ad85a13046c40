"""Contractions as matrix products: the axes of rows, columns, depth and batch."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.codegen.ir.kernel import Axis, Contract, Kernel, Let
from graphc.codegen.ir.strides import stride
from graphc.codegen.ir.walk import loads, names_in, needed
from graphc.exprs import Expr, Load, Var


@dataclass(frozen=True, slots=True)
class Factors:
    """The roles of a contraction's axes in matrix products of its factors: rows, columns, depth and batch.

    `lhs_along_k` says that the left factor's neighbours in memory are neighbours in depth; `rhs_along_k` likewise.
    """

    batch: tuple[Axis, ...]
    m: tuple[Axis, ...]
    n: tuple[Axis, ...]
    k: tuple[Axis, ...]
    lhs_along_k: bool
    rhs_along_k: bool

    @property
    def swapped(self) -> Factors:
        """The roles with left and right exchanged."""
        return Factors(self.batch, self.n, self.m, self.k, self.rhs_along_k, self.lhs_along_k)


def plain_load(contraction: Contract, factor: Expr) -> Load | None:
    """The load that a factor is, if it is unguarded and has the contraction's dtype; None for other factors."""
    bound = {let.name: let.value for let in contraction.body}
    value = bound.get(factor.name, factor) if isinstance(factor, Var) else factor
    plain = isinstance(value, Load) and value.guard is None and value.dtype is contraction.dtype
    return value if isinstance(value, Load) and plain else None


def factors(kernel: Kernel) -> Factors:
    """The roles of the axes of a kernel's contraction, from the axes that each factor mentions."""
    contraction = kernel.contraction
    assert contraction is not None
    left, right = mentioned(contraction, contraction.lhs), mentioned(contraction, contraction.rhs)
    m = tuple(axis for axis in kernel.axes if axis.name in left and axis.name not in right)
    n = tuple(axis for axis in kernel.axes if axis.name in right and axis.name not in left)
    batch = tuple(axis for axis in kernel.axes if axis not in m and axis not in n)
    deepest = contraction.axes[-1].name if contraction.axes else ""
    along = [_runs_along(contraction, factor, deepest) for factor in (contraction.lhs, contraction.rhs)]
    return Factors(batch, m, n, contraction.axes, *along)


def mentioned(contraction: Contract, factor: Expr) -> set[str]:
    """The names on which a factor depends, through the scalars bound for it."""
    wanted = names_in(factor)
    for let in needed(contraction.body, factor):
        wanted |= names_in(let.value)
    return wanted


def _runs_along(contraction: Contract, factor: Expr, axis: str) -> bool:
    wanted = mentioned(contraction, factor)
    values = [factor, *(let.value for let in contraction.body if let.name in wanted)]
    offsets = [load.index[0] for load in loads(tuple(Let("", value) for value in values))]
    return any(stride(offset, axis) == 1 for offset in offsets)
