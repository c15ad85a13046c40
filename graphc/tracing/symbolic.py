"""Symbolic tensors, of which functional models are built: they have a shape, a dtype and a node, but no values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from graphc import dims, dtypes, tree
from graphc.dims import Shape
from graphc.dtypes import DType
from graphc.errors import ArgumentError, GraphcError, NotCalledError, StateError, UnsupportedError
from graphc.graph.types import TensorType
from graphc.registration import snake_case
from graphc.tracing.arithmetic import operate
from graphc.tracing.host import HostTensor
from graphc.tracing.names import auto_name, given_name
from graphc.tracing.operators import Operators
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.tensor import Tensor
from graphc.tracing.trace import ANY_SIZE, InferenceTrace, keras_shape

P = ParamSpec("P")
R = TypeVar("R")

BATCH = "B"

# Keras's names of Python's operators, where they differ from the primitives'.
_PUBLIC = MappingProxyType(
    {
        "sub": "subtract",
        "mul": "multiply",
        "div": "true_divide",
        "floordiv": "floor_divide",
        "pow": "power",
        "neg": "negative",
        "abs": "absolute",
        "invert": "logical_not",
        "and": "logical_and",
        "or": "logical_or",
        "xor": "logical_xor",
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
        "eq": "equal",
        "ne": "not_equal",
        "shl": "left_shift",
        "shr": "right_shift",
        "getitem": "get_item",
    }
)


class KerasTensor(Operators):
    """An input or intermediate result of a functional model.

    Args:
        shape: Tuple of integers, with None for sizes that are not known; the first axis is the batch.
        dtype: Name of a dtype.
        sparse: Not supported yet.
        ragged: Not supported yet.
        record_history: Accepted as in Keras; the history is always recorded.
        name: Its name.

    Example:

    >>> x = KerasTensor((None, 3), name="x")
    >>> (x + 1.0).shape
    (None, 3)
    """

    def __init__(
        self,
        shape: Sequence[Any],
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if sparse or ragged or kwargs:
            raise ArgumentError("sparse and ragged tensors are not supported yet", hint="pass dense ones")
        if not isinstance(shape, Iterable):
            raise ArgumentError("a shape is a tuple of sizes", got=repr(shape), hint=f"({shape},)")
        self.dims: Shape = tuple(
            dims.size(BATCH if axis == 0 else f"N{axis}") if size is None else size for axis, size in enumerate(shape)
        )
        self._dtype: DType = dtypes.string if dtype == dtypes.string.name else dtypes.as_dtype(dtype)
        self.name = given_name(name, "keras_tensor", slashes=True)
        self.sparse = self.ragged = False
        # The node that computes it, and which of the node's outputs it is.
        self.node: Node | None = None
        self.tensor_index = 0
        # The symbolic mask that it carries, for the inference of layers that take masks.
        self._keras_mask: KerasTensor | None = None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The size of each axis; None if it is unknown."""
        return keras_shape(self.dims)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.dims)

    @property
    def dtype(self) -> str:
        """The name of its dtype."""
        return self._dtype.name

    @property
    def type(self) -> TensorType:
        """Its shape and dtype."""
        return TensorType(self.dims, self._dtype)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse=False, ragged=False, name={self.name}>"

    def _operate(self, name: str, *operands: Any) -> Any:
        return record(FunctionOperation(operate, _PUBLIC.get(name, name)), (name, *operands), {})

    def _raise_no_value(self, what: str) -> Any:
        origin = current_origin()
        raise StateError(
            f"a symbolic input of a model has no {what}",
            where=describe(origin),
            got=repr(self),
            hint="use graphc.ops and layers on it; values come when the model is called",
        )

    def __bool__(self) -> bool:
        return bool(self._raise_no_value("truth value"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._raise_no_value("values; NumPy cannot work on it")

    def __float__(self) -> float:
        return float(self._raise_no_value("value"))

    def __iter__(self) -> Any:
        return self._raise_no_value("length that is known")

    def __len__(self) -> int:
        return int(self._raise_no_value("length that is known"))


class Node:
    """A node of a functional model's graph: one use of an operation.

    Args:
        operation: The operation that is called.
        args: Its positional arguments, with symbolic tensors anywhere within.
        kwargs: Its keyword arguments.
        outputs: The outputs of the call, with symbolic tensors anywhere within.
    """

    def __init__(self, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.inputs = symbolic_leaves((args, kwargs))
        self.outputs = symbolic_leaves(outputs)
        for index, output in enumerate(self.outputs):
            output.node, output.tensor_index = self, index
        operation._inbound_nodes.append(self)


class Operation:
    """An operation on tensors and symbolic tensors: the base class of layers.

    Args:
        name: Its name. None: one derived from the name of the class.
    """

    # The prefix of automatic names, if it is not the name of the class.
    _name_prefix: ClassVar[str | None] = None
    _init_args: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Records the arguments, which are the configuration of a subclass without `get_config`."""
        self = super().__new__(cls)
        self._init_args = (args, kwargs)
        return self

    def __init__(self, name: str | None = None) -> None:
        self.name = given_name(name, self._name_prefix or snake_case(type(self).__name__))
        self._inbound_nodes: list[Node] = []

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: without the nodes, which hold the whole models in which it is used."""
        return {**self.__dict__, "_inbound_nodes": []}

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal operation: the arguments of its `__init__`.

        Raises:
            UnsupportedError: if they are others than numbers, strings, booleans and structures of these.
        """
        signature = inspect.signature(type(self).__init__)
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        takes_name = "name" in signature.parameters or inspect.Parameter.VAR_KEYWORD in kinds
        args, kwargs = self._init_args
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given: dict[str, Any] = {}
        for name, value in list(bound.arguments.items())[1:]:
            kind = signature.parameters[name].kind
            given.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        plain = all(leaf is None or isinstance(leaf, str | int | float) for leaf in tree.flatten(given))
        if inspect.Parameter.VAR_POSITIONAL in kinds or not plain:
            raise UnsupportedError(
                f"{type(self).__name__} takes arguments that cannot be written to a configuration",
                layer=self.name,
                hint="define `get_config`",
            )
        return {**given, "name": self.name} if takes_name else given

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates an operation from a configuration that `get_config` returned."""
        return cls(**config)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define `call`")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; if an argument is symbolic, adds a node to a functional model."""
        if has_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a node that applies the operation to a functional model."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that the operation returns for symbolic tensors."""
        return infer_outputs(self.call, args, kwargs)

    @property
    def input(self) -> Any:
        """The symbolic tensor, or list of them, that the operation was called on first.

        Raises:
            NotCalledError: if it was not called on symbolic tensors.
        """
        return _first(self, "inputs")

    @property
    def output(self) -> Any:
        """The symbolic tensor, or list of them, that the first of these calls returned."""
        return _first(self, "outputs")


def _first(operation: Operation, side: str) -> Any:
    if not operation._inbound_nodes:
        raise NotCalledError(
            f"{operation.name!r} has no {side} yet", got="no call on symbolic tensors", hint="call it on an Input"
        )
    tensors = getattr(operation._inbound_nodes[0], side)
    return tensors[0] if len(tensors) == 1 else list(tensors)


class FunctionOperation(Operation):
    """A function of `graphc.ops` as an operation of a functional model."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        super().__init__(auto_name(name))
        self.function = function
        # The name of the public function.
        self.public = name
        # Its class in summaries: Keras has a class for each function.
        self.shown_class = "".join(part.capitalize() for part in name.split("_"))

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result."""
        return self.function(*args, **kwargs)


def record(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Adds a node that applies an operation to a functional model; returns its symbolic outputs."""
    return operation.symbolic_call(*args, **kwargs)


def operation(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function of tensors: on symbolic tensors it adds a node to a functional model."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            if has_symbolic(args, kwargs):
                # The public function, which is pickled by its name.
                return cast(R, record(FunctionOperation(wrapped, function.__name__), args, kwargs))
            return function(*args, **kwargs)
        except GraphcError as error:
            origin = current_origin()
            raise error.locate(layer=origin.layer or None, where=describe(origin)) from error.__cause__

    return wrapped


def has_symbolic(args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
    """Whether there is a symbolic tensor in arguments, or nested in a list, tuple or dictionary."""
    for arg in (*args, *kwargs.values()):
        if isinstance(arg, KerasTensor):
            return True
        if isinstance(arg, list | tuple | dict) and symbolic_leaves(arg):
            return True
    return False


def symbolic_leaves(structure: Any) -> list[KerasTensor]:
    """The symbolic tensors in a nested structure."""
    return [leaf for leaf in tree.flatten(structure) if isinstance(leaf, KerasTensor)]


def infer_outputs(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Infers the symbolic outputs of a function for symbolic tensors, with a trace that is discarded."""
    leaves, spec = tree.flatten_with_spec((args, kwargs))
    names = {atom.name for leaf in leaves if isinstance(leaf, KerasTensor) for d in leaf.dims for atom in dims.atoms(d)}
    trace = InferenceTrace(dict.fromkeys(names, ANY_SIZE))
    stand_ins: dict[int, Any] = {}

    def stand_in(x: KerasTensor) -> Any:
        if id(x) not in stand_ins and x.type.dtype is dtypes.string:
            stand_ins[id(x)] = HostTensor(x.dims)
        elif id(x) not in stand_ins:
            stand_ins[id(x)] = tensor = Tensor(trace.stand_in(x.type))
            if x._keras_mask is not None:
                tensor._keras_mask = stand_in(x._keras_mask)
        return stand_ins[id(x)]

    replaced = [stand_in(leaf) if isinstance(leaf, KerasTensor) else leaf for leaf in leaves]
    with trace.active():
        real_args, real_kwargs = tree.unflatten(spec, replaced)
        outputs = function(*real_args, **real_kwargs)
    return tree.map_structure(_as_symbolic, outputs)


def _as_symbolic(leaf: Any) -> Any:
    if not isinstance(leaf, Tensor | HostTensor):
        return leaf
    symbolic = KerasTensor((), leaf.type.dtype if isinstance(leaf, Tensor) else dtypes.string)
    symbolic.dims = leaf.shape
    if isinstance(leaf, Tensor) and leaf._keras_mask is not None:
        symbolic._keras_mask = _as_symbolic(leaf._keras_mask)
    return symbolic
