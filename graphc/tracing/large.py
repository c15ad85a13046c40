"""Large eager computations as compiled programs, where there is a C compiler.

NumPy makes a pass over memory for each operation, on one thread. A function of one array of any size, with numbers as
operands, is compiled once for all sizes, and kept in the cache of programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from graphc import compiler, config, dims
from graphc.compiler import Executable
from graphc.config import Config
from graphc.dtypes import DType
from graphc.graph.types import TensorType
from graphc.tracing.arrays import Array
from graphc.tracing.tensor import Tensor, lift
from graphc.tracing.trace import ANY_SIZE, Trace

_SIZE = "N"
# (shape, dtype, *operands) to a tensor of this shape.
Elements = Callable[..., Tensor]


def has_compiler() -> bool:
    """Whether eager code may be compiled: there is a compiler, and the user has not chosen the interpreter."""
    return config.current().backend != "numpy" and compiler.absent("cpu") is None


def run_compiled(function: Elements, count: int, dtype: DType, operands: Sequence[Array]) -> Array:
    """Calls a function of tensors as one program of the `cpu` backend.

    Args:
        function: A module's function `(shape, dtype, *operands)`, which is traced with one axis of any size.
        count: How many elements the result has.
        dtype: Their dtype.
        operands: Arrays.

    Example:

    >>> from graphc.dtypes import float32
    >>> from graphc.tracing import bind
    >>> def ramp(shape, dtype, by):
    ...     return bind("iota", shape=shape, axis=0, dtype=dtype) * by
    >>> run_compiled(ramp, 3, float32, [np.float32(2.0)]) if has_compiler() else np.array([0.0, 2.0, 4.0])
    array([0., 2., 4.], dtype=float32)
    """
    arrays = [np.asarray(operand) for operand in operands]
    types = tuple(Tensor(array).type for array in arrays)
    executable = _program(function, dtype, types, config.current())
    return executable.run({f"x{i}": array for i, array in enumerate(arrays)}, {}, {_SIZE: count})[0]


@lru_cache(maxsize=64)
def _program(function: Elements, dtype: DType, types: tuple[TensorType, ...], settings: Config) -> Executable:
    """The program for the settings in force, which it depends on."""
    session = Trace({_SIZE: ANY_SIZE})
    with session.active():
        operands = [Tensor(session.builder.input(f"x{i}", type)) for i, type in enumerate(types)]
        graph = session.finish([lift(function((dims.size(_SIZE),), dtype, *operands), session)])
    # Dumps are of the user's own models.
    with config.override(dump=None):
        return compiler.compile(graph, backend="cpu")
