"""What an epilogue should ask for before it needs it, as the processor cannot guess it.

Processors follow reads that go on evenly, and do not know the next tile of a matrix: there, generated code asks ahead
(Callahan, Kennedy and Porterfield, "Software prefetching", 1991).
"""

from __future__ import annotations

from graphc import dims
from graphc.codegen.ir.kernel import Stmt
from graphc.codegen.ir.strides import stride
from graphc.codegen.ir.walk import loads, stores
from graphc.dims import Dim
from graphc.dtypes import DType

# What an epilogue reads and writes is asked for where it is more than this in all: less lies in a cache nearby.
FAR_BYTES = 1 << 19


def touched_by(epilogue: tuple[Stmt, ...], along: str, lines: set[str]) -> dict[str, tuple[Dim, DType]]:
    """Where an epilogue reads and writes rows, by buffer: the offset of an element and its dtype.

    Args:
        epilogue: What follows a contraction.
        along: The axis that rows run along.
        lines: The axes that number the rows.
    """
    places = {load.buffer: (load.index[0], load.dtype) for load in loads(epilogue) if load.guard is None}
    places |= {store.buffer: (store.index[0], store.value.dtype) for store in stores(epilogue)}

    def is_known(offset: Dim) -> bool:
        """Whether a place depends on axes alone, not on what the epilogue reads first, such as an index."""
        axes = {atom.name for atom in dims.atoms(offset) if atom.kind == "axis"}
        return dims.loop_names(offset) == axes and bool(axes & lines)

    return {
        buffer: (offset, dtype)
        for buffer, (offset, dtype) in places.items()
        if stride(offset, along) == 1 and is_known(offset)
    }
