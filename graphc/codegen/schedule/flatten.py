"""Schedules: how a kernel's loops run. Legible rules, from the strides of its reads and writes.

A schedule keeps what a kernel computes: it flattens indices to offsets, merges neighbouring axes that are traversed as
one, and binds axes. Which axis is `vector` tells renderers where neighbouring elements lie in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graphc import dims
from graphc.codegen.ir.kernel import (
    Accumulator,
    Axis,
    Contract,
    For,
    Kernel,
    Let,
    Reduce,
    Stmt,
    Store,
    check,
    expressions,
    indices,
    loads,
    names_in,
    needed,
    stores,
)
from graphc.codegen.schedule.accumulators import widened
from graphc.dims import Dim
from graphc.exprs import Call, Cast, Expr, Index, Load, Var, call
from graphc.primitives.views import ravel


def schedule(kernel: Kernel) -> Kernel:
    """Flattens and merges, binds the axis along which most memory is contiguous as `vector`, and widens sums."""
    flat = _sums_as_reductions(_merged(flatten(kernel)))
    bound = widened(_bind_vector(flat))
    check(bound)
    return bound


# ---- rewriting all indices


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
            kept = tuple(inner for inner in mapped if isinstance(inner, (Let, Store)))
            return Reduce(axes, kept, combined, tuple(map_accesses(inner, access) for inner in after))


def map_buffers(stmt: Stmt, names: dict[str, str]) -> Stmt:
    """The statement with buffers renamed."""
    return map_accesses(stmt, lambda buffer, index: (names.get(buffer, buffer), index))


def flatten(kernel: Kernel) -> Kernel:
    """The kernel with each buffer as one axis: indices become offsets."""
    shapes = {param.name: param.shape for param in kernel.params}

    def offset(buffer: str, index: tuple[Dim, ...]) -> tuple[str, tuple[Dim, ...]]:
        return buffer, (ravel(index, shapes[buffer]),) if buffer else index

    params = tuple(replace(param, shape=(dims.product(param.shape),)) for param in kernel.params)
    return replace(kernel, params=params, body=tuple(map_accesses(stmt, offset) for stmt in kernel.body))


# ---- merging axes


def _merged(kernel: Kernel) -> Kernel:
    """Neighbouring axes of a loop made one where every offset stays a plain sum."""
    body = kernel.body
    axes, body = _merge_loop(kernel.axes, body)
    done: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, (Reduce, Contract, For)):
            inner, (merged,) = _merge_loop(stmt.axes, (stmt,))
            assert isinstance(merged, (Reduce, Contract, For))
            stmt = replace(merged, axes=inner)
        done.append(stmt)
    return replace(kernel, axes=axes, body=tuple(done))


def _merge_loop(axes: tuple[Axis, ...], body: tuple[Stmt, ...]) -> tuple[tuple[Axis, ...], tuple[Stmt, ...]]:
    kept = [axis for axis in axes if axis.extent != 1]
    position = len(kept) - 2
    while position >= 0:
        outer, inner = kept[position : position + 2]
        joint = Axis(outer.name, outer.extent * inner.extent, outer.bind)
        halves = {
            outer.name: dims.floordiv(joint.index, inner.extent),
            inner.name: dims.mod(joint.index, inner.extent),
        }
        trial = _substituted(body, halves)
        if trial is not None:
            kept[position : position + 2] = [joint]
            body = trial
        position -= 1
    return tuple(kept), body


def _substituted(body: tuple[Stmt, ...], halves: dict[str, Dim]) -> tuple[Stmt, ...] | None:
    """The body with axes replaced, or None where a quotient or remainder of the joint axis would stay."""
    joint = _axis_names(tuple(halves.values()))

    new: dict[Dim, Dim] = {}
    for dim in _all_indices(body):
        if dim in new:
            continue
        new[dim] = with_axes(dim, halves)
        if _quotients(new[dim]) > _quotients(dim) and joint & {atom.name for atom in dims.atoms(new[dim])}:
            return None

    def index(buffer: str, place: tuple[Dim, ...]) -> tuple[str, tuple[Dim, ...]]:
        return buffer, tuple([new[dim] for dim in place])

    return tuple(map_accesses(stmt, index) for stmt in body)


def _all_indices(body: tuple[Stmt, ...]) -> list[Dim]:
    found: list[Dim] = []
    for stmt in body:
        for expr in expressions(stmt):
            found.extend(indices(expr))
    return found


def _quotients(dim: Dim) -> int:
    return sum(atom.kind in ("div", "mod") for atom in dims.atoms(dim))


def _axis_names(values: tuple[Dim, ...]) -> set[str]:
    return {atom.name for value in values for atom in dims.atoms(value) if atom.kind == "axis"}


# ---- strides


def stride(offset: Dim, axis: str) -> Dim | None:
    """By how much an offset grows with an axis; None where it does not grow evenly."""
    if isinstance(offset, int):
        return 0
    total: Dim = 0
    for monomial, coefficient in offset.terms:
        names = [atom.name for atom in monomial if atom.kind == "axis"]
        nested = any(atom.kind in ("div", "mod") and axis in _axis_names((_as_dim(atom),)) for atom in monomial)
        if nested or names.count(axis) > 1:
            return None
        if axis in names:
            term: Dim = coefficient
            for atom in monomial:
                term = term * (1 if atom.kind == "axis" and atom.name == axis else _as_dim(atom))
            total = total + term
    return total


def _as_dim(atom: dims.Atom) -> Dim:
    return dims.IntExpr((((atom,), 1),))


def without(offset: Dim, axes: set[str]) -> Dim:
    """The offset with some axes at 0."""
    return with_axes(offset, dict.fromkeys(axes, 0))


def with_axes(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The expression with some axes replaced. A symbolic size may have an axis's name, and stays."""

    def leaf(atom: dims.Atom) -> Dim:
        return values[atom.name] if atom.kind == "axis" and atom.name in values else _as_dim(atom)

    return dims.rebuild(dim, leaf)


