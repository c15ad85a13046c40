"""Traversals of kernels: expressions, statements, reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc import dims
from graphc.codegen.ir.kernel import Accumulator, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.exprs import Call, Cast, Expr, Index, Load, Var


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside another."""
    if isinstance(expr, Call):
        return expr.args
    if isinstance(expr, Cast):
        return (expr.arg,)
    if isinstance(expr, Load) and expr.guard is not None:
        return (expr.guard,)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and all expressions inside it, in pre-order."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Call):  # the most frequent case; most other expressions have no operands
            waiting += part.args[::-1]
        elif isinstance(part, (Cast, Load)):
            waiting += operands(part)


def indices(expr: Expr) -> Iterator[Dim]:
    """All integer expressions inside an expression."""
    for part in walk(expr):
        if isinstance(part, Index):
            yield part.dim
        elif isinstance(part, Load):
            yield from part.index


def names_in(expr: Expr) -> set[str]:
    """The names of all variables and axes that an expression mentions."""
    names: set[str] = set()
    for part in walk(expr):
        if isinstance(part, Var):
            names.add(part.name)
        elif isinstance(part, Load):
            for dim in part.index:
                names |= dims.loop_names(dim)
        elif isinstance(part, Index):
            names |= dims.loop_names(part.dim)
    return names


def needed(lets: tuple[Let, ...], value: Expr) -> list[Let]:
    """The bound scalars on which an expression depends."""
    wanted = names_in(value)
    used: list[Let] = []
    for let in reversed(lets):
        if let.name in wanted:
            wanted |= names_in(let.value)
            used.append(let)
    return used[::-1]


def expressions(stmt: Stmt) -> Iterator[Expr]:
    """All expressions of a statement, those of the statements inside it included."""
    match stmt:
        case Let(_, value) | Store(_, _, value):
            yield value
            if isinstance(stmt, Store):
                yield from (Index(dim) for dim in stmt.index)
        case Reduce(_, body, accumulators, after):
            for inner in (*body, *after):
                yield from expressions(inner)
            for accumulator in accumulators:
                yield accumulator.value
                if accumulator.position is not None:
                    yield accumulator.position
        case Contract(_, _, lets, lhs, rhs, _, within):
            for let in lets:
                yield let.value
            yield from (lhs, rhs, *within)
        case For(_, body):
            for inner in body:
                yield from expressions(inner)


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """All statements, those inside others included."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, (Reduce, For)):
            yield from statements(stmt.body)
        if isinstance(stmt, Reduce):
            yield from statements(stmt.after)


def loads(body: tuple[Stmt, ...]) -> Iterator[Load]:
    """All reads of memory."""
    for stmt in body:
        for expr in expressions(stmt):
            for part in walk(expr):
                if isinstance(part, Load):
                    yield part


def groups(accumulators: Iterable[Accumulator]) -> list[tuple[Accumulator, ...]]:
    """Accumulators by combiner: those of one combiner are merged together."""
    sets: list[tuple[Accumulator, ...]] = []
    for a in accumulators:
        sets = [*sets[:-1], (*sets[-1], a)] if a.part else [*sets, (a,)]
    return sets


def stores(body: tuple[Stmt, ...]) -> Iterator[Store]:
    """All writes to memory."""
    return (stmt for stmt in statements(body) if isinstance(stmt, Store))


def dtypes_of(kernel: Kernel) -> set[DType]:
    """The dtypes of a kernel's buffers and scalars."""
    scalars = (part.dtype for stmt in kernel.body for expr in expressions(stmt) for part in walk(expr))
    return {*(param.dtype for param in kernel.params), *scalars}
