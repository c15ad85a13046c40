"""Convolutions in C with fewer multiplications, as `graphc.codegen.winograd` cuts them:

transform the filter, all threads together, unless an earlier run has left it
for each run of tiles that is this thread's:
  transform the pixels of each tile
  for each panel of columns:
    multiply, for all tiles of the run
    for each tile, for each of its outputs: the epilogue
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dims
from graphc.codegen.c_product import ProductRenderer
from graphc.codegen.kernel import Contract, Kernel, Stmt
from graphc.codegen.prefetch import FAR_BYTES, touched_by
from graphc.codegen.schedule import stride
from graphc.codegen.winograd import OUTPUTS, PRODUCTS, Winograd


@dataclass(frozen=True, slots=True)
class WinogradShape:
    """The function that forms the sums of some tiles, and vectors for each."""

    rows: int
    vectors: int

    @property
    def name(self) -> str:
        return f"gc_winograd_{self.rows}x{self.vectors}"

    @property
    def definition(self) -> str:
        return f"GC_WINOGRAD_TILE({self.name}, {self.rows}, {self.vectors})\n"


class WinogradRenderer(ProductRenderer):
    """Prints convolutions with transformed filters."""

    def winograd(self, kernel: Kernel, w: Winograd) -> None:
        """The loops of a convolution and its epilogue."""
        contraction, out = kernel.contraction, self.out
        assert contraction is not None
        epilogue = tuple(stmt for stmt in kernel.body if stmt is not contraction)
        shape = WinogradShape(w.rows, w.vectors)
        self.tiles.add(shape)
        aligned = "__attribute__((aligned(64)))"
        out(f"enum {{ width = {w.panel}, tile_rows = {w.rows} }};")
        out(f"enum {{ channels = {w.channels}, columns = {w.columns.extent} }};")
        out(f"const long tiles = {self.dim(w.tiles)}, runs = (tiles + tile_rows - 1) / tile_rows;")
        work = dims.product((w.tiles, w.columns.extent, 2 * PRODUCTS * w.channels))
        out(f"const long work = {self.dim(work)}, team = gc_team(self, work);")
        self._filter(w)
        out(f"float image[{PRODUCTS * w.rows * w.channels}] {aligned}, sums[8 * tile_rows * width] {aligned};")
        self._share_tiles()
        out("const long first = run * tile_rows, high = GC_MIN(tile_rows, tiles - first);")
        self._image(w, epilogue)
        out("for (long n0 = start; n0 < end; n0 += width) {")
        out(f"{shape.name}(image, channels, filter + n0 * {PRODUCTS} * channels, sums);")
        self._outputs(w, contraction, epilogue)
        out("}")
        out("}")
        out("}")

    def _share_tiles(self) -> None:
        """Loops over what is this thread's: runs of tiles, or columns of all of them.

        Of a filter that is larger than the image each thread then reads its columns alone, from its own cache.
        """
        out = self.out
        out("const long across = (columns + width - 1) / width;")
        out("const _Bool by_columns = tiles <= columns && across >= team;")
        total = "by_columns ? across : runs, 1, self, team, gc_helps(self, work)"
        out(f"for (gc_way way = gc_begin({total}); gc_take(&way);) {{")
        out("const long start = by_columns ? way.first * width : 0;")
        out("const long end = by_columns ? GC_MIN(way.end * width, columns) : columns;")
        out("for (long run = by_columns ? 0 : way.first; run < (by_columns ? runs : way.end); ++run) {")

    def _filter(self, w: Winograd) -> None:
        """The transformed filter; each thread has some channels."""
        down, step = w.filter.depth
        start = f"{w.filter.load.buffer} + {self.dim(w.filter.start)}"
        steps = ", ".join(map(self.dim, (down, w.channels * step, step)))
        share = "gc_first(channels, 1, self, team), gc_end(channels, 1, self, team)"
        self.out("float *const filter = scratch;")
        self.out("if (!self->kept) {")
        self.out(f"gc_winograd_filter({start}, {steps}, columns, width, {share}, channels, filter);")
        self.out("gc_sync(self);")
        self.out("}")

    def _corner(self, w: Winograd) -> None:
        """Where a tile begins. The last of a row or a column may be moved back, onto outputs that are there."""
        self.decode(w.places, "tile")
        for axis, side in zip((w.height, w.width), w.places[-2:], strict=True):
            self.out(f"const long {axis.name}_start = GC_MIN({OUTPUTS} * {side.name}, {axis.extent} - {OUTPUTS});")

    def _image(self, w: Winograd, epilogue: tuple[Stmt, ...]) -> None:
        """The transformed pixels of a run. Where there are no more tiles the last is repeated, and not used."""
        out = self.out
        out("for (long i = 0; i < tile_rows; ++i) {")
        out("const long tile = GC_MIN(first + i, tiles - 1);")
        self._corner(w)
        place = f"{w.height.name}_start * {w.down} + {w.width.name}_start * channels"
        start = f"{w.image.load.buffer} + {self.dim(w.image.start)} + {place}"
        out(f"gc_winograd_image({start}, {w.down}, channels, image + i * channels, tile_rows * channels);")
        self._prefetch_outputs(w, epilogue)
        out("}")

    def _prefetch_outputs(self, w: Winograd, epilogue: tuple[Stmt, ...]) -> None:
        """Asks for what the epilogue of a tile reads and writes, so that it is there when the sums are."""
        n = w.columns.name
        touched = touched_by(epilogue, n, {w.height.name, w.width.name})
        # The pixels themselves have just been read. Others lie side by side.
        touched.pop(w.image.load.buffer, None)
        dense = {b: place for b, place in touched.items() if stride(place[0], w.width.name) == w.columns.extent}
        if not dense:
            return
        size = sum(dtype.itemsize for _, dtype in dense.values())
        self.out(f"if ({self.grouped(w.tiles)} * columns * {OUTPUTS * OUTPUTS * size} > {FAR_BYTES})")
        self.out(f"for (long y = 0; y < {OUTPUTS}; ++y) {{")
        start = f"{w.height.name} = {w.height.name}_start + y, {w.width.name} = {w.width.name}_start, {n} = 0"
        self.out(f"const long {start};")
        for buffer, (offset, dtype) in dense.items():
            self.out(f"gc_ask({buffer} + {self.dim(offset)}, {OUTPUTS * dtype.itemsize} * columns);")
        self.out("}")

    def _points(self, w: Winograd, *firsts: str) -> None:
        """Loops over the outputs of a tile."""
        for axis, first, letter in zip((w.height, w.width), firsts, "yx", strict=True):
            self.out(f"for (long {letter} = {first}; {letter} < {OUTPUTS}; ++{letter}) {{")
            self.out(f"const long {axis.name} = {axis.name}_start + {letter};")

    def _outputs(self, w: Winograd, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """The epilogue, once for each output: what two tiles share belongs to the first."""
        out = self.out
        out("for (long i = 0; i < high; ++i) {")
        out("const long tile = first + i;")
        self._corner(w)
        sides = zip((w.height, w.width), w.places[-2:], strict=True)
        firsts = ["0" if w.is_even else f"{OUTPUTS} * {side.name} - {axis.name}_start" for axis, side in sides]
        self._points(w, *firsts)
        out("const float *const one = sums + (x * tile_rows + i) * width;")
        out("const float sign = y ? -1 : 1;")
        out(
            "const float *const two = one + 2 * tile_rows * width, *const rest = two + (1 + y) * 2 * tile_rows * width;"
        )
        bound = "width" if w.wide == w.columns.extent else "GC_MIN(width, columns - n0)"
        out(self.simd)
        out(f"for (long j = 0; j < {bound}; ++j) {{")
        out(f"const long {w.columns.name} = n0 + j;")
        out(f"const float {contraction.name} = one[j] + sign * two[j] + rest[j];")
        self.rows(epilogue)
        for _ in range(4):
            out("}")
