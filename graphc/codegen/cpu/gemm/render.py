"""Contractions in C, as `graphc.codegen.cpu.gemm.tiling` cuts them.

The loops are those of `prelude/product.h`, the same for all contractions, so that compilers see them once. A kernel has
a table that tells how it is cut, and functions for what it alone knows: where its factors lie, how they are gathered,
which terms count, what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from graphc import dims
from graphc.codegen.cpu.caches import LINE_BYTES
from graphc.codegen.cpu.gemm.masks import Limit, limits
from graphc.codegen.cpu.gemm.microkernels import AddShape, BlockShape, PackShape, RowShape, TileFunction, TileShape
from graphc.codegen.cpu.gemm.packing import PanelRenderer, two
from graphc.codegen.cpu.gemm.prefetch import FAR_BYTES, touched_by
from graphc.codegen.cpu.gemm.tiling import MANY_ROWS, SLICES, InPlace, Tiling, extent
from graphc.codegen.cstyle.expr import depths
from graphc.codegen.ir.kernel import Contract, Kernel, Let, Stmt
from graphc.codegen.ir.walk import loads, stores
from graphc.dims import Dim
from graphc.dtypes import DType

# Rows of the left factor of at most so many bytes are asked for ahead.
SHORT_ROW_BYTES = 1024


class ProductRenderer(PanelRenderer):
    """Prints contractions as tables and functions."""

    def product(self, kernel: Kernel, t: Tiling) -> None:
        """A contraction and its epilogue."""
        contraction = kernel.contraction
        assert contraction is not None
        epilogue = tuple(stmt for stmt in kernel.body if stmt is not contraction)
        self.declare_args(kernel)
        self.constants = {"width": t.width, "tile_rows": t.rows}
        tables = [self._cut(t), self._tile_functions(t, contraction), self._functions(t, contraction, epilogue)]
        self.table(self.functions, f"static const gc_cut {self.name}_cut", *tables)
        memory = self._memory(t, contraction)
        head = {"cut": f"&{self.name}_cut", "args": "&args"}
        self.table(self.out, "const gc_product product", head, self._sizes(t, epilogue), self._factors(t), memory)
        self.out("gc_multiply(&product, self);")

    # ---- tables

    def _cut(self, t: Tiling) -> dict[str, str]:
        """How it is cut, whatever the sizes are."""
        numbers = {
            "size": t.itemsize,
            "tile_rows": t.rows,
            "width": t.width,
            "band": t.band,
            "slices": SLICES if t.sharing == "slices" or t.is_row_sliced else 0,
            "step": t.step or 0,
            "many_rows": MANY_ROWS if t.may_gather else 0,
            "most_ungathered": t.most_ungathered if t.may_gather else 0,
            "most_found": t.most_found if t.scattered else 0,
            "is_flat": len(t.f.k) == 1,
            "may_gather": t.may_gather,
            "gathers_right": t.right_place is None,
            "gathers_left": t.gathers_left,
            "packs_left": t.packs_left,
            "along": t.packs_along_depth,
            "may_be_whole": t.may_be_whole,
            "may_be_row": t.may_be_row,
            "slices_row": t.is_row_sliced,
            "may_help": t.may_help,
            "may_share_columns": t.may_share_columns,
            "asks_for_rows": _has_short_rows(t),
        }
        return {"sharing": f"GC_{t.sharing.upper()}", **{name: str(int(value)) for name, value in numbers.items()}}

    def _tile_functions(self, t: Tiling, contraction: Contract) -> dict[str, str]:
        """The functions of the prelude for its shape."""
        name = self.type_of(contraction)
        flavour = _flavour(t)
        found: dict[str, TileFunction] = {
            "tile": BlockShape(t.width, *flavour) if t.by_library else TileShape(name, t.rows, t.vectors, *flavour)
        }
        if not t.by_library and not isinstance(extent(t.lines), int):
            found["line"] = TileShape(name, 1, t.vectors, *flavour)
        if t.may_be_row:
            found["row"] = RowShape(name)
        if t.left_place is not None and t.packs_left and not t.packs_along_depth:
            found["pack"] = PackShape(name, t.rows)
        if t.sharing == "slices" or t.is_row_sliced:
            found["add"] = AddShape(name)
        self.tiles.update(found.values())
        return {role: function.name for role, function in found.items()}

    def _functions(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> dict[str, str]:
        """The functions of its own."""
        found = {}
        if t.left_place is not None and not t.scattered and dims.loop_names(t.left_place.start):
            found["left_at"] = self.function("left_at", partial(self._start, t, t.left_place))
        if t.right_place is not None and dims.loop_names(t.right_place.start):
            found["right_at"] = self.function("right_at", partial(self._start, t, t.right_place))
        if t.panels != 0:
            found["gather_right"] = self.function("gather_right", partial(self.gather_right, t, contraction))
        if t.scattered:
            found["find_rows"] = self.function("find_rows", partial(self.find_rows, t))
        elif t.left_place is None:
            found["gather_left"] = self.function("gather_left", partial(self.gather_left, t, contraction))
        if known := limits(t, contraction, epilogue):
            found |= {"limits": self._limits(known), "limited": str(len(known))}
        if dense := _touched(t, epilogue):
            found["ask"] = self.function("ask", partial(self._ask, t, dense))
        found["epilogue"] = self.function("epilogue", partial(self._epilogue, t, contraction, epilogue))
        return found

    def _sizes(self, t: Tiling, epilogue: tuple[Stmt, ...]) -> dict[str, str]:
        """Its sizes, and whether threads rather share columns: they take runs of tiles, row by row or column by column.

        So threads have rows or columns of their own, and each reads all of one factor, the smaller. What is updated in
        place counts too: a weight is read by columns in the forward pass, by the thread that has it in its own cache.
        """
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
            "blocks": t.blocks if t.is_cut else 1,
            "outer": outer,
            "inner": inner,
            "most_depth": t.most_depth,
        }
        prefers = f"{self.dim(rows * depth)} <= {self.dim(apart)}" if t.may_share_columns else "0"
        asked = (
            sum(dtype.itemsize for _, dtype in _touched(t, epilogue).values()) * extent(t.f.batch + t.f.m) * t.columns
        )
        flags = {"prefers_columns": prefers, "asks": "0" if asked == 0 else f"{self.dim(asked)} > {FAR_BYTES}"}
        return {**{name: self.dim(size) for name, size in sizes.items()}, **flags}

    def _factors(self, t: Tiling) -> dict[str, str]:
        """Where factors that lie evenly in memory begin, and their steps."""
        found: dict[str, str] = {}
        for side, place in (("left", t.left_place), ("right", t.right_place)):
            if place is None:
                continue
            varies = bool(dims.loop_names(place.start))
            outer, inner = two(place.depth)
            first = (
                place.load.buffer if varies or place.start == 0 else f"({place.load.buffer} + {self.dim(place.start)})"
            )
            found[side] = f"(const char *){first}"
            steps = {"inner": inner, "outer": outer, "turn": place.depth[0] if t.step is not None else 0}
            if side == "left":
                steps["line"] = place.line
            found |= {f"{side}_{name}": self.dim(step) for name, step in steps.items()}
        return found

    def _memory(self, t: Tiling, contraction: Contract) -> dict[str, str]:
        """Where panels, rows and sums are kept."""
        name, found = self.type_of(contraction), {}

        def own(role: str, count: Dim) -> None:
            self.out(f"{name} {role}[{self.dim(count)}] __attribute__((aligned(64)));")
            found[role] = f"(char *){role}"

        if t.scattered:
            self.out(f"const void *places[{t.rows * t.most_found}];")
            found["places"] = "places"
        elif t.left_place is None or t.packs_left:
            own("packed", t.most_depth * t.rows * t.band)
        if t.by_library:
            own("tile", t.rows * t.width)
        if t.may_be_row:
            assert isinstance(t.column_block, int)
            own("row_sums", -(-t.column_block // t.width) * t.width)
        shares = t.sharing == "team"
        if t.panels != 0 and shares:
            found["panels"] = "scratch"
        elif t.panels != 0:
            own("panels", t.panels)
        if t.is_cut and t.sharing == "batch":
            own("sums", t.sums)
        elif t.is_cut:
            start = f" + {self.grouped(t.panels * t.itemsize)}" if shares and t.panels != 0 else ""
            found["sums"] = f"(char *)scratch{start}"
        return found

    # ---- functions

    def _start(self, t: Tiling, place: InPlace) -> None:
        """Where a factor begins, in a product of the batch, for some rows, at a point of the depth."""
        self.block(t)
        if place is t.left_place:
            self.decode(t.outer, "outside")
        self.out(f"return {self.dim(place.start)};")

    def _limits(self, known: tuple[Limit, ...]) -> str:
        """A table of the limits of terms; its name."""
        rows = ", ".join(f"{{{limit.row}, {limit.column}, {limit.depth}, {limit.offset}}}" for limit in known)
        self.functions(f"static const gc_limit {self.name}_limits[] = {{{rows}}};")
        return f"{self.name}_limits"

    def _ask(self, t: Tiling, dense: Mapping[str, tuple[Dim, DType]]) -> None:
        """Asks for what the epilogue reads and writes before the depth runs, so that it is there afterwards."""
        out, inner = self.out, t.f.n[0].name
        self._place(t)
        out("for (long i = skip; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        out(f"const long {inner} = n0;")
        for buffer, (offset, dtype) in dense.items():
            for element in range(0, t.width, LINE_BYTES // dtype.itemsize):
                out(f"__builtin_prefetch({buffer} + {self.dim(offset)} + {element}, 1);")
        out("}")

    def _place(self, t: Tiling) -> None:
        """The axes that are the same for all rows of a tile."""
        self.decode(t.f.batch, "item")
        self.decode(t.outer, "outside")

    def _epilogue(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """What follows a tile's sums."""
        out, inner, name = self.out, t.f.n[-1], self.type_of(contraction)
        out(f"const {name} *const tile = sums;")
        self._place(t)
        above = t.f.n[:-1] if t.is_inside_last else ()
        below = (inner,) if t.is_inside_last else t.f.n
        axes = [axis.name for axis in (*above, *t.lines, *below)]
        level = depths(axes, epilogue, (contraction.name, *self.subscript))

        def bind(low: int, high: int) -> None:
            for stmt in epilogue:
                if isinstance(stmt, Let) and low <= level[stmt.name] <= high:
                    out(self.let(stmt))

        if t.is_inside_last:
            # No division in the loop, and what the other axes alone decide is outside.
            out(f"const long strip = n0 / {self.grouped(inner.extent)}, beginning = n0 % {self.grouped(inner.extent)};")
            self.decode(above, "strip")
        bind(0, len(above))
        out("for (long i = skip; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        bind(len(above) + 1, len(above) + len(t.lines))
        if self.simd:
            out(self.simd)
        out(f"for (long j = 0; j < {'width' if t.all_whole else 'wide'}; ++j) {{")
        if t.is_inside_last:
            out(f"const long {inner.name} = beginning + j;")
        else:
            out("const long column = n0 + j;")
            self.decode(t.f.n, "column")
        out(f"const {name} {contraction.name} = tile[i * width + j];")
        known = len(above) + len(t.lines)
        self.rows(tuple(stmt for stmt in epilogue if not isinstance(stmt, Let) or level[stmt.name] > known))
        out("}")
        out("}")


def _flavour(t: Tiling) -> tuple[str, str]:
    """Which of the left factor's steps are known to be 1."""
    place = t.left_place
    if place is None or t.gathers_left:
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
    """Where an epilogue reads and writes rows, by buffer, where tiles are runs of one axis of columns."""
    if len(t.f.n) != 1 or t.sharing == "slices" or t.by_library:
        return {}
    return touched_by(epilogue, t.f.n[0].name, {axis.name for axis in t.lines})
