"""Software prefetching of what an epilogue reads and writes.

Processors prefetch memory that is read evenly, but not the next tile of a matrix; generated code prefetches that itself
(Callahan, Kennedy and Porterfield, "Software prefetching", 1991).
"""

from __future__ import annotations

from graphc import dims
from graphc.codegen.ir.kernel import Stmt
from graphc.codegen.ir.strides import stride
from graphc.codegen.ir.walk import loads, stores
from graphc.dims import Dim
from graphc.dtypes import DType

# What an epilogue reads and writes is prefetched where it is more than this in all: less is in a cache already.
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
