"""Prints contractions as portable C: tiles of the result are summed in arrays that compilers keep in registers.

A tile is some rows by some neighbouring columns. Its loop over the depth takes an element of each row, and multiplies
it with as many of the other factor as there are columns: a loop of known length with contiguous reads, which any
compiler vectorises. The factors may be any expression; convolutions are products, too. Where a factor's elements in a
row of a panel of columns are not neighbours, the panel is packed before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc import dims
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Axis, Contract, Kernel, Let, Stmt, Store
from graphc.codegen.ir.matmul_roles import Factors, factors, mentioned
from graphc.codegen.ir.strides import stride
from graphc.codegen.ir.walk import loads, needed
from graphc.dims import Dim
from graphc.exprs import Expr

# The rows and columns of a tile, and the columns of tiles of one row, of rows that are left over, or all. These are
# wider, since compilers would unroll a loop of 16 iterations before they vectorise it.
ROWS, COLUMNS, ROW_COLUMNS = 4, 16, 64
# Packing pays from so many rows on.
LEAST_ROWS = 8


class TilePrinter:
    """Prints one kernel that is a contraction.

    Args:
        loops: Prints its loops.
        kernel: The kernel.
        contraction: Its contraction.
    """

    def __init__(self, loops: LoopPrinter, kernel: Kernel, contraction: Contract) -> None:
        self.loops, self.scalars, self.out = loops, loops.scalars, loops.out
        self.kernel, self.contraction = kernel, contraction
        self.f, self.left, self.right = _oriented(kernel, contraction)
        self.is_packed = panel_bytes(kernel) != 0
        self.type = self.scalars.types[contraction.dtype]

    def print(self) -> None:
        """The contraction and what is computed of its results."""
        self.loops.nest(self.f.batch, (), lambda _: self._all())

    def _all(self) -> None:
        rows = dims.product(axis.extent for axis in self.f.m)
        whole, left = (rows - rows % ROWS, rows % ROWS) if isinstance(rows, int) else (None, None)
        self.out(f"const long rows = {self.scalars.dim(rows)}, whole = rows - rows % {ROWS};")
        self.out("(void)whole;")
        if whole != 0:
            self._tiles(ROWS, COLUMNS, f"for (long m0 = 0; m0 < whole; m0 += {ROWS}) {{")
        if left != 0:
            self._tiles(1, ROW_COLUMNS, "for (long m0 = whole; m0 < rows; ++m0) {")

    def _tiles(self, rows: int, width: int, head: str) -> None:
        """Tiles of some rows: all those of a panel of columns, so that the panel stays in the nearest cache.

        Args:
            rows: The rows of a tile.
            width: The columns of a tile; fewer are left over.
            head: The head of the loop over tiles.
        """
        columns = dims.product(axis.extent for axis in self.f.n)

        def panel(columns: str, width: int) -> None:
            if rows == ROWS and self.is_packed:
                self._pack(columns)
            self.out(head)
            self._tile(rows, width, columns)
            self.out("}")

        if not isinstance(columns, int):
            self.out(f"for (long n0 = 0; n0 < {self.scalars.dim(columns)}; n0 += {width}) {{")
            self.out(f"const long columns = GC_MIN({width}, {self.scalars.dim(columns)} - n0);")
            self.out(f"if (columns == {width}) {{")
            panel(str(width), width)
            self.out("} else {")
            panel("columns", width)
            self.out("}")
            self.out("}")
            return
        left = columns % width
        if columns > left:
            self.out(f"for (long n0 = 0; n0 < {columns - left}; n0 += {width}) {{")
            panel(str(width), width)
            self.out("}")
        if left:
            self.out("{")
            self.out(f"const long n0 = {columns - left};")
            panel(str(left), left)
            self.out("}")

    def _tile(self, rows: int, width: int, columns: str) -> None:
        name, contraction = self.contraction.name, self.contraction
        self.out(f"{self.type} {name}_tile[{rows}][{width}] = {{{{0}}}};")
        for i in range(rows):
            self._decode(self.f.m, f"(m0 + {i})" if i else "m0", f"_{i}")
        is_packed = rows == ROWS and self.is_packed
        terms = needed(contraction.body, self.left) if is_packed else contraction.body
        self._depth(terms, lambda lets: self._add_up(lets, rows, columns, is_packed))
        self.out(f"for (long i = 0; i < {rows}; ++i) {{")
        self._decode(self.f.m, "(m0 + i)")
        self._columns(columns)
        self.out(f"const {self.type} {name} = {name}_tile[i][j];")
        self.loops.rows(tuple(stmt for stmt in self.kernel.body if stmt is not contraction))
        self.out("}")
        self.out("}")

    def _depth(self, terms: Sequence[Let], point: Callable[[tuple[Stmt, ...]], None]) -> None:
        """Loops over the depth; what depends on rows or columns is left to what prints a point of it."""
        before, self.loops.lane_axes = self.loops.lane_axes, tuple(axis.name for axis in (*self.f.m, *self.f.n))
        self.loops.nest(self.f.k, tuple(terms), point)
        self.loops.lane_axes = before

    def _pack(self, columns: str) -> None:
        """Packs a panel of columns."""

        def point(lets: tuple[Stmt, ...]) -> None:
            self._columns(columns)
            self.loops.rows(lets)
            self.out(f"panel[{self._deep()} * {COLUMNS} + j] = {self.scalars.expr(self.right)};")
            self.out("}")

        self._depth(needed(self.contraction.body, self.right), point)

    def _deep(self) -> str:
        """The number of a point of the depth."""
        number: Dim = 0
        for axis in self.f.k:
            number = number * axis.extent + axis.index
        return self.scalars.grouped(number)

    def _add_up(self, lets: tuple[Stmt, ...], rows: int, columns: str, is_packed: bool) -> None:
        """The terms of a tile at one point of the depth."""
        bound = tuple(let for let in lets if isinstance(let, Let))
        own = {axis.name for axis in self.f.m} | {axis.name for axis in self.f.n}
        shared = [let for let in bound if not mentioned(self.contraction, let.value) & own]
        for let in shared:
            self.out(self.scalars.let(let))
        names = [axis.name for axis in self.f.m]
        left = [let for let in needed(bound, self.left) if let not in shared]
        for i in range(rows):
            self.scalars.subscript |= dict.fromkeys((*names, *(let.name for let in left)), f"_{i}")
            for let in left:
                self.out(
                    f"const {self.scalars.types[let.value.dtype]} {let.name}_{i} = {self.scalars.expr(let.value)};"
                )
            self.out(f"const {self.type} left_{i} = {self.scalars.expr(self.left)};")
        for known in (*names, *(let.name for let in left)):
            del self.scalars.subscript[known]
        if is_packed:
            self.out(f"for (long j = 0; j < {columns}; ++j) {{")
            self.out(f"const {self.type} right = panel[{self._deep()} * {COLUMNS} + j];")
        else:
            self._columns(columns)
            for let in needed(bound, self.right):
                if let not in shared:
                    self.out(self.scalars.let(let))
            self.out(f"const {self.type} right = {self.scalars.expr(self.right)};")
        for i in range(rows):
            self.out(f"{self.contraction.name}_tile[{i}][j] += left_{i} * right;")
        self.out("}")

    def _columns(self, columns: str) -> None:
        """The head of a loop over the columns of a tile."""
        self.out(f"for (long j = 0; j < {columns}; ++j) {{")
        self._decode(self.f.n, "(n0 + j)")

    def _decode(self, axes: tuple[Axis, ...], number: str, suffix: str = "") -> None:
        """Binds the index in each of several axes, from a row-major number; what has none of them is not used."""
        under: Dim = 1
        for position, axis in reversed(list(enumerate(axes))):
            place = number if under == 1 else f"{number} / {self.scalars.grouped(under)}"
            extent = self.scalars.grouped(axis.extent)
            value = place if position == 0 else f"{place} % {extent}"
            self.out(f"const long {axis.name}{suffix} = {value};")
            self.out(f"(void){axis.name}{suffix};")
            under = under * axis.extent


def _oriented(kernel: Kernel, contraction: Contract) -> tuple[Factors, Expr, Expr]:
    """The roles of the axes, and the factors of rows and of columns: reads and writes along columns are contiguous."""
    f = factors(kernel)
    as_it_is = _contiguous(kernel, contraction, f.n, contraction.rhs)
    exchanged = _contiguous(kernel, contraction, f.m, contraction.lhs)
    if exchanged > as_it_is:
        return f.swapped, contraction.rhs, contraction.lhs
    return f, contraction.lhs, contraction.rhs


def panel_bytes(kernel: Kernel) -> Dim:
    """The working memory of a kernel: a panel of columns, if these are packed."""
    contraction = kernel.contraction
    if contraction is None or contraction.dtype.is_complex:
        return 0
    f, _, right = _oriented(kernel, contraction)
    rows = dims.product(axis.extent for axis in f.m)
    if _reads(contraction, f.n, right) or (isinstance(rows, int) and rows < LEAST_ROWS):
        return 0
    return dims.product(axis.extent for axis in f.k) * COLUMNS * contraction.dtype.itemsize


def _contiguous(kernel: Kernel, contraction: Contract, axes: tuple[Axis, ...], factor: Expr) -> int:
    """How well columns along some axes suit: first of all the reads of the factor in each term, then the writes."""
    writes = any(isinstance(s, Store) and stride(s.index[0], axes[-1].name) == 1 for s in kernel.body)
    return 2 * _reads(contraction, axes, factor) + writes


def _reads(contraction: Contract, axes: tuple[Axis, ...], factor: Expr) -> bool:
    """Whether a factor's elements along some axes are neighbours in memory."""
    terms = [*(Let("", let.value) for let in needed(contraction.body, factor)), Let("", factor)]
    return any(stride(load.index[0], axes[-1].name) == 1 for load in loads(tuple(terms)))
