"""Contractions in C: tiles of the result in registers, fed from both factors.

A factor is read in place where it lies in memory as the tile wants it; else it is gathered into a packed panel,
whatever expression it is. So matrix products, convolutions and their gradients are one piece of code:

    for each block of the depth:                  (one, unless the depth is large)
      pack the right factor's panels
      for each run of rows:
        pack the left factor's rows
        for each panel: multiply a tile, then its epilogue (or add it up, until the last block of the depth)
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dims, dtypes
from graphc.codegen.kernel import Axis, Contract, Kernel, Let, Stmt, needed
from graphc.codegen.loops import LoopRenderer
from graphc.codegen.schedule import Factors, factors, plain_load, stride, without
from graphc.dims import Dim
from graphc.exprs import Expr, Load
from graphc.primitives.views import ravel

# Rows of a tile. With two vectors a row, the sums take 16 of the 32 (or 16) vector registers.
TILE_ROWS = 8
# A vector register holds at most this many bytes.
VECTOR_BYTES = 64
# A depth of up to this many elements is one block; a deeper one is cut into blocks of about DEPTH_BLOCK.
DEPTH_AT_ONCE = 1024
DEPTH_BLOCK = 256


@dataclass(frozen=True, slots=True)
class InPlace:
    """A factor that is a matrix in memory: the offset of its first element, and its strides."""

    load: Load
    start: Dim
    line: Dim  # from row to row on the left, from column to column on the right
    depth: Dim


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a contraction is cut into tiles.

    Args:
        f: Its axes by use; `m` and `n` are such that the result's last axis is the last of `n`.
        left: The factor that depends on `m`, and `right` the one that depends on `n`.
        left_in_place: The left factor as a matrix in memory, or None: it is packed.
        right_in_place: The right factor with neighbouring columns side by side in memory, or None: it is packed.
        step: How many points of the outermost depth axis make a block; None for all.
    """

    f: Factors
    left: Expr
    right: Expr
    left_in_place: InPlace | None
    right_in_place: InPlace | None
    step: int | None

    @property
    def rows(self) -> Dim:
        return dims.product(axis.extent for axis in self.f.m)

    @property
    def columns(self) -> Dim:
        return dims.product(axis.extent for axis in self.f.n)

    @property
    def depth(self) -> Dim:
        return dims.product(axis.extent for axis in self.f.k)

    @property
    def block(self) -> Dim:
        """The depth of one block."""
        return self.depth if self.step is None else dims.product(a.extent for a in self.f.k[1:]) * self.step


def tiling(kernel: Kernel) -> Tiling | None:
    """How a scheduled kernel's contraction is cut; None where tiles do not suit it."""
    contraction = kernel.contraction
    if contraction is None or contraction.dtype not in (dtypes.float32, dtypes.float64):
        return None
    f = factors(kernel)
    left, right = contraction.lhs, contraction.rhs
    if f.m and kernel.axes[-1] == f.m[-1]:
        f, left, right = f.swapped, right, left
    if not f.n or kernel.axes[-1] != f.n[-1]:
        return None
    left_place = _in_place(contraction, left, f.m, f)
    right_place = _in_place(contraction, right, f.n, f)
    if right_place is not None and right_place.line != 1:
        right_place = None
    return Tiling(f, left, right, left_place, right_place, _depth_step(f))


def _in_place(contraction: Contract, factor: Expr, lines: tuple[Axis, ...], f: Factors) -> InPlace | None:
    load = plain_load(contraction, factor)
    if load is None or len(lines) > 1 or len(f.k) > 1:
        return None
    offset = load.index[0]
    line = stride(offset, lines[0].name) if lines else 0
    depth = stride(offset, f.k[0].name) if f.k else 0
    if line is None or depth is None:
        return None
    return InPlace(load, without(offset, {axis.name for axis in (*lines, *f.k)}), line, depth)


