"""What all C programs have in common: text that generated source starts with, and a translation unit."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=32)
def prelude(name: str) -> str:
    """A file of C text that generated source starts with."""
    return files("graphc.codegen").joinpath("prelude", name).read_text(encoding="utf-8")


def common_unit(vector_bytes: int) -> str:
    """The translation unit that all programs share: how threads share work, how launches run, contractions' loops.

    Args:
        vector_bytes: The size of the processor's vector registers.
    """
    names = ("c.h", "threads.c", "team.c", "product.h", "product.c", "winograd.h", "winograd.c")
    return "\n".join([f"#define GC_VECTOR_BYTES {vector_bytes}\n", *map(prelude, names)])
