"""Prints kernels of plain loops in C, one of which the threads share."""

from __future__ import annotations

from graphc import dims
from graphc.codegen.cpu.threads import GRAIN, shared_axes
from graphc.codegen.cstyle.columns import Heads
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.plain_loops import PlainLoopPrinter
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Axis, Kernel
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
        plain = PlainLoopPrinter(self.loops)
        if not kernel.axes:
            self.out("if (self->thread != 0) return;")
            plain.kernel(kernel)
            return
        self.out(f"const long work = {self.scalars.dim(work(kernel))}, threads = gc_threads_for(self, work);")
        plain.kernel(kernel, *self._shares(kernel))

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
