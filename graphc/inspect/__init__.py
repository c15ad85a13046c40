"""Inspection: counters, and dumps of compiled programs."""

from __future__ import annotations

from pathlib import Path

from graphc.codegen.compilation import Compilation
from graphc.codegen.dump import format_partition
from graphc.codegen.ir.text import format_kernel
from graphc.compiler import Executable, memory_map
from graphc.compiler import dump as _dump
from graphc.runtime.counters import counters

__all__ = ["Compilation", "dump", "format_kernel", "format_partition", "memory_map", "stats"]


def stats() -> dict[str, float]:
    """Returns counters of compilations, launches and allocations in this process.

    Returns:
        A dictionary with `compilations`, `cache_hits`, `compile_seconds`, `runs` (calls of compiled programs),
        `launches` (of kernels) and `arena_bytes`.

    Example:

    >>> stats()["compilations"] >= 0
    True
    """
    return counters().as_dict()


def dump(executable: Executable, folder: str | Path) -> Path:
    """Writes every stage of a compiled program into a folder: graphs, groups, plan with memory map, kernels.

    Args:
        executable: A compiled program, such as a model's train step.
        folder: The folder, which is created if necessary.

    Returns:
        The folder.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    _dump(executable.compilation, path)
    return path
