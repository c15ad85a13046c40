"""The functions of a contraction in C, and those that gather its factors where they are not read in place.

`prelude/product.h` calls them: see `render.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from graphc.codegen.cpu.gemm.microkernels import TileFunction
from graphc.codegen.cpu.gemm.tiling import Tiling, extent
from graphc.codegen.cstyle.loops import LoopRenderer
from graphc.codegen.cstyle.source import Lines
from graphc.codegen.ir.kernel import Axis, Contract, Kernel, Let, Stmt
from graphc.codegen.ir.walk import needed
from graphc.dims import Dim
from graphc.exprs import Expr
from graphc.primitives.views import ravel

# A factor that is turned around when it is gathered is so in runs of this many elements.
RUN = 16
# What the functions of a kernel return and are given, besides the kernel's own parameters.
BLOCK, PART = "const gc_block *block", "const gc_part *part"
SIGNATURES = {
    "left_at": ("long", (BLOCK, "long outside")),
    "right_at": ("long", (BLOCK,)),
    "gather_right": ("void", (BLOCK, "long from", "long first", "long stop", "void *to")),
    "gather_left": ("void", (BLOCK, PART, "void *to")),
    "find_rows": ("void", (BLOCK, PART, "const void **places")),
    "ask": ("void", (PART,)),
    "epilogue": ("void", (PART, "const void *sums")),
    "pixels": ("void", ("long tile", "float *image")),
    "multiply": ("void", ("const float *image", "const float *filter", "float *sums")),
    "outputs": ("void", ("long first", "long high", "long n0", "const float *sums")),
}
# The fields that functions use by name.
FIELDS = {
    PART: ("item", "outside", "line0", "skip", "high", "n0", "wide"),
    BLOCK: ("item", "turn", "end"),
}


class PanelRenderer(LoopRenderer):
    """Prints functions of a kernel, and the gathering of factors.

    Args:
        symbols: The identifier of each symbolic size.
    """

    def __init__(self, symbols: Mapping[str, str]) -> None:
        super().__init__(symbols)
        self.name = ""  # of the kernel
        self.tiles: set[TileFunction] = set()
        self.functions = Lines()  # of its own
        self.constants: dict[str, int] = {}  # what all of them know
        self.given: dict[str, str] = {}  # the declaration of each parameter

    def type_of(self, contraction: Contract) -> str:
        return self.types[contraction.dtype]

    def declare_args(self, kernel: Kernel) -> None:
        """The structure in which functions get the parameters of the kernel."""
        self.name = kernel.name
        self.functions("typedef struct {")
        for declaration in self.given.values():
            self.functions(f"{declaration};")
        self.functions(f"}} {self.name}_args;")
        self.out(f"const {self.name}_args args = {{{', '.join(self.given)}}};")

    def function(self, role: str, body: Callable[[], None]) -> str:
        """Prints a function of the kernel; its name."""
        kernel, self.out = self.out, Lines()
        body()
        lines, self.out = self.out.lines, kernel
        result, params = SIGNATURES[role]
        name, out = f"{self.name}_{role}", self.functions
        out(f"static {result} {name}({', '.join(('const void *args', *params))}) {{")
        used = set(re.findall(r"\w+", "\n".join(lines)))
        if known := [f"{constant} = {value}" for constant, value in self.constants.items() if constant in used]:
            out(f"enum {{ {', '.join(known)} }};")
        if used & set(self.given):
            out(f"const {self.name}_args *const given = args;")
        for parameter, declaration in self.given.items():
            if parameter in used:
                out(f"{declaration} = given->{parameter};")
        seen: set[str] = set()
        for source in params:
            for field in FIELDS.get(source, ()):
                if field in used - seen - set(self.constants):
                    out(f"const long {field} = {source.split('*')[1]}->{field};")
                    seen.add(field)
        for line in lines:
            out(line.strip())
        out("}")
        return name

    def table(self, out: Lines, head: str, *parts: Mapping[str, str]) -> None:
        """A structure; what is left out is zero."""
        out(f"{head} = {{")
        for part in parts:
            for name, value in part.items():
                if value != "0":
                    out(f".{name} = {value},")
        out("};")

    def gather_right(self, t: Tiling, contraction: Contract) -> None:
        """Some panels of a block, from a column on."""
        out = self.out
        out(f"{self.type_of(contraction)} *const panels = to;")
        self.block(t)
        start, panel_end = "from + panel * width", "stop"
        if t.has_all_panels:
            # Compilers know how many there are.
            start, panel_end = "panel * width", str(-(-t.columns // t.width))
        panels = f"for (long panel = {'0' if t.has_all_panels else 'first'}; panel < {panel_end}; ++panel) {{"
        lets = needed(contraction.body, t.right)
        deep = f"panels[(panel * {self.grouped(t.most_depth)} + deep) * width"
        if len(t.f.n) == 1 and not t.f.rhs_along_k:
            # All panels at once: memory is read from one end to the other.
            self._depth_nest(t, lets, f"{deep} + lane]", t.right, beside=(panels, f"const long n0 = {start};"))
            return
        out(panels)
        out(f"const long n0 = {start};")
        # What lies along the depth is turned around: in short runs, so that what is written stays in the cache.
        axes = t.f.k[len(t.turns) :]
        runs = len(axes) == 1
        if runs:
            low, high = ("0", self.dim(axes[0].extent)) if t.step is None else ("turn", "end")
            out(f"for (long run = {low}; run < {high}; run += {RUN}) {{")
            out(f"const long run_end = GC_MIN(run + {RUN}, {high});")
        out(f"for (long column = n0; column < GC_MIN(n0 + width, {self.grouped(t.columns)}); ++column) {{")
        self.decode(t.f.n, "column")
        bounds = ("run", "run_end") if runs else None
        self._depth_nest(t, lets, f"{deep} + column - n0]", t.right, bounds=bounds)
        out("}")
        if runs:
            out("}")
        out("}")

    def block(self, t: Tiling) -> None:
        """The axes that are the same in all of a block."""
        self.decode(t.f.batch, "item")
        self.decode(t.turns if t.step is None else (), "turn")

    def gather_left(self, t: Tiling, contraction: Contract) -> None:
        """The lines of a tile."""
        out = self.out
        out(f"{self.type_of(contraction)} *const packed = to;")
        self.block(t)
        place = f"i * {self.grouped(t.most_depth)} + deep" if t.packs_along_depth else "deep * tile_rows + i"
        out("for (long i = 0; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        self._depth_nest(t, needed(contraction.body, t.left), f"packed[{place}]", t.left)
        out("}")

    def find_rows(self, t: Tiling) -> None:
        """Where the rows of a tile lie."""
        out, place = self.out, t.left_place
        assert place is not None
        self.block(t)
        out("for (long i = 0; i < high; ++i) {")
        out("const long row = line0 + i;")
        self.decode(t.lines, "row")
        start = place.start + place.line * t.lines[-1].index
        out(f"places[i] = {place.load.buffer} + {self.dim(start)};")
        out("}")

    def _depth_nest(
        self,
        t: Tiling,
        lets: list[Let],
        place: str,
        value: Expr,
        beside: tuple[str, str] | None = None,
        bounds: tuple[str, str] | None = None,
    ) -> None:
        """Loops over the points of the block's depth, storing a factor's element at each.

        With `beside`, a loop over panels and the first column of each, their columns are gone over at each point.
        """
        axes, columns = t.f.k[len(t.turns) :], t.f.n[0]

        def first(axis: Axis) -> None:
            low, high = bounds or (("0", self.dim(axis.extent)) if t.step is None else ("turn", "end"))
            self.out(f"for (long {axis.name} = {low}; {axis.name} < {high}; ++{axis.name}) {{")

        def last(axis: Axis) -> None:
            assert beside is not None
            for line in beside:
                self.out(line)
            self.out(self.simd)
            # With fewer columns than a panel has, compilers know how many.
            some = self.dim(t.columns) if t.is_narrow else f"GC_MIN(width, {self.grouped(t.columns)} - n0)"
            lanes = "width" if t.all_whole else some
            self.out(f"for (long lane = 0; lane < {lanes}; ++lane) {{")
            self.out(f"const long {axis.name} = n0 + lane;")

        def store(rest: tuple[Stmt, ...]) -> None:
            self.rows(rest)
            position = ravel(tuple(axis.index for axis in axes), tuple(axis.extent for axis in axes))
            start = "" if t.step is None else f" - turn * {self.grouped(extent(axes[1:]))}"
            self.out(f"const long deep = {self.dim(position)}{start};")
            self.out(f"{place} = {self.expr(value)};")

        heads = {axis.name: first for axis in axes[:1]} | ({columns.name: last} if beside else {})
        # Scattered stores of vectors are slower than those of scalars.
        dense = place.endswith("+ deep]")
        self.nest((*axes, columns) if beside else axes, tuple(lets), store, simd=dense, heads=heads)
        if beside:
            self.out("}")


def two(depth: tuple[Dim, ...]) -> tuple[Dim, Dim]:
    """The steps along a block's two inner axes of depth."""
    return (0, 0, *depth)[-2], (0, *depth)[-1]
