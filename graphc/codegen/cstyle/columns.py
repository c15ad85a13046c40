"""Prints columns in C: some neighbouring points at a time, in SIMD lanes, each with its own reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from graphc.codegen.cstyle.expr import depths
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.reductions import ReductionPrinter, is_merged
from graphc.codegen.ir.kernel import Accumulator, Axis, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import expressions, groups, names_in
from graphc.codegen.schedule.accumulators import narrow
from graphc.combiners import combiner

# What prints the heads of loops that are special, by axis.
Heads: TypeAlias = Mapping[str, Callable[[Axis], None]]
# This many columns are reduced at the same time.
LANES = 64
# So many elements of a column are added up before their sum is widened.
TOGETHER = 4


class ColumnPrinter:
    """Prints kernels whose neighbouring points have reductions of their own.

    Args:
        loops: Prints their loops.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types
        self.reductions = ReductionPrinter(loops)

    def kernel(self, kernel: Kernel, shared: Axis | None, heads: Heads) -> None:
        """The loops of a kernel, the last of which goes over columns.

        Args:
            kernel: The kernel.
            shared: The last of the loops that threads share; None where one thread runs all.
            heads: What prints the heads of those loops, by axis.
        """
        axis = kernel.axes[-1]
        self.loops.lane_axes = (axis.name,)
        static = isinstance(axis.extent, int) and axis.extent <= 4 * LANES and axis != shared
        lanes = axis.extent if static else LANES
        start = f"{axis.name}_start"

        def tile(body: tuple[Stmt, ...]) -> None:
            bounds = ("share_start", "share_end") if axis == shared else ("0", self.scalars.dim(axis.extent))
            self.out(f"for (long {start} = {bounds[0]}, end = {bounds[1]}; {start} < end; {start} += {lanes}) {{")
            if static:
                self.out(f"enum {{ lanes = {lanes} }};")
            else:
                self.out(f"const long lanes = GC_MIN({LANES}, end - {start});")
            self._lane_statements(axis, body, str(lanes))
            self.out("}")

        self.loops.nest(kernel.axes[:-1], kernel.body, tile, heads=heads)

    def _lane_loop(self, axis: Axis) -> None:
        if self.loops.simd:
            self.out(self.loops.simd)
        self.out("for (long lane = 0; lane < lanes; ++lane) {")
        self.out(f"const long {axis.name} = {axis.name}_start + lane;")
        self.out(f"(void){axis.name};")

    def _lane_statements(self, axis: Axis, body: tuple[Stmt, ...], lanes: str) -> None:
        """Neighbouring simple statements share a loop over the lanes; arrays hold the scalars that other loops use."""
        sections: list[list[Stmt]] = []
        for stmt in body:
            simple = isinstance(stmt, (Let, Store))
            if simple and sections and isinstance(sections[-1][0], (Let, Store)):
                sections[-1].append(stmt)
            else:
                sections.append([stmt])
        crossing = _crossing(sections)
        for section in sections:
            stmt = section[0]
            if isinstance(stmt, Reduce):
                self._reduce_lanes(axis, stmt, lanes)
            elif isinstance(stmt, For):
                self.loops.nest((*stmt.axes, axis), stmt.body, self.loops.rows, heads={axis.name: self._lane_loop})
            else:
                self._simple_lanes(axis, section, crossing, lanes)

    def _simple_lanes(self, axis: Axis, section: list[Stmt], crossing: set[str], lanes: str) -> None:
        stored = [stmt for stmt in section if isinstance(stmt, Let) and stmt.name in crossing]
        for let in stored:
            self.out(f"{self.types[let.value.dtype]} {let.name}[{lanes}];")
        self._lane_loop(axis)
        for stmt in section:
            if isinstance(stmt, Let) and stmt in stored:
                self.out(f"{stmt.name}[lane] = {self.scalars.expr(stmt.value)};")
                self.scalars.subscript[stmt.name] = "[lane]"
            elif isinstance(stmt, Let):
                self.out(self.scalars.let(stmt))
            elif isinstance(stmt, Store):
                self.loops.store(stmt)
        self.out("}")

    def _reduce_lanes(self, axis: Axis, stmt: Reduce, lanes: str) -> None:
        for a in stmt.accumulators:
            self.out(f"{self.types[a.dtype]} {a.name}[{lanes}];")
            self.scalars.subscript[a.name] = "[lane]"
            if a.position is not None:
                self.out(f"{self.types[a.value.dtype]} {a.name}_best[{lanes}];")
        self.out("for (long lane = 0; lane < lanes; ++lane) {")
        for a in stmt.accumulators:
            self.out(f"{a.name}[lane] = {self.reductions.start(a)};")
            if a.position is not None:
                self.out(f"{a.name}_best[lane] = {self.scalars.identity(a.combine, a.value.dtype)};")
        self.out("}")

        def innermost(lets: tuple[Stmt, ...]) -> None:
            self.loops.rows(lets)
            for group in groups(stmt.accumulators):
                self._accumulate_lane(group)
            self.loops.rows(stmt.after)

        if any(narrow(a) is not None for a in stmt.accumulators) and self._in_lanes(axis, stmt):
            self._sum_together(axis, stmt, innermost)
        else:
            self.loops.nest((*stmt.axes, axis), stmt.body, innermost, heads={axis.name: self._lane_loop})

    def _in_lanes(self, axis: Axis, stmt: Reduce) -> bool:
        """Whether points of a reduction may share a loop over lanes: what they bind differs from lane to lane."""
        if stmt.after or not stmt.axes:
            return False
        level = depths(
            [a.name for a in (*stmt.axes, axis)], stmt.body, (*self.scalars.subscript, *self.loops.lane_axes)
        )
        return all(level[let.name] != len(stmt.axes) for let in stmt.body if isinstance(let, Let))

    def _sum_together(self, axis: Axis, stmt: Reduce, one: Callable[[tuple[Stmt, ...]], None]) -> None:
        """A reduction of columns some rows at a time; `one` combines those of the last few by themselves.

        What sums are stored in is then loaded and stored less often than there are rows.
        """
        last = stmt.axes[-1]
        first, whole = f"{last.name}_first", f"{self.scalars.grouped(last.extent)} / {TOGETHER} * {TOGETHER}"

        def left_over(_: Axis) -> None:
            self.out(
                f"for (long {last.name} = {whole}; {last.name} < {self.scalars.dim(last.extent)}; ++{last.name}) {{"
            )

        def rows(body: tuple[Stmt, ...]) -> None:
            self.out(f"for (long {first} = 0; {first} < {whole}; {first} += {TOGETHER}) {{")
            self._lane_loop(axis)
            self._rows_together(stmt, body)
            self.out("}")
            self.out("}")
            self.loops.nest((last, axis), body, one, heads={last.name: left_over, axis.name: self._lane_loop})

        before, self.loops.lane_axes = self.loops.lane_axes, (*self.loops.lane_axes, last.name)
        self.loops.nest(stmt.axes[:-1], stmt.body, rows)
        self.loops.lane_axes = before

    def _rows_together(self, stmt: Reduce, body: tuple[Stmt, ...]) -> None:
        """Some rows in one lane: what wide sums add up is added up before it is widened."""
        last, sums = stmt.axes[-1].name, {a.name: value for a in stmt.accumulators if (value := narrow(a)) is not None}
        for name, value in sums.items():
            self.out(f"{self.types[value.dtype]} {', '.join(f'{name}_{i}' for i in range(TOGETHER))};")
        for i in range(TOGETHER):
            self.out("{")
            self.out(f"const long {last} = {last}_first + {i};")
            self.loops.rows(body)
            for group in groups(stmt.accumulators):
                if (name := group[0].name) in sums:
                    self.out(f"{name}_{i} = {self.scalars.expr(sums[name])};")
                else:
                    self._accumulate_lane(group)
            self.out("}")
        for a in stmt.accumulators:
            if a.name in sums:
                pairs = [f"({a.name}_{i} + {a.name}_{i + 1})" for i in range(0, TOGETHER, 2)]
                total = self.scalars.cast(" + ".join(pairs), sums[a.name].dtype, a.dtype)
                self.out(f"{a.name}[lane] = {self.reductions.combined(a, total)};")

    def _accumulate_lane(self, group: tuple[Accumulator, ...]) -> None:
        a = group[0]
        if is_merged(a):
            self.reductions.take_in(group, ordered=True)
            return
        value = self.scalars.expr(a.value)
        if a.position is None:
            self.out(f"{a.name}[lane] = {self.reductions.combined(a, value)};")
            return
        best = f"{a.name}_best[lane]"
        better = combiner(a.combine).order
        nan = f" | (({value} != {value}) & ({best} == {best}))" if a.value.dtype.is_float else ""
        self.out(f"const _Bool {a.name}_better = ({value} {better} {best}){nan};")
        self.out(f"{best} = {a.name}_better ? {value} : {best};")
        self.out(f"{a.name}[lane] = {a.name}_better ? {self.scalars.expr(a.position)} : {a.name}[lane];")


def _crossing(sections: list[list[Stmt]]) -> set[str]:
    """Names bound in one section and used in another."""
    bound = {stmt.name: i for i, section in enumerate(sections) for stmt in section if isinstance(stmt, Let)}
    crossing: set[str] = set()
    for i, section in enumerate(sections):
        used = {name for stmt in section for expr in expressions(stmt) for name in names_in(expr)}
        crossing |= {name for name in used if bound.get(name, i) != i}
    return crossing
