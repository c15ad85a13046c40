"""Loop unswitching and index-set splitting: conditions leave the innermost loop.

Loop unswitching: a condition that the loop does not change is tested once, before the loop. Where padding is stored, a
whole row of channels is either copied or zero; compilers do not vectorise a loop well that tests again for every
element (Allen and Cocke, "A catalogue of optimizing transformations", 1971).

Index-set splitting: where a condition changes at a known point of the loop's axis, the loop is split in two at that
point, and neither tests it. A concatenation then copies one part after the other (Wolfe, "High Performance Compilers
for Parallel Computing", 1996).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from graphc import dims, dtypes
from graphc.codegen.ir.kernel import Axis, Let, Stmt, Store
from graphc.codegen.ir.rewrite import map_accesses
from graphc.codegen.ir.strides import with_axes
from graphc.codegen.ir.walk import expressions, loads, names_in, walk
from graphc.dims import Dim
from graphc.exprs import TRUE, Call, Cast, Const, Expr, Index, Load, Var, both, const

# The loops that a loop is split into have at least so many points, on average.
LEAST_POINTS = 4


def invariant_guard(body: tuple[Stmt, ...], axis: str) -> Let | None:
    """The condition under which most elements are loaded, if the loop over an axis does not change it.

    Args:
        body: Scalars and stores that one loop runs.
        axis: The loop's axis.
    """
    if not all(isinstance(stmt, (Let, Store)) for stmt in body):
        return None
    varying = {axis}
    for stmt in body:
        if isinstance(stmt, Let) and names_in(stmt.value) & varying:
            varying.add(stmt.name)
    guards = [load.guard.name for load in loads(body) if isinstance(load.guard, Var)]
    invariant = [name for name in guards if name not in varying]
    if not invariant:
        return None
    name = max(invariant, key=invariant.count)
    return next((stmt for stmt in body if isinstance(stmt, Let) and stmt.name == name), None)


def split_at_changes(body: tuple[Stmt, ...], axis: Axis) -> list[tuple[Axis, tuple[Stmt, ...]]]:
    """Splits a loop at the points of its axis where comparisons change.

    Args:
        body: Scalars and stores that the loop runs.
        axis: The loop's axis.

    Returns:
        The axis and the body of each of the loops, which run one after the other; none where there is no such point.
    """
    if not isinstance(axis.extent, int) or not all(isinstance(stmt, (Let, Store)) for stmt in body):
        return []
    changes = (_change(comparison, axis) for comparison in _comparisons(body))
    points = {point for point in changes if point is not None and 0 < point < axis.extent}
    if not points or axis.extent < LEAST_POINTS * (len(points) + 1):
        return []
    loops = []
    for low, high in pairwise((0, *sorted(points), axis.extent)):
        part = replace(axis, extent=high - low)
        values = {axis.name: low + part.index}

        def moved(buffer: str, index: tuple[Dim, ...], at: Mapping[str, Dim] = values) -> tuple[str, tuple[Dim, ...]]:
            return buffer, tuple(with_axes(dim, at) for dim in index)

        inner = tuple(map_accesses(stmt, moved) for stmt in body)
        outcomes: dict[Expr, Const] = {
            comparison: outcome for comparison in _comparisons(inner) if (outcome := _outcome(comparison)) is not None
        }
        loops.append((part, decided(inner, outcomes)))
    return loops


def _comparisons(body: tuple[Stmt, ...]) -> Iterator[Call]:
    """The comparisons of integer expressions in a body."""
    for stmt in body:
        for expr in expressions(stmt):
            for part in walk(expr):
                match part:
                    case Call("lt" | "le" | "ge" | "gt", (Index(), Index())):
                        yield part


def _margin(comparison: Call) -> Dim:
    """An integer expression that is not negative where a comparison holds."""
    left, right = (arg.dim for arg in comparison.args if isinstance(arg, Index))
    least = 1 if comparison.name in ("gt", "lt") else 0
    return (left - right if comparison.name in ("ge", "gt") else right - left) - least


def _change(comparison: Call, axis: Axis) -> int | None:
    """The point of an axis from which on a comparison has another outcome; None where that is not known."""
    margin = _margin(comparison)
    rising, falling = margin - axis.index, margin + axis.index
    if isinstance(rising, int):
        return -rising
    return falling + 1 if isinstance(falling, int) else None


def _outcome(comparison: Call) -> Const | None:
    """The outcome of a comparison; None where it is not known to be the same at all points."""
    margin = _margin(comparison)
    if dims.nonnegative(margin):
        return TRUE
    return const(False, dtypes.bool_) if dims.nonnegative(-1 - margin) else None


def given(guard: Let, holds: bool) -> dict[Expr, Const]:
    """What is known where a condition holds, or does not."""
    return dict.fromkeys((guard.value, Var(guard.name, dtypes.bool_)), const(holds, dtypes.bool_))


def decided(body: tuple[Stmt, ...], outcomes: Mapping[Expr, Const]) -> tuple[Stmt, ...]:
    """What remains of a body where the outcomes of some conditions are known."""
    known = dict(outcomes)
    done: list[Let | Store] = []
    for stmt in body:
        if not isinstance(stmt, (Let, Store)):
            continue
        value = _decided(stmt.value, known)
        if isinstance(stmt, Let) and isinstance(value, Const) and value.dtype.is_bool:
            known[Var(stmt.name, value.dtype)] = value
        else:
            done.append(replace(stmt, value=value))
    wanted: set[str] = set()
    remaining: list[Stmt] = []
    for stmt in reversed(done):
        if isinstance(stmt, Let) and stmt.name not in wanted:
            continue
        if isinstance(stmt, Store):
            wanted |= {atom.name for dim in stmt.index for atom in dims.atoms(dim)}
        wanted |= names_in(stmt.value)
        remaining.append(stmt)
    return tuple(reversed(remaining))


def _decided(expr: Expr, known: Mapping[Expr, Const]) -> Expr:
    if expr in known:
        return known[expr]
    match expr:
        case Call("select", (condition, then, otherwise), dtype):
            condition = _decided(condition, known)
            if isinstance(condition, Const):
                return _decided(then if condition.value else otherwise, known)
            return Call("select", (condition, _decided(then, known), _decided(otherwise, known)), dtype)
        case Call("and", (a, b), dtype):
            a, b = _decided(a, known), _decided(b, known)
            never = const(False, dtype)
            return never if never in (a, b) else both(a, b)
        case Call(name, args, dtype):
            return Call(name, tuple(_decided(arg, known) for arg in args), dtype)
        case Cast(arg, dtype):
            return Cast(_decided(arg, known), dtype)
        case Load(buffer, index, dtype, condition) if condition is not None:
            condition = _decided(condition, known)
            if isinstance(condition, Const):
                # What is not loaded is 0 (`graphc.exprs.Load`).
                return Load(buffer, index, dtype) if condition.value else const(0, dtype)
            return Load(buffer, index, dtype, condition)
    return expr
