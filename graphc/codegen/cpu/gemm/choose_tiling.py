"""Which tiling a contraction gets on a processor with vector registers: what its factors are, and what suits caches."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from graphc import dims, dtypes
from graphc.codegen.cpu.gemm.tiling import InPlace, Sharing, Tiling, extent, is_less
from graphc.codegen.ir.kernel import Axis, Contract, Kernel
from graphc.codegen.ir.matmul_roles import Factors, factors, plain_load
from graphc.codegen.ir.strides import stride, without
from graphc.dims import Dim
from graphc.exprs import Expr

# Vector registers hold the sums of a tile, and something must be left for the factors.
REGISTERS = {64: 32, 32: 16, 16: 16}
MOST_ROWS = 14
USUAL_ROWS = 8
FEWEST_ROWS = 4
MOST_VECTORS = 3
# Sums that a processor adds to at the same time: a tile with fewer takes as long as one with so many.
SUMS_AT_ONCE = 12
# How much longer tiles of evenly spaced rows may take than those of rows with addresses of their own.
WASTE = 1.1
# A factor that is hard to cache is packed, and not read in place, for at least so many tiles.
MANY_TILES = 4
# Batches of at least this many products are shared among threads, and not the tiles of each product.
BATCH = 8
# Panels that a thread packs for itself lie on its stack, up to so many bytes.
STACK_BYTES = 1 << 18
# A depth is shared where the result has few elements, if it has several axes or is never small.
SLICED_DEPTH = 64
SLICED_ELEMENTS = 1 << 16


class Matrices(NamedTuple):
    """What a contraction multiplies: its axes by use, both factors, where they lie evenly, and an element's bytes."""

    f: Factors
    left: Expr
    right: Expr
    left_place: InPlace | None
    right_place: InPlace | None
    itemsize: int


def as_matrices(kernel: Kernel) -> Matrices | None:
    """A scheduled kernel's contraction as products of matrices whose right factor has the columns; None if it is none.

    Args:
        kernel: The kernel.
    """
    contraction = kernel.contraction
    if contraction is None or contraction.dtype not in (dtypes.float32, dtypes.float64):
        return None
    f = factors(kernel)
    left, right = contraction.lhs, contraction.rhs
    if f.m and kernel.axes[-1] == f.m[-1]:
        f, left, right = f.swapped, right, left
    if not f.n or kernel.axes[-1] != f.n[-1]:
        return None
    left_place, right_place = _in_place(contraction, left, f.m, f), _in_place(contraction, right, f.n, f)
    if left_place is not None and len(f.m) > 1 and is_less(f.m[-1].extent, FEWEST_ROWS):
        left_place = None
    if right_place is not None and (right_place.line != 1 or len(f.n) > 1):
        right_place = None
    return Matrices(f, left, right, left_place, right_place, contraction.dtype.itemsize)


def tiling(kernel: Kernel, vector_bytes: int) -> Tiling | None:
    """How a scheduled kernel's contraction is tiled; None where tiles do not suit it.

    Args:
        kernel: The kernel.
        vector_bytes: The size of the processor's vector registers.
    """
    matrices = as_matrices(kernel)
    if matrices is None:
        return None
    f, left, right, left_place, right_place, size = matrices
    lanes = vector_bytes // size
    lines = f.m if left_place is None else f.m[-1:]
    vectors = _vectors(extent(f.n), lanes, REGISTERS[vector_bytes])
    most = _most_rows(vectors, REGISTERS[vector_bytes])
    rows = _rows(extent(lines), vectors, most)
    t = Tiling(f, left, right, left_place, right_place, rows, vectors, lanes, size, "tiles")
    if left_place is not None and left_place.line != 1 and t.outer and _wastes(extent(lines), rows, vectors, most):
        t = replace(t, scattered=True, rows=_rows(extent(f.m), vectors, most))
    if t.is_left_spread and not is_less(t.columns, MANY_TILES * t.width) and isinstance(t.most_depth, int):
        t = replace(t, packs_left=True)
    t = replace(t, sharing=shared(t))
    many = left_place is not None and not is_less(extent(f.m), MANY_TILES * t.rows)
    if t.is_spread and many and not t.may_pack:
        t = replace(t, right_place=None)
        t = replace(t, sharing=shared(t))
    if left_place is None and not isinstance(t.most_depth, int):
        return None  # a tile's rows are packed on the stack
    return t


def _in_place(contraction: Contract, factor: Expr, lines: tuple[Axis, ...], f: Factors) -> InPlace | None:
    load = plain_load(contraction, factor)
    if load is None:
        return None
    offset = load.index[0]
    steps = [stride(offset, axis.name) for axis in (*f.k, *lines[-1:])]
    if any(step is None for step in steps):
        return None
    known = [step for step in steps if step is not None]
    line = known[-1] if lines else 0
    gone = {axis.name for axis in (*f.k[-2:], *lines[-1:])}
    return InPlace(load, without(offset, gone), line, tuple(known[: len(f.k)]))


def _most_rows(vectors: int, registers: int) -> int:
    """The rows of the tallest tile whose sums fit the registers."""
    return min(MOST_ROWS, (registers - 2 - vectors) // vectors)


def _vectors(columns: Dim, lanes: int, registers: int) -> int:
    """How many vectors a row of a tile takes: as many as leave the fewest lanes idle, else two."""
    if not isinstance(columns, int):
        return 2

    def idle(vectors: int) -> tuple[int, int, int]:
        return -(-columns // (vectors * lanes)) * vectors * lanes, abs(vectors - 2), -vectors

    enough = [v for v in range(1, MOST_VECTORS + 1) if v * _most_rows(v, registers) >= SUMS_AT_ONCE]
    return min(enough, key=idle)


def _rows(lines: Dim, vectors: int, most: int) -> int:
    """How many rows a tile has: as many as take the least time, and then as leave the fewest rows computed twice."""
    if not isinstance(lines, int):
        return min(USUAL_ROWS, most)

    def time(rows: int) -> tuple[int, int, int]:
        tiles = -(-lines // rows)
        return tiles * max(SUMS_AT_ONCE, rows * vectors), tiles * rows, -rows

    fewest = max(1, min(FEWEST_ROWS, lines, most))
    return min(range(fewest, min(most, lines) + 1), key=time)


def _wastes(lines: Dim, rows: int, vectors: int, most: int) -> bool:
    """Whether tiles along the last axis fit it badly: tiles that go on in the next row of axes take much less time."""
    if not isinstance(lines, int):
        return False
    best = min(USUAL_ROWS, most)
    time, ideal = (max(SUMS_AT_ONCE, n * vectors) for n in (rows, best))
    return -(-lines // rows) * time * best > WASTE * ideal * lines


def shared(t: Tiling) -> Sharing:
    """What threads share of a tiled contraction."""
    size = t.itemsize
    if t.f.batch:
        many = not is_less(extent(t.f.batch), BATCH)
        return "batch" if many and _fits_stack((t.panels + t.sums) * size) else "tiles"
    elements = extent(t.f.m) * extent(t.f.n)
    small = isinstance(elements, int) and elements <= SLICED_ELEMENTS
    deep = len(t.f.k) > 1 or dims.nonnegative(extent(t.f.k) - SLICED_DEPTH)
    if small and deep and t.has_blocks and _fits_stack(t.panels * size):
        return "slices"
    return "tiles"


def _fits_stack(nbytes: Dim) -> bool:
    return isinstance(nbytes, int) and nbytes <= STACK_BYTES
