"""CUDA C++ for the GPU: each kernel a `__global__` function, and how many threads it wants.

Three ways to run a kernel: a thread for each point; a block for each point, whose threads share the reductions; and,
for contractions, a block for each tile of the result, with both factors' tiles in shared memory. The factors of a
contraction may be any expression, so that convolutions are products of tiles gathered on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphc import dims, dtypes
from graphc.codegen.cstyle.expr import CStyle, definitions
from graphc.codegen.cstyle.loops import LoopRenderer, has_inner, is_merged
from graphc.codegen.cstyle.source import Source, prelude
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, For, Kernel, Reduce, Stmt, Store
from graphc.codegen.ir.matmul_roles import Factors, factors
from graphc.codegen.ir.walk import dtypes_of, groups, needed
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.exprs import Expr
from graphc.plan import Plan

THREADS = 256
# The result tile of a contraction is TILE x TILE, computed TILE_DEPTH deep at a time, 4 x 4 elements a thread.
TILE, TILE_DEPTH, TILE_SIDE = 64, 16, 16
# A reduction over at most this many points is one thread's work.
SERIAL_EXTENT = 32


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a kernel is launched: blocks (which may depend on symbolic sizes), and threads in a block."""

    blocks: Dim
    threads: int


@dataclass(frozen=True)
class CudaSource(Source):
    """Source text, and how each kernel in it is launched."""

    geometry: Mapping[str, Geometry]


def render(plan: Plan, kernels: Mapping[str, Kernel]) -> CudaSource:
    """The source of a plan's kernels. Each takes its launch's buffers, then the values of its launch's symbols.

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
    """
    symbols, launches = plan.identifiers(), plan.all_launches()
    texts: dict[str, str] = {}
    geometry: dict[str, Geometry] = {}
    includes, called = "", set[str]()
    for name, kernel in kernels.items():
        renderer = CudaRenderer({symbol: symbols[symbol] for symbol in launches[name].symbols})
        texts[name] = renderer.kernel(kernel)
        called |= renderer.intrinsics
        geometry[name] = renderer.geometry
        if dtypes.float16 in dtypes_of(kernel):
            includes = "#include <cuda_fp16.h>\n"
    head = [includes, prelude("cuda", "cuda.h"), prelude("cstyle", "scalar.h"), *definitions(called)]
    text = "\n".join([*head, *texts.values()])
    return CudaSource(text, texts, geometry)


