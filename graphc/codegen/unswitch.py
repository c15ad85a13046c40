"""Loop unswitching: a condition that the innermost loop does not change is asked once, before the loop.

Where padding is stored, a whole row of channels is either copied or zero; compilers do not vectorise a loop well that
asks again for every element (Allen and Cocke, "A catalogue of optimizing transformations", 1971).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphc import dims, dtypes
from graphc.codegen.kernel import Let, Stmt, Store, loads, names_in
from graphc.exprs import Call, Cast, Const, Expr, Load, Var, const


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


def decided(body: tuple[Stmt, ...], guard: Let, holds: bool) -> tuple[Stmt, ...]:
    """What remains of a body where a condition is known."""
    known: dict[Expr, Const] = dict.fromkeys((guard.value, Var(guard.name, dtypes.bool_)), const(holds, dtypes.bool_))
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
        case Call(name, args, dtype):
            return Call(name, tuple(_decided(arg, known) for arg in args), dtype)
        case Cast(arg, dtype):
            return Cast(_decided(arg, known), dtype)
        case Load(buffer, index, dtype, condition) if condition is not None:
            condition = _decided(condition, known)
            if isinstance(condition, Const):
                # What is not loaded is 0, as in the loop that asks.
                return Load(buffer, index, dtype) if condition.value else const(0, dtype)
            return Load(buffer, index, dtype, condition)
    return expr
