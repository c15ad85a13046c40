"""From fused groups to source text: the loop IR, lowering, schedules, and the renderers."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.codegen import c_program, compilation, cuda, dump, tuning

# What a program that is found in the cache does without: imported when something is compiled, or looked at.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("c_program", "compilation", "cuda", "dump", "tuning"))

__all__ = ["c_program", "compilation", "cuda", "dump", "tuning"]
