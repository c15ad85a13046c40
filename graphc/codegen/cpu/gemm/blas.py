"""Contractions by a library: blocks of the result that its `sgemm` computes, and that the epilogue then goes over.

Loops, epilogues, panels and what threads share are those of tiles (`tiling.py`); a block takes the place of a tile. It
is as large as a second-level cache can hold beside its factors, because libraries pack them again for each block. Which
kernels are computed this way is measured (`cpu/autotune.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphc import dtypes
from graphc.codegen.cpu.gemm.choose_tiling import STACK_BYTES, as_matrices, shared
from graphc.codegen.cpu.gemm.tiling import InPlace, Tiling, extent
from graphc.codegen.ir.kernel import Kernel
from graphc.dims import Dim

# The widest block, and the rows of the tallest and of the shortest one: together they fit a thread's stack.
WIDTH = 256
TALLEST, SHORTEST = 256, 64
# The narrowest block: with fewer columns packing of both factors would take most of the time.
NARROWEST = 32
# Blocks are halved until there are as many, for threads to share.
MANY_BLOCKS = 8


def blocks(kernel: Kernel, vector_bytes: int) -> Tiling | None:
    """The blocks of a scheduled kernel's contraction; None where the library cannot take its factors.

    Args:
        kernel: The kernel.
        vector_bytes: The size of the processor's vector registers.
    """
    matrices = as_matrices(kernel)
    if matrices is None or kernel.contraction is None or kernel.contraction.dtype is not dtypes.float32:
        return None
    f, left, right, left_place, right_place, size = matrices
    if left_place is None or len(f.k) != 1 or not _is_dense(left_place, f.k[0].extent, f.m[-1].extent):
        return None
    lanes = vector_bytes // size
    width = _width(extent(f.n), lanes)
    if width is None or (right_place is not None and not _reaches(right_place.depth[0], extent(f.n))):
        return None
    t = Tiling(f, left, right, left_place, right_place, 1, width // lanes, lanes, size, "tiles", by_library=True)
    t = replace(t, rows=_rows(t))
    return replace(t, sharing=shared(t))


def _is_dense(place: InPlace, depth: Dim, lines: Dim) -> bool:
    """Whether lines lie one after the other, by rows or by columns, and do not overlap."""
    if place.depth == (1,):
        return _reaches(place.line, depth)
    return place.line == 1 and _reaches(place.depth[0], lines)


def _reaches(step: Dim, length: Dim) -> bool:
    return step == length or (isinstance(step, int) and isinstance(length, int) and step >= length)


def _width(columns: Dim, lanes: int) -> int | None:
    """The columns of the widest block of which there is a whole number."""
    if not isinstance(columns, int):
        return None
    wide: Iterable[int] = range(WIDTH, max(NARROWEST, lanes) - 1, -lanes)
    return next((width for width in wide if columns % width == 0), None)


def _rows(t: Tiling) -> int:
    """The rows of a block."""
    lines, outside = extent(t.lines), extent((*t.outer, *t.f.batch))
    most = min(TALLEST, STACK_BYTES // (t.width * t.itemsize))
    if not isinstance(lines, int):
        return most
    rows = min(most, lines)
    assert isinstance(t.columns, int)
    while isinstance(outside, int) and rows >= 2 * SHORTEST:
        if outside * -(-lines // rows) * (t.columns // t.width) >= MANY_BLOCKS:
            break
        rows //= 2
    return rows
