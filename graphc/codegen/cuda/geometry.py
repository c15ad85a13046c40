"""The launch geometry of kernels on a GPU: the numbers of blocks and of threads in a block.

There are three mappings: a thread for each point; a block for each point, whose threads share the reductions; and,
for contractions, a block for each tile of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dims
from graphc.codegen.cstyle.loops import has_inner
from graphc.codegen.ir.kernel import For, Kernel, Reduce, Store
from graphc.codegen.ir.matmul_roles import factors
from graphc.dims import Dim

THREADS = 256
# The result tile of a contraction is TILE x TILE, computed TILE_DEPTH deep at a time, 4 x 4 elements a thread.
TILE, TILE_DEPTH, TILE_SIDE = 64, 16, 16
# A reduction over at most this many points is one thread's work.
SERIAL_EXTENT = 32


@dataclass(frozen=True, slots=True)
class Geometry:
    """The launch geometry of a kernel: blocks (which may depend on symbolic sizes), and threads in a block."""

    blocks: Dim
    threads: int


def geometry(kernel: Kernel) -> Geometry:
    """The launch geometry of a scheduled kernel."""
    if kernel.contraction is not None:
        f = factors(kernel)
        rows, columns, batch = (dims.product(axis.extent for axis in axes) for axes in (f.m, f.n, f.batch))
        return Geometry(over(rows, TILE) * over(columns, TILE) * batch, THREADS)
    points = dims.product(axis.extent for axis in kernel.axes)
    return Geometry(points if wants_blocks(kernel) else over(points, THREADS), THREADS)


def wants_blocks(kernel: Kernel) -> bool:
    """Whether reductions are long, and contiguous in memory along their own axes."""
    inner = [stmt for stmt in kernel.body if isinstance(stmt, (Reduce, For))]
    if not has_inner(kernel) or any(axis.bind == "vector" for axis in kernel.axes):
        return False
    if any(isinstance(stmt, Reduce) and stmt.after for stmt in inner):
        return False
    if any(isinstance(s, Store) and s.accumulate for stmt in inner if isinstance(stmt, For) for s in stmt.body):
        return False
    extents = [dims.product(axis.extent for axis in stmt.axes) for stmt in inner]
    return any(not isinstance(extent, int) or extent > SERIAL_EXTENT for extent in extents)


def over(total: Dim, tile: int) -> Dim:
    """The number of tiles that cover a number of elements."""
    return dims.floordiv(total + (tile - 1), tile)
