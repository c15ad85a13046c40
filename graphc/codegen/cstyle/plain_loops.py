"""Prints kernels of plain loops in C."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.codegen.cstyle.columns import ColumnPrinter, Heads
from graphc.codegen.cstyle.loops import LoopPrinter, has_inner
from graphc.codegen.cstyle.unswitch import decided, given, invariant_guard, split_at_changes
from graphc.codegen.ir.kernel import Axis, Kernel, Let, Stmt
from graphc.codegen.ir.walk import needed


class PlainLoopPrinter:
    """Prints kernels of plain loops: columns, or one point at a time.

    Args:
        loops: Prints the loops of one thread.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out = loops, loops.scalars, loops.out

    def kernel(self, kernel: Kernel, shared: Axis | None = None, heads: Heads | None = None) -> None:
        """The loops of a kernel without contractions.

        Args:
            kernel: The kernel.
            shared: The last of the loops that threads share; None where one thread runs all.
            heads: What prints the heads of those loops, by axis.
        """
        heads = heads or {}
        if not kernel.axes:
            self.loops.nest((), kernel.body, self.loops.rows)
        elif kernel.axes[-1].bind == "vector" and has_inner(kernel):
            ColumnPrinter(self.loops).kernel(kernel, shared, heads)
        elif (guard := invariant_guard(kernel.body, kernel.axes[-1].name)) is not None:
            self._unswitched(kernel, guard, heads)
        elif shared != kernel.axes[-1] and (parts := split_at_changes(kernel.body, kernel.axes[-1])):
            self._split(kernel, parts, heads)
        else:
            self.loops.nest(kernel.axes, kernel.body, self.loops.rows, simd=not has_inner(kernel), heads=heads)

    def _unswitched(self, kernel: Kernel, guard: Let, heads: Heads) -> None:
        """Two loops over the last axis: for where a condition holds, and for where it does not."""
        last = kernel.axes[-1]
        self.loops.lane_axes = (last.name,)

        def innermost(rest: tuple[Stmt, ...]) -> None:
            lets = tuple(stmt for stmt in rest if isinstance(stmt, Let))
            before = [*needed(lets, guard.value), guard] if guard in rest else []
            for let in before:
                self.out(self.scalars.let(let))
            body = tuple(stmt for stmt in rest if stmt not in before)
            for holds in (True, False):
                self.out(f"if ({guard.name}) {{" if holds else "} else {")
                self.loops.nest((last,), decided(body, given(guard, holds)), self.loops.rows, simd=True, heads=heads)
            self.out("}")

        self.loops.nest(kernel.axes[:-1], kernel.body, innermost, heads=heads)

    def _split(
        self,
        kernel: Kernel,
        parts: Sequence[tuple[Axis, tuple[Stmt, ...]]],
        heads: Heads,
    ) -> None:
        """Loops over the last axis, one after the other."""

        def innermost(_: tuple[Stmt, ...]) -> None:
            for axis, body in parts:
                self.loops.nest((axis,), body, self.loops.rows, simd=True)

        self.loops.nest(kernel.axes[:-1], (), innermost, heads=heads)
