"""What C programs have in common: text that generated source starts with, and translation units."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=32)
def prelude(name: str) -> str:
    """A file of C text that generated source starts with."""
    return files("graphc.codegen").joinpath("prelude", name).read_text(encoding="utf-8")


# What all programs share: how threads meet and share work, how launches run, the loops of contractions.
BASE = ("threads.c", "team.c", "product.h", "product.c")
# What those share that have convolutions with transformed filters.
WINOGRAD = ("winograd.h", "winograd.c")


def common_unit(names: tuple[str, ...], vector_bytes: int) -> str:
    """A translation unit that many programs share.

    Args:
        names: `BASE` or `WINOGRAD`.
        vector_bytes: The size of the processor's vector registers.
    """
    return "\n".join([f"#define GC_VECTOR_BYTES {vector_bytes}\n", *map(prelude, ("c.h", *names))])
