"""From fused groups to source text: the loop IR, lowering, schedules, and a renderer for each target."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.codegen import compilation, cpu, dump, target

# Modules that cached programs do not need, imported on first use.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("compilation", "cpu", "dump", "target"))

__all__ = ["compilation", "cpu", "dump", "target"]
