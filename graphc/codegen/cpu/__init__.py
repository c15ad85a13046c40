"""C for the CPU: what is scheduled, placed and printed for this target alone."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.codegen.cpu import autotune

# What a program that is found in the cache does without.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("autotune",))

__all__ = ["autotune"]