def _depth_step(f: Factors) -> int | None:
    depth = dims.product(axis.extent for axis in f.k)
    if isinstance(depth, int) and depth <= DEPTH_AT_ONCE:
        return None
    inner = dims.product(axis.extent for axis in f.k[1:])
    return max(1, DEPTH_BLOCK // inner) if isinstance(inner, int) else 1


def scratch_bytes(kernel: Kernel) -> Dim:
    """The working memory that a scheduled kernel needs: packed panels, and sums between blocks of the depth."""
    t = tiling(kernel)
    if t is None or kernel.contraction is None:
        return 0
    size = kernel.contraction.dtype.itemsize
    return (_panels(t) + _packed(t) + (0 if t.step is None else t.rows * t.columns)) * size


def _panels(t: Tiling) -> Dim:
    """Elements of the right factor's panels: all of them, or the last where the others are read in place, or none."""
    widest = 2 * VECTOR_BYTES // 4
    if t.right_in_place is None:
        return t.block * (t.columns + widest)
    return 0 if _all_whole(t) else t.block * widest


def _packed(t: Tiling) -> Dim:
    """Elements of the packed rows of the left factor."""
    return t.block * TILE_ROWS if t.left_in_place is None else 0


def _all_whole(t: Tiling) -> bool:
    """Whether no panel is narrower than the others, whatever the width of a vector."""
    return isinstance(t.columns, int) and t.columns % (2 * VECTOR_BYTES) == 0


def _vectors(t: Tiling, contraction: Contract) -> int:
    """How many vectors wide a tile is: one for narrow results, else two."""
    lanes = VECTOR_BYTES // contraction.dtype.itemsize
    return 1 if isinstance(t.columns, int) and t.columns <= lanes else 2


class ProductRenderer(LoopRenderer):
    """Prints contractions as tiles."""

    def product(self, kernel: Kernel, t: Tiling) -> tuple[str, int]:
        """The loops of a contraction and its epilogue; returns which tile function they call: type and vectors."""
        contraction = kernel.contraction
        assert contraction is not None
        vectors, name = _vectors(t, contraction), self.types[contraction.dtype]
        epilogue = tuple(stmt for stmt in kernel.body if stmt is not contraction)
        self.nest(t.f.batch, (), lambda _: self._one_product(t, contraction, epilogue, vectors))
        return name, vectors

    def _one_product(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...], vectors: int) -> None:
        out, name = self.out, self.types[contraction.dtype]
        out(f"enum {{ width = {vectors} * GC_VECTOR_BYTES / sizeof({name}) }};")
        out(f"const long rows = {self.dim(t.rows)}, columns = {self.dim(t.columns)};")
        needs = _panels(t) + _packed(t) != 0 or t.step is not None
        out(f"{name} *const panels = {'scratch' if needs else '0'};")
        out(f"{name} *const packed = panels + {self.grouped(_panels(t))};")
        out("(void)packed;")
        if t.step is None:
            out(f"const long depth = {self.dim(t.depth)};")
        else:
            self._depth_blocks(t, name)
        self._pack_right(t, contraction)
        out(f"for (long m0 = 0; m0 < rows; m0 += {TILE_ROWS}) {{")
        out(f"const long high = GC_MIN({TILE_ROWS}, rows - m0);")
        self._pack_left(t, contraction)
        out("for (long n0 = 0; n0 < columns; n0 += width) {")
        out("const long wide = GC_MIN(width, columns - n0);")
        out(f"{name} tile[{TILE_ROWS} * width];")
        self._multiply(t, name, vectors)
        if t.step is not None:
            self._add_up(t)
        self._epilogue(t, contraction, epilogue)
        out("}")
        out("}")
        if t.step is not None:
            out("}")

    def _depth_blocks(self, t: Tiling, name: str) -> None:
        """The loop over blocks of the depth; the sums so far are kept in memory."""
        outer, inner, out = t.f.k[0], dims.product(axis.extent for axis in t.f.k[1:]), self.out
        out(f"{name} *const sums = packed + {self.grouped(_packed(t))};")
        out(f"const long turns = {self.dim(outer.extent)};")
        out(f"for (long turn = 0; turn < turns; turn += {t.step}) {{")
        out(f"const long end = GC_MIN(turn + {t.step}, turns), depth = (end - turn) * {self.grouped(inner)};")

    def _depth_nest(self, t: Tiling, lets: list[Let], place: str, value: Expr) -> None:
        """Loops over the points of the block's depth, storing a factor's element at each; `place` mentions `deep`."""
        axes = t.f.k

        def outermost(axis: Axis) -> None:
            bounds = ("0", self.dim(axis.extent)) if t.step is None else ("turn", "end")
            self.out(f"for (long {axis.name} = {bounds[0]}; {axis.name} < {bounds[1]}; ++{axis.name}) {{")

        def store(rest: tuple[Stmt, ...]) -> None:
            self.rows(rest)
            position = ravel(tuple(axis.index for axis in axes), tuple(axis.extent for axis in axes))
            inner = dims.product(axis.extent for axis in axes[1:])
            start = "" if t.step is None else f" - turn * {self.grouped(inner)}"
            self.out(f"const long deep = {self.dim(position)}{start};")
            self.out(f"{place} = {self.expr(value)};")

        self.nest(axes, tuple(lets), store, first=outermost)

    def _pack_right(self, t: Tiling, contraction: Contract) -> None:
        """All columns of the right factor, panel by panel; in place only the last, narrower panel is packed."""
        out = self.out
        if t.right_in_place is not None and _all_whole(t):
            return
        start = "n0 * depth" if t.right_in_place is None else "0"
        first = "0" if t.right_in_place is None else "columns / width * width"
        out(f"for (long n0 = {first}; n0 < columns; n0 += width) {{")
        out("for (long j = 0; j < width; ++j) {")
        out("const long column = n0 + j;")
        out("if (column >= columns) {")
        out(f"for (long deep = 0; deep < depth; ++deep) panels[{start} + deep * width + j] = 0;")
        out("continue;")
        out("}")
        self.decode(t.f.n, "column")
        self._depth_nest(t, needed(contraction.body, t.right), f"panels[{start} + deep * width + j]", t.right)
        out("}")
        out("}")

    def _pack_left(self, t: Tiling, contraction: Contract) -> None:
        """The rows m0.. of the left factor, the rows of each point of the depth side by side."""
        if t.left_in_place is not None:
            return
        out = self.out
        out(f"for (long i = 0; i < {TILE_ROWS}; ++i) {{")
        out("const long row = m0 + i;")
        out("if (i >= high) {")
        out(f"for (long deep = 0; deep < depth; ++deep) packed[deep * {TILE_ROWS} + i] = 0;")
        out("continue;")
        out("}")
        self.decode(t.f.m, "row")
        self._depth_nest(t, needed(contraction.body, t.left), f"packed[deep * {TILE_ROWS} + i]", t.left)
        out("}")

    def _multiply(self, t: Tiling, name: str, vectors: int) -> None:
        out, tile = self.out, f"gc_tile_{name}_{{}}x{vectors}"
        panel = "panels + n0 * depth, width"
        if t.right_in_place is not None:
            right = t.right_in_place
            start = self.dim(right.start + (0 if t.step is None else dims.value("turn") * right.depth))
            out(f"const {name} *panel = {right.load.buffer} + {start} + n0;")
            out(f"long across = {self.dim(right.depth)};")
            out("if (wide < width) panel = panels, across = width;")
            panel = "panel, across"
        if t.left_in_place is None:
            out(f"{tile.format(TILE_ROWS)}(depth, packed, 1, {TILE_ROWS}, {panel}, tile);")
            return
        left = t.left_in_place
        start = self.dim(left.start + (0 if t.step is None else dims.value("turn") * left.depth))
        line, depth = self.grouped(left.line), self.grouped(left.depth)
        out(f"const {name} *first = {left.load.buffer} + {start} + m0 * {line};")
        out(f"if (high == {TILE_ROWS})")
        out(f"  {tile.format(TILE_ROWS)}(depth, first, {line}, {depth}, {panel}, tile);")
        out("else for (long i = 0; i < high; ++i)")
        out(f"  {tile.format(1)}(depth, first + i * {line}, {line}, {depth}, {panel}, tile + i * width);")

    def _add_up(self, t: Tiling) -> None:
        """Adds a tile to the sums in memory; only the last block of the depth goes on to the epilogue."""
        out = self.out
        out("for (long i = 0; i < high; ++i)")
        out("for (long j = 0; j < wide; ++j) {")
        out("if (turn > 0) tile[i * width + j] += sums[(m0 + i) * columns + n0 + j];")
        out("if (end < turns) sums[(m0 + i) * columns + n0 + j] = tile[i * width + j];")
        out("}")
        out("if (end < turns) continue;")

    def _epilogue(self, t: Tiling, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        out = self.out
        out("for (long i = 0; i < high; ++i) {")
        out("const long row = m0 + i;")
        out("(void)row;")
        self.decode(t.f.m, "row")
        if self.simd:
            out(self.simd)
        out("for (long j = 0; j < wide; ++j) {")
        out("const long column = n0 + j;")
        out("(void)column;")
        self.decode(t.f.n, "column")
        out(f"const {self.types[contraction.dtype]} {contraction.name} = tile[i * width + j];")
        self.rows(epilogue)
        out("}")
        out("}")
