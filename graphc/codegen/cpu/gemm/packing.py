"""The functions of a contraction in C that pack its factors, where they are not read in place.

`prelude/gemm.h` calls them: see `render.py`. Each prints by the printer `f` of its function.
"""

from __future__ import annotations

from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.gemm.tiling import Tiling, extent
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Axis, Contract, Let, Stmt
from graphc.codegen.ir.walk import needed
from graphc.dims import Dim
from graphc.exprs import Expr
from graphc.primitives.views import ravel

# A factor that is transposed when it is packed is transposed in chunks of this many elements.
CHUNK = 16


def pack_right(f: LoopPrinter, t: Tiling, contraction: Contract) -> None:
    """Some panels of a block, from a column on."""
    out = f.out
    out(f"{C.types[contraction.dtype]} *const panels = to;")
    block(f, t)
    width = f.scalars.use("width")
    start, panel_end = f"from + panel * {width}", "stop"
    if t.has_all_panels:
        # Compilers know how many there are.
        start, panel_end = f"panel * {width}", str(-(-t.columns // t.width))
    panels = f"for (long panel = {'0' if t.has_all_panels else 'first'}; panel < {panel_end}; ++panel) {{"
    lets = needed(contraction.body, t.right)
    deep = f"panels[(panel * {f.scalars.grouped(t.most_depth)} + deep) * {width}"
    if len(t.f.n) == 1 and not t.f.rhs_along_k:
        # All panels at once: memory is read from one end to the other.
        _depth_nest(f, t, lets, f"{deep} + lane]", t.right, beside=(panels, f"const long n0 = {start};"))
        return
    out(panels)
    out(f"const long n0 = {start};")
    # A factor that lies along the depth is transposed in short chunks, so that what is written stays in the cache.
    axes = t.f.k[len(t.outer_depth) :]
    in_chunks = len(axes) == 1
    if in_chunks:
        low, high = _bounds(f, t, axes[0])
        out(f"for (long chunk = {low}; chunk < {high}; chunk += {CHUNK}) {{")
        out(f"const long chunk_end = GC_MIN(chunk + {CHUNK}, {high});")
    out(f"for (long column = n0; column < GC_MIN(n0 + {width}, {f.scalars.grouped(t.columns)}); ++column) {{")
    f.decode(t.f.n, "column")
    bounds = ("chunk", "chunk_end") if in_chunks else None
    _depth_nest(f, t, lets, f"{deep} + column - n0]", t.right, bounds=bounds)
    out("}")
    if in_chunks:
        out("}")
    out("}")


def block(f: LoopPrinter, t: Tiling) -> None:
    """The axes that are the same in all of a block."""
    f.decode(t.f.batch, "item")
    f.decode(t.outer_depth if t.step is None else (), "begin")


def pack_left(f: LoopPrinter, t: Tiling, contraction: Contract) -> None:
    """The lines of a tile."""
    out = f.out
    out(f"{C.types[contraction.dtype]} *const packed = to;")
    block(f, t)
    if t.packs_along_depth:
        place = f"i * {f.scalars.grouped(t.most_depth)} + deep"
    else:
        place = f"deep * {f.scalars.use('tile_rows')} + i"
    row_loop(f, t, "0")
    _depth_nest(f, t, needed(contraction.body, t.left), f"packed[{place}]", t.left, dense=t.packs_along_depth)
    out("}")


def address_rows(f: LoopPrinter, t: Tiling) -> None:
    """Where the rows of a tile lie."""
    out, place = f.out, t.left_place
    assert place is not None
    block(f, t)
    row_loop(f, t, "0")
    start = place.start + place.line * t.lines[-1].index
    out(f"addresses[i] = {f.scalars.use(place.load.buffer)} + {f.scalars.dim(start)};")
    out("}")


def _depth_nest(
    f: LoopPrinter,
    t: Tiling,
    lets: list[Let],
    place: str,
    value: Expr,
    beside: tuple[str, str] | None = None,
    bounds: tuple[str, str] | None = None,
    dense: bool = False,
) -> None:
    """Loops over the points of the block's depth, storing a factor's element at each.

    With `beside`, a loop over panels and the first column of each, their columns are gone over at each point. Places
    are `dense` where neighbours in depth are neighbours there: scattered stores of vectors are slower than of scalars.
    """
    axes, columns = t.f.k[len(t.outer_depth) :], t.f.n[0]

    def first(axis: Axis) -> None:
        low, high = bounds or _bounds(f, t, axis)
        f.out(f"for (long {axis.name} = {low}; {axis.name} < {high}; ++{axis.name}) {{")

    def last(axis: Axis) -> None:
        assert beside is not None
        for line in beside:
            f.out(line)
        f.out(f.simd)
        lanes = f.scalars.use("width")
        if t.is_narrow:
            lanes = f.scalars.dim(t.columns)  # which compilers know
        elif not t.all_whole:
            lanes = f"GC_MIN({lanes}, {f.scalars.grouped(t.columns)} - n0)"
        f.out(f"for (long lane = 0; lane < {lanes}; ++lane) {{")
        f.out(f"const long {axis.name} = n0 + lane;")

    def store(rest: tuple[Stmt, ...]) -> None:
        f.rows(rest)
        position = ravel(tuple(axis.index for axis in axes), tuple(axis.extent for axis in axes))
        start = "" if t.step is None else f" - {f.scalars.use('begin')} * {f.scalars.grouped(extent(axes[1:]))}"
        f.out(f"const long deep = {f.scalars.dim(position)}{start};")
        f.out(f"{place} = {f.scalars.expr(value)};")

    heads = {axis.name: first for axis in axes[:1]} | ({columns.name: last} if beside else {})
    f.nest((*axes, columns) if beside else axes, tuple(lets), store, simd=dense, heads=heads)
    if beside:
        f.out("}")


def row_loop(f: LoopPrinter, t: Tiling, first: str) -> None:
    """The head of a loop over the rows of a tile, and where each is."""
    f.out(f"for (long i = {first}; i < {f.scalars.use('high')}; ++i) {{")
    f.out(f"const long row = {f.scalars.use('line0')} + i;")
    f.decode(t.lines, "row")


def _bounds(f: LoopPrinter, t: Tiling, axis: Axis) -> tuple[str, str]:
    """Where the first axis of a block's depth begins and ends."""
    if t.step is None:
        return "0", f.scalars.dim(axis.extent)
    return f.scalars.use("begin"), f.scalars.use("end")


def two(depth: tuple[Dim, ...]) -> tuple[Dim, Dim]:
    """The steps along a block's two inner axes of depth."""
    return (0, 0, *depth)[-2], (0, *depth)[-1]
