"""The compiler as a whole: connects code generation (`codegen/`) and the devices that run programs (`runtime/`)."""

from graphc.compiler.backends import BACKENDS, absent, best_backend, chosen_backend
from graphc.compiler.build import preparing
from graphc.compiler.driver import compile
from graphc.compiler.dumping import dump, memory_map
from graphc.compiler.executable import Executable

__all__ = [
    "BACKENDS",
    "Executable",
    "absent",
    "best_backend",
    "chosen_backend",
    "compile",
    "dump",
    "memory_map",
    "preparing",
]