class CudaRenderer(LoopRenderer):
    """Prints one kernel as a CUDA function."""

    types: ClassVar[Mapping[DType, str]] = {**CStyle.types, dtypes.bool_: "bool", dtypes.float16: "__half"}

    def __init__(self, symbols: Mapping[str, str]) -> None:
        super().__init__(symbols)
        self.geometry = Geometry(1, THREADS)

    def cast(self, text: str, source: DType, target: DType) -> str:
        """A conversion; halves go through float."""
        if source is dtypes.float16:
            text, source = f"__half2float({text})", dtypes.float32
        if target is dtypes.float16:
            return f"__double2half({text})" if source is dtypes.float64 else f"__float2half((float)({text}))"
        return super().cast(text, source, target)

    def kernel(self, kernel: Kernel) -> str:
        """The function of a kernel."""
        params = []
        for param in kernel.params:
            const = "" if param.written else "const "
            params.append(f"{const}{self.types[param.dtype]} *__restrict__ {param.name}")
        params += [f"const long {name}" for name in self.symbols.values()]
        self.out(f'extern "C" __global__ void __launch_bounds__({THREADS})')
        self.out(f"{kernel.name}({', '.join(params)}) {{")
        if kernel.contraction is not None:
            self._product(kernel, kernel.contraction)
        elif _wants_blocks(kernel):
            self._block_a_point(kernel)
        else:
            self._thread_a_point(kernel)
        self.out("}")
        return str(self.out)

    # ---- a thread for each point

    def _thread_a_point(self, kernel: Kernel) -> None:
        total = dims.product(axis.extent for axis in kernel.axes)
        self.geometry = Geometry(_over(total, THREADS), THREADS)
        self.out(f"const long point = blockIdx.x * {THREADS}L + threadIdx.x;")
        self.out(f"if (point >= {self.dim(total)}) return;")
        self.decode(kernel.axes, "point")
        self.rows(kernel.body)

    # ---- a block for each point

    def _block_a_point(self, kernel: Kernel) -> None:
        total = dims.product(axis.extent for axis in kernel.axes)
        self.geometry = Geometry(total, THREADS)
        reductions = [stmt for stmt in kernel.body if isinstance(stmt, Reduce)]
        accumulators = [a for stmt in reductions for a in stmt.accumulators]
        whole = [a for a in accumulators if not is_merged(a)]
        for dtype in dict.fromkeys(a.value.dtype if a.position is not None else a.dtype for a in whole):
            self.out(f"__shared__ {self.types[dtype]} slots_{dtype.name}[{THREADS}];")
        for a in accumulators:
            if is_merged(a):
                self.out(f"__shared__ {self.types[a.dtype]} {a.name}_slots[{THREADS}];")
        if any(a.position is not None for a in accumulators):
            self.out(f"__shared__ int places[{THREADS}];")
        # All threads read what is then replaced. Stores come last, so that one barrier is enough.
        replaced = {param.name for param in kernel.params if param.written and param.read}
        self.out("const long point = blockIdx.x;")
        self.decode(kernel.axes, "point")
        for stmt in kernel.body:
            match stmt:
                case Reduce():
                    self._reduce_block(stmt)
                case For(axes, body):
                    self.nest(axes, body, self.rows, heads={axes[-1].name: self._strided})
                case Store():
                    if stmt.buffer in replaced:
                        self.out("__syncthreads();")
                        replaced = set()
                    self.out("if (threadIdx.x == 0) {")
                    self.store(stmt)
                    self.out("}")
                case _:
                    self.rows((stmt,))

    def _strided(self, axis: Axis) -> None:
        """A loop whose iterations the threads of the block share."""
        name = axis.name
        self.out(f"for (long {name} = threadIdx.x; {name} < {self.dim(axis.extent)}; {name} += {THREADS}) {{")

    def _reduce_block(self, stmt: Reduce) -> None:
        for a in stmt.accumulators:
            if a.position is None:
                self.out(f"{self.types[a.dtype]} {a.name} = {self.identity(a.combine, a.dtype, a.part)};")
            else:
                self.out(f"int {a.name} = -1;")
                self.out(f"{self.types[a.value.dtype]} {a.name}_best = {self.identity(a.combine, a.value.dtype)};")

        def innermost(lets: tuple[Stmt, ...]) -> None:
            self.rows(lets)
            for group in groups(stmt.accumulators):
                if group[0].position is None:
                    self.take_in(group, ordered=False)
                else:
                    self._keep_better(group[0], self.expr(group[0].position))

        self.nest(stmt.axes, stmt.body, innermost, heads={axis.name: self._strided for axis in stmt.axes[-1:]})
        for a, *others in groups(stmt.accumulators):
            if is_merged(a):
                self._merge_block((a, *others))
            elif a.position is None:
                self.out(f"{a.name} = gc_block<{THREADS}>({a.name}, gc_{a.combine}(), slots_{a.dtype.name});")
            else:
                shared = f"slots_{a.value.dtype.name}, places"
                self.out(f"{a.name} = gc_block_arg<{THREADS}>({a.name}_best, {a.name}, gc_{a.combine}(), {shared});")

    def _merge_block(self, group: tuple[Accumulator, ...]) -> None:
        """The threads of a block merge their accumulators, in a tree as `gc_block` does; all get the result."""

        def share() -> None:
            for a in group:
                self.out(f"{a.name}_slots[threadIdx.x] = {a.name};")

        share()
        self.out("__syncthreads();")
        self.out(f"for (int half = {THREADS // 2}; half; half /= 2) {{")
        self.out("if (threadIdx.x < half) {")
        self.merge(group, [f"{a.name}_slots[threadIdx.x + half]" for a in group])
        share()
        self.out("}")
        self.out("__syncthreads();")
        self.out("}")
        for a in group:
            self.out(f"{a.name} = {a.name}_slots[0];")
        self.out("__syncthreads();")

    def _keep_better(self, a: Accumulator, position: str) -> None:
        value, kind = self.expr(a.value), self.types[a.value.dtype]
        operands = f"({kind}){value}, {position}, {a.name}_best, {a.name}"
        self.out(f"if (gc_better({operands}, gc_{a.combine}())) {{")
        self.out(f"{a.name}_best = {value};")
        self.out(f"{a.name} = {position};")
        self.out("}")

    # ---- contractions: a block for each tile

    def _product(self, kernel: Kernel, contraction: Contract) -> None:
        f = factors(kernel)
        type_name, out = self.types[contraction.dtype], self.out
        rows, columns, batch, depth = (dims.product(axis.extent for axis in axes) for axes in (f.m, f.n, f.batch, f.k))
        self.geometry = Geometry(_over(rows, TILE) * _over(columns, TILE) * batch, THREADS)
        for side in ("left", "right"):
            out(f"__shared__ {type_name} {side}[{TILE_DEPTH}][{TILE}];")
        out(f"const long rows = {self.dim(rows)}, columns = {self.dim(columns)}, depth = {self.dim(depth)};")
        out(f"const long across = {self.dim(_over(columns, TILE))}, down = {self.dim(_over(rows, TILE))};")
        out(f"const long n0 = blockIdx.x % across * {TILE}, m0 = blockIdx.x / across % down * {TILE};")
        out("const long batch = blockIdx.x / across / down;")
        self.decode(f.batch, "batch")
        out(f"const int tx = threadIdx.x % {TILE_SIDE}, ty = threadIdx.x / {TILE_SIDE};")
        out(f"{type_name} sum[4][4] = {{}};")
        out(f"for (long k0 = 0; k0 < depth; k0 += {TILE_DEPTH}) {{")
        self._fill("left", "row", "m0", "rows", f.m, f, contraction.lhs, contraction)
        self._fill("right", "column", "n0", "columns", f.n, f, contraction.rhs, contraction)
        out("__syncthreads();")
        out(f"for (int k = 0; k < {TILE_DEPTH}; ++k)")
        out("  for (int i = 0; i < 4; ++i)")
        out("    for (int j = 0; j < 4; ++j)")
        out(f"      sum[i][j] += left[k][ty + {TILE_SIDE} * i] * right[k][tx + {TILE_SIDE} * j];")
        out("__syncthreads();")
        out("}")
        self._finish(kernel, contraction, f)

    def _fill(
        self,
        side: str,
        line: str,
        first: str,
        limit: str,
        axes: tuple[Axis, ...],
        f: Factors,
        factor: Expr,
        contraction: Contract,
    ) -> None:
        """The block's threads compute a tile of one factor; neighbours read neighbouring memory where they can."""
        out = self.out
        along_depth = f.lhs_along_k if side == "left" else f.rhs_along_k
        fast, slow = ("k", "i") if along_depth else ("i", "k")
        extent = TILE_DEPTH if along_depth else TILE
        out(f"for (int e = threadIdx.x; e < {TILE * TILE_DEPTH}; e += {THREADS}) {{")
        out(f"const int {fast} = e % {extent}, {slow} = e / {extent};")
        out(f"const long {line} = {first} + i, deep = k0 + k;")
        out(f"{self.types[contraction.dtype]} value = 0;")
        out(f"if ({line} < {limit} && deep < depth) {{")
        self.decode(axes, line)
        self.decode(f.k, "deep")
        for let in needed(contraction.body, factor):
            out(self.let(let))
        out(f"value = {self.expr(factor)};")
        out("}")
        out(f"{side}[k][i] = value;")
        out("}")

    def _finish(self, kernel: Kernel, contraction: Contract, f: Factors) -> None:
        out = self.out
        out("for (int i = 0; i < 4; ++i)")
        out("for (int j = 0; j < 4; ++j) {")
        out(f"const long row = m0 + ty + {TILE_SIDE} * i, column = n0 + tx + {TILE_SIDE} * j;")
        out("if (row < rows && column < columns) {")
        self.decode(f.m, "row")
        self.decode(f.n, "column")
        out(f"const {self.types[contraction.dtype]} {contraction.name} = sum[i][j];")
        self.rows(tuple(stmt for stmt in kernel.body if stmt is not contraction))
        out("}")
        out("}")


def _over(total: Dim, tile: int) -> Dim:
    return dims.floordiv(total + (tile - 1), tile)


def _wants_blocks(kernel: Kernel) -> bool:
    """Whether reductions are long, and neighbouring in memory along their own axes."""
    inner = [stmt for stmt in kernel.body if isinstance(stmt, (Reduce, For))]
    if not has_inner(kernel) or any(axis.bind == "vector" for axis in kernel.axes):
        return False
    if any(isinstance(stmt, Reduce) and stmt.after for stmt in inner):
        return False
    if any(isinstance(s, Store) and s.accumulate for stmt in inner if isinstance(stmt, For) for s in stmt.body):
        return False
    extents = [dims.product(axis.extent for axis in stmt.axes) for stmt in inner]
    return any(not isinstance(extent, int) or extent > SERIAL_EXTENT for extent in extents)
