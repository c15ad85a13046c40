"""Merges neighbouring axes of a loop that can be traversed as one."""

from __future__ import annotations

from dataclasses import replace

from graphc import dims
from graphc.codegen.ir.kernel import Axis, Contract, For, Kernel, Reduce, Stmt
from graphc.codegen.ir.rewrite import map_accesses
from graphc.codegen.ir.strides import axis_names, with_axes
from graphc.codegen.ir.walk import expressions, indices
from graphc.dims import Dim


def merge_axes(kernel: Kernel) -> Kernel:
    """Merges neighbouring axes of a loop where every offset stays a plain sum."""
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
    merged = [axis for axis in axes if axis.extent != 1]
    position = len(merged) - 2
    while position >= 0:
        outer, inner = merged[position : position + 2]
        joint = Axis(outer.name, outer.extent * inner.extent, outer.bind)
        halves = {
            outer.name: dims.floordiv(joint.index, inner.extent),
            inner.name: dims.mod(joint.index, inner.extent),
        }
        trial = _substituted(body, halves)
        if trial is not None:
            merged[position : position + 2] = [joint]
            body = trial
        position -= 1
    return tuple(merged), body


def _substituted(body: tuple[Stmt, ...], halves: dict[str, Dim]) -> tuple[Stmt, ...] | None:
    """The body with axes replaced, or None where a quotient or remainder of the joint axis would stay."""
    joint = axis_names(halves.values())

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
    offsets: list[Dim] = []
    for stmt in body:
        for expr in expressions(stmt):
            offsets.extend(indices(expr))
    return offsets


def _quotients(dim: Dim) -> int:
    return sum(atom.kind in ("div", "mod") for atom in dims.atoms(dim))
