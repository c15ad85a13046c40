"""Prints rows in C: reductions that one thread does by itself, of neighbouring elements.

Compilers that are told so vectorise an operator. Where they are not, or accumulators are merged by several operations,
as many sets of them as a vector has lanes are updated side by side, one for each lane, and merged at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.reductions import ReductionPrinter, is_merged
from graphc.codegen.ir.kernel import Accumulator, Axis, Reduce, Stmt
from graphc.codegen.ir.walk import groups

# The number of sets of accumulators for a row, if they are merged by several operations.
ROW_LANES = 16


def reduce_row(loops: LoopPrinter, stmt: Reduce) -> None:
    """Prints a reduction that one thread does by itself."""
    in_lanes = not loops.simd or any(map(is_merged, stmt.accumulators))
    in_lanes = in_lanes and all(a.position is None for a in stmt.accumulators)
    if not in_lanes or stmt.after or not stmt.axes or _is_short(stmt.axes[-1]):
        ReductionPrinter(loops).row(stmt)
    else:
        _LaneRow(loops).row(stmt)


class _LaneRow:
    """Prints rows with as many sets of accumulators as a vector has lanes.

    Args:
        loops: Prints their loops.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types
        self.reductions = ReductionPrinter(loops)

    def row(self, stmt: Reduce) -> None:
        """A reduction of some accumulators that are merged."""
        lanes = [replace(a, name=f"{a.name}_lane") for a in stmt.accumulators]
        for a, lane in zip(stmt.accumulators, lanes, strict=True):
            self.out(f"{self.types[a.dtype]} {a.name} = {self.reductions.start(a)}, {lane.name}[{ROW_LANES}];")
            self.scalars.subscript[lane.name] = "[lane]"
        self.out(f"for (long lane = 0; lane < {ROW_LANES}; ++lane) {{")
        for a, lane in zip(stmt.accumulators, lanes, strict=True):
            self.out(f"{lane.name}[lane] = {a.name};")
        self.out("}")
        self._row_in_lanes(replace(stmt, accumulators=tuple(lanes)))
        self.out(f"for (long lane = 0; lane < {ROW_LANES}; ++lane) {{")
        for group in groups(stmt.accumulators):
            self._take(group, [f"{a.name}_lane[lane]" for a in group])
        self.out("}")

    def _row_in_lanes(self, stmt: Reduce) -> None:
        """The elements of a row, each lane every so many; the first lane takes the last few."""
        last = stmt.axes[-1]
        first, whole = f"{last.name}_first", f"{self.scalars.grouped(last.extent)} / {ROW_LANES} * {ROW_LANES}"

        def point(body: tuple[Stmt, ...]) -> None:
            self.loops.rows(body)
            for group in groups(stmt.accumulators):
                self._take(group, [self.scalars.expr(a.value) for a in group])

        def row(body: tuple[Stmt, ...]) -> None:
            self.out(f"for (long {first} = 0; {first} < {whole}; {first} += {ROW_LANES}) {{")
            if self.loops.simd:
                self.out(self.loops.simd)
            self.out(f"for (long lane = 0; lane < {ROW_LANES}; ++lane) {{")
            self.out(f"const long {last.name} = {first} + lane;")
            point(body)
            self.out("}")
            self.out("}")
            end = self.scalars.dim(last.extent)
            self.out(f"for (long {last.name} = {whole}, lane = 0; {last.name} < {end}; ++{last.name}) {{")
            point(body)
            self.out("}")

        before, self.loops.lane_axes = self.loops.lane_axes, (*self.loops.lane_axes, last.name)
        self.loops.nest(stmt.axes[:-1], stmt.body, row)
        self.loops.lane_axes = before

    def _take(self, group: tuple[Accumulator, ...], values: Sequence[str]) -> None:
        a = group[0]
        if is_merged(a):
            self.reductions.merge(group, values)
        else:
            self.out(f"{self.scalars.variable(a.name)} = {self.reductions.combined(a, values[0])};")


def _is_short(axis: Axis) -> bool:
    """Whether the elements along an axis are too few to share among lanes."""
    return isinstance(axis.extent, int) and axis.extent < 4 * ROW_LANES
