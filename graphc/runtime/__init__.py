"""Running plans: toolchains, the cache of their artefacts, memory, and a device each for NumPy, C and CUDA."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.runtime import cuda

# Modules that programs for the CPU do not need, imported on first use.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("cuda",))

__all__ = ["cuda"]
