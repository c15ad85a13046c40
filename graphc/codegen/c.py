"""C99 for the CPU: each kernel a function, and one function that runs the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from graphc import dtypes
from graphc.codegen.c_product import TILE_ROWS, ProductRenderer, scratch_bytes, tiling
from graphc.codegen.cstyle import CStyle, Lines, Source, prelude
from graphc.codegen.kernel import (
    Accumulator,
    Axis,
    For,
    Kernel,
    Let,
    Reduce,
    Stmt,
    Store,
    statements,
)
from graphc.codegen.loops import as_reductions, has_inner, used_names
from graphc.dtypes import DType
from graphc.plan import Copy, Launch, Loop, Plan, Step

# Reductions by columns keep this many of them in flight.
LANES = 64
SIMD = "#pragma omp simd"


def render(plan: Plan, kernels: Mapping[str, Kernel]) -> Source:
    """The source of a plan: `void graphc_run(char *const *buffers, const long *sizes, long repeat)`.

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
    """
    symbols = plan.identifiers()
    tiles: set[tuple[str, int]] = set()
    texts = {}
    launches = plan.all_launches()
    for name, kernel in kernels.items():
        renderer = CRenderer({symbol: symbols[symbol] for symbol in launches[name].symbols})
        texts[name] = renderer.kernel(kernel)
        tiles |= renderer.tiles
    parts = [prelude("c.h"), prelude("scalar.h")]
    if tiles:
        parts.append(prelude("contract.h"))
        for type_name, vectors in sorted(tiles):
            for rows in (TILE_ROWS, 1):
                parts.append(f"GC_TILE(gc_tile_{type_name}_{rows}x{vectors}, {type_name}, {rows}, {vectors})\n")
    return Source("\n".join([*parts, *texts.values(), _program(plan, symbols)]), texts)


def _program(plan: Plan, symbols: Mapping[str, str]) -> str:
    out = Lines()
    out("void graphc_run(char *const *buffers, const long *sizes, long repeat) {")
    for i, name in enumerate(plan.symbols):
        out(f"const long {symbols[name]} = sizes[{i}];")
        out(f"(void){symbols[name]};")
    out("for (long step = 0; step < repeat; ++step) {")
    _steps(out, plan, plan.steps, symbols)
    out("}")
    out("}")
    return str(out)


def _steps(out: Lines, plan: Plan, steps: tuple[Step, ...], symbols: Mapping[str, str]) -> None:
    style = CStyle(symbols)
    for step in steps:
        match step:
            case Launch(kernel, buffers):
                args = [f"(void *)buffers[{id}]" for id in buffers] + [symbols[name] for name in step.symbols]
                out(f"{kernel}({', '.join(args)});")
            case Copy(source, target, elements):
                width = plan.buffers[source].dtype.itemsize
                start, end = style.dim(step.source_offset * width), style.dim(step.target_offset * width)
                size = style.dim(elements * width)
                out(f"__builtin_memcpy(buffers[{target}] + {end}, buffers[{source}] + {start}, {size});")
            case Loop(symbol, count, inner):
                name = symbols[symbol]
                out(f"for (long {name} = 1; {name} <= {style.dim(count)}; ++{name}) {{")
                _steps(out, plan, inner, symbols)
                out("}")


class CRenderer(ProductRenderer):
    """Prints one kernel as a C function."""

    types: ClassVar[Mapping[DType, str]] = {**CStyle.types, dtypes.bool_: "_Bool", dtypes.float16: "_Float16"}
    simd = SIMD

    def __init__(self, symbols: Mapping[str, str]) -> None:
        super().__init__(symbols)
        self.tiles: set[tuple[str, int]] = set()

    def kernel(self, kernel: Kernel) -> str:
        """The function of a kernel."""
        params = []
        for param in kernel.params:
            const = "" if param.written else "const "
            params.append(f"{const}{self.types[param.dtype]} *restrict {param.name}")
        cut = tiling(kernel)
        if scratch_bytes(kernel) != 0:
            params.append("void *restrict scratch")
        params += [f"long {name}" for name in self.symbols.values()]
        self.out(f"static void {kernel.name}({', '.join(params)}) {{")
        for name in self.symbols.values():
            self.out(f"(void){name};")
        if cut is not None:
            self.tiles.add(self.product(kernel, cut))
        elif kernel.axes and kernel.axes[-1].bind == "vector" and has_inner(kernel):
            self._columns(kernel)
        else:
            self.nest(kernel.axes, as_reductions(kernel.body), self.rows, simd=not has_inner(kernel))
        self.out("}")
        return str(self.out)

    # ---- columns: a run of neighbouring points at a time, each with its own reductions

    def _columns(self, kernel: Kernel) -> None:
        axis = kernel.axes[-1]
        self.lane_axes = (axis.name,)
        static = isinstance(axis.extent, int) and axis.extent <= 4 * LANES
        lanes = axis.extent if static else LANES
        start = f"{axis.name}_start"

        def tile(body: tuple[Stmt, ...]) -> None:
            self.out(f"for (long {start} = 0; {start} < {self.dim(axis.extent)}; {start} += {lanes}) {{")
            if static:
                self.out(f"enum {{ lanes = {lanes} }};")
            else:
                self.out(f"const long lanes = GC_MIN({LANES}, {self.dim(axis.extent)} - {start});")
            self._lane_statements(axis, body, str(lanes))
            self.out("}")

        self.nest(kernel.axes[:-1], as_reductions(kernel.body), tile)

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
                self.nest((*stmt.axes, axis), stmt.body, self.rows, last=self._lane_loop)
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
            for a in stmt.accumulators:
                self._accumulate_lane(a)
            self.rows(stmt.after)

        self.nest((*stmt.axes, axis), stmt.body, innermost, last=self._lane_loop)

    def _accumulate_lane(self, a: Accumulator) -> None:
        value = self.expr(a.value)
        if a.position is None:
            self.out(f"{a.name}[lane] = {self.combined(a, value)};")
            return
        best = f"{a.name}_best[lane]"
        better = "<" if a.combine == "argmin" else ">"
        nan = f" | (({value} != {value}) & ({best} == {best}))" if a.value.dtype.is_float else ""
        self.out(f"if (({value} {better} {best}){nan}) {{")
        self.out(f"{best} = {value};")
        self.out(f"{a.name}[lane] = {self.expr(a.position)};")
        self.out("}")


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
