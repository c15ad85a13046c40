"""Source text: lines as they are printed, and the files that generated source starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal


@lru_cache(maxsize=32)
def prelude(folder: Literal["cstyle", "c99", "cpu", "cuda"], name: str) -> str:
    """A file of C text that generated source starts with."""
    return files("graphc.codegen").joinpath(folder, "prelude", name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Source:
    """Source text, and the part of it that is each kernel's."""

    text: str
    kernels: Mapping[str, str]


class Lines:
    """Indented lines of source."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def __call__(self, text: str) -> None:
        """Adds a line; braces at its ends set the indentation."""
        self.depth -= text.startswith("}")
        self.lines.append("  " * self.depth + text if text else "")
        self.depth += text.endswith("{")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
