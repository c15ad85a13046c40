"""Contractions in C, as `graphc.codegen.tiles` cuts them:

for each block of columns, for each block of the depth:          (one of each, unless they are large)
  gather the right factor's panels, where it is not read in place
  for each tile that is this thread's:
    gather the left factor's rows, where it is not read in place
    multiply; with the depth complete, the epilogue
"""

from __future__ import annotations

from graphc import dims
from graphc.codegen.c_panels import PanelRenderer, two
from graphc.codegen.cstyle import parenthesised
from graphc.codegen.kernel import Contract, Kernel, Stmt, loads, stores
from graphc.codegen.limits import Limit, limits
from graphc.codegen.prefetch import FAR_BYTES, LINE_BYTES, touched_by
from graphc.codegen.tile_functions import RowShape, TileShape
from graphc.codegen.tiles import MANY_ROWS, SLICES, Tiling, extent, rounded_up

# Rows of the left factor of at most so many bytes are asked for ahead.
SHORT_ROW_BYTES = 1024


class ProductRenderer(PanelRenderer):
    """Prints contractions as tiles."""

    def product(self, kernel: Kernel, t: Tiling) -> None:
        """The loops of a contraction and its epilogue."""
        contraction = kernel.contraction
        assert contraction is not None
        epilogue = tuple(stmt for stmt in kernel.body if stmt is not contraction)
        out = self.out
        out(f"enum {{ width = {t.width}, tile_rows = {t.rows} }};")
        out(f"const long rows = {self.dim(extent(t.lines))}, columns = {self.dim(t.columns)};")
        out("const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;")
        out(f"const long groups = {self.grouped(extent(t.outer))} * tall;")
        work = dims.product((extent(t.f.batch), extent(t.f.m), t.columns, extent(t.f.k), 2))
        out(f"const long work = {self.dim(work)}, team = gc_team(self, work);")
        out("(void)tall, (void)across, (void)groups, (void)team;")
        self._memory(t, contraction)
        match t.sharing:
            case "team":
                self.nest(t.f.batch, (), lambda _: self._whole(t, contraction, epilogue))
            case "batch":
                self._shared(self.dim(extent(t.f.batch)), "item")
                self.decode(t.f.batch, "item")
                self._whole(t, contraction, epilogue)
                out("}")
            case "slices":
                self._shared(str(SLICES), "slice")
                out(
                    f"{self.type_of(contraction)} *const sums = all_sums + slice * groups * across * tile_rows * width;"
                )
                out(f"const long from = blocks * slice / {SLICES}, to = blocks * (slice + 1) / {SLICES};")
                self._columns_of(t, contraction, epilogue)
                out("}")
                self._combine(t, contraction, epilogue)

    def _shared(self, total: str, name: str) -> None:
        """A loop over this thread's share of something, and over what others have not begun when it is done."""
        self.out(f"for (gc_way way = gc_begin({total}, 1, self, team, gc_helps(self, work)); gc_take(&way);)")
        self.out(f"for (long {name} = way.first; {name} < way.end; ++{name}) {{")

    def _memory(self, t: Tiling, contraction: Contract) -> None:
        """Where panels, rows and sums are kept."""
        out, name = self.out, self.type_of(contraction)
        aligned = "__attribute__((aligned(64)))"
        if t.is_cut:
            out(f"const long blocks = {self.dim(t.blocks)};")
        if t.scattered:
            out(f"const {name} *places[{t.rows * t.band}];")
        if t.left_place is None or t.packs_left:
            out(f"{name} packed[{self.dim(t.most_depth * t.rows * t.band)}] {aligned};")
        sums = "all_sums" if t.sharing == "slices" else "sums"
        if t.sharing == "team":
            if t.panels != 0:
                out(f"{name} *const panels = scratch;")
            if t.is_cut:
                out(f"{name} *const {sums} = ({name} *)scratch + {self.grouped(t.panels)};")
            return
        if t.panels != 0:
            out(f"{name} panels[{self.dim(t.panels)}] {aligned};")
        if t.is_cut and t.sharing == "slices":
            out(f"{name} *const {sums} = scratch;")
        elif t.is_cut:
            out(f"{name} {sums}[{self.dim(t.sums)}] {aligned};")

    def _whole(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """One product over its whole depth."""
        if t.is_cut:
            self.out("const long from = 0, to = blocks;")
        if t.may_gather:
            deep = f"{self.dim(extent(t.f.k))} > {t.most_ungathered}"
            self.out(f"const _Bool gathers = groups * tile_rows >= {MANY_ROWS} && {deep};")
        self._columns_of(t, contraction, epilogue)

    def _columns_of(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """The blocks of columns and of the depth."""
        out = self.out
        out(f"for (long c0 = 0; c0 < columns; c0 += {self.grouped(t.column_block)}) {{")
        out(f"const long c1 = GC_MIN(c0 + {self.grouped(t.column_block)}, columns);")
        out("const long beside = (c1 - c0 + width - 1) / width;")
        if t.may_share_columns:
            self._number(t, epilogue)
            out(f"const _Bool alone = {self._alone(t)};")
            out("(void)alone;")
        band = f"by_columns ? groups : {t.band}" if t.may_share_columns else str(t.band)
        out(f"const long band = {band};")
        outer, inner = t.levels
        levels = f"outer = {self.dim(outer)}, inner = {self.dim(inner)}"
        if t.step is not None:
            out(f"const long step = {f'gathers ? {t.step} : to' if t.may_be_whole else t.step};")
            out("for (long turn = from; turn < to; turn += step) {")
            out("const long end = GC_MIN(turn + step, to);")
            levels = f"outer = end - turn, inner = {self.dim(inner)}"
            if len(t.f.k) == 1:
                levels = "outer = 1, inner = end - turn"
        elif t.turns:
            out("for (long turn = from, end; turn < to; turn = end) {")
            out("end = turn + 1;")
            self.decode(t.turns, "turn")
        out(f"const long {levels}, depth = outer * inner;")
        out("(void)depth;")
        self.gather_right(t, contraction)
        self._units(t, contraction, epilogue)
        if t.is_cut:
            out("}")
        out("}")

    def _number(self, t: Tiling, epilogue: tuple[Stmt, ...]) -> None:
        """How tiles are numbered: row by row or column by column. Threads take runs of them.

        So threads have rows or columns of their own, and each reads all of one factor, the smaller. What is updated in
        place counts too: a weight is read by columns in the forward pass, by the thread that has it in its own cache.
        """
        depth, rows = extent(t.f.k), extent(t.f.m)
        updated = {store.buffer for store in stores(epilogue)} & {load.buffer for load in loads(epilogue)}
        apart = t.columns * depth + (rows * t.columns if updated else 0)
        # Rows that are gathered are for all columns.
        unless = " && !gathers" if t.packs_left else ""
        self.out(f"const _Bool by_columns = team > 1{unless} && {self.dim(rows * depth)} <= {self.dim(apart)};")

    def _alone(self, t: Tiling) -> str:
        """Whether each thread gathers the panels that it alone reads, and waits for nobody.

        Panels lie where those of the block of columns before lay, which may be another thread's. The last panel, if it
        is narrower, is one thread's to gather when others are read in place.
        """
        own = "by_columns && beside == across && across % team == 0"
        if t.right_place is None:
            return own
        return f"gathers && {own}" if t.may_gather else "0"

    # ---- tiles

    def _units(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        out = self.out
        if t.left_place is None or t.packs_left or t.scattered:
            out("long gathered = -1;")
        total = "groups * beside, 1, self, team"
        bounds = (f"gc_first({total})", f"gc_end({total})") if t.sharing == "team" else ("0", "groups * beside")
        out(f"const long first_unit = {bounds[0]}, units = {bounds[1]};")
        if t.may_be_row:
            self._row(t, contraction)
        if t.may_help:
            helps = "".join([" && !alone"] * t.may_share_columns + [" && !is_row"] * t.may_be_row)
            out(f"const _Bool helps = gc_helps(self, work){helps};")
            out("for (gc_way way = gc_begin(groups * beside, 1, self, team, helps); gc_take(&way);) {")
            first, end = "way.first", "way.end"
        else:
            first, end = "first_unit", "units"
        out(f"gc_place at = gc_place_of({first}, groups, beside, band);")
        out(f"for (long unit = {first}; unit < {end}; ++unit, gc_next_place(&at)) {{")
        out("const long group = at.group, n0 = c0 + at.column * width;")
        self.place_rows(t)
        if t.all_whole:
            out("enum { wide = width };")
        else:
            out("const long wide = GC_MIN(width, columns - n0);")
        name, place = self.type_of(contraction), "sums + (group * across + n0 / width) * tile_rows * width"
        own = f"{name} {{}}[tile_rows * width] __attribute__((aligned(64)));"
        if t.may_be_row:
            out(own.format("own"))
            other = f"gathers ? {place} : own" if t.may_be_whole else "own"
            out(f"{name} *const tile = is_row ? row_sums + (unit - first_unit) * width : {other};")
        elif t.may_be_whole:
            out(own.format("own"))
            out(f"{name} *const tile = gathers ? {place} : own;")
        elif t.is_cut:
            out(f"{name} *const tile = {place};")
        else:
            out(own.format("tile"))
        self.gather_left(t, contraction)
        if t.sharing != "slices":
            self._prefetch(t, epilogue)
        self._prefetch_rows(t)
        self._multiply(t, contraction, epilogue)
        if t.sharing != "slices":
            if t.is_cut:
                out("if (end < to) continue;")
            self._epilogue(t, contraction, epilogue)
        out("}")
        if t.may_help:
            out("}")

    def _prefetch(self, t: Tiling, epilogue: tuple[Stmt, ...]) -> None:
        """Asks for what the epilogue reads and writes before the depth runs, so that it is there afterwards."""
        if len(t.f.n) != 1:
            return
        inner = t.f.n[0].name
        dense = touched_by(epilogue, inner, {axis.name for axis in t.lines})
        if not dense:
            return
        out = self.out
        size = sum(dtype.itemsize for _, dtype in dense.values())
        far = f"{self.dim(extent(t.f.batch + t.f.m) * t.columns * size)} > {FAR_BYTES}"
        out(f"if ({far}{' && end == to' if t.is_cut else ''})")
        out("for (long i = skip; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        out(f"const long {inner} = n0;")
        for buffer, (offset, dtype) in dense.items():
            for element in range(0, t.width, LINE_BYTES // dtype.itemsize):
                out(f"__builtin_prefetch({buffer} + {self.dim(offset)} + {element}, 1);")
        out("}")

    def _prefetch_rows(self, t: Tiling) -> None:
        """Asks for the next tile's rows of the left factor where they are too short for processors to foresee them."""
        place, length = t.left_place, t.most_depth
        if place is None or t.packs_left or place.depth[-1:] != (1,) or len(t.f.m) > 1 or not isinstance(length, int):
            return
        size = length * t.itemsize
        if size > SHORT_ROW_BYTES or len(t.f.k) != 1:
            return
        out = self.out
        out("if (at.column == 0)")
        out("for (long i = line0 + tile_rows; i < GC_MIN(line0 + 2 * tile_rows, rows); ++i)")
        out(f"for (long j = 0; j < inner; j += {LINE_BYTES // t.itemsize})")
        start = self.dim(place.start)
        out(f"__builtin_prefetch({place.load.buffer} + {start} + i * {self.grouped(place.line)} + j);")

    def _row(self, t: Tiling, contraction: Contract) -> None:
        """The sums of this thread's columns, if there is a single row."""
        out, name = self.out, self.type_of(contraction)
        out(f"const _Bool is_row = rows == 1{' && !gathers' if t.may_gather else ''};")
        wide = -(-t.column_block // t.width) * t.width if isinstance(t.column_block, int) else 0
        out(f"{name} row_sums[{wide}] __attribute__((aligned(64)));")
        out("if (is_row) {")
        out("const long line0 = 0, n0 = c0 + first_unit * width, count = GC_MIN(c1, c0 + units * width) - n0;")
        (self._sliced_row if t.is_row_sliced else self._row_of_columns)(t, RowShape(name))
        out("}")

    def _row_call(
        self, t: Tiling, row: RowShape, depth: tuple[str, str, str], columns: tuple[str, str], to: str
    ) -> None:
        """Sums of a single row: over some of the depth, of two levels and from where on, for some columns."""
        (outer, inner, first), (column, count) = depth, columns
        assert t.left_place is not None and t.right_place is not None
        self.tiles.add(row)
        down, along = two(t.left_place.depth)
        left, _, _ = self._left_in_place(t)
        right_down, right_along = two(t.right_place.depth)
        start = self.dim(t.right_place.start + self.turned(t, t.right_place.depth))
        left = f"{left} + {first} * {self.grouped(along)}, {self.dim(along)}, {self.dim(down)}"
        right = f"{t.right_place.load.buffer} + {start} + {first} * {self.grouped(right_along)} + {column}"
        steps = f"{self.dim(right_along)}, {self.dim(right_down)}"
        self.out(f"{row.name}({outer}, {inner}, {left}, {right}, {steps}, {to}, {count});")

    def _row_of_columns(self, t: Tiling, row: RowShape) -> None:
        """This thread's columns, over the whole depth."""
        self.out("if (count > 0)")
        self._row_call(t, row, ("outer", "inner", "0"), ("n0", "count"), "row_sums")

    def _sliced_row(self, t: Tiling, row: RowShape) -> None:
        """All columns over this thread's slices of the depth; sums are added up in order, so that bits are the same."""
        out, wide = self.out, self.grouped(rounded_up(t.columns, t.width))
        share = f"{SLICES}, 1, self, team"
        out(f"for (long slice = gc_first({share}), last = gc_end({share}); slice < last; ++slice) {{")
        out(f"const long k0 = inner * slice / {SLICES}, k1 = inner * (slice + 1) / {SLICES};")
        self._row_call(t, row, ("1", "k1 - k0", "k0"), ("c0", "columns"), f"sums + slice * {wide}")
        out("}")
        out("gc_sync(self);")
        out("for (long j = 0; j < count; ++j) row_sums[j] = sums[n0 + j];")
        out(f"for (long slice = 1; slice < {SLICES}; ++slice)")
        out(f"for (long j = 0; j < count; ++j) row_sums[j] += sums[slice * {wide} + n0 + j];")

    def _multiply(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        name = self.type_of(contraction)
        left, left_steps, flavour = self._left(t)
        right, right_steps = self._right(t, name)
        shape = TileShape(name, t.rows, t.vectors, *flavour)
        add = "turn > from" if t.is_cut else "0"
        call = "{}(outer, inner, {}, {}, {}, {}, {}, {});"
        if known := limits(t, contraction, epilogue):
            self._limit_depth(known)
            call = "{}(outer, deep_end - deep, {}, {}, {}, {}, {}, {});"
            left = f"{left} + deep * {parenthesised(left_steps.split(', ')[1])}"
            right = f"{right} + deep * {parenthesised(right_steps.split(', ')[0])}"
        whole = call.format(shape.name, left, left_steps, right, right_steps, "tile", add)
        self.tiles.add(shape)
        if isinstance(extent(t.lines), int):
            self.out(whole)
            return
        single = TileShape(name, 1, t.vectors, *flavour)
        self.tiles.add(single)
        first = left_steps.split(", ")[0]
        one = call.format(
            single.name,
            f"({left})[i] + {first}" if t.scattered else f"{left} + i * {first}",
            left_steps,
            right,
            right_steps,
            "tile + i * width",
            add,
        )
        unless = "if (!is_row) " if t.may_be_row else ""
        self.out(f"{unless}{{")
        self.out(f"if (high == tile_rows) {whole}")
        self.out(f"else for (long i = 0; i < high; ++i) {one}")
        self.out("}")

    def _limit_depth(self, known: tuple[Limit, ...]) -> None:
        """Which part of the depth counts in a tile."""
        self.out("long deep = 0, deep_end = inner;")
        for limit in known:
            most = limit.most("line0", "GC_MIN(line0 + tile_rows, rows)", "n0", "(n0 + wide)")
            if limit.depth > 0:
                self.out(f"deep = GC_MAX(deep, -({most}));")
            elif limit.depth < 0:
                self.out(f"deep_end = GC_MIN(deep_end, {most} + 1);")
            else:
                self.out(f"if ({most} < 0) deep_end = 0;")
        self.out("deep_end = GC_MAX(deep, deep_end);")

    def _left(self, t: Tiling) -> tuple[str, str, tuple[str, str]]:
        """The left factor's rows: the first element, the steps, and which of them are 1."""
        along = t.packs_along_depth
        packed = f"packed + (group - at.start) * {self.grouped(t.most_depth * t.rows)}"
        steps = f"{self.dim(t.most_depth)}, 1, inner" if along else "1, tile_rows, inner * tile_rows"
        if t.gathers_left:
            return packed, steps, ("m", "1") if along else ("1", "k")
        first, own, flavour = self._left_in_place(t)
        if not t.packs_left:
            return first, own, flavour
        names = ("line_m", "line_k", "line_o")
        self.out(f"const {self.types[t.left.dtype]} *line = {first};")
        self.out(f"long {', '.join(f'{n} = {step}' for n, step in zip(names, own.split(', '), strict=True))};")
        chosen = ", ".join(f"{n} = {step}" for n, step in zip(names, steps.split(", "), strict=True))
        self.out(f"if (gathers) line = {packed}, {chosen};")
        return "line", ", ".join(names), flavour

    def _left_in_place(self, t: Tiling) -> tuple[str, str, tuple[str, str]]:
        place = t.left_place
        assert place is not None
        line, (outer, inner) = place.line, two(place.depth)
        if t.scattered:
            turned = self.dim(self.turned(t, place.depth))
            rows = "places + (group - at.start) * tile_rows"
            return rows, f"{turned}, {self.dim(inner)}, {self.dim(outer)}", ("p", "1" if inner == 1 else "k")
        start = self.dim(place.start + self.turned(t, place.depth))
        flavour = ("1", "k") if line == 1 else ("m", "1" if inner == 1 else "k")
        steps = ", ".join(map(self.dim, (line, inner, outer)))
        return f"{place.load.buffer} + {start} + line0 * {self.grouped(line)}", steps, flavour

    def _right(self, t: Tiling, name: str) -> tuple[str, str]:
        """The right factor's panel: the first element, and the steps."""
        gathered = f"panels + (n0 - c0) * {self.grouped(t.most_depth)}"
        if t.right_place is None:
            return gathered, "width, inner * width"
        place = t.right_place
        outer, inner = two(place.depth)
        start = self.dim(place.start + self.turned(t, place.depth))
        first, steps = f"{place.load.buffer} + {start} + n0", f"{self.dim(inner)}, {self.dim(outer)}"
        if t.all_whole and not t.may_gather:
            return first, steps
        self.out(f"const {name} *panel = {first};")
        self.out(f"long panel_inner = {self.dim(inner)}, panel_outer = {self.dim(outer)};")
        if t.may_gather:
            self.out(f"if (gathers) panel = {gathered}, panel_inner = width, panel_outer = inner * width;")
        if not t.all_whole:
            narrow = "!gathers && wide < width" if t.may_gather else "wide < width"
            self.out(f"if ({narrow}) panel = panels, panel_inner = width, panel_outer = inner * width;")
        return "panel", "panel_inner, panel_outer"

    # ---- what follows

    def _combine(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """Adds the slices up, in order, and runs the epilogue."""
        out, name = self.out, self.type_of(contraction)
        out("gc_sync(self);")
        self._shared("groups * across", "unit")
        out("const long group = unit / across, n0 = unit % across * width;")
        self.place_rows(t)
        out("const long wide = GC_MIN(width, columns - n0);")
        out(f"{name} tile[tile_rows * width] __attribute__((aligned(64))) = {{0}};")
        out(f"for (long slice = 0; slice < {SLICES}; ++slice) {{")
        out(f"if (blocks * slice / {SLICES} == blocks * (slice + 1) / {SLICES}) continue;")
        out(f"const {name} *sums = all_sums + (slice * groups * across + unit) * tile_rows * width;")
        out("for (long i = 0; i < tile_rows * width; ++i) tile[i] += sums[i];")
        out("}")
        self._epilogue(t, contraction, epilogue)
        out("}")

    def _epilogue(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        out = self.out
        inner = t.f.n[-1]
        if t.is_inside_last:
            # No division in the loop, and what the other axes alone decide is outside.
            out(f"const long strip = n0 / {self.grouped(inner.extent)}, beginning = n0 % {self.grouped(inner.extent)};")
            self.decode(t.f.n[:-1], "strip")
        out("for (long i = skip; i < high; ++i) {")
        out("const long row = line0 + i;")
        out("(void)row;")
        self.decode(t.lines, "row")
        if self.simd:
            out(self.simd)
        out("for (long j = 0; j < wide; ++j) {")
        if t.is_inside_last:
            out(f"const long {inner.name} = beginning + j;")
        else:
            out("const long column = n0 + j;")
            out("(void)column;")
            self.decode(t.f.n, "column")
        out(f"const {self.types[contraction.dtype]} {contraction.name} = tile[i * width + j];")
        self.rows(epilogue)
        out("}")
        out("}")
