"""How the factors of a contraction are gathered in C, where they are not read in place: see `c_product.py`."""

from __future__ import annotations

from collections.abc import Mapping

from graphc import dims
from graphc.codegen.kernel import Axis, Contract, Let, Stmt, needed
from graphc.codegen.loops import LoopRenderer
from graphc.codegen.tile_functions import PackShape, TileFunction
from graphc.codegen.tiles import InPlace, Tiling, extent
from graphc.dims import Dim
from graphc.exprs import Expr
from graphc.primitives.views import ravel

# A factor that is turned around when it is gathered is so in runs of this many elements.
RUN = 16


class PanelRenderer(LoopRenderer):
    """Prints the gathering of factors."""

    def __init__(self, symbols: Mapping[str, str]) -> None:
        super().__init__(symbols)
        self.tiles: set[TileFunction] = set()

    def type_of(self, contraction: Contract) -> str:
        return self.types[contraction.dtype]

    def place_rows(self, t: Tiling) -> None:
        """Which lines a tile has. The last tile is moved back onto lines that are there; `skip` of them are done."""
        out = self.out
        out("const long m0 = group % tall * tile_rows;")
        if t.outer:
            out("const long outside = group / tall;")
            self.decode(t.outer, "outside")
        lines = extent(t.lines)
        if isinstance(lines, int) and lines % t.rows == 0:
            out("enum { skip = 0, high = tile_rows };")
            out("const long line0 = m0;")
        else:
            out("const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;")
            out("const long high = GC_MIN(tile_rows, rows);")

    def turned(self, t: Tiling, depth: tuple[Dim, ...]) -> Dim:
        """How far the current block of the depth is from its start, where blocks are runs of the first axis."""
        return dims.value("turn") * depth[0] if t.step is not None else 0

    def gather_right(self, t: Tiling, contraction: Contract) -> None:
        """The panels of a block; where others are read in place, only the last, if it is narrower.

        Panels lie as far apart in a last, less deep block as in the others: a thread that gathers what it alone reads
        must not write where others still read.
        """
        if t.panels == 0:
            return
        out, together = self.out, t.sharing == "team"
        unless = ""
        if t.may_share_columns and (t.right_place is None or t.may_gather):
            # Nothing is gathered where all is read in place.
            unless = "if (gathers && !alone) " if t.may_gather and t.all_whole else "if (!alone) "
        lets = needed(contraction.body, t.right)
        # In place, only the last panel is gathered, if it is narrower.
        count = "beside" if t.right_place is None else "1"
        start = "c0 + panel * width" if t.right_place is None else "columns / width * width"
        needed_if = "" if t.right_place is None else "c1 == columns && columns % width"
        if t.is_narrow:
            count, start, needed_if = "1", "0", ""
        elif t.may_gather:
            count, start = f"(gathers ? beside : {int(not t.all_whole)})", f"gathers ? c0 + panel * width : {start}"
            needed_if = f"gathers || ({needed_if})"
        bounds = f"0, panel_end = {count}"
        if together:
            out(f"{unless}gc_sync(self);")
            bounds = f"gc_first({count}, 1, self, team), panel_end = gc_end({count}, 1, self, team)"
        if needed_if:
            out(f"if ({needed_if}) {{")
        if len(t.f.n) == 1 and not t.f.rhs_along_k:
            # All panels at once: memory is read from one end to the other.
            out(f"const long panel_start = {bounds};")
            place = f"panels[(panel * {self.grouped(t.most_depth)} + deep) * width + lane]"
            self._depth_nest(t, lets, place, t.right, beside=(t.f.n[0], f"({start})"))
        else:
            out(f"for (long panel = {bounds}; panel < panel_end; ++panel) {{")
            out(f"const long n0 = {start};")
            place = f"panels[(panel * {self.grouped(t.most_depth)} + deep) * width + column - n0]"
            # What lies along the depth is turned around: in short runs, so that what is written stays in the cache.
            axes = t.f.k[len(t.turns) :]
            runs = len(axes) == 1
            if runs:
                low, high = ("0", self.dim(axes[0].extent)) if t.step is None else ("turn", "end")
                out(f"for (long run = {low}; run < {high}; run += {RUN}) {{")
                out(f"const long run_end = GC_MIN(run + {RUN}, {high});")
            out("for (long column = n0; column < GC_MIN(n0 + width, columns); ++column) {")
            self.decode(t.f.n, "column")
            self._depth_nest(t, lets, place, t.right, bounds=("run", "run_end") if runs else None)
            out("}")
            if runs:
                out("}")
            out("}")
        if needed_if:
            out("}")
        if together:
            out(f"{unless}gc_sync(self);")

    def gather_left(self, t: Tiling, contraction: Contract) -> None:
        """The lines of a band of tiles; tiles beside each other share them."""
        if t.left_place is not None:
            if t.scattered:
                self._find_rows(t, t.left_place)
            elif t.packs_left:
                self._pack_left(t, contraction, t.left_place)
            return
        out = self.out
        place = f"i * {self.grouped(t.most_depth)} + deep" if t.packs_along_depth else "deep * tile_rows + i"
        place = f"packed[(group - at.start) * {self.grouped(t.most_depth * t.rows)} + {place}]"
        out("if (at.start != gathered) {")
        out("gathered = at.start;")
        out("for (long group = at.start; group < at.end; ++group) {")
        self.place_rows(t)
        out("for (long i = 0; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        self._depth_nest(t, needed(contraction.body, t.left), place, t.left)
        out("}")
        out("}")
        out("}")

    def _pack_left(self, t: Tiling, contraction: Contract, place: InPlace) -> None:
        """The same for a factor that lies evenly in memory, in the order of memory."""
        out = self.out
        outer, inner = two(place.depth)
        start = f"{place.load.buffer} + {self.dim(place.start + self.turned(t, place.depth))}"
        out(f"if ({'gathers && ' if t.may_gather else ''}at.start != gathered) {{")
        out("gathered = at.start;")
        if t.packs_along_depth:
            out("for (long i = at.start * tile_rows; i < at.end * tile_rows; ++i)")
            out("for (long o = 0; o < outer; ++o) {")
            out("const long line = GC_MIN(i - i % tile_rows, GC_MAX(rows - tile_rows, 0)) + i % tile_rows;")
            to = f"packed + (i - at.start * tile_rows) * {self.grouped(t.most_depth)} + o * inner"
            source = f"{start} + GC_MIN(line, rows - 1) * {self.grouped(place.line)} + o * {self.grouped(outer)}"
            out(f"__builtin_memcpy({to}, {source}, inner * sizeof *packed);")
            out("}")
        else:
            shape = PackShape(self.type_of(contraction), t.rows)
            self.tiles.add(shape)
            apart = self.dim(t.most_depth * t.rows)
            source = f"outer, inner, {start}, {self.dim(inner)}, {self.dim(outer)}"
            out(f"{shape.name}({source}, packed, {apart}, at.start, at.end - at.start, rows);")
        out("}")

    def _find_rows(self, t: Tiling, place: InPlace) -> None:
        """Where the rows of a band of tiles lie."""
        out = self.out
        out("if (at.start != gathered) {")
        out("gathered = at.start;")
        out("for (long group = at.start; group < at.end; ++group) {")
        self.place_rows(t)
        out("for (long i = 0; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        start = place.start + place.line * t.lines[-1].index
        out(f"places[(group - at.start) * tile_rows + i] = {place.load.buffer} + {self.dim(start)};")
        out("}")
        out("}")
        out("}")

    def _depth_nest(
        self,
        t: Tiling,
        lets: list[Let],
        place: str,
        value: Expr,
        beside: tuple[Axis, str] | None = None,
        bounds: tuple[str, str] | None = None,
    ) -> None:
        """Loops over the points of the block's depth, storing a factor's element at each.

        With `beside`, an axis and a panel's first column, the columns of all panels are gone over at each point.
        """
        axes = t.f.k[len(t.turns) :]

        def first(axis: Axis) -> None:
            low, high = bounds or (("0", self.dim(axis.extent)) if t.step is None else ("turn", "end"))
            self.out(f"for (long {axis.name} = {low}; {axis.name} < {high}; ++{axis.name}) {{")

        def last(axis: Axis) -> None:
            assert beside is not None
            self.out("for (long panel = panel_start; panel < panel_end; ++panel)")
            self.out(self.simd)
            # With fewer columns than a panel has, compilers know how many.
            lanes = "width" if t.all_whole else "columns" if t.is_narrow else f"GC_MIN(width, columns - {beside[1]})"
            self.out(f"for (long lane = 0; lane < {lanes}; ++lane) {{")
            self.out(f"const long {axis.name} = {beside[1]} + lane;")

        def store(rest: tuple[Stmt, ...]) -> None:
            self.rows(rest)
            position = ravel(tuple(axis.index for axis in axes), tuple(axis.extent for axis in axes))
            start = "" if t.step is None else f" - turn * {self.grouped(extent(axes[1:]))}"
            self.out(f"const long deep = {self.dim(position)}{start};")
            self.out(f"{place} = {self.expr(value)};")

        heads = {axis.name: first for axis in axes[:1]} | ({beside[0].name: last} if beside else {})
        # Scattered stores of vectors are slower than those of scalars.
        dense = place.endswith("+ deep]")
        self.nest((*axes, beside[0]) if beside else axes, tuple(lets), store, simd=dense, heads=heads)


def two(depth: tuple[Dim, ...]) -> tuple[Dim, Dim]:
    """The steps along a block's two inner axes of depth."""
    return (0, 0, *depth)[-2], (0, *depth)[-1]
