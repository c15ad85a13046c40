"""Functions of the prelude that are made for a shape: tiles of products, single rows, and how tiles are gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TileFunction(Protocol):
    """A function of the prelude that is made for a shape."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def definition(self) -> str:
        """The source text."""


@dataclass(frozen=True, slots=True)
class TileShape:
    """A tile function: the C type, its size, and which of the left factor's steps are known to be 1.

    A row step of `p` stands for rows with addresses of their own.
    """

    type: str
    rows: int
    vectors: int
    row_step: str
    depth_step: str

    @property
    def name(self) -> str:
        return f"gc_tile_{self.type}_{self.rows}x{self.vectors}_{self.row_step}{self.depth_step}"

    @property
    def definition(self) -> str:
        steps = {"1": "1", "m": "am", "k": "ak"}
        if self.rows == 1:
            return f"GC_LINE({self.name}, {self.type}, {self.vectors}, {steps[self.depth_step]})\n"
        if self.row_step == "p":
            return f"GC_TILE_OF_ROWS({self.name}, {self.type}, {self.rows}, {self.vectors}, {steps[self.depth_step]})\n"
        args = f"{self.type}, {self.rows}, {self.vectors}, {steps[self.row_step]}, {steps[self.depth_step]}"
        return f"GC_TILE({self.name}, {args})\n"


@dataclass(frozen=True, slots=True)
class BlockShape:
    """The function that has a library compute a block: its columns, and the left factor's steps as for `TileShape`."""

    width: int
    row_step: str
    depth_step: str

    @property
    def name(self) -> str:
        return f"gc_block_{self.width}_{self.row_step}{self.depth_step}"

    @property
    def definition(self) -> str:
        return f"GC_BLOCK({self.name}, {self.width}, {int(self.row_step == '1')})\n"


@dataclass(frozen=True, slots=True)
class RowShape:
    """The function for a single row, of a C type."""

    type: str

    @property
    def name(self) -> str:
        return f"gc_row_{self.type}"

    @property
    def definition(self) -> str:
        return f"GC_ROW({self.name}, {self.type})\n"


@dataclass(frozen=True, slots=True)
class PackShape:
    """The function that gathers tiles of the left factor from rows side by side."""

    type: str
    rows: int

    @property
    def name(self) -> str:
        return f"gc_pack_{self.type}_{self.rows}"

    @property
    def definition(self) -> str:
        return f"GC_PACK({self.name}, {self.type}, {self.rows})\n"


@dataclass(frozen=True, slots=True)
class AddShape:
    """The function that adds up the sums of slices."""

    type: str

    @property
    def name(self) -> str:
        return f"gc_add_{self.type}"

    @property
    def definition(self) -> str:
        return f"GC_ADD({self.name}, {self.type})\n"
