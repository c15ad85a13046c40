"""Functions of the prelude that are made for a shape: micro-kernels, single rows, packing, sums of slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class PreludeFunction(Protocol):
    """A function of the prelude that is made for a shape."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def definition(self) -> str:
        """The source text."""


@dataclass(frozen=True, slots=True)
class TileMicroKernel:
    """A micro-kernel: the C type, the size of its tile, and which of the left factor's steps are known to be 1.

    A row step of `p` stands for rows with addresses of their own.
    """

    type: str
    rows: int
    vectors: int
    row_step: str
    depth_step: str

    @property
    def name(self) -> str:
        return f"gc_microkernel_{self.type}_{self.rows}x{self.vectors}_{self.row_step}{self.depth_step}"

    @property
    def definition(self) -> str:
        steps = {"1": "1", "m": "am", "k": "ak"}
        if self.rows == 1:
            return f"GC_LINE_MICROKERNEL({self.name}, {self.type}, {self.vectors}, {steps[self.depth_step]})\n"
        if self.row_step == "p":
            args = f"{self.type}, {self.rows}, {self.vectors}, {steps[self.depth_step]}"
            return f"GC_ROWS_MICROKERNEL({self.name}, {args})\n"
        args = f"{self.type}, {self.rows}, {self.vectors}, {steps[self.row_step]}, {steps[self.depth_step]}"
        return f"GC_TILE_MICROKERNEL({self.name}, {args})\n"


@dataclass(frozen=True, slots=True)
class BlasBlock:
    """The function by which a BLAS library computes a block of `width` columns; steps as for `TileMicroKernel`."""

    width: int
    row_step: str
    depth_step: str

    @property
    def name(self) -> str:
        return f"gc_blas_block_{self.width}_{self.row_step}{self.depth_step}"

    @property
    def definition(self) -> str:
        return f"GC_BLAS_BLOCK({self.name}, {self.width}, {int(self.row_step == '1')})\n"


@dataclass(frozen=True, slots=True)
class SingleRow:
    """The function for a single row, of a C type."""

    type: str

    @property
    def name(self) -> str:
        return f"gc_row_{self.type}"

    @property
    def definition(self) -> str:
        return f"GC_ROW({self.name}, {self.type})\n"


@dataclass(frozen=True, slots=True)
class TilePacking:
    """The function that packs tiles of the left factor whose rows lie side by side."""

    type: str
    rows: int

    @property
    def name(self) -> str:
        return f"gc_pack_{self.type}_{self.rows}"

    @property
    def definition(self) -> str:
        return f"GC_PACK({self.name}, {self.type}, {self.rows})\n"


@dataclass(frozen=True, slots=True)
class SliceSum:
    """The function that adds up the sums of slices."""

    type: str

    @property
    def name(self) -> str:
        return f"gc_add_{self.type}"

    @property
    def definition(self) -> str:
        return f"GC_ADD({self.name}, {self.type})\n"
