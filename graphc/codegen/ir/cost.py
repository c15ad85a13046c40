"""The cost of kernels and plans: estimated numbers of scalar operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphc import dims
from graphc.codegen.ir.kernel import Accumulator, Contract, For, Kernel, Let, Reduce, Stmt
from graphc.codegen.ir.walk import expressions, walk
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.exprs import Call, Load, Var
from graphc.intrinsics import intrinsic
from graphc.plan import NOMINAL_SIZE, Branch, Copy, Launch, LibraryCall, Loop, Step, While


def work(kernel: Kernel) -> Dim:
    """The estimated number of scalar operations of a kernel."""
    return dims.product(axis.extent for axis in kernel.axes) * _block(kernel.body)


def plan_work(steps: tuple[Step, ...], kernels: Mapping[str, Kernel]) -> Dim:
    """The estimated number of scalar operations of steps, without costs that depend on a loop's counter."""
    total: Dim = 0
    launched: Counter[str] = Counter()
    for step in steps:
        match step:
            case Loop(_, count, inner):
                total = total + count * plan_work(inner, kernels)
            case While():
                total = total + NOMINAL_SIZE * plan_work((*step.test, *step.steps), kernels)
            case Branch():
                total = total + plan_work(sum(step.branches, ()), kernels)
            case LibraryCall():
                total = total + step.work
            case Launch(kernel):
                launched[kernel] += 1
            case Copy(_, _, elements):
                total = total + elements
    for kernel, times in launched.items():
        cost = work(kernels[kernel])
        total = total + (0 if any(name.startswith("@") for name in dims.size_names(cost)) else times * cost)
    return total


def _block(body: tuple[Stmt, ...]) -> Dim:
    total: Dim = 0
    for stmt in body:
        match stmt:
            case Reduce(axes, lets, accumulators, after):
                taken_in = sum(_combining(a) + _cost(Reduce((), (), (a,))) for a in accumulators)
                inner = _block(lets) + _block(after) + taken_in
                total = total + dims.product(axis.extent for axis in axes) * inner
            case For(axes, inside):
                total = total + dims.product(axis.extent for axis in axes) * _block(inside)
            case Contract(_, axes, lets):
                total = total + dims.product(axis.extent for axis in axes) * (2 + _block(lets))
            case _:
                total = total + 1 + _cost(stmt)
    return total


def _combining(a: Accumulator) -> int:
    """The cost of combining one more element; with several accumulators the first counts for all."""
    record = combiner(a.combine)
    if a.operator or record.positional:
        return 1
    parts = record.lift(Var("", a.dtype))
    return 0 if a.part else sum(_cost(Let("", value)) for value in record.combine(parts, parts))


def _cost(stmt: Stmt) -> int:
    cost = 0
    for expr in expressions(stmt):
        for part in walk(expr):
            if isinstance(part, Call):
                cost += intrinsic(part.name).cost
            cost += isinstance(part, Load)
    return cost
