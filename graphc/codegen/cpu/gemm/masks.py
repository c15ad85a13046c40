"""Which terms of a tile of a product are summed.

Terms where a factor is zero beyond a diagonal are left out, and so are tiles whose result the epilogue does not use: of
the tiles of causal attention nearly half lie beyond the diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphc.codegen.cpu.gemm.tiling import Tiling
from graphc.codegen.ir.kernel import Contract, Let, Stmt
from graphc.codegen.ir.strides import stride, without
from graphc.codegen.ir.walk import expressions, names_in
from graphc.dims import Dim
from graphc.exprs import Call, Cast, Expr, Index, Var


@dataclass(frozen=True, slots=True)
class Limit:
    """A term counts where `row * m + column * n + depth * k + offset >= 0`; factors are -1, 0 or 1."""

    row: int
    column: int
    depth: int
    offset: int


def limits(t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> tuple[Limit, ...]:
    """The limits of a product's terms, where tiles run along one axis of rows and one of columns.

    Args:
        t: How the product is tiled.
        contraction: The product.
        epilogue: What follows it.
    """
    if t.has_blocks or t.scattered or len(t.f.k) != 1 or len(t.lines) != 1 or len(t.f.n) != 1:
        return ()
    axes = [t.lines[0].name, t.f.n[0].name, t.f.k[0].name]
    conditions = [*contraction.within, *_used_under(contraction.name, epilogue)]
    bounds = [_limit(condition, axes) for condition in conditions]
    return tuple(dict.fromkeys(limit for limit in bounds if limit is not None))


def _limit(condition: Expr, axes: list[str]) -> Limit | None:
    match condition:
        case Call("ge" | "gt" | "le" | "lt" as name, (Index(left), Index(right)), _):
            more, less = (left, right) if name in ("ge", "gt") else (right, left)
            difference: Dim = more - less - (name in ("gt", "lt"))
        case _:
            return None
    factors, offset = [stride(difference, axis) for axis in axes], without(difference, set(axes))
    if not isinstance(offset, int) or not all(factor in (-1, 0, 1) for factor in factors):
        return None
    row, column, depth = (factor for factor in factors if isinstance(factor, int))
    return Limit(row, column, depth, offset)


def _used_under(name: str, epilogue: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Conditions that all hold wherever a stored value depends on a value."""
    known = {let.name: let.value for let in epilogue if isinstance(let, Let)}
    reached, conditions = {name}, set[Expr]()
    for stmt in epilogue:
        if isinstance(stmt, Let):
            value = stmt.value.arg if isinstance(stmt.value, Cast) else stmt.value
            if not names_in(value) & reached:
                continue
            match value:
                case Call("select", (condition, _, other), _) if not names_in(other) & reached:
                    if not names_in(condition) & reached:
                        conditions.add(condition)
                        continue
            reached.add(stmt.name)
        elif any(names_in(expr) & reached for expr in expressions(stmt)):
            return
    if len(conditions) == 1:
        yield from _conjuncts(conditions.pop(), known)


def _conjuncts(condition: Expr, known: dict[str, Expr]) -> Iterator[Expr]:
    if isinstance(condition, Var):
        condition = known.get(condition.name, condition)
    match condition:
        case Call("and", parts, _):
            for part in parts:
                yield from _conjuncts(part, known)
        case Call():
            yield condition
