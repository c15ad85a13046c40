"""How a contraction is tiled for a processor with vector registers: tiles, blocks of the depth, what threads share.

A contraction is products of matrices, whatever its factors are: `rows x depth` by `depth x columns`, for each point of
the batch. A tile of the result stays in registers while the depth runs. A factor is read where it lies in memory if it
lies there evenly; otherwise it is packed into panels first.

    tiles     the threads share the tiles of one product, and pack panels of the right factor together
    batch     the threads share the batch, each with panels of its own
    slices    the threads share the depth: each slice is summed apart, in a fixed number of slices, then added up
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from graphc import dims
from graphc.codegen.cpu.caches import FIRST_CACHE, LINE_BYTES, SECOND_CACHE, Cache
from graphc.codegen.cpu.gemm.prefetch import FAR_BYTES
from graphc.codegen.ir.kernel import Axis
from graphc.codegen.ir.matmul_roles import Factors
from graphc.dims import Dim
from graphc.exprs import Expr, Load

Sharing = Literal["tiles", "batch", "slices"]

# A deep factor that at least this many rows are multiplied with is packed block by block; others are read in place.
MANY_ROWS = 64
# A right factor whose rows start at most this far apart is read in place, and at once if it is not deeper than that,
# however many rows it is multiplied with: rows that lie further apart share few sets of the first-level cache.
NEAR_BYTES = 1024
DEPTH_NEAR = 1024
# Columns of a block, so that a block of the right factor stays in the second-level cache.
COLUMN_BLOCK = 512
# A panel of the right factor of at most so many bytes stays in the first-level cache while a band of tiles, whose rows
# of the left factor stay in the second-level cache, goes over it.
PANEL_BYTES = 24 << 10
BAND_BYTES = 128 << 10
# Rows of a column of tiles that can have addresses of their own.
MOST_ADDRESSED = 512
# A depth that threads share is split into so many slices.
SLICES = 8


class Depths(NamedTuple):
    """A depth of up to `at_once` elements is one block; a deeper one is split into equal blocks of about `block`."""

    at_once: int
    block: int


# Where panels of the right factor stay in the first-level cache, and where they stay in the second-level cache.
SHALLOW, DEEP = Depths(384, 256), Depths(512, 352)
# Of the lines in a set of the first-level cache, a tile's rows of the left factor may take 1 in so many.
ROWS_SHARE = 4
# Rows of the left factor of at most so many elements are not worth packing.
SHORT_ROW = 64


@dataclass(frozen=True, slots=True)
class InPlace:
    """A factor that lies evenly in memory.

    Args:
        load: The element.
        start: The offset of the first element; it mentions axes that are neither tiled nor part of a block's depth.
        line: The step from row to row on the left, from column to column on the right.
        depth: The step along each axis of the depth.
    """

    load: Load
    start: Dim
    line: Dim
    depth: tuple[Dim, ...]

    @property
    def depth_bytes(self) -> Dim:
        """How far neighbours in depth are from each other."""
        return self.depth[-1] * self.load.dtype.itemsize if self.depth else 0

    @property
    def is_near(self) -> bool:
        """Whether neighbours in depth are so near to each other that they use many sets of a cache."""
        return isinstance(self.depth_bytes, int) and self.depth_bytes <= NEAR_BYTES


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a contraction is tiled.

    Args:
        f: Its axes by use; the result's last axis is the last of `n`.
        left: The factor that depends on `m`, and `right` the one that depends on `n`.
        left_place: Where the left factor lies, with the last axis of `m` as lines; None: it is packed.
        right_place: Where the right factor lies, with neighbouring columns side by side; None: it is packed.
        rows: Rows of a tile.
        vectors: Vectors that a row of a tile takes.
        lanes: Elements of a vector.
        itemsize: Bytes of an element.
        sharing: What the threads share.
        packs_left: Whether the left factor is packed though it lies evenly; with `may_pack`, if it is at run time.
        scattered: Whether a tile's rows run along all axes of `m`, each with an address of its own.
        by_library: Whether a tile is a block that a library computes, which packs factors by itself.
    """

    f: Factors
    left: Expr
    right: Expr
    left_place: InPlace | None
    right_place: InPlace | None
    rows: int
    vectors: int
    lanes: int
    itemsize: int
    sharing: Sharing
    packs_left: bool = False
    scattered: bool = False
    by_library: bool = False

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.vectors * self.lanes

    @property
    def lines(self) -> tuple[Axis, ...]:
        """The axes of `m` that a tile's rows run along: the last where they are evenly apart in memory, else all."""
        return self.f.m if self.left_place is None or self.scattered else self.f.m[-1:]

    @property
    def outer(self) -> tuple[Axis, ...]:
        """The other axes of `m`."""
        return self.f.m[: len(self.f.m) - len(self.lines)]

    @property
    def columns(self) -> Dim:
        return extent(self.f.n)

    @property
    def is_inside_last(self) -> bool:
        """Whether the columns of a tile differ in the last axis only: tiles start at multiples of their width."""
        last = self.f.n[-1].extent
        return len(self.f.n) > 1 and isinstance(last, int) and last % self.width == 0

    @property
    def outer_depth(self) -> tuple[Axis, ...]:
        """The axes of the depth each of whose points is a block: those before the last two."""
        return self.f.k[:-2]

    @property
    def step(self) -> int | None:
        """How many points of the first axis of the depth make a block; None where it is not split."""
        if self.by_library:
            return None
        is_near = self.left_place is not None and self.right_place is not None and self.right_place.is_near
        if is_near and len(self.f.k) == 1 and is_less(self.f.k[0].extent, min(DEPTH_NEAR, self.most_in_place) + 1):
            return None
        return _depth_step(self.f.k, self.depths)

    @property
    def depths(self) -> Depths:
        """How deep blocks are."""
        return SHALLOW if self.width * self.itemsize * SHALLOW.at_once <= PANEL_BYTES else DEEP

    @property
    def cache(self) -> Cache:
        """Where a panel of the right factor stays from tile to tile.

        Vectors of whole lines are used as fast as the second cache gives them.
        """
        whole_lines = self.lanes * self.itemsize >= LINE_BYTES
        is_small = self.width * self.itemsize * self.usual_depth <= PANEL_BYTES
        return FIRST_CACHE if is_small and not whole_lines else SECOND_CACHE

    @property
    def usual_depth(self) -> int:
        """The depth of a block; a usual one where it is known at run time only."""
        depth = extent(self.f.k[-2:])
        return depth if isinstance(depth, int) and depth <= self.depths.at_once else self.depths.block

    @property
    def most_in_place(self) -> int:
        """The depth up to which the right factor, read in place, stays in its cache."""
        if self.right_place is None:
            return 0
        return self.cache.most_rows(self.right_place.depth_bytes, self.width * self.itemsize)

    @property
    def is_spread(self) -> bool:
        """Whether the right factor, read in place, would not stay in its cache."""
        return self.most_in_place < self.usual_depth and not self.by_library

    @property
    def is_left_spread(self) -> bool:
        """Whether a tile's rows of the left factor would not stay in the cache beside a panel of the right one."""
        place = self.left_place
        if place is None or len(self.f.m) > 1:
            return False
        if place.line == 1:
            held = self.cache.holds(self.usual_depth, place.depth_bytes, self.rows * self.itemsize)
            return isinstance(extent(self.lines), int) and not held
        apart = place.line * self.itemsize if isinstance(place.line, int) else 0
        most = FIRST_CACHE.most_rows(apart, LINE_BYTES) // ROWS_SHARE
        return self.cache is FIRST_CACHE and place.depth[-1:] == (1,) and most < self.rows

    @property
    def always_packs_left(self) -> bool:
        """Whether the left factor is always packed, a band of tiles at a time, by each thread for itself."""
        return self.left_place is None or (self.packs_left and not self.may_pack)

    @property
    def packs_along_depth(self) -> bool:
        """Whether neighbours in depth of a packed left factor are neighbours in the band, as they are in memory."""
        return self.f.lhs_along_k if self.left_place is None else self.left_place.line != 1

    @property
    def band(self) -> int:
        """How many tiles, one below the other, use a panel of the right factor before the next panel is used."""
        if self.cache is not FIRST_CACHE:
            return 1
        return max(1, BAND_BYTES // (self.rows * self.usual_depth * self.itemsize))

    @property
    def most_addressed(self) -> int:
        """How many tiles, one below the other, can have rows with addresses of their own."""
        return max(self.band, MOST_ADDRESSED // self.rows)

    @property
    def may_pack(self) -> bool:
        """Whether it is decided at run time, by sizes, if factors are packed and a long depth is split."""
        places = self.left_place is not None and self.right_place is not None
        spread = (self.is_spread or self.packs_left) and not self.outer_depth
        return places and (self.step is not None or spread) and self.sharing == "tiles" and not self.f.batch

    @property
    def most_unpacked(self) -> int:
        """The depth up to which factors that may be packed are not."""
        place, most = self.left_place, min(self.depths.at_once, self.most_in_place)
        if place is None or not self.packs_left:
            return most
        near = self.cache.most_rows(place.depth_bytes, self.rows * self.itemsize) if place.line == 1 else SHORT_ROW
        return min(most, near)

    @property
    def may_be_whole(self) -> bool:
        """Whether the depth is one block where the right factor is not packed. A panel of few columns always is."""
        return self.may_pack and self.step is not None and self.all_whole

    @property
    def may_be_row(self) -> bool:
        """Whether there may be a single row at run time, whose columns are then summed all at once."""
        single = not isinstance(extent(self.lines), int) and len(self.f.m) == 1 and not self.f.batch
        places = not self.always_packs_left and self.right_place is not None
        return single and places and (self.may_be_whole or not self.has_blocks) and isinstance(self.column_block, int)

    @property
    def is_row_sliced(self) -> bool:
        """Whether the depth of a single row is shared among threads, not its columns.

        Of a right factor that is not in a cache each thread then reads whole rows one after the other.
        """
        nbytes = extent(self.f.k) * self.columns * self.itemsize
        far = isinstance(nbytes, int) and nbytes > FAR_BYTES
        return (
            far and self.may_be_row and self.may_be_whole and len(self.f.k) == 1 and self.columns == self.column_block
        )

    @property
    def may_steal(self) -> bool:
        """Whether threads steal tiles of each other: there must be a barrier between any two loops over tiles."""
        once = not self.has_blocks or self.may_be_whole
        return self.sharing == "tiles" and not self.f.batch and once and self.columns == self.column_block

    @property
    def may_share_columns(self) -> bool:
        """Whether it depends on sizes if the threads share columns. Rows that are packed are for all columns."""
        return self.sharing == "tiles" and not self.always_packs_left

    @property
    def blocks(self) -> Dim:
        """How many blocks the depth has; with a `step`, how many points the axis has that is split."""
        if self.step is not None:
            return self.f.k[0].extent
        return extent(self.outer_depth)

    @property
    def has_blocks(self) -> bool:
        """Whether the depth comes in more than one block."""
        return self.step is not None or bool(self.outer_depth)

    @property
    def levels(self) -> tuple[Dim, Dim]:
        """The extents of a block's two inner axes of depth, at most; with a `step` the first one's is the step's."""
        extents = [axis.extent for axis in self.f.k[-2:]]
        if self.step is not None:
            extents[0] = self.step
        while len(extents) < 2:
            extents.insert(0, 1)
        return extents[0], extents[1]

    @property
    def most_depth(self) -> Dim:
        """The largest depth of a block."""
        outer, inner = self.levels
        return outer * inner

    @property
    def all_whole(self) -> bool:
        """Whether every tile has all its columns."""
        return isinstance(self.columns, int) and self.columns % self.width == 0

    @property
    def is_narrow(self) -> bool:
        """Whether there is one tile only beside each other, which has fewer columns."""
        return isinstance(self.columns, int) and self.columns < self.width

    @property
    def column_block(self) -> Dim:
        """Columns of a block."""
        block = max(self.width, COLUMN_BLOCK // self.width * self.width)
        return self.columns if isinstance(self.columns, int) and self.columns <= 2 * block else block

    @property
    def has_all_panels(self) -> bool:
        """Whether each thread always packs all columns of the right factor."""
        known = isinstance(self.columns, int) and self.columns == self.column_block
        return known and self.right_place is None and self.sharing != "tiles"

    @property
    def panels(self) -> Dim:
        """Elements that packed panels of the right factor take: all of a block, or the last panel, or none."""
        if self.right_place is None or self.may_pack:
            columns = self.column_block
            wide = -(-columns // self.width) * self.width if isinstance(columns, int) else columns + self.width
            return self.most_depth * wide
        return 0 if self.all_whole else self.most_depth * self.width

    @property
    def sums(self) -> Dim:
        """Elements of the sums that are stored between blocks of the depth."""
        if not self.has_blocks:
            return 0
        tall = extent(self.outer) * rounded_up(extent(self.lines), self.rows)
        wide = rounded_up(self.columns, self.width)
        if self.sharing == "slices":
            return tall * wide * SLICES
        return (tall + (SLICES if self.is_row_sliced else 0)) * wide

    @property
    def scratch_bytes(self) -> Dim:
        """The working memory that is shared: panels, and sums between blocks of the depth."""
        shared = {"tiles": self.panels + self.sums, "slices": self.sums, "batch": 0}[self.sharing]
        return shared * self.itemsize


def extent(axes: tuple[Axis, ...]) -> Dim:
    """How many points some axes have."""
    return dims.product(axis.extent for axis in axes)


def is_less(size: Dim, limit: int) -> bool:
    """Whether a size is known and less than a limit."""
    return isinstance(size, int) and size < limit


def rounded_up(size: Dim, unit: int) -> Dim:
    """At least the next multiple of a unit."""
    return -(-size // unit) * unit if isinstance(size, int) else size + unit


def _depth_step(axes: tuple[Axis, ...], depths: Depths) -> int | None:
    """How many points of the first axis of a depth of at most two make a block; None where it is not split."""
    depth = extent(axes)
    if len(axes) > 2 or not axes or (isinstance(depth, int) and depth <= depths.at_once):
        return None
    inner = extent(axes[1:])
    if isinstance(depth, int) and isinstance(inner, int):
        first = depth // inner
        return -(-first // max(1, round(depth / depths.block)))
    return max(1, depths.block // inner) if isinstance(inner, int) else 1
