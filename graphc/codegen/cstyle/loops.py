"""Prints loops in C and CUDA: nests, and the statements of one point at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.codegen.cstyle.expr import ExprPrinter, depths
from graphc.codegen.cstyle.source import Lines
from graphc.codegen.ir.kernel import Axis, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.combiners import SUM, combiner
from graphc.exprs import Load


class LoopPrinter:
    """Prints statements as loops that one thread runs.

    Args:
        scalars: The printer of scalars.
        reduce: Prints a reduction of one thread, with this printer of loops.

    Attributes:
        out: The printed lines.
        lane_axes: Axes whose loop is printed innermost, regardless of their order.
    """

    def __init__(self, scalars: ExprPrinter, reduce: Callable[[LoopPrinter, Reduce], None]) -> None:
        self.scalars = scalars
        self.out = Lines()
        self.lane_axes: tuple[str, ...] = ()
        self._reduce = reduce

    @property
    def simd(self) -> str:
        """The line before a loop with independent iterations; empty for none."""
        return self.scalars.dialect.simd

    def nest(
        self,
        axes: tuple[Axis, ...],
        body: tuple[Stmt, ...],
        innermost: Callable[[tuple[Stmt, ...]], None],
        simd: bool = False,
        clause: str = "",
        heads: Mapping[str, Callable[[Axis], None]] | None = None,
    ) -> None:
        """Prints loops over axes, with scalars bound as far outside as possible; `innermost` prints other statements.

        `heads` prints the heads of special loops, by axis.
        """
        heads = heads or {}
        level = depths([axis.name for axis in axes], body, (*self.scalars.subscript, *self.lane_axes))
        # A block of its own, since scalars are bound in it.
        self.out("{")
        for depth in range(len(axes) + 1):
            if depth:
                axis = axes[depth - 1]
                if depth == len(axes) and simd and self.simd:
                    self.out(f"{self.simd}{clause}")
                if axis.name in heads:
                    heads[axis.name](axis)
                else:
                    name = axis.name
                    self.out(f"for (long {name} = 0; {name} < {self.scalars.dim(axis.extent)}; ++{name}) {{")
            if depth < len(axes):
                for stmt in body:
                    if isinstance(stmt, Let) and level[stmt.name] == depth:
                        self.out(self.scalars.let(stmt))
        innermost(tuple(s for s in body if not isinstance(s, Let) or level[s.name] == len(axes)))
        for _ in range(len(axes) + 1):
            self.out("}")

    def decode(self, axes: Sequence[Axis], name: str) -> None:
        """Prints the index in each of several axes, from a row-major number."""
        if axes:
            self.scalars.use(name)
        if len(axes) > 1:
            self.out(f"long {name}_rest = {name};")
        for axis in reversed(axes[1:]):
            extent = self.scalars.grouped(axis.extent)
            self.out(f"const long {axis.name} = {name}_rest % {extent};")
            self.out(f"{name}_rest /= {extent};")
        for axis in axes[:1]:
            self.out(f"const long {axis.name} = {name}{'_rest' if len(axes) > 1 else ''};")

    # ---- rows: one point of the kernel's axes at a time

    def rows(self, body: tuple[Stmt, ...]) -> None:
        """Statements for the current point."""
        for stmt in body:
            match stmt:
                case Let():
                    self.out(self.scalars.let(stmt))
                case Store():
                    self.store(stmt)
                case For(axes, inner):
                    ordered = any(isinstance(s, Store) and s.accumulate for s in inner)
                    self.nest(axes, inner, self.rows, simd=not ordered)
                case Reduce():
                    self._reduce(self, stmt)

    def store(self, stmt: Store) -> None:
        """A write to memory."""
        place = self.scalars.element(stmt.buffer, stmt.index[0])
        value = stmt.value
        adds = stmt.combine == SUM.name and (self.scalars.dialect.wraps or not value.dtype.is_integer)
        if stmt.combine and not adds:
            before = Load(stmt.buffer, stmt.index, value.dtype)
            (value,) = combiner(stmt.combine).combine((before,), (value,))
        self.out(f"{place} {'+=' if adds else '='} {self.scalars.expr(value)};")


def has_inner(kernel: Kernel) -> bool:
    """Whether a kernel has loops inside its points."""
    return any(isinstance(stmt, (Reduce, For, Contract)) for stmt in kernel.body)
