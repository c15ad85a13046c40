"""Convolutions in C with fewer multiplications, as `graphc.codegen.cpu.winograd.tiling` cuts them.

The loops are those of `prelude/winograd.c`. A kernel has functions for the pixels of a tile, for the products of a
known number of channels, and for what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dims
from graphc.codegen.cpu.gemm.prefetch import FAR_BYTES, touched_by
from graphc.codegen.cpu.gemm.render import ProductRenderer
from graphc.codegen.cpu.winograd.tiling import OUTPUTS, PRODUCTS, Winograd
from graphc.codegen.ir.kernel import Contract, Kernel, Stmt
from graphc.codegen.ir.strides import stride
from graphc.dims import Dim


@dataclass(frozen=True, slots=True)
class WinogradShape:
    """The function that forms the sums of some tiles, and vectors for each."""

    rows: int
    vectors: int

    @property
    def name(self) -> str:
        return f"gc_winograd_{self.rows}x{self.vectors}"

    @property
    def definition(self) -> str:
        return f"GC_WINOGRAD_TILE({self.name}, {self.rows}, {self.vectors})\n"


class WinogradRenderer(ProductRenderer):
    """Prints convolutions with transformed filters."""

    def winograd(self, kernel: Kernel, w: Winograd) -> None:
        """A convolution and its epilogue."""
        contraction, out = kernel.contraction, self.out
        assert contraction is not None and isinstance(w.columns.extent, int)
        epilogue = tuple(stmt for stmt in kernel.body if stmt is not contraction)
        shape = WinogradShape(w.rows, w.vectors)
        self.tiles.add(shape)
        self.declare_args(kernel)
        self.constants = {"width": w.panel, "tile_rows": w.rows, "channels": w.channels, "columns": w.columns.extent}
        # Compilers make better code where they know the number of channels.
        multiply = f"{shape.name}(image, channels, filter, sums);"
        functions = {
            "pixels": self.function("pixels", lambda: self._pixels(w, epilogue)),
            "multiply": self.function("multiply", lambda: self.out(multiply)),
            "outputs": self.function("outputs", lambda: self._outputs(w, contraction, epilogue)),
        }
        aligned = "__attribute__((aligned(64)))"
        out(f"float image[{PRODUCTS * w.rows * w.channels}] {aligned}, sums[{8 * w.rows * w.panel}] {aligned};")
        (down, step), start = w.filter.depth, self.dim(w.filter.start)
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
        numbers = {name: self.dim(size) for name, size in sizes.items()}
        self.table(out, "const gc_convolution convolution", {"args": "&args"}, numbers, places, functions)
        out("gc_convolve(&convolution, self);")

    def _corner(self, w: Winograd) -> None:
        """Where a tile begins. The last of a row or a column may be moved back, onto outputs that are there."""
        self.decode(w.places, "tile")
        for axis, side in zip((w.height, w.width), w.places[-2:], strict=True):
            self.out(f"const long {axis.name}_start = GC_MIN({OUTPUTS} * {side.name}, {axis.extent} - {OUTPUTS});")

    def _pixels(self, w: Winograd, epilogue: tuple[Stmt, ...]) -> None:
        """The transformed pixels of a tile."""
        self._corner(w)
        place = f"{w.height.name}_start * {w.down} + {w.width.name}_start * channels"
        start = f"{w.image.load.buffer} + {self.dim(w.image.start)} + {place}"
        self.out(f"gc_winograd_image({start}, {w.down}, channels, image, tile_rows * channels);")
        self._prefetch_outputs(w, epilogue)

    def _prefetch_outputs(self, w: Winograd, epilogue: tuple[Stmt, ...]) -> None:
        """Asks for what the epilogue of a tile reads and writes, so that it is there when the sums are."""
        n = w.columns.name
        touched = touched_by(epilogue, n, {w.height.name, w.width.name})
        # The pixels themselves have just been read. Others lie side by side.
        touched.pop(w.image.load.buffer, None)
        dense = {b: place for b, place in touched.items() if stride(place[0], w.width.name) == w.columns.extent}
        if not dense:
            return
        size = sum(dtype.itemsize for _, dtype in dense.values())
        self.out(f"if ({self.grouped(w.tiles)} * columns * {OUTPUTS * OUTPUTS * size} > {FAR_BYTES})")
        self.out(f"for (long y = 0; y < {OUTPUTS}; ++y) {{")
        start = f"{w.height.name} = {w.height.name}_start + y, {w.width.name} = {w.width.name}_start, {n} = 0"
        self.out(f"const long {start};")
        for buffer, (offset, dtype) in dense.items():
            self.out(f"gc_ask({buffer} + {self.dim(offset)}, {OUTPUTS * dtype.itemsize} * columns);")
        self.out("}")

    def _points(self, w: Winograd, *firsts: str) -> None:
        """Loops over the outputs of a tile."""
        for axis, first, letter in zip((w.height, w.width), firsts, "yx", strict=True):
            self.out(f"for (long {letter} = {first}; {letter} < {OUTPUTS}; ++{letter}) {{")
            self.out(f"const long {axis.name} = {axis.name}_start + {letter};")

    def _outputs(self, w: Winograd, contraction: Contract, epilogue: tuple[Stmt, ...]) -> None:
        """The epilogue, once for each output: what two tiles share belongs to the first."""
        out = self.out
        out("for (long i = 0; i < high; ++i) {")
        out("const long tile = first + i;")
        self._corner(w)
        sides = zip((w.height, w.width), w.places[-2:], strict=True)
        firsts = ["0" if w.is_even else f"{OUTPUTS} * {side.name} - {axis.name}_start" for axis, side in sides]
        self._points(w, *firsts)
        out("const float *const one = sums + (x * tile_rows + i) * width;")
        out("const float sign = y ? -1 : 1;")
        out(
            "const float *const two = one + 2 * tile_rows * width, *const rest = two + (1 + y) * 2 * tile_rows * width;"
        )
        bound = "width" if w.wide == w.columns.extent else "GC_MIN(width, columns - n0)"
        out(self.simd)
        out(f"for (long j = 0; j < {bound}; ++j) {{")
        out(f"const long {w.columns.name} = n0 + j;")
        out(f"const float {contraction.name} = one[j] + sign * two[j] + rest[j];")
        self.rows(epilogue)
        for _ in range(4):
            out("}")
