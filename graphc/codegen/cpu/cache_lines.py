"""Cache lines: what two threads write should not share one."""

from __future__ import annotations

from graphc import dims
from graphc.dims import Dim

LINE_BYTES = 64


def whole_lines(nbytes: Dim) -> Dim:
    """At least so many bytes, or elements: what follows them in memory shares no cache line with them."""
    return dims.floordiv(nbytes + (LINE_BYTES - 1), LINE_BYTES) * LINE_BYTES
