"""Variables: values that persist between calls, such as weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphc import config, dtypes
from graphc.dtypes import DType
from graphc.errors import ArgumentError, ShapeError
from graphc.graph.types import TensorType, type_of_array
from graphc.registration import builtin
from graphc.runtime.state import StateBuffer
from graphc.tracing.arrays import Array
from graphc.tracing.conversion import as_tensor
from graphc.tracing.names import given_name
from graphc.tracing.operators import Operators
from graphc.tracing.origins import current_path, scope
from graphc.tracing.state import current_state
from graphc.tracing.tensor import Tensor, cast
from graphc.tracing.trace import current_trace, no_value, untraced

_autocast: ContextVar[DType | None] = ContextVar("graphc_autocast", default=None)


@contextmanager
def autocast(dtype: DType | None) -> Iterator[None]:
    """A context in which floating-point variables are read in this dtype; None: in their own."""
    token = _autocast.set(dtype)
    try:
        yield
    finally:
        _autocast.reset(token)


class Variable(Operators):
    """A tensor that can be assigned to, and whose value persists between calls.

    Inside a trace, reading a variable reads a state of the graph, and assigning to it adds an update of that state;
    otherwise both act on the value immediately.

    Args:
        initializer: The initial value, or a function `initializer(shape, dtype=dtype)` that returns it, or the name of
            one of `graphc.initializers`.
        shape: Tuple of integers, required if `initializer` is a function or a name.
        dtype: Its dtype. None: that of the initial value; for a function `config.floatx()`.
        trainable: Whether optimizers change it.
        autocast: Whether layers with a lower compute dtype read it in that dtype.
        aggregation: Accepted as in Keras; not used without distribution.
        synchronization: Likewise.
        name: Its name. None: `"variable"`, `"variable_1"` and so on.
        layout: Not supported yet.

    Raises:
        ArgumentError: if a function is given without a shape.

    Example:

    >>> v = Variable([1.0, 2.0], name="v")
    >>> v.assign_add([0.5, 0.5]).numpy()
    array([1.5, 2.5], dtype=float32)
    """

    _instead = "v.assign(v.at[key].set(values))"

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        layout: Any = None,
        **kwargs: Any,
    ) -> None:
        if layout is not None or kwargs:
            raise ArgumentError("this argument of Variable is not supported yet", got=", ".join(kwargs) or "layout")
        self.name = given_name(name, "variable")
        self.path = "/".join(part for part in (current_path(), self.name) if part)
        self._trainable = bool(trainable)
        # Unfreezing a layer makes only those variables trainable that were trainable when they were created.
        self.can_train = bool(trainable)
        self.autocast = autocast
        self.aggregation = aggregation
        self.synchronization = synchronization
        self._regularizer: Any = None
        self._constraint: Any = None
        self.overwrite_with_gradient = False
        self.buffer = StateBuffer(_first_value(initializer, shape, dtype, self.path))

    def __copy__(self) -> Variable:
        """A copy with a buffer of its own."""
        copied = Variable.__new__(type(self))
        vars(copied).update(vars(self), buffer=StateBuffer(self.buffer.host()))
        return copied

    @property
    def type(self) -> TensorType:
        """Its shape, and the dtype in which it is stored."""
        return type_of_array(self.buffer.shape, self.buffer.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of integers."""
        return self.buffer.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.buffer.shape)

    @property
    def dtype(self) -> str:
        """The name of its dtype; inside `autocast`, of the dtype in which it is read."""
        wanted = self._read_as()
        return (wanted or self.type.dtype).name

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def value(self) -> Tensor:
        """Its current value, as a tensor."""
        tensor = current_state().read(self)
        wanted = self._read_as()
        return tensor if wanted is None else cast(tensor, wanted)

    def _read_as(self) -> DType | None:
        wanted = _autocast.get()
        return wanted if wanted is not None and self.autocast and self.type.dtype.is_float else None

    def numpy(self) -> Array:
        """A copy of its value.

        Raises:
            StateError: while a graph is traced, in which it may have another value.
        """
        if current_trace() is not None:
            raise no_value(f"the variable {self.path!r}: {self.type}")
        with autocast(None):
            return self.value.numpy()

    def assign(self, value: Any) -> Variable:
        """Sets its value.

        Args:
            value: A tensor of the same shape; it is cast to the variable's dtype.

        Raises:
            ShapeError: if the shape is another.
        """
        tensor = as_tensor(value, self.type.dtype)
        if tensor.shape != self.shape:
            raise ShapeError(
                f"the variable {self.path!r} cannot take this value", got=str(tensor.shape), expected=str(self.shape)
            )
        current_state().write(self, tensor)
        return self

    def assign_add(self, value: Any) -> Variable:
        """Adds to its value."""
        with autocast(None):
            return self.assign(self.value + value)

    def assign_sub(self, value: Any) -> Variable:
        """Subtracts from its value."""
        with autocast(None):
            return self.assign(self.value - value)

    def __tensor__(self) -> Tensor:
        return self.value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value.array, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return self.value.__index__()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    @property
    def regularizer(self) -> Any:
        """The function whose value is added to the loss; None: nothing is."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        self._regularizer = _callable_or_none("regularizer", value)

    @property
    def constraint(self) -> Any:
        """The function that is applied after each update; None: nothing is."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        self._constraint = _callable_or_none("constraint", value)

    @property
    def _has_values(self) -> bool:
        return current_trace() is None

    def __repr__(self) -> str:
        about = f"<Variable path={self.path}, shape={self.shape}, dtype={self.type.dtype.name}"
        if current_trace() is not None:
            return f"{about}>"
        return f"{about}, value={np.array2string(self.buffer.host(), threshold=10)}>"

    def _operate(self, name: str, *operands: Any) -> Any:
        return self.value._operate(name, *operands)


def _callable_or_none(what: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise ArgumentError(f"the {what} of a variable is a function, or None", got=repr(value)[:80])
    return value


def _first_value(initializer: Any, shape: Any, dtype: Any, path: str) -> Array:
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(initializer, str):
        initializer = builtin("initializer", "keras.initializers", initializer)()
    if callable(initializer) and not isinstance(initializer, Operators):
        if shape is None:
            raise ArgumentError(f"the variable {path!r} needs a shape", hint="pass `shape=`")
        wanted = wanted or dtypes.as_dtype(config.floatx())
        # An initializer runs eagerly, also inside a trace.
        with untraced(), scope("", absolute=True):
            return as_tensor(initializer(tuple(shape), dtype=wanted.name), wanted).array
    value = as_tensor(initializer, wanted).array
    if shape is not None and tuple(shape) != value.shape:
        raise ShapeError(f"the first value of {path!r} has another shape", got=str(value.shape), expected=str(shape))
    return value
