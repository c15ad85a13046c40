"""Tensors: an array, or a value of the graph that is being traced; and how primitives are applied to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import graphc.primitives  # noqa: F401  (operations are known once this is imported)
from graphc import dims
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
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

    @property
    def size(self) -> Any:
        """The number of elements."""
        return dims.product(self._source.shape)

    @property
    def array(self) -> Array:
        """Its values, in its own memory, which must not be written; `numpy` is for users.

        Raises:
            StateError: if it is part of a graph that is being traced.
        """
        return self._values("values")

    def _values(self, use: str) -> Array:
        if isinstance(self._source, Value):
            raise no_value(self.type, use)
        return self._source

    def numpy(self) -> Array:
        """A copy of its values.

        Raises:
            StateError: if it is part of a graph that is being traced.
        """
        return self.array.copy()

    def item(self) -> bool | int | float | complex:
        """Its value as a Python number, if it has one element."""
        number: bool | int | float | complex = self._one("number").item()
        return number

    def tolist(self) -> Any:
        """Its values as nested lists of Python numbers; of a tensor without axes the number."""
        return self.array.tolist()

    def _one(self, use: str) -> Array:
        """The only element.

        Raises:
            ShapeError: if there are several, or none.
        """
        array = self._values(use)
        if array.size != 1:
            origin = current_origin()
            what = "truth value" if use == "truth" else use
            raise ShapeError(
                f"a tensor of several elements has no {what}" if array.size else f"no elements have no {what}",
                layer=origin.layer or None,
                where=describe(origin),
                got=str(self.type),
                expected="one element",
                hint="ops.any(x) or ops.all(x)" if use == "truth" else "take one: x[0]",
            )
        return array.reshape(())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        # What shares the tensor's memory must not be written.
        array = self.array.view()
        array.flags.writeable = False
        return np.array(array, dtype=dtype, copy=copy)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Functions of NumPy take its values and return arrays; `np.squeeze` would call the method, for a tensor."""
        if function is np.squeeze and args:
            args = (np.asarray(args[0]), *args[1:])
        return function.__wrapped__(*args, **kwargs)

    def __dlpack__(self, *, stream: Any = None, copy: bool | None = None, **kwargs: Any) -> Any:
        """Its values as a DLPack capsule: always a copy, which the receiver may write.

        Raises:
            DTypeError: if DLPack has no such dtype.
            ArgumentError: if memory is to be shared.
        """
        if copy is False:
            raise ArgumentError("a tensor's memory is not shared", got="copy=False", hint="pass copy=True, or None")
        try:
            return self.array.copy().__dlpack__(**kwargs)
        except BufferError as error:
            hint = 'cast it first: ops.cast(x, "float32")'
            raise DTypeError("DLPack has no such dtype", got=self.dtype, hint=hint) from error

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU, in DLPack's terms."""
        return 1, 0

    def __tensor__(self) -> Tensor:
        return self

    def __bool__(self) -> bool:
        return bool(self._one("truth"))

    def __float__(self) -> float:
        return float(self._one("number"))

    def __complex__(self) -> complex:
        return complex(self._one("number"))

    def __int__(self) -> int:
        return int(self._one("number"))

    def __index__(self) -> int:
        array = self._values("index")
        if array.ndim or array.dtype.kind not in "iu":
            where = describe(current_origin())
            raise DTypeError("this tensor is no index", where=where, got=str(self.type), expected="an integer scalar")
        return int(array)

    def __len__(self) -> int:
        return self._length("`len`", "ops.shape(x)[0] is its size in the graph")

    def __iter__(self) -> Iterator[Any]:
        hint = "ops.scan(f, init, x) and ops.map(f, x) go through its rows in the graph"
        return (self[i] for i in range(self._length("a Python loop", hint)))

    def _length(self, asking: str, hint: str) -> int:
        origin = current_origin()
        located = {"layer": origin.layer or None, "where": describe(origin)}
        if not self.shape:
            raise ShapeError(f"{asking} takes a tensor with axes", got=str(self.type), **located)
        if not isinstance(self.shape[0], int):
            if current_trace() is None:
                raise no_value(self.type, "length")
            problem = f"{asking} needs a size that is known, and the first axis has any"
            raise ShapeError(problem, got=str(self.type), hint=hint, **located)
        return self.shape[0]

    @property
    def _has_values(self) -> bool:
        return not isinstance(self._source, Value)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

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
    arrays = [operand.array for operand in operands]
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
        return trace.builder.constant(tensor.array, tensor.type.dtype)
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
