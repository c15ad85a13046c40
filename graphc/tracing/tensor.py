"""Tensors: an array, or a value of the graph that is being traced; and how primitives are applied to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import graphc.primitives  # noqa: F401  (operations are known once this is imported)
from graphc.dtypes import DType
from graphc.errors import GraphcError
from graphc.graph.builder import Value
from graphc.graph.evaluation import bound
from graphc.graph.registry import primitive
from graphc.graph.types import TensorType, type_of_array
from graphc.tracing.arrays import Array
from graphc.tracing.eager import Kinds, check_types, direct_rule
from graphc.tracing.operators import Operators
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.recording import eager_recording
from graphc.tracing.trace import Trace, current_trace, no_value


class Tensor(Operators):
    """A multidimensional array of one dtype: eager (it has values) or traced (a graph computes it).

    Args:
        source: The array, or the value of a graph.

    Example:

    >>> Tensor(np.array([1.0, 2.0], "float32")) * 2
    <Tensor shape=(2,), dtype=float32, value=[2. 4.]>
    """

    __slots__ = ("_keras_mask", "_source", "logits")
    # What Python's operators compute, by name: set once, by `graphc.tracing.arithmetic`, which is written with tensors.
    _operators: ClassVar[Mapping[str, Callable[..., Tensor]]]

    def __init__(self, source: Array | Value) -> None:
        self._source = source
        # Set by softmax and sigmoid: their name, operand and axis, since losses are more accurate on logits.
        self.logits: tuple[str, Tensor, int] | None = None
        # The mask of a batch of sequences: set by layers, under Keras's name.
        self._keras_mask: Tensor | None = None

    @property
    def traced(self) -> Value | None:
        """The value of the graph that is being traced; None for an eager tensor."""
        return self._source if isinstance(self._source, Value) else None

    @property
    def type(self) -> TensorType:
        """Its shape and dtype."""
        if isinstance(self._source, Value):
            return self._source.type
        return type_of_array(self._source.shape, self._source.dtype)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The size of each axis: a number, or an expression of symbolic sizes."""
        return self._source.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._source.shape)

    @property
    def dtype(self) -> str:
        """The name of its dtype, as in Keras; `type.dtype` is the `DType`."""
        return self.type.dtype.name

    def numpy(self) -> Array:
        """Its values.

        Raises:
            StateError: if it is part of a graph that is being traced.
        """
        return self._values("values")

    def _values(self, use: str) -> Array:
        if isinstance(self._source, Value):
            raise no_value(self.type, use)
        return self._source

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __tensor__(self) -> Tensor:
        return self

    def __bool__(self) -> bool:
        return bool(self._values("truth"))

    def __float__(self) -> float:
        return float(self._values("number"))

    def __complex__(self) -> complex:
        return complex(self._values("number"))

    def __int__(self) -> int:
        return int(self._values("number"))

    def __index__(self) -> int:
        return self._values("index").__index__()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a tensor without axes has no length")
        if not isinstance(self.shape[0], int):
            raise no_value(self.type, "length")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return format(self.numpy().item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        start = f"<Tensor shape={self.shape}, dtype={self.dtype}"
        return f"{start}>" if isinstance(self._source, Value) else f"{start}, value={self._source}>"

    def _operate(self, name: str, *operands: Any) -> Any:
        for other in operands:
            # A symbolic tensor among the operands records the operation.
            if type(other) not in _ORDINARY and isinstance(other, Operators) and not hasattr(other, "__tensor__"):
                return other._operate(name, *operands)
        return self._operators[name](*operands)


# Most operands of operators, which are no symbolic tensors.
_ORDINARY = frozenset((Tensor, float, int))


def get_mask(x: Any) -> Any:
    """The mask that a tensor carries: booleans, False for steps that layers ignore. None: no mask."""
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Sets the mask of a tensor."""
    x._keras_mask = mask


def bind(op: str, *operands: Tensor, **attrs: Any) -> Tensor:
    """Applies a primitive with one result: adds a node to the current trace, or computes it eagerly.

    Raises:
        GraphcError: if the operands do not fit, with the layer and the user's line.
    """
    trace = current_trace()
    if trace is not None:
        return _traced(trace, op, operands, attrs)[0]
    return _computed(op, operands, attrs)[0]


def bind_many(op: str, *operands: Tensor, **attrs: Any) -> tuple[Tensor, ...]:
    """Applies a primitive with any number of results."""
    trace = current_trace()
    if trace is not None:
        return _traced(trace, op, operands, attrs)
    return _computed(op, operands, attrs)


def _traced(trace: Trace, op: str, operands: Sequence[Tensor], attrs: dict[str, Any]) -> tuple[Tensor, ...]:
    values = [lift(operand, trace) for operand in operands]
    trace.builder.loc = (current_origin(),)
    return tuple(Tensor(value) for value in trace.builder.apply_many(op, *values, **attrs))


def _computed(op: str, operands: Sequence[Tensor], attrs: dict[str, Any]) -> tuple[Tensor, ...]:
    found = primitive(op)
    arrays = [operand.numpy() for operand in operands]
    try:
        check_types(found, arrays, attrs)
        results = found.eval(*arrays, **(bound(attrs, {}) if found.regions else attrs))
    except GraphcError as error:
        origin = current_origin()
        raise error.locate(layer=origin.layer or None, where=describe(origin)) from error.__cause__
    if isinstance(results, tuple):
        tensors = tuple([Tensor(np.asarray(result)) for result in results])
    else:
        tensors = (Tensor(np.asarray(results)),)
    recording = eager_recording()
    if recording is not None:
        recording.record(op, operands, attrs, tensors)
    return tensors


def bind_elements(op: str, operands: Sequence[Any], kinds: Kinds) -> Tensor | None:
    """Applies a pointwise primitive eagerly to tensors and Python numbers that NumPy can broadcast as they are.

    Small arrays take less time to compute than operands take to be converted, promoted and broadcast one by one.

    Args:
        op: Its name.
        operands: The operands.
        kinds: The kinds of dtype in which it may be computed.

    Returns:
        The result; None where the operands have to be prepared first, or do not fit.
    """
    if current_trace() is not None or eager_recording() is not None:
        return None
    arrays: list[Any] = []
    signature: list[Any] = []
    for operand in operands:
        if type(operand) is Tensor or hasattr(operand, "__tensor__"):
            source = operand._source if type(operand) is Tensor else operand.__tensor__()._source
            if isinstance(source, Value):
                return None
            arrays.append(source)
            signature += source.shape, source.dtype
        else:
            arrays.append(operand)
            signature.append(type(operand))
    rule = direct_rule(op, tuple(signature), kinds)
    result = None if rule is None else rule(arrays)
    return None if result is None else Tensor(result)


def lift(tensor: Tensor, trace: Trace) -> Value:
    """The value of a tensor in a trace; eager tensors become constants.

    Raises:
        StateError: if the tensor belongs to a trace that is over.
    """
    known = trace.watched(tensor)
    if known is not None:
        return known
    value = tensor.traced
    if value is None:
        return trace.builder.constant(tensor.numpy(), tensor.type.dtype)
    return value if value.builder is trace.builder else trace.capture(value)


def is_constant(tensor: Tensor) -> bool:
    """Whether a tensor has values, and no tape that records watches it: operations on it may use NumPy directly."""
    if tensor.traced is not None:
        return False
    trace = current_trace()
    return eager_recording() is None if trace is None else trace.watched(tensor) is None


def cast(x: Tensor, dtype: DType) -> Tensor:
    """The tensor in another dtype, without a node if the dtype is the same."""
    return x if x.type.dtype is dtype else bind("cast", x, dtype=dtype)
