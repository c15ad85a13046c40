"""Contractions in C, tiled as in `graphc.codegen.cpu.gemm.tiling`.

The loops are those of `prelude/gemm.h`, the same for all contractions, so that compilers see them once. A kernel has
a table of its tiling, and functions for what differs from kernel to kernel: where its factors lie, how they are packed,
which terms are summed, the epilogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from graphc import dims
from graphc.codegen.cpu.caches import LINE_BYTES
from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.functions import KernelText, print_table
from graphc.codegen.cpu.gemm.masks import Limit, limits
from graphc.codegen.cpu.gemm.microkernels import (
    BlasBlock,
    PreludeFunction,
    SingleRow,
    SliceSum,
    TileMicroKernel,
    TilePacking,
)
from graphc.codegen.cpu.gemm.packing import address_rows, block, pack_left, pack_right, row_loop, two
from graphc.codegen.cpu.gemm.prefetch import FAR_BYTES, touched_by
from graphc.codegen.cpu.gemm.tiling import MANY_ROWS, SLICES, InPlace, Tiling, extent
from graphc.codegen.cstyle.expr import depths
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Kernel, Let, Stmt
from graphc.codegen.ir.walk import loads, stores
from graphc.dims import Dim
from graphc.dtypes import DType

# Rows of the left factor of at most so many bytes are prefetched.
SHORT_ROW_BYTES = 1024


class GemmPrinter:
    """Prints a contraction as tables and functions.

    Args:
        text: The text of its kernel.
        kernel: The kernel.
        t: How its contraction is tiled.
    """

    def __init__(self, text: KernelText, kernel: Kernel, t: Tiling) -> None:
        assert kernel.contraction is not None
        self.text, self.t, self.contraction = text, t, kernel.contraction
        self.out, self.scalars, self.name = text.loops.out, text.loops.scalars, text.name
        self.epilogue = tuple(stmt for stmt in kernel.body if stmt is not kernel.contraction)
        self.type = C.types[kernel.contraction.dtype]

    def print(self) -> None:
        """The contraction and its epilogue."""
        self.text.begin_functions({"width": self.t.width, "tile_rows": self.t.rows})
        tables = [self._tiling(), self._prelude_functions(), self._functions()]
        print_table(self.text.functions, f"static const gc_tiling {self.name}_tiling", *tables)
        memory = self._memory()
        head = {"tiling": f"&{self.name}_tiling", "args": "&args"}
        print_table(self.out, "const gc_gemm gemm", head, self._sizes(), self._factors(), memory)
        self.out("gc_run_gemm(&gemm, self);")

    # ---- tables

    def _tiling(self) -> dict[str, str]:
        """Its tiling, whatever the sizes are."""
        t = self.t
        numbers = {
            "size": t.itemsize,
            "tile_rows": t.rows,
            "width": t.width,
            "band": t.band,
            "slices": SLICES if t.sharing == "slices" or t.is_row_sliced else 0,
            "step": t.step or 0,
            "many_rows": MANY_ROWS if t.may_pack else 0,
            "most_unpacked": t.most_unpacked if t.may_pack else 0,
            "most_addressed": t.most_addressed if t.scattered else 0,
            "is_flat": len(t.f.k) == 1,
            "may_pack": t.may_pack,
            "always_packs_right": t.right_place is None,
            "always_packs_left": t.always_packs_left,
            "packs_left": t.packs_left,
            "along": t.packs_along_depth,
            "may_be_whole": t.may_be_whole,
            "may_be_row": t.may_be_row,
            "slices_row": t.is_row_sliced,
            "may_steal": t.may_steal,
            "may_share_columns": t.may_share_columns,
            "prefetches_rows": _has_short_rows(t),
        }
        return {"sharing": f"GC_{t.sharing.upper()}", **{name: str(int(value)) for name, value in numbers.items()}}

    def _prelude_functions(self) -> dict[str, str]:
        """The functions of the prelude for its shape."""
        t, name = self.t, self.type
        flavour = _flavour(t)
        functions: dict[str, PreludeFunction] = {"microkernel": TileMicroKernel(name, t.rows, t.vectors, *flavour)}
        if t.by_library:
            functions["microkernel"] = BlasBlock(t.width, *flavour)
        if not t.by_library and not isinstance(extent(t.lines), int):
            functions["line_microkernel"] = TileMicroKernel(name, 1, t.vectors, *flavour)
        if t.may_be_row:
            functions["row"] = SingleRow(name)
        if t.left_place is not None and t.packs_left and not t.packs_along_depth:
            functions["pack"] = TilePacking(name, t.rows)
        if t.sharing == "slices" or t.is_row_sliced:
            functions["add"] = SliceSum(name)
        self.text.prelude_functions.update(functions.values())
        return {role: function.name for role, function in functions.items()}

    def _functions(self) -> dict[str, str]:
        """The functions of its own."""
        t, function = self.t, self.text.function
        names = {}
        if t.left_place is not None and not t.scattered and dims.loop_names(t.left_place.start):
            names["left_at"] = function("left_at", partial(self._start, place=t.left_place))
        if t.right_place is not None and dims.loop_names(t.right_place.start):
            names["right_at"] = function("right_at", partial(self._start, place=t.right_place))
        if t.panels != 0:
            names["pack_right"] = function("pack_right", partial(pack_right, t=t, contraction=self.contraction))
        if t.scattered:
            names["address_rows"] = function("address_rows", partial(address_rows, t=t))
        elif t.left_place is None:
            names["pack_left"] = function("pack_left", partial(pack_left, t=t, contraction=self.contraction))
        if known := limits(t, self.contraction, self.epilogue):
            names |= {"limits": self._limits(known), "limited": str(len(known))}
        if dense := _touched(t, self.epilogue):
            names["prefetch"] = function("prefetch", partial(self._prefetch, dense=dense))
        names["epilogue"] = function("epilogue", self._epilogue)
        return names

    def _sizes(self) -> dict[str, str]:
        """Its sizes, and whether threads share columns rather than rows.

        Each thread has rows or columns of its own and reads all of one factor, the smaller. A result that is updated in
        place counts too: a weight is read by columns in the forward pass, by the thread that has it in its own cache.
        """
        t, epilogue = self.t, self.epilogue
        depth, rows = extent(t.f.k), extent(t.f.m)
        updated = {store.buffer for store in stores(epilogue)} & {load.buffer for load in loads(epilogue)}
        apart = t.columns * depth + (rows * t.columns if updated else 0)
        outer, inner = t.levels
        sizes = {
            "work": dims.product((extent(t.f.batch), rows, t.columns, depth, 2)),
            "items": extent(t.f.batch),
            "outside": extent(t.outer),
            "rows": extent(t.lines),
            "columns": t.columns,
            "depth": depth,
            "column_block": t.column_block,
            "blocks": t.blocks if t.has_blocks else 1,
            "outer": outer,
            "inner": inner,
            "most_depth": t.most_depth,
        }
        prefers = f"{self.scalars.dim(rows * depth)} <= {self.scalars.dim(apart)}" if t.may_share_columns else "0"
        touched = (
            sum(dtype.itemsize for _, dtype in _touched(t, epilogue).values()) * extent(t.f.batch + t.f.m) * t.columns
        )
        flags = {
            "prefers_columns": prefers,
            "prefetches": "0" if touched == 0 else f"{self.scalars.dim(touched)} > {FAR_BYTES}",
        }
        return {**{name: self.scalars.dim(size) for name, size in sizes.items()}, **flags}

    def _factors(self) -> dict[str, str]:
        """Where factors that lie evenly in memory begin, and their steps."""
        t = self.t
        fields: dict[str, str] = {}
        for side, place in (("left", t.left_place), ("right", t.right_place)):
            if place is None:
                continue
            varies = bool(dims.loop_names(place.start))
            outer, inner = two(place.depth)
            first = (
                place.load.buffer
                if varies or place.start == 0
                else f"({place.load.buffer} + {self.scalars.dim(place.start)})"
            )
            fields[side] = f"(const char *){first}"
            steps = {"inner": inner, "outer": outer, "block": place.depth[0] if t.step is not None else 0}
            if side == "left":
                steps["line"] = place.line
            fields |= {f"{side}_{name}": self.scalars.dim(step) for name, step in steps.items()}
        return fields

    def _memory(self) -> dict[str, str]:
        """Where panels, rows and sums are stored."""
        t, name = self.t, self.type
        fields = {}

        def own(role: str, count: Dim) -> None:
            self.out(f"{name} {role}[{self.scalars.dim(count)}] __attribute__((aligned(64)));")
            fields[role] = f"(char *){role}"

        if t.scattered:
            self.out(f"const void *addresses[{t.rows * t.most_addressed}];")
            fields["addresses"] = "addresses"
        elif t.left_place is None or t.packs_left:
            own("packed", t.most_depth * t.rows * t.band)
        if t.by_library:
            own("tile", t.rows * t.width)
        if t.may_be_row:
            assert isinstance(t.column_block, int)
            own("row_sums", -(-t.column_block // t.width) * t.width)
        shares = t.sharing == "tiles"
        if t.panels != 0 and shares:
            fields["panels"] = "scratch"
        elif t.panels != 0:
            own("panels", t.panels)
        if t.has_blocks and t.sharing == "batch":
            own("sums", t.sums)
        elif t.has_blocks:
            start = f" + {self.scalars.grouped(t.panels * t.itemsize)}" if shares and t.panels != 0 else ""
            fields["sums"] = f"(char *)scratch{start}"
        return fields

    # ---- functions

    def _start(self, f: LoopPrinter, place: InPlace) -> None:
        """Where a factor begins, in a product of the batch, for some rows, at a point of the depth."""
        block(f, self.t)
        if place is self.t.left_place:
            f.decode(self.t.outer, "outside")
        f.out(f"return {f.scalars.dim(place.start)};")

    def _limits(self, known: tuple[Limit, ...]) -> str:
        """A table of the limits of terms; its name."""
        rows = ", ".join(f"{{{limit.row}, {limit.column}, {limit.depth}, {limit.offset}}}" for limit in known)
        self.text.functions(f"static const gc_limit {self.name}_limits[] = {{{rows}}};")
        return f"{self.name}_limits"

    def _prefetch(self, f: LoopPrinter, dense: Mapping[str, tuple[Dim, DType]]) -> None:
        """Prefetches what the epilogue reads and writes, before the sums of the tile are formed."""
        t, out, use, inner = self.t, f.out, f.scalars.use, self.t.f.n[0].name
        self._place(f)
        row_loop(f, t, use("skip"))
        out(f"const long {inner} = {use('n0')};")
        for buffer, (offset, dtype) in dense.items():
            for element in range(0, t.width, LINE_BYTES // dtype.itemsize):
                out(f"__builtin_prefetch({use(buffer)} + {f.scalars.dim(offset)} + {element}, 1);")
        out("}")

    def _place(self, f: LoopPrinter) -> None:
        """The axes that are the same for all rows of a tile."""
        f.decode(self.t.f.batch, "item")
        f.decode(self.t.outer, "outside")

    def _epilogue(self, f: LoopPrinter) -> None:
        """What follows a tile's sums."""
        t, out, use, inner = self.t, f.out, f.scalars.use, self.t.f.n[-1]
        out(f"const {self.type} *const tile = sums;")
        self._place(f)
        above = t.f.n[:-1] if t.is_inside_last else ()
        below = (inner,) if t.is_inside_last else t.f.n
        axes = [axis.name for axis in (*above, *t.lines, *below)]
        level = depths(axes, self.epilogue, (self.contraction.name,))

        def bind(low: int, high: int) -> None:
            for stmt in self.epilogue:
                if isinstance(stmt, Let) and low <= level[stmt.name] <= high:
                    out(f.scalars.let(stmt))

        if t.is_inside_last:
            # No division in the loop, and what the other axes alone decide is outside.
            n0, extent = use("n0"), f.scalars.grouped(inner.extent)
            out(f"const long strip = {n0} / {extent}, beginning = {n0} % {extent};")
            f.decode(above, "strip")
        bind(0, len(above))
        row_loop(f, t, use("skip"))
        bind(len(above) + 1, len(above) + len(t.lines))
        out(f.simd)
        out(f"for (long j = 0; j < {use('width' if t.all_whole else 'wide')}; ++j) {{")
        if t.is_inside_last:
            out(f"const long {inner.name} = beginning + j;")
        else:
            out(f"const long column = {use('n0')} + j;")
            f.decode(t.f.n, "column")
        out(f"const {self.type} {self.contraction.name} = tile[i * {use('width')} + j];")
        known = len(above) + len(t.lines)
        f.rows(tuple(stmt for stmt in self.epilogue if not isinstance(stmt, Let) or level[stmt.name] > known))
        out("}")
        out("}")


def _flavour(t: Tiling) -> tuple[str, str]:
    """Which of the left factor's steps are known to be 1."""
    place = t.left_place
    if place is None or t.always_packs_left:
        return ("m", "1") if t.packs_along_depth else ("1", "k")
    inner = "1" if two(place.depth)[1] == 1 else "k"
    if t.scattered:
        return "p", inner
    return ("1", "k") if place.line == 1 else ("m", inner)


def _has_short_rows(t: Tiling) -> bool:
    """Whether rows of the left factor are too short for processors to foresee the next ones."""
    place, length = t.left_place, t.most_depth
    if place is None or t.packs_left or t.by_library or place.depth[-1:] != (1,) or len(t.f.m) > 1 or len(t.f.k) != 1:
        return False
    return isinstance(length, int) and length * t.itemsize <= SHORT_ROW_BYTES


def _touched(t: Tiling, epilogue: tuple[Stmt, ...]) -> dict[str, tuple[Dim, DType]]:
    """Where an epilogue reads and writes rows, by buffer, where tiles run along one axis of columns."""
    if len(t.f.n) != 1 or t.sharing == "slices" or t.by_library:
        return {}
    return touched_by(epilogue, t.f.n[0].name, {axis.name for axis in t.lines})
