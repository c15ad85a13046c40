"""CUDA C++ for the GPU: a kernel as a `__global__` function.

A block of threads computes a tile of a contraction with tiles of both factors in shared memory. The factors may be any
expression, which the threads evaluate while they fill the tiles: convolutions are products, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc import dims, dtypes
from graphc.codegen.cstyle.expr import ExprPrinter
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.reductions import ReductionPrinter, is_merged, reduce_row
from graphc.codegen.cuda.dialect import CUDA
from graphc.codegen.cuda.geometry import THREADS, TILE, TILE_DEPTH, TILE_SIDE, Geometry, geometry, over, wants_blocks
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, For, Kernel, Reduce, Stmt, Store
from graphc.codegen.ir.matmul_roles import factors
from graphc.codegen.ir.walk import dtypes_of, groups, needed
from graphc.exprs import Expr


@dataclass(frozen=True)
class Function:
    """A kernel in CUDA: its definition, its launch geometry, and the definitions that it needs."""

    definition: str
    geometry: Geometry
    intrinsics: frozenset[str]
    has_float16: bool
    has_complex: bool


def render_kernel(kernel: Kernel, symbols: Mapping[str, str]) -> Function:
    """The function of a kernel.

    Args:
        kernel: The scheduled kernel.
        symbols: The identifier of each symbolic size that it takes.
    """
    loops = LoopPrinter(ExprPrinter(symbols, CUDA), reduce_row)
    out = loops.out
    params = []
    for param in kernel.params:
        const = "" if param.written else "const "
        params.append(f"{const}{CUDA.types[param.dtype]} *__restrict__ {param.name}")
    params += [f"const long {name}" for name in symbols.values()]
    out(f'extern "C" __global__ void __launch_bounds__({THREADS})')
    out(f"{kernel.name}({', '.join(params)}) {{")
    if kernel.contraction is not None:
        _TilePrinter(loops, kernel, kernel.contraction).print()
    elif wants_blocks(kernel):
        _BlockPrinter(loops).kernel(kernel)
    else:
        _thread_a_point(loops, kernel)
    out("}")
    used, intrinsics = dtypes_of(kernel), frozenset(loops.scalars.intrinsics)
    has_complex = any(dtype.is_complex for dtype in used)
    return Function(str(out), geometry(kernel), intrinsics, dtypes.float16 in used, has_complex)


def _thread_a_point(loops: LoopPrinter, kernel: Kernel) -> None:
    """A thread for each point."""
    total = dims.product(axis.extent for axis in kernel.axes)
    loops.out(f"const long point = blockIdx.x * {THREADS}L + threadIdx.x;")
    loops.out(f"if (point >= {loops.scalars.dim(total)}) return;")
    loops.decode(kernel.axes, "point")
    loops.rows(kernel.body)


class _BlockPrinter:
    """Prints kernels with a block for each point, whose threads share the reductions.

    Args:
        loops: Prints the loops of one thread.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types
        self.reductions = ReductionPrinter(loops)

    def kernel(self, kernel: Kernel) -> None:
        """The body of a kernel."""
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
        # All threads read values that stores then replace. Stores come last, so that one barrier is enough.
        replaced = {param.name for param in kernel.params if param.written and param.read}
        self.out("const long point = blockIdx.x;")
        self.loops.decode(kernel.axes, "point")
        for stmt in kernel.body:
            match stmt:
                case Reduce():
                    self._reduce_block(stmt)
                case For(axes, body):
                    self.loops.nest(axes, body, self.loops.rows, heads={axes[-1].name: self._strided})
                case Store():
                    if stmt.buffer in replaced:
                        self.out("__syncthreads();")
                        replaced = set()
                    self.out("if (threadIdx.x == 0) {")
                    self.loops.store(stmt)
                    self.out("}")
                case _:
                    self.loops.rows((stmt,))

    def _strided(self, axis: Axis) -> None:
        """A loop whose iterations the threads of the block share."""
        name = axis.name
        self.out(f"for (long {name} = threadIdx.x; {name} < {self.scalars.dim(axis.extent)}; {name} += {THREADS}) {{")

    def _reduce_block(self, stmt: Reduce) -> None:
        for a in stmt.accumulators:
            if a.position is None:
                self.out(f"{self.types[a.dtype]} {a.name} = {self.scalars.identity(a.combine, a.dtype, a.part)};")
            else:
                self.out(f"int {a.name} = -1;")
                self.out(
                    f"{self.types[a.value.dtype]} {a.name}_best = {self.scalars.identity(a.combine, a.value.dtype)};"
                )

        def innermost(lets: tuple[Stmt, ...]) -> None:
            self.loops.rows(lets)
            for group in groups(stmt.accumulators):
                if group[0].position is None:
                    self.reductions.take_in(group, ordered=False)
                else:
                    self._keep_better(group[0], self.scalars.expr(group[0].position))

        self.loops.nest(stmt.axes, stmt.body, innermost, heads={axis.name: self._strided for axis in stmt.axes[-1:]})
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
        self.reductions.merge(group, [f"{a.name}_slots[threadIdx.x + half]" for a in group])
        share()
        self.out("}")
        self.out("__syncthreads();")
        self.out("}")
        for a in group:
            self.out(f"{a.name} = {a.name}_slots[0];")
        self.out("__syncthreads();")

    def _keep_better(self, a: Accumulator, position: str) -> None:
        value, kind = self.scalars.expr(a.value), self.types[a.value.dtype]
        operands = f"({kind}){value}, {position}, {a.name}_best, {a.name}"
        self.out(f"if (gc_better({operands}, gc_{a.combine}())) {{")
        self.out(f"{a.name}_best = {value};")
        self.out(f"{a.name} = {position};")
        self.out("}")