# ---- binding


def _bind_vector(kernel: Kernel) -> Kernel:
    """Marks the axis along which the kernel's reads and writes are mostly contiguous.

    Among reductions this decides between rows (lanes share a reduction) and columns (each lane has its own).
    """
    inner = [stmt for stmt in kernel.body if isinstance(stmt, (Reduce, For))]
    if kernel.contraction is not None or not inner or not kernel.axes:
        axes = kernel.axes[:-1] + tuple(replace(axis, bind="vector") for axis in kernel.axes[-1:])
        return replace(kernel, axes=axes if not inner or kernel.contraction else kernel.axes)
    last = kernel.axes[-1]
    # What does not change along the one or the other is small, and decides only where nothing else does.
    for whole in (True, False):
        columns = sum(_contiguous(stmt, last.name, stmt.axes if whole else ()) for stmt in inner)
        rows = sum(_contiguous(stmt, stmt.axes[-1].name, (last,) if whole else ()) for stmt in inner if stmt.axes)
        if columns != rows:
            break
    if columns > rows:
        return replace(kernel, axes=(*kernel.axes[:-1], replace(last, bind="vector")))
    return kernel


def _contiguous(stmt: Stmt, axis: str, others: tuple[Axis, ...]) -> int:
    """How many accesses, of those that one of some other axes changes, are to neighbours along an axis."""
    accesses = [load.index[0] for load in loads((stmt,))] + [store.index[0] for store in stores((stmt,))]
    names = {other.name for other in others}
    return sum(stride(o, axis) == 1 and (not names or bool(names & _axis_names((o,)))) for o in accesses)


# ---- contractions


def _sums_as_reductions(kernel: Kernel) -> Kernel:
    """The kernel with its contraction as a reduction, if that is no product of matrices.

    Where only one factor has axes of its own, each of its elements is used once: there is nothing to keep in registers
    or in shared memory.
    """
    if kernel.contraction is None:
        return kernel
    f = factors(kernel)
    return kernel if f.m and f.n else as_reductions(kernel)


def as_reductions(kernel: Kernel) -> Kernel:
    """The kernel with its contraction summed like any reduction."""

    def reduction(stmt: Contract) -> Reduce:
        value = call("mul", stmt.lhs, stmt.rhs)
        return Reduce(stmt.axes, stmt.body, (Accumulator(stmt.name, "sum", value, stmt.dtype),))

    body = tuple(reduction(stmt) if isinstance(stmt, Contract) else stmt for stmt in kernel.body)
    return replace(kernel, body=body)


@dataclass(frozen=True, slots=True)
class Factors:
    """A contraction as matrix products of whatever its factors are: which axes number rows, columns, depth and batch.

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
        """The same with left and right exchanged."""
        return Factors(self.batch, self.n, self.m, self.k, self.rhs_along_k, self.lhs_along_k)


def plain_load(contraction: Contract, factor: Expr) -> Load | None:
    """The unguarded element of memory, in the contraction's dtype, that a factor is; None where it is more."""
    bound = {let.name: let.value for let in contraction.body}
    value = bound.get(factor.name, factor) if isinstance(factor, Var) else factor
    plain = isinstance(value, Load) and value.guard is None and value.dtype is contraction.dtype
    return value if isinstance(value, Load) and plain else None


def factors(kernel: Kernel) -> Factors:
    """How a kernel's contraction is a matrix product: by the axes that each factor mentions."""
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
    """The names that a factor is computed from, through the scalars bound for it."""
    wanted = names_in(factor)
    for let in needed(contraction.body, factor):
        wanted |= names_in(let.value)
    return wanted


def _runs_along(contraction: Contract, factor: Expr, axis: str) -> bool:
    wanted = mentioned(contraction, factor)
    values = [factor, *(let.value for let in contraction.body if let.name in wanted)]
    offsets = [load.index[0] for load in loads(tuple(Let("", value) for value in values))]
    return any(stride(offset, axis) == 1 for offset in offsets)
