"""Conditions are taken out of the innermost loop.

Loop unswitching: one that the loop does not change is asked once, before the loop. Where padding is stored, a whole row
of channels is either copied or zero; compilers do not vectorise a loop well that asks again for every element (Allen
and Cocke, "A catalogue of optimizing transformations", 1971).

Index set splitting: one that changes at a known point of the loop's axis cuts the loop in two, and in neither it is
asked. A concatenation then copies one part after the other (Wolfe, "High Performance Compilers for Parallel Computing",
1996).
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

# Pieces that a loop is cut into have at least so many points, on average.
LEAST_PIECE = 4


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
    kept = [name for name in guards if name not in varying]
    if not kept:
        return None
    name = max(kept, key=kept.count)
    return next((stmt for stmt in body if isinstance(stmt, Let) and stmt.name == name), None)


def pieces(body: tuple[Stmt, ...], axis: Axis) -> list[tuple[Axis, tuple[Stmt, ...]]]:
    """The loops, one after the other, that a loop is where none asks what changes along its axis at known points.

    Args:
        body: Scalars and stores that the loop runs.
        axis: The loop's axis.

    Returns:
        For each loop its axis and its body; none where there is nothing to cut.
    """
    if not isinstance(axis.extent, int) or not all(isinstance(stmt, (Let, Store)) for stmt in body):
        return []
    cuts = {at for asked in _comparisons(body) if (at := _change(asked, axis)) is not None and 0 < at < axis.extent}
    if not cuts or axis.extent < LEAST_PIECE * (len(cuts) + 1):
        return []
    found = []
    for low, high in pairwise((0, *sorted(cuts), axis.extent)):
        part = replace(axis, extent=high - low)
        values = {axis.name: low + part.index}

        def moved(buffer: str, index: tuple[Dim, ...], at: Mapping[str, Dim] = values) -> tuple[str, tuple[Dim, ...]]:
            return buffer, tuple(with_axes(dim, at) for dim in index)

        inner = tuple(map_accesses(stmt, moved) for stmt in body)
        answers: dict[Expr, Const] = {
            asked: answer for asked in _comparisons(inner) if (answer := _answer(asked)) is not None
        }
        found.append((part, decided(inner, answers)))
    return found


def _comparisons(body: tuple[Stmt, ...]) -> Iterator[Call]:
    """What a body asks about whole numbers that come from axes and sizes."""
    for stmt in body:
        for expr in expressions(stmt):
            for asked in walk(expr):
                match asked:
                    case Call("lt" | "le" | "ge" | "gt", (Index(), Index())):
                        yield asked


def _ahead(asked: Call) -> Dim:
    """What must not be negative for a comparison to hold."""
    left, right = (arg.dim for arg in asked.args if isinstance(arg, Index))
    least = 1 if asked.name in ("gt", "lt") else 0
    return (left - right if asked.name in ("ge", "gt") else right - left) - least


def _change(asked: Call, axis: Axis) -> int | None:
    """From which point of an axis on the answer is another; None where that is not known."""
    ahead = _ahead(asked)
    rising, falling = ahead - axis.index, ahead + axis.index
    if isinstance(rising, int):
        return -rising
    return falling + 1 if isinstance(falling, int) else None


def _answer(asked: Call) -> Const | None:
    """The answer, where it is known to be the same at all points."""
    ahead = _ahead(asked)
    if dims.nonnegative(ahead):
        return TRUE
    return const(False, dtypes.bool_) if dims.nonnegative(-1 - ahead) else None


def given(guard: Let, holds: bool) -> dict[Expr, Const]:
    """What is known where a condition holds, or does not."""
    return dict.fromkeys((guard.value, Var(guard.name, dtypes.bool_)), const(holds, dtypes.bool_))


def decided(body: tuple[Stmt, ...], answers: Mapping[Expr, Const]) -> tuple[Stmt, ...]:
    """What remains of a body where the answers to some conditions are known."""
    known = dict(answers)
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
    kept: list[Stmt] = []
    for stmt in reversed(done):
        if isinstance(stmt, Let) and stmt.name not in wanted:
            continue
        if isinstance(stmt, Store):
            wanted |= {atom.name for dim in stmt.index for atom in dims.atoms(dim)}
        wanted |= names_in(stmt.value)
        kept.append(stmt)
    return tuple(reversed(kept))


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
