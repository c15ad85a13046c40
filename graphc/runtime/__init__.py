"""Running plans: toolchains, the cache of what they build, memory, and a device each for NumPy, C and CUDA."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.runtime import cuda

# What programs for the processor do without.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("cuda",))

__all__ = ["cuda"]
