"""Convolutions in C with fewer multiplications, tiled as in `graphc.codegen.cpu.winograd.tiling`.

The loops are those of `prelude/winograd.c`. A kernel has functions for the pixels of a tile, for the products of a
known number of channels, and for the epilogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from graphc import dims
from graphc.codegen.cpu.functions import KernelText, print_table
from graphc.codegen.cpu.gemm.prefetch import FAR_BYTES, touched_by
from graphc.codegen.cpu.winograd.tiling import OUTPUTS, PRODUCTS, Winograd
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.strides import stride
from graphc.dims import Dim


@dataclass(frozen=True, slots=True)
class WinogradMicroKernel:
    """A micro-kernel: the sums of `rows` tiles, with `vectors` vectors for each."""

    rows: int
    vectors: int

    @property
    def name(self) -> str:
        return f"gc_winograd_{self.rows}x{self.vectors}"

    @property
    def definition(self) -> str:
        return f"GC_WINOGRAD_MICROKERNEL({self.name}, {self.rows}, {self.vectors})\n"


class WinogradPrinter:
    """Prints a convolution with transformed filters.

    Args:
        text: The text of its kernel.
        kernel: The kernel.
        w: How it is tiled.
    """

    def __init__(self, text: KernelText, kernel: Kernel, w: Winograd) -> None:
        assert kernel.contraction is not None
        self.text, self.w, self.contraction = text, w, kernel.contraction
        self.epilogue = tuple(stmt for stmt in kernel.body if stmt is not kernel.contraction)

    def print(self) -> None:
        """The convolution and its epilogue."""
        w, text, out, dim = self.w, self.text, self.text.loops.out, self.text.loops.scalars.dim
        assert isinstance(w.columns.extent, int)
        shape = WinogradMicroKernel(w.rows, w.vectors)
        text.prelude_functions.add(shape)
        text.begin_functions(
            {"width": w.panel, "tile_rows": w.rows, "channels": w.channels, "columns": w.columns.extent}
        )
        functions = {
            "pixels": text.function("pixels", self._pixels),
            "multiply": text.function("multiply", partial(_multiply, shape=shape)),
            "outputs": text.function("outputs", self._outputs),
        }
        aligned = "__attribute__((aligned(64)))"
        out(f"float image[{PRODUCTS * w.rows * w.channels}] {aligned}, sums[{8 * w.rows * w.panel}] {aligned};")
        (down, step), start = w.filter.depth, dim(w.filter.start)
        work = dims.product((w.tiles, w.columns.extent, 2 * PRODUCTS * w.channels))
        sizes: dict[str, Dim] = {
            "work": work,
            "tiles": w.tiles,
            "tile_rows": w.rows,
            "width": w.panel,
            "channels": w.channels,
            "columns": w.columns.extent,
            "filter_down": down,
            "filter_right": w.channels * step,
            "filter_step": step,
        }
        places = {
            "filter": f"{w.filter.load.buffer} + {start}",
            "transformed": "scratch",
            "image": "image",
            "sums": "sums",
        }
        numbers = {name: dim(size) for name, size in sizes.items()}
        print_table(out, "const gc_convolution convolution", {"args": "&args"}, numbers, places, functions)
        out("gc_convolve(&convolution, self);")

    def _corner(self, f: LoopPrinter) -> None:
        """Where a tile begins. The last of a row or a column may be moved back, so that it has all its outputs."""
        w = self.w
        f.decode(w.places, "tile")
        for axis, side in zip((w.height, w.width), w.places[-2:], strict=True):
            f.out(f"const long {axis.name}_start = GC_MIN({OUTPUTS} * {side.name}, {axis.extent} - {OUTPUTS});")

    def _pixels(self, f: LoopPrinter) -> None:
        """The transformed pixels of a tile."""
        w, use = self.w, f.scalars.use
        self._corner(f)
        channels, rows = use("channels"), use("tile_rows")
        place = f"{w.height.name}_start * {w.down} + {w.width.name}_start * {channels}"
        start = f"{use(w.image.load.buffer)} + {f.scalars.dim(w.image.start)} + {place}"
        f.out(f"gc_winograd_image({start}, {w.down}, {channels}, image, {rows} * {channels});")
        self._prefetch_outputs(f)

    def _prefetch_outputs(self, f: LoopPrinter) -> None:
        """Prefetches what the epilogue of a tile reads and writes, before its sums are formed."""
        w, use = self.w, f.scalars.use
        n = w.columns.name
        touched = touched_by(self.epilogue, n, {w.height.name, w.width.name})
        # The pixels themselves have just been read. Others lie side by side.
        touched.pop(w.image.load.buffer, None)
        dense = {b: place for b, place in touched.items() if stride(place[0], w.width.name) == w.columns.extent}
        if not dense:
            return
        size = sum(dtype.itemsize for _, dtype in dense.values())
        f.out(f"if ({f.scalars.grouped(w.tiles)} * {use('columns')} * {OUTPUTS * OUTPUTS * size} > {FAR_BYTES})")
        f.out(f"for (long y = 0; y < {OUTPUTS}; ++y) {{")
        start = f"{w.height.name} = {w.height.name}_start + y, {w.width.name} = {w.width.name}_start, {n} = 0"
        f.out(f"const long {start};")
        for buffer, (offset, dtype) in dense.items():
            f.out(
                f"gc_prefetch({use(buffer)} + {f.scalars.dim(offset)}, {OUTPUTS * dtype.itemsize} * {use('columns')});"
            )
        f.out("}")

    def _points(self, f: LoopPrinter, *firsts: str) -> None:
        """Loops over the outputs of a tile."""
        w = self.w
        for axis, first, letter in zip((w.height, w.width), firsts, "yx", strict=True):
            f.out(f"for (long {letter} = {first}; {letter} < {OUTPUTS}; ++{letter}) {{")
            f.out(f"const long {axis.name} = {axis.name}_start + {letter};")

    def _outputs(self, f: LoopPrinter) -> None:
        """The epilogue, once for each output: what two tiles share belongs to the first."""
        w, out, use = self.w, f.out, f.scalars.use
        out("for (long i = 0; i < high; ++i) {")
        out("const long tile = first + i;")
        self._corner(f)
        sides = zip((w.height, w.width), w.places[-2:], strict=True)
        firsts = ["0" if w.is_even else f"{OUTPUTS} * {side.name} - {axis.name}_start" for axis, side in sides]
        self._points(f, *firsts)
        width, rows = use("width"), use("tile_rows")
        out(f"const float *const one = sums + (x * {rows} + i) * {width};")
        out("const float sign = y ? -1 : 1;")
        two, rest = f"one + 2 * {rows} * {width}", f"two + (1 + y) * 2 * {rows} * {width}"
        out(f"const float *const two = {two}, *const rest = {rest};")
        bound = width if w.wide == w.columns.extent else f"GC_MIN({width}, {use('columns')} - n0)"
        out(f.simd)
        out(f"for (long j = 0; j < {bound}; ++j) {{")
        out(f"const long {w.columns.name} = n0 + j;")
        out(f"const float {self.contraction.name} = one[j] + sign * two[j] + rest[j];")
        f.rows(self.epilogue)
        for _ in range(4):
            out("}")


def _multiply(f: LoopPrinter, shape: WinogradMicroKernel) -> None:
    """The products of tiles; compilers make better code where they know the number of channels."""
    f.out(f"{shape.name}(image, {f.scalars.use('channels')}, filter, sums);")
