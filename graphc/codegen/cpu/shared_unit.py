"""The translation units that C programs share: each is compiled once, and linked with every program."""

from __future__ import annotations

from graphc.codegen.cstyle.source import prelude

# Of all programs: barriers and work sharing, launches, the thread pool, the loops of contractions.
BASE = ("barrier.c", "work_sharing.c", "launches.c", "thread_pool.c", "gemm.h", "gemm.c")
# Of programs that have convolutions with transformed filters.
WINOGRAD = ("winograd.h", "winograd.c")


def common_unit(names: tuple[str, ...], vector_bytes: int) -> str:
    """A translation unit that many programs share.

    Args:
        names: `BASE` or `WINOGRAD`.
        vector_bytes: The size of the processor's vector registers.
    """
    return "\n".join([f"#define GC_VECTOR_BYTES {vector_bytes}\n", *(prelude("cpu", name) for name in ("c.h", *names))])
