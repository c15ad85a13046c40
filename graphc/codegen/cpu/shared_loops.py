"""Prints kernels of plain loops in C, one of which the threads share."""

from __future__ import annotations

from collections.abc import Sequence

from graphc import dims
from graphc.codegen.cpu.columns import ColumnPrinter, Heads
from graphc.codegen.cpu.threads import GRAIN, shared_axes
from graphc.codegen.cpu.unswitch import decided, given, invariant_guard, split_at_changes
from graphc.codegen.cstyle.loops import LoopPrinter, has_inner
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Axis, Kernel, Let, Stmt
from graphc.codegen.ir.walk import needed
from graphc.codegen.schedule.accumulators import widen_sums
from graphc.codegen.schedule.contractions import as_reductions


class SharedLoopPrinter:
    """Prints kernels of plain loops.

    Args:
        loops: Prints the loops of one thread.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out = loops, loops.scalars, loops.out

    def kernel(self, kernel: Kernel) -> None:
        """A kernel of plain loops, one of which the threads share."""
        kernel = widen_sums(as_reductions(kernel))
        if not kernel.axes:
            self.out("if (self->thread != 0) return;")
            self.loops.nest((), kernel.body, self.loops.rows)
            return
        self.out(f"const long work = {self.scalars.dim(work(kernel))}, threads = gc_threads_for(self, work);")
        shared, heads = self._shares(kernel)
        if kernel.axes[-1].bind == "vector" and has_inner(kernel):
            ColumnPrinter(self.loops).kernel(kernel, shared, heads)
        elif (guard := invariant_guard(kernel.body, kernel.axes[-1].name)) is not None:
            self._unswitched(kernel, guard, heads)
        elif shared != kernel.axes[-1] and (parts := split_at_changes(kernel.body, kernel.axes[-1])):
            self._split(kernel, parts, heads)
        else:
            self.loops.nest(kernel.axes, kernel.body, self.loops.rows, simd=not has_inner(kernel), heads=heads)

    def _shares(self, kernel: Kernel) -> tuple[Axis, Heads]:
        """The last of the loops that threads share, and what prints their heads, by axis."""
        *outer, shared = shared_axes(kernel)
        grain = GRAIN if shared == kernel.axes[-1] else 1
        total = f"{self.scalars.dim(dims.product(axis.extent for axis in (*outer, shared)))}, {grain}, self, threads"
        chunks = f"for (gc_chunks chunks = gc_begin_chunks({total}, gc_steals(self, work)); gc_next_chunk(&chunks);)"
        inner = self.scalars.grouped(shared.extent)

        def chunk_of_one(axis: Axis) -> None:
            self.out(chunks)
            self.out(f"for (long {axis.name} = chunks.first; {axis.name} < chunks.end; ++{axis.name}) {{")

        def chunk_of_two(axis: Axis) -> None:
            self.out(chunks)
            self.out(
                f"for (long {axis.name} = chunks.first / {inner}; {axis.name} * {inner} < chunks.end; ++{axis.name}) {{"
            )

        def inner_of_two(axis: Axis) -> None:
            before = f"{outer[0].name} * {inner}"
            self.out(f"const long {axis.name}_end = GC_MIN({inner}, chunks.end - {before});")
            start = f"long {axis.name} = GC_MAX(0, chunks.first - {before})"
            self.out(f"for ({start}; {axis.name} < {axis.name}_end; ++{axis.name}) {{")

        def share(axis: Axis) -> None:
            self.out(f"for (long {axis.name} = share_start; {axis.name} < share_end; ++{axis.name}) {{")

        if outer:
            return shared, {outer[0].name: chunk_of_two, shared.name: inner_of_two}
        # An outermost loop that is not vectorised may be split into chunks.
        if shared == kernel.axes[0] and len(kernel.axes) > 1:
            return shared, {shared.name: chunk_of_one}
        self.out(f"const long share_start = gc_first({total}), share_end = gc_end({total});")
        return shared, {shared.name: share}

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
