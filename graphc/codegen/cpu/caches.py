"""Caches: their lines, which two threads that write should not share, and what stays in one."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from graphc import dims
from graphc.dims import Dim

LINE_BYTES = 64


def whole_lines(nbytes: Dim) -> Dim:
    """At least so many bytes, or elements: what follows them in memory shares no cache line with them."""
    return dims.floordiv(nbytes + (LINE_BYTES - 1), LINE_BYTES) * LINE_BYTES


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of sets: addresses that are a multiple of `way_bytes` apart share a set, which holds `ways` lines."""

    way_bytes: int
    ways: int

    def holds(self, rows: int, step: Dim, nbytes: int) -> bool:
        """Whether rows of so many bytes, `step` bytes apart, fit without evicting each other."""
        return rows <= self.most_rows(step, nbytes)

    def most_rows(self, step: Dim, nbytes: int) -> int:
        """How many such rows it holds: any number where steps reach every set."""
        places = self.way_bytes // gcd(step, self.way_bytes) if isinstance(step, int) and step else self.way_bytes
        lines = -(-nbytes // LINE_BYTES) * LINE_BYTES
        return places * self.ways if places * lines < self.way_bytes else self.way_bytes * self.ways


# Of usual processors: 32 KiB and more of 8 and more ways, and 1 MiB of 8.
FIRST_CACHE = Cache(1 << 12, 8)
SECOND_CACHE = Cache(1 << 17, 8)
