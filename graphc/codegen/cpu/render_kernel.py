"""C99 for the CPU: kernels as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from graphc import dims, dtypes
from graphc.codegen.cpu.contraction import contraction_cut
from graphc.codegen.cpu.gemm.microkernels import TileFunction
from graphc.codegen.cpu.threads import GRAIN, shared_axes
from graphc.codegen.cpu.unswitch import decided, given, invariant_guard, pieces
from graphc.codegen.cpu.winograd.render import WinogradRenderer
from graphc.codegen.cpu.winograd.tiling import Winograd
from graphc.codegen.cstyle.expr import CStyle, depths
from graphc.codegen.cstyle.loops import has_inner, is_merged, used_names
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Accumulator, Axis, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import dtypes_of, groups, needed, statements
from graphc.codegen.schedule.accumulators import narrow, widen_sums
from graphc.codegen.schedule.contractions import as_reductions
from graphc.combiners import combiner
from graphc.dtypes import DType
from graphc.exprs import Cast, Expr
from graphc.intrinsics import intrinsic

# Reductions by columns keep this many of them in flight.
LANES = 64
# Rows whose accumulators are merged by several operations keep this many sets of them.
ROW_LANES = 16
# So many elements of a column are added up before their sum is widened.
TOGETHER = 4
SIMD = "#pragma omp simd"


@dataclass(frozen=True)
class Function:
    """A kernel in C: its declaration, its definition, the tile functions that it calls, and what else it needs."""

    declaration: str
    definition: str
    tiles: frozenset[TileFunction]
    intrinsics: frozenset[str]
    has_halves: bool


class CRenderer(WinogradRenderer):
    """Prints one kernel as a C function.

    Args:
        symbols: The identifier of each symbolic size.
        vector_bytes: The size of the processor's vector registers.
    """

    types: ClassVar[Mapping[DType, str]] = {**CStyle.types, dtypes.bool_: "_Bool", dtypes.float16: "float16"}
    simd = SIMD

    def __init__(self, symbols: Mapping[str, str], vector_bytes: int) -> None:
        super().__init__(symbols)
        self.vector_bytes = vector_bytes

    def kernel(self, kernel: Kernel) -> Function:
        """The function of a kernel."""
        pointers = {}
        for param in kernel.params:
            const = "" if param.written else "const "
            # Loops over _Bool in memory are not vectorised by gcc 12; its values are bytes of 0 or 1.
            stored = "unsigned char" if param.dtype.is_bool else self.types[param.dtype]
            pointers[param.name] = f"{const}{stored} *restrict {param.name}"
        sizes = {name: f"long {name}" for name in self.symbols.values()}
        self.given = pointers | sizes
        cut = contraction_cut(kernel, self.vector_bytes)
        scratch = ["void *restrict scratch"] if cut is not None and cut.scratch_bytes != 0 else []
        params = [*pointers.values(), *scratch, *sizes.values(), "const gc_worker *self"]
        head = f"GC_KERNEL void {kernel.name}({', '.join(params)})"
        self.out(f"{head} {{")
        for name in self.symbols.values():
            self.out(f"(void){name};")
        if isinstance(cut, Winograd):
            self.winograd(kernel, cut)
        elif cut is not None:
            self.product(kernel, cut)
        else:
            self._loops(kernel)
        self.out("}")
        halves = any(dtype.accumulator is not dtype for dtype in dtypes_of(kernel))
        found = frozenset(self.tiles), frozenset(self.intrinsics), halves
        return Function(f"{head};", f"{self.functions}{self.out}", *found)

    def _loops(self, kernel: Kernel) -> None:
        """A kernel of plain loops, one of which the threads share."""
        kernel = widen_sums(as_reductions(kernel))
        if not kernel.axes:
            self.out("if (self->thread != 0) return;")
            self.nest((), kernel.body, self.rows)
            return
        self.out(f"const long work = {self.dim(work(kernel))}, team = gc_team(self, work);")
        shared, heads = self._shares(kernel)
        if kernel.axes[-1].bind == "vector" and has_inner(kernel):
            self._columns(kernel, shared, heads)
        elif (guard := invariant_guard(kernel.body, kernel.axes[-1].name)) is not None:
            self._unswitched(kernel, guard, heads)
        elif shared != kernel.axes[-1] and (parts := pieces(kernel.body, kernel.axes[-1])):
            self._split(kernel, parts, heads)
        else:
            self.nest(kernel.axes, kernel.body, self.rows, simd=not has_inner(kernel), heads=heads)

    def _shares(self, kernel: Kernel) -> tuple[Axis, Mapping[str, Callable[[Axis], None]]]:
        """The last of the loops that threads share, and what prints their heads, by axis."""
        *outer, shared = shared_axes(kernel)
        grain = GRAIN if shared == kernel.axes[-1] else 1
        total = f"{self.dim(dims.product(axis.extent for axis in (*outer, shared)))}, {grain}, self, team"
        way = f"for (gc_way way = gc_begin({total}, gc_helps(self, work)); gc_take(&way);)"
        inner = self.grouped(shared.extent)

        def piece(axis: Axis) -> None:
            self.out(way)
            self.out(f"for (long {axis.name} = way.first; {axis.name} < way.end; ++{axis.name}) {{")

        def first_of_two(axis: Axis) -> None:
            self.out(way)
            self.out(f"for (long {axis.name} = way.first / {inner}; {axis.name} * {inner} < way.end; ++{axis.name}) {{")

        def second_of_two(axis: Axis) -> None:
            before = f"{outer[0].name} * {inner}"
            self.out(f"const long {axis.name}_end = GC_MIN({inner}, way.end - {before});")
            start = f"long {axis.name} = GC_MAX(0, way.first - {before})"
            self.out(f"for ({start}; {axis.name} < {axis.name}_end; ++{axis.name}) {{")

        def share(axis: Axis) -> None:
            self.out(f"for (long {axis.name} = share_start; {axis.name} < share_end; ++{axis.name}) {{")

        if outer:
            return shared, {outer[0].name: first_of_two, shared.name: second_of_two}
        # A loop that runs once, and is not to be vectorised, may be cut into pieces.
        if shared == kernel.axes[0] and len(kernel.axes) > 1:
            return shared, {shared.name: piece}
        self.out(f"const long share_start = gc_first({total}), share_end = gc_end({total});")
        return shared, {shared.name: share}

    def _unswitched(self, kernel: Kernel, guard: Let, heads: Mapping[str, Callable[[Axis], None]]) -> None:
        """Two loops over the last axis: for where a condition holds, and for where it does not."""
        last = kernel.axes[-1]
        self.lane_axes = (last.name,)

        def innermost(rest: tuple[Stmt, ...]) -> None:
            lets = tuple(stmt for stmt in rest if isinstance(stmt, Let))
            before = [*needed(lets, guard.value), guard] if guard in rest else []
            for let in before:
                self.out(self.let(let))
            body = tuple(stmt for stmt in rest if stmt not in before)
            for holds in (True, False):
                self.out(f"if ({guard.name}) {{" if holds else "} else {")
                self.nest((last,), decided(body, given(guard, holds)), self.rows, simd=True, heads=heads)
            self.out("}")

        self.nest(kernel.axes[:-1], kernel.body, innermost, heads=heads)

    def _split(
        self,
        kernel: Kernel,
        parts: Sequence[tuple[Axis, tuple[Stmt, ...]]],
        heads: Mapping[str, Callable[[Axis], None]],
    ) -> None:
        """Loops over the last axis, one after the other."""

        def innermost(_: tuple[Stmt, ...]) -> None:
            for axis, body in parts:
                self.nest((axis,), body, self.rows, simd=True)

        self.nest(kernel.axes[:-1], (), innermost, heads=heads)

    def expr(self, expr: Expr) -> str:
        """A scalar expression; rounding to a half without a change of dtype takes fewer operations than two casts."""
        match expr:
            case Cast(Cast(arg, half), dtypes.float32) if half.accumulator is not half and arg.dtype is dtypes.float32:
                return f"gc_round_{half.name}({self.expr(arg)})"
        return super().expr(expr)

    def cast(self, text: str, source: DType, target: DType) -> str:
        """A conversion; float16 is bits, too: gcc 12 has no vectors of the conversions that processors have."""
        if source is dtypes.float16:
            text, source = f"gc_from_float16({text})", dtypes.float32
        if target is dtypes.float16:
            exact = "_float64" if source is dtypes.float64 else ""
            return f"gc_to_float16{exact}({text})"
        return super().cast(text, source, target)

    def call(self, name: str, args: tuple[Expr, ...], dtype: DType) -> str:
        """An intrinsic; elementary functions of float32 are those of `prelude/math.h`."""
        if intrinsic(name).vector and dtype is dtypes.float32:
            self.intrinsics.add(name)
            return f"gc_{name}_float32({self.expr(args[0])})"
        return super().call(name, args, dtype)

    # ---- rows whose accumulators are merged: as many sets of them as a vector has lanes

    def reduce_row(self, stmt: Reduce) -> None:
        """A reduction that one thread does by itself."""
        merged = any(map(is_merged, stmt.accumulators)) and all(a.position is None for a in stmt.accumulators)
        if not merged or stmt.after or not stmt.axes or _is_short(stmt.axes[-1]):
            super().reduce_row(stmt)
            return
        lanes = [replace(a, name=f"{a.name}_lane") for a in stmt.accumulators]
        for a, lane in zip(stmt.accumulators, lanes, strict=True):
            self.out(f"{self.types[a.dtype]} {a.name} = {self.start(a)}, {lane.name}[{ROW_LANES}];")
            self.subscript[lane.name] = "[lane]"
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
        """The elements of rows, the next to each lane in turn; the last few are the first lane's."""
        last = stmt.axes[-1]
        first, whole = f"{last.name}_first", f"{self.grouped(last.extent)} / {ROW_LANES} * {ROW_LANES}"

        def point(body: tuple[Stmt, ...]) -> None:
            self.rows(body)
            for group in groups(stmt.accumulators):
                self._take(group, [self.expr(a.value) for a in group])

        def row(body: tuple[Stmt, ...]) -> None:
            self.out(f"for (long {first} = 0; {first} < {whole}; {first} += {ROW_LANES}) {{")
            self.out(SIMD)
            self.out(f"for (long lane = 0; lane < {ROW_LANES}; ++lane) {{")
            self.out(f"const long {last.name} = {first} + lane;")
            point(body)
            self.out("}")
            self.out("}")
            self.out(
                f"for (long {last.name} = {whole}, lane = 0; {last.name} < {self.dim(last.extent)}; ++{last.name}) {{"
            )
            point(body)
            self.out("}")

        before, self.lane_axes = self.lane_axes, (*self.lane_axes, last.name)
        self.nest(stmt.axes[:-1], stmt.body, row)
        self.lane_axes = before

    def _take(self, group: tuple[Accumulator, ...], values: Sequence[str]) -> None:
        a = group[0]
        if is_merged(a):
            self.merge(group, values)
        else:
            self.out(f"{a.name}{self.subscript.get(a.name, '')} = {self.combined(a, values[0])};")

    # ---- columns: a run of neighbouring points at a time, each with its own reductions

    def _columns(self, kernel: Kernel, shared: Axis, heads: Mapping[str, Callable[[Axis], None]]) -> None:
        axis = kernel.axes[-1]
        self.lane_axes = (axis.name,)
        static = isinstance(axis.extent, int) and axis.extent <= 4 * LANES and axis != shared
        lanes = axis.extent if static else LANES
        start = f"{axis.name}_start"

        def tile(body: tuple[Stmt, ...]) -> None:
            bounds = ("share_start", "share_end") if axis == shared else ("0", self.dim(axis.extent))
            self.out(f"for (long {start} = {bounds[0]}, end = {bounds[1]}; {start} < end; {start} += {lanes}) {{")
            if static:
                self.out(f"enum {{ lanes = {lanes} }};")
            else:
                self.out(f"const long lanes = GC_MIN({LANES}, end - {start});")
            self._lane_statements(axis, body, str(lanes))
            self.out("}")

        self.nest(kernel.axes[:-1], kernel.body, tile, heads=heads)

    def _lane_loop(self, axis: Axis) -> None:
        self.out(SIMD)
        self.out("for (long lane = 0; lane < lanes; ++lane) {")
        self.out(f"const long {axis.name} = {axis.name}_start + lane;")
        self.out(f"(void){axis.name};")

    def _lane_statements(self, axis: Axis, body: tuple[Stmt, ...], lanes: str) -> None:
        """Runs of simple statements share a loop over the lanes; what crosses runs is kept in arrays."""
        runs: list[list[Stmt]] = []
        for stmt in body:
            simple = isinstance(stmt, (Let, Store))
            if simple and runs and isinstance(runs[-1][0], (Let, Store)):
                runs[-1].append(stmt)
            else:
                runs.append([stmt])
        crossing = _crossing(runs)
        for run in runs:
            stmt = run[0]
            if isinstance(stmt, Reduce):
                self._reduce_lanes(axis, stmt, lanes)
            elif isinstance(stmt, For):
                self.nest((*stmt.axes, axis), stmt.body, self.rows, heads={axis.name: self._lane_loop})
            else:
                self._simple_lanes(axis, run, crossing, lanes)

    def _simple_lanes(self, axis: Axis, run: list[Stmt], crossing: set[str], lanes: str) -> None:
        kept = [stmt for stmt in run if isinstance(stmt, Let) and stmt.name in crossing]
        for let in kept:
            self.out(f"{self.types[let.value.dtype]} {let.name}[{lanes}];")
        self._lane_loop(axis)
        for stmt in run:
            if isinstance(stmt, Let) and stmt in kept:
                self.out(f"{stmt.name}[lane] = {self.expr(stmt.value)};")
                self.subscript[stmt.name] = "[lane]"
            elif isinstance(stmt, Let):
                self.out(self.let(stmt))
            elif isinstance(stmt, Store):
                self.store(stmt)
        self.out("}")

    def _reduce_lanes(self, axis: Axis, stmt: Reduce, lanes: str) -> None:
        for a in stmt.accumulators:
            self.out(f"{self.types[a.dtype]} {a.name}[{lanes}];")
            self.subscript[a.name] = "[lane]"
            if a.position is not None:
                self.out(f"{self.types[a.value.dtype]} {a.name}_best[{lanes}];")
        self.out("for (long lane = 0; lane < lanes; ++lane) {")
        for a in stmt.accumulators:
            self.out(f"{a.name}[lane] = {self.start(a)};")
            if a.position is not None:
                self.out(f"{a.name}_best[lane] = {self.identity(a.combine, a.value.dtype)};")
        self.out("}")

        def innermost(lets: tuple[Stmt, ...]) -> None:
            self.rows(lets)
            for group in groups(stmt.accumulators):
                self._accumulate_lane(group)
            self.rows(stmt.after)

        if any(narrow(a) is not None for a in stmt.accumulators) and self._in_lanes(axis, stmt):
            self._sum_together(axis, stmt, innermost)
        else:
            self.nest((*stmt.axes, axis), stmt.body, innermost, heads={axis.name: self._lane_loop})

    def _in_lanes(self, axis: Axis, stmt: Reduce) -> bool:
        """Whether points of a reduction may share a loop over lanes: what they bind differs from lane to lane."""
        if stmt.after or not stmt.axes:
            return False
        level = depths([a.name for a in (*stmt.axes, axis)], stmt.body, (*self.subscript, *self.lane_axes))
        return all(level[let.name] != len(stmt.axes) for let in stmt.body if isinstance(let, Let))

    def _sum_together(self, axis: Axis, stmt: Reduce, one: Callable[[tuple[Stmt, ...]], None]) -> None:
        """A reduction of columns some rows at a time; `one` combines those of the last few by themselves.

        What sums are stored in is then loaded and stored less often than there are rows.
        """
        last = stmt.axes[-1]
        first, whole = f"{last.name}_first", f"{self.grouped(last.extent)} / {TOGETHER} * {TOGETHER}"

        def left_over(_: Axis) -> None:
            self.out(f"for (long {last.name} = {whole}; {last.name} < {self.dim(last.extent)}; ++{last.name}) {{")

        def rows(body: tuple[Stmt, ...]) -> None:
            self.out(f"for (long {first} = 0; {first} < {whole}; {first} += {TOGETHER}) {{")
            self._lane_loop(axis)
            self._rows_together(stmt, body)
            self.out("}")
            self.out("}")
            self.nest((last, axis), body, one, heads={last.name: left_over, axis.name: self._lane_loop})

        before, self.lane_axes = self.lane_axes, (*self.lane_axes, last.name)
        self.nest(stmt.axes[:-1], stmt.body, rows)
        self.lane_axes = before

    def _rows_together(self, stmt: Reduce, body: tuple[Stmt, ...]) -> None:
        """Some rows in one lane: what wide sums add up is added up before it is widened."""
        last, sums = stmt.axes[-1].name, {a.name: value for a in stmt.accumulators if (value := narrow(a)) is not None}
        for name, value in sums.items():
            self.out(f"{self.types[value.dtype]} {', '.join(f'{name}_{i}' for i in range(TOGETHER))};")
        for i in range(TOGETHER):
            self.out("{")
            self.out(f"const long {last} = {last}_first + {i};")
            self.rows(body)
            for group in groups(stmt.accumulators):
                if (name := group[0].name) in sums:
                    self.out(f"{name}_{i} = {self.expr(sums[name])};")
                else:
                    self._accumulate_lane(group)
            self.out("}")
        for a in stmt.accumulators:
            if a.name in sums:
                pairs = [f"({a.name}_{i} + {a.name}_{i + 1})" for i in range(0, TOGETHER, 2)]
                total = self.cast(" + ".join(pairs), sums[a.name].dtype, a.dtype)
                self.out(f"{a.name}[lane] = {self.combined(a, total)};")

    def _accumulate_lane(self, group: tuple[Accumulator, ...]) -> None:
        a = group[0]
        if is_merged(a):
            self.take_in(group, ordered=True)
            return
        value = self.expr(a.value)
        if a.position is None:
            self.out(f"{a.name}[lane] = {self.combined(a, value)};")
            return
        best = f"{a.name}_best[lane]"
        better = combiner(a.combine).order
        nan = f" | (({value} != {value}) & ({best} == {best}))" if a.value.dtype.is_float else ""
        self.out(f"const _Bool {a.name}_better = ({value} {better} {best}){nan};")
        self.out(f"{best} = {a.name}_better ? {value} : {best};")
        self.out(f"{a.name}[lane] = {a.name}_better ? {self.expr(a.position)} : {a.name}[lane];")


def _is_short(axis: Axis) -> bool:
    """Whether the elements along an axis are too few to share among lanes."""
    return isinstance(axis.extent, int) and axis.extent < 4 * ROW_LANES


def _crossing(runs: list[list[Stmt]]) -> set[str]:
    """Names bound in one run and used in another."""
    bound = {stmt.name: i for i, run in enumerate(runs) for stmt in run if isinstance(stmt, Let)}
    crossing: set[str] = set()
    for i, run in enumerate(runs):
        for stmt in statements(tuple(run)):
            for name in used_names(stmt):
                if name in bound and bound[name] != i:
                    crossing.add(name)
    return crossing