class _TilePrinter:
    """Prints contractions with a block for each tile of the result, and both factors' tiles in shared memory.

    Args:
        loops: Prints the loops of one thread.
        kernel: The kernel.
        contraction: Its contraction.
    """

    def __init__(self, loops: LoopPrinter, kernel: Kernel, contraction: Contract) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types
        self.kernel, self.contraction, self.f = kernel, contraction, factors(kernel)

    def print(self) -> None:
        """The contraction and its epilogue."""
        f, contraction, out, dim = self.f, self.contraction, self.out, self.scalars.dim
        type_name = self.types[contraction.dtype]
        rows, columns, depth = (dims.product(axis.extent for axis in axes) for axes in (f.m, f.n, f.k))
        for side in ("left", "right"):
            out(f"__shared__ {type_name} {side}[{TILE_DEPTH}][{TILE}];")
        out(f"const long rows = {dim(rows)}, columns = {dim(columns)}, depth = {dim(depth)};")
        out(f"const long across = {dim(over(columns, TILE))}, down = {dim(over(rows, TILE))};")
        out(f"const long n0 = blockIdx.x % across * {TILE}, m0 = blockIdx.x / across % down * {TILE};")
        out("const long batch = blockIdx.x / across / down;")
        self.loops.decode(f.batch, "batch")
        out(f"const int tx = threadIdx.x % {TILE_SIDE}, ty = threadIdx.x / {TILE_SIDE};")
        out(f"{type_name} sum[4][4] = {{}};")
        out(f"for (long k0 = 0; k0 < depth; k0 += {TILE_DEPTH}) {{")
        self._fill("left", "row", "m0", "rows", f.m, contraction.lhs)
        self._fill("right", "column", "n0", "columns", f.n, contraction.rhs)
        out("__syncthreads();")
        out(f"for (int k = 0; k < {TILE_DEPTH}; ++k)")
        out("  for (int i = 0; i < 4; ++i)")
        out("    for (int j = 0; j < 4; ++j)")
        out(f"      sum[i][j] += left[k][ty + {TILE_SIDE} * i] * right[k][tx + {TILE_SIDE} * j];")
        out("__syncthreads();")
        out("}")
        self._finish()

    def _fill(self, side: str, line: str, first: str, limit: str, axes: tuple[Axis, ...], factor: Expr) -> None:
        """The block's threads compute a tile of one factor; neighbours read neighbouring memory where they can."""
        f, contraction, out = self.f, self.contraction, self.out
        along_depth = f.lhs_along_k if side == "left" else f.rhs_along_k
        fast, slow = ("k", "i") if along_depth else ("i", "k")
        extent = TILE_DEPTH if along_depth else TILE
        out(f"for (int e = threadIdx.x; e < {TILE * TILE_DEPTH}; e += {THREADS}) {{")
        out(f"const int {fast} = e % {extent}, {slow} = e / {extent};")
        out(f"const long {line} = {first} + i, deep = k0 + k;")
        nothing = self.scalars.zero(contraction.dtype) if contraction.dtype.is_complex else "0"
        out(f"{self.types[contraction.dtype]} value = {nothing};")
        out(f"if ({line} < {limit} && deep < depth) {{")
        self.loops.decode(axes, line)
        self.loops.decode(f.k, "deep")
        for let in needed(contraction.body, factor):
            out(self.scalars.let(let))
        out(f"value = {self.scalars.expr(factor)};")
        out("}")
        out(f"{side}[k][i] = value;")
        out("}")

    def _finish(self) -> None:
        """The epilogue of each element of a tile."""
        f, contraction, out = self.f, self.contraction, self.out
        out("for (int i = 0; i < 4; ++i)")
        out("for (int j = 0; j < 4; ++j) {")
        out(f"const long row = m0 + ty + {TILE_SIDE} * i, column = n0 + tx + {TILE_SIDE} * j;")
        out("if (row < rows && column < columns) {")
        self.loops.decode(f.m, "row")
        self.loops.decode(f.n, "column")
        out(f"const {self.types[contraction.dtype]} {contraction.name} = sum[i][j];")
        self.loops.rows(tuple(stmt for stmt in self.kernel.body if stmt is not contraction))
        out("}")
        out("}")
