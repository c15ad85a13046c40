"""Counters of the process's compilations, launches and allocations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache


@dataclass
class Counters:
    """Counts since the process started.

    Args:
        compilations: Graphs that were compiled.
        cache_hits: The number of these whose machine code was in the cache.
        compile_seconds: The time of compilations, with compiler calls, without dumps.
        runs: Calls of compiled programs.
        launches: Kernels that were run.
        arena_bytes: Bytes of the programs' arenas, which hold temporaries.
    """

    compilations: int = 0
    cache_hits: int = 0
    compile_seconds: float = 0.0
    runs: int = 0
    launches: int = 0
    arena_bytes: int = 0

    def as_dict(self) -> dict[str, float]:
        """The counts by name."""
        return asdict(self)


@lru_cache(maxsize=1)
def counters() -> Counters:
    """The counts of this process."""
    return Counters()
