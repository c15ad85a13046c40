"""How much a kernel does, counted from its loop IR: the bytes that it has to move, and its arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphc import dims
from graphc.codegen.ir.kernel import Axis, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import walk
from graphc.exprs import Call, Expr, Load


@dataclass(frozen=True)
class Work:
    """Bytes that a kernel reads and writes at least, each element once; and its floating-point operations."""

    nbytes: int
    operations: int


def work(kernel: Kernel, sizes: Mapping[str, int]) -> Work:
    """The work of one launch.

    Args:
        kernel: What is launched.
        sizes: A value for each symbolic size.
    """
    counting = _Counting(sizes)
    counting.block(kernel.body, counting.points(kernel.axes))
    nbytes = 0
    for param in kernel.params:
        elements = dims.evaluate(dims.product(param.shape), sizes)
        moved = sum(min(accesses[param.name], elements) for accesses in (counting.reads, counting.writes))
        nbytes += moved * param.dtype.itemsize
    return Work(nbytes, counting.operations)


class _Counting:
    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.operations = 0

    def points(self, axes: Iterable[Axis]) -> int:
        return dims.evaluate(dims.product(axis.extent for axis in axes), self.sizes)

    def block(self, body: Iterable[Stmt], times: int) -> None:
        for stmt in body:
            match stmt:
                case Let(_, value):
                    self.expr(value, times)
                case Store(buffer, _, value):
                    self.expr(value, times)
                    self.writes[buffer] += times
                case For(axes, inner):
                    self.block(inner, times * self.points(axes))
                case Reduce(axes, lets, accumulators, after):
                    inside = times * self.points(axes)
                    self.block((*lets, *after), inside)
                    for accumulator in accumulators:
                        self.expr(accumulator.value, inside)
                        self.operations += inside * accumulator.dtype.is_float
                case Contract(_, axes, lets, lhs, rhs, dtype):
                    inside = times * self.points(axes)
                    self.block(lets, inside)
                    for factor in (lhs, rhs):
                        self.expr(factor, inside)
                    self.operations += 2 * inside * dtype.is_float

    def expr(self, expr: Expr, times: int) -> None:
        for part in walk(expr):
            if isinstance(part, Load):
                self.reads[part.buffer] += times
            elif isinstance(part, Call):
                self.operations += times * part.dtype.is_float
