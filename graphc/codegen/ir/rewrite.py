"""Statements with their accesses to memory replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from graphc.codegen.ir.kernel import Contract, For, Let, Reduce, Stmt, Store
from graphc.dims import Dim
from graphc.exprs import Call, Cast, Expr, Index, Load

Rename = Callable[[str, tuple[Dim, ...]], tuple[str, tuple[Dim, ...]]]


def map_accesses(stmt: Stmt, access: Rename) -> Stmt:
    """The statement with every access replaced; `access` gets buffer and index, and "" for an integer as a value."""

    def expr(e: Expr) -> Expr:
        if isinstance(e, Call):
            return Call(e.name, tuple(expr(arg) for arg in e.args), e.dtype)
        if isinstance(e, Cast):
            return Cast(expr(e.arg), e.dtype)
        if isinstance(e, Load):
            buffer, index = access(e.buffer, e.index)
            return Load(buffer, index, e.dtype, None if e.guard is None else expr(e.guard))
        if isinstance(e, Index):
            return Index(access("", (e.dim,))[1][0], e.dtype)
        return e

    def lets(body: tuple[Let, ...]) -> tuple[Let, ...]:
        return tuple(Let(let.name, expr(let.value)) for let in body)

    match stmt:
        case Let(name, value):
            return Let(name, expr(value))
        case Store():
            buffer, index = access(stmt.buffer, stmt.index)
            return replace(stmt, buffer=buffer, index=index, value=expr(stmt.value))
        case For(axes, body):
            return For(axes, tuple(map_accesses(inner, access) for inner in body))
        case Contract():
            within = tuple(expr(condition) for condition in stmt.within)
            return replace(stmt, body=lets(stmt.body), lhs=expr(stmt.lhs), rhs=expr(stmt.rhs), within=within)
        case Reduce(axes, body, accumulators, after):
            combined = tuple(
                replace(a, value=expr(a.value), position=None if a.position is None else expr(a.position))
                for a in accumulators
            )
            mapped = [map_accesses(inner, access) for inner in body]
            writes = tuple(inner for inner in mapped if isinstance(inner, (Let, Store)))
            return Reduce(axes, writes, combined, tuple(map_accesses(inner, access) for inner in after))


def map_buffers(stmt: Stmt, names: Mapping[str, str]) -> Stmt:
    """The statement with buffers renamed."""
    return map_accesses(stmt, lambda buffer, index: (names.get(buffer, buffer), index))
