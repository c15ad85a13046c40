"""Prints contractions as portable C: tiles of the result are summed in arrays that compilers keep in registers.

A tile is some rows by some neighbouring columns. Its loop over the depth takes an element of each row, and multiplies
it with as many of the other factor as there are columns: a loop of known length with contiguous reads, which any
compiler vectorises. The factors may be any expression; convolutions are products, too.
"""

from __future__ import annotations

from graphc import dims
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Axis, Contract, Kernel, Let, Stmt, Store
from graphc.codegen.ir.matmul_roles import Factors, factors, mentioned
from graphc.codegen.ir.strides import stride
from graphc.codegen.ir.walk import loads, needed
from graphc.dims import Dim
from graphc.exprs import Expr

# The rows and columns of a tile.
ROWS, COLUMNS = 4, 16


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
        self.type = self.scalars.types[contraction.dtype]

    def print(self) -> None:
        """The contraction and what is computed of its results."""
        rows, columns = (dims.product(axis.extent for axis in axes) for axes in (self.f.m, self.f.n))
        self.loops.nest(self.f.batch, (), lambda _: self._tiles(rows, columns))

    def _tiles(self, rows: Dim, columns: Dim) -> None:
        """All tiles: those of a panel of columns one after the other, so that the panel stays in the nearest cache."""
        dim = self.scalars.dim
        if isinstance(columns, int):
            whole, left = columns - columns % COLUMNS, columns % COLUMNS
            if whole:
                self.out(f"for (long n0 = 0; n0 < {whole}; n0 += {COLUMNS}) {{")
                self._panel(rows, COLUMNS, str(COLUMNS))
                self.out("}")
            if left:
                self.out("{")
                self.out(f"const long n0 = {whole};")
                self._panel(rows, left, str(left))
                self.out("}")
            return
        self.out(f"for (long n0 = 0; n0 < {dim(columns)}; n0 += {COLUMNS}) {{")
        self.out(f"const long left = {dim(columns)} - n0;")
        self.out(f"if (left >= {COLUMNS}) {{")
        self._panel(rows, COLUMNS, str(COLUMNS))
        self.out("} else {")
        self._panel(rows, COLUMNS, "left")
        self.out("}")
        self.out("}")

    def _panel(self, rows: Dim, width: int, columns: str) -> None:
        """The tiles of a panel of columns.

        Args:
            rows: The number of rows.
            width: The most columns of a tile.
            columns: Their number.
        """
        whole = rows - rows % ROWS if isinstance(rows, int) else 1
        self.out("long m0 = 0;")
        if whole:
            self.out(f"for (; m0 + {ROWS} <= {self.scalars.dim(rows)}; m0 += {ROWS}) {{")
            self._tile(ROWS, width, columns)
            self.out("}")
        if whole != rows:
            self.out(f"for (; m0 < {self.scalars.dim(rows)}; ++m0) {{")
            self._tile(1, width, columns)
            self.out("}")

    def _tile(self, rows: int, width: int, columns: str) -> None:
        name, contraction = self.contraction.name, self.contraction
        self.out(f"{self.type} {name}_tile[{rows}][{width}] = {{{{0}}}};")
        for i in range(rows):
            self._decode(self.f.m, f"(m0 + {i})" if i else "m0", f"_{i}")
        before, self.loops.lane_axes = self.loops.lane_axes, tuple(axis.name for axis in (*self.f.m, *self.f.n))
        self.loops.nest(self.f.k, contraction.body, lambda lets: self._add_up(lets, rows, columns))
        self.loops.lane_axes = before
        self.out(f"for (long i = 0; i < {rows}; ++i) {{")
        self._decode(self.f.m, "(m0 + i)")
        self._columns(columns)
        self.out(f"const {self.type} {name} = {name}_tile[i][j];")
        self.loops.rows(tuple(stmt for stmt in self.kernel.body if stmt is not contraction))
        self.out("}")
        self.out("}")

    def _add_up(self, lets: tuple[Stmt, ...], rows: int, columns: str) -> None:
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


def _contiguous(kernel: Kernel, contraction: Contract, axes: tuple[Axis, ...], factor: Expr) -> int:
    """How well columns along some axes suit: first of all the reads of the factor in each term, then the writes."""
    last = axes[-1].name
    terms = [*(Let("", let.value) for let in needed(contraction.body, factor)), Let("", factor)]
    reads = any(stride(load.index[0], last) == 1 for load in loads(tuple(terms)))
    writes = any(isinstance(s, Store) and stride(s.index[0], last) == 1 for s in kernel.body)
    return 2 * reads + writes
