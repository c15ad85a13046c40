"""The properties of this machine's processor that generated code depends on."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def vector_bytes() -> int:
    """The size of the vector registers. Code for larger ones than there are still runs, only slower."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return 16
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 32  # not Linux: AVX2 is everywhere
    flags = next((line.split() for line in info.splitlines() if line.startswith("flags")), [])
    return 64 if "avx512f" in flags else 32 if "avx" in flags else 16


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
