"""Which convolutions are computed by Winograd's method, with fewer multiplications, and how they are tiled.

F(2x2, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): a tile of 2 by 2 neighbouring
outputs needs 4 by 4 inputs d. With the matrices

    B^T = 1  0 -1  0      G = 1    0    0      A^T = 1  1  1  0
          0  1  1  0          1/2  1/2  1/2          0  1 -1  1
          0 -1  1  0          1/2 -1/2  1/2
          0 -1  0  1          0    0    1

the outputs are A^T [sum over channels of (B^T d B) * (G g G^T)] A: 16 products of elements, where 36 are needed
otherwise. For many tiles, and for all filters, these are 16 products of matrices. Errors are about those of the direct
sum, which has nine times as many terms. An input that is not finite reaches all four outputs of a tile that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dtypes
from graphc.codegen.cpu.gemm.choose_tiling import REGISTERS, STACK_BYTES, tiling
from graphc.codegen.cpu.gemm.tiling import InPlace, Tiling, extent
from graphc.codegen.ir.kernel import Axis, Kernel
from graphc.codegen.ir.strides import stride, without
from graphc.dims import Dim

# Outputs of a tile along an axis, the inputs that they need, and the products of elements for a tile.
OUTPUTS = 2
WINDOW = 3
PRODUCTS = 16
# Tiles of a sample at least. With as many it is worth it to transform the filter at each call even for one sample: 4x4
# outputs of 32 to 512 channels gain up to 45% there; those of 16 lose a fifth, which is a microsecond.
FEWEST_TILES = 4
# As many tiles are summed at once as registers hold two sums of, at most this many.
MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Winograd:
    """A convolution in tiles of 2 by 2 outputs.

    Args:
        image: Where the input lies; `start` mentions the axes in `outer`, `line` is the step to the next pixel.
        filter: Where the filter lies: `depth` are the steps of its rows and of its channels.
        outer: The axes of the result before rows and pixels, such as the batch.
        height: The axis of its rows, and `width` that of its pixels.
        columns: The axis of its channels.
        down: The input's step to the next row.
        channels: The input's channels.
        rows: Tiles whose sums are formed at the same time.
        vectors: Vectors of channels of the result, for each of them.
        lanes: Elements of a vector.
    """

    image: InPlace
    filter: InPlace
    outer: tuple[Axis, ...]
    height: Axis
    width: Axis
    columns: Axis
    down: int
    channels: int
    rows: int
    vectors: int
    lanes: int

    @property
    def panel(self) -> int:
        """Columns that are computed at the same time."""
        return self.vectors * self.lanes

    @property
    def places(self) -> tuple[Axis, ...]:
        """The axes that number tiles."""
        sides = [Axis(f"{axis.name}_tile", _tiles(axis)) for axis in (self.height, self.width)]
        return (*self.outer, *sides)

    @property
    def tiles(self) -> Dim:
        """How many tiles there are."""
        return extent(self.places)

    @property
    def is_even(self) -> bool:
        """Whether no two tiles overlap."""
        return all(_size(axis) % OUTPUTS == 0 for axis in (self.height, self.width))

    @property
    def wide(self) -> int:
        """Columns of all panels."""
        return -(-_size(self.columns) // self.panel) * self.panel

    @property
    def scratch_bytes(self) -> int:
        """What the transformed filter takes."""
        return PRODUCTS * self.channels * self.wide * dtypes.float32.itemsize


def _size(axis: Axis) -> int:
    assert isinstance(axis.extent, int)
    return axis.extent


def _tiles(axis: Axis) -> int:
    return -(-_size(axis) // OUTPUTS)


def winograd(kernel: Kernel, vector_bytes: int) -> Winograd | None:
    """How a scheduled kernel is computed with fewer multiplications; None where it is not, or would gain nothing.

    What counts is how memory is read: windows of 3 by 3 pixels that move on by one pixel, or one row.

    Args:
        kernel: The kernel.
        vector_bytes: The size of the processor's vector registers.
    """
    contraction, t = kernel.contraction, tiling(kernel, vector_bytes)
    if contraction is None or t is None or contraction.dtype is not dtypes.float32:
        return None
    image, weights = t.left_place, t.right_place
    if image is None or weights is None or t.f.batch or len(t.f.m) < 2:
        return None
    height, width, columns = *t.f.m[-2:], t.f.n[0]
    channels, down = image.line, stride(image.load.index[0], height.name)
    if not isinstance(channels, int) or not isinstance(down, int) or not isinstance(columns.extent, int):
        return None
    windows = tuple(axis.extent for axis in t.f.k), image.depth
    if windows != ((WINDOW, WINDOW * channels), (down, 1)) or not _is_worth_it(height, width, channels, t.lanes):
        return None
    rows, vectors = _shape(t, vector_bytes)
    place = InPlace(image.load, without(image.start, {height.name}), channels, image.depth)
    return Winograd(place, weights, t.f.m[:-2], height, width, columns, down, channels, rows, vectors, t.lanes)


def _is_worth_it(height: Axis, width: Axis, channels: int, lanes: int) -> bool:
    sides = [axis.extent for axis in (height, width)]
    if not all(isinstance(side, int) and side >= OUTPUTS for side in sides):
        return False
    # Vectors are of channels, and the transformed pixels of some tiles lie on the stack.
    fits = lanes <= channels <= STACK_BYTES // (PRODUCTS * MOST_ROWS * dtypes.float32.itemsize)
    return fits and _tiles(height) * _tiles(width) >= FEWEST_TILES


def _shape(t: Tiling, vector_bytes: int) -> tuple[int, int]:
    """Rows and vectors: two sums each, two elements of the filter for each vector, and two registers to spare."""
    registers = REGISTERS[vector_bytes]
    # Where registers are few a single vector leaves most of them to sums.
    vectors = t.vectors if registers > 16 else 1
    return min(MOST_ROWS, (registers - 2 - 2 * vectors) // (2 * vectors)), vectors
