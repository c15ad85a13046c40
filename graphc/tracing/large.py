"""Large eager computations as compiled programs, where there is a C compiler.

NumPy makes a pass over memory for each operation, on one thread. What is computed for each element by itself is
compiled once for all sizes, and kept in the cache of programs: random numbers, compositions of pointwise operations.
The size alone decides, so that the same call has the same bits each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec

import numpy as np

from graphc import compiler, config, dims
from graphc.compiler import Executable
from graphc.config import Config
from graphc.dtypes import DType
from graphc.graph.types import TensorType
from graphc.tracing.arrays import Array
from graphc.tracing.recording import eager_recording
from graphc.tracing.symbolic import operation
from graphc.tracing.tensor import Tensor, lift
from graphc.tracing.trace import ANY_SIZE, Trace, current_trace

P = ParamSpec("P")

_SIZE = "N"
# From this number of elements on, passes over memory take longer than a program's call by far.
_MANY_ELEMENTS = 1 << 18
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


def pointwise(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Decorates an operation on each element of its first argument: of a large array it is one compiled program.

    Args:
        function: A function of a tensor, and of Python numbers.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        found = _of_large(function, *args, **kwargs)
        return function(*args, **kwargs) if found is None else found

    return operation(wrapped)


def _of_large(function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor | None:
    """The result for a large array of floats, computed by a program; None where operations are to run one by one."""
    x = args[0] if args else None
    if type(x) is not Tensor or x.traced is not None or x.array.size < _MANY_ELEMENTS or not x.type.dtype.is_float:
        return None
    settings = (*args[1:], *kwargs.values())
    plain = all(isinstance(value, bool | int | float) for value in settings)
    if not plain or current_trace() is not None or eager_recording() is not None or not has_compiler():
        return None
    executable = _elements(function, x.type.dtype, args[1:], tuple(kwargs.items()), config.current())
    return Tensor(executable.run({"x": x.array.reshape(-1)}, {}, {_SIZE: x.array.size})[0].reshape(x.array.shape))


@lru_cache(maxsize=64, typed=True)
def _elements(
    function: Callable[..., Tensor], dtype: DType, args: tuple[Any, ...], kwargs: tuple[Any, ...], settings: Config
) -> Executable:
    """The program of a pointwise function for the settings in force, which it depends on."""
    session = Trace({_SIZE: ANY_SIZE})
    with session.active():
        x = Tensor(session.builder.input("x", TensorType((dims.size(_SIZE),), dtype)))
        return _compiled(session, function(x, *args, **dict(kwargs)))


@lru_cache(maxsize=64)
def _program(function: Elements, dtype: DType, types: tuple[TensorType, ...], settings: Config) -> Executable:
    """The program for the settings in force, which it depends on."""
    session = Trace({_SIZE: ANY_SIZE})
    with session.active():
        operands = [Tensor(session.builder.input(f"x{i}", type)) for i, type in enumerate(types)]
        return _compiled(session, function((dims.size(_SIZE),), dtype, *operands))


def _compiled(session: Trace, result: Tensor) -> Executable:
    graph = session.finish([lift(result, session)])
    # Dumps are of the user's own models.
    with config.override(dump=None):
        return compiler.compile(graph, backend="cpu")
