"""What the host computes for a step that is being traced, before its program runs: of strings, which no program has.

Among the data of a step, strings are `HostTensor`s. A layer that maps them to numbers does not add operations to the
graph: it adds an input, and tells the trace by which `HostCall` the host computes its values from the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphc import dtypes, tree
from graphc.dims import Shape
from graphc.errors import DTypeError
from graphc.graph.evaluation import evaluate
from graphc.graph.types import Node, Ref, TensorType
from graphc.tracing.arrays import STRINGS, Array
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.tensor import Tensor
from graphc.tracing.trace import keras_shape


class HostTensor:
    """Strings among the data of a step that is being traced.

    Args:
        shape: The size of each axis.
        name: The name of the array in the data. None: shapes are inferred, and there are no data.
        shaped: How the array is reshaped before it is used: a shape without the first axis. None: not at all.
    """

    dtype = dtypes.string.name

    def __init__(self, shape: Shape, name: str | None = None, shaped: Shape | None = None) -> None:
        self.shape, self.name, self.shaped = shape, name, shaped

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def reshaped(self, rows: Shape) -> HostTensor:
        """The strings with other axes behind the first."""
        return HostTensor((self.shape[0], *rows), self.name, rows)

    def of(self, arrays: Mapping[str, Array]) -> Array:
        """Its values in data."""
        assert self.name is not None
        array = arrays[self.name]
        return array if self.shaped is None else array.reshape(len(array), *self.shaped)

    def __tensor__(self) -> Tensor:
        raise strings_given(repr(self))

    def __repr__(self) -> str:
        return f"<strings of shape {keras_shape(self.shape)}>"


def strings_given(got: str) -> DTypeError:
    """The error for strings where only numbers can be."""
    origin = current_origin()
    return DTypeError(
        "strings cannot be computed with",
        layer=origin.layer or None,
        where=describe(origin),
        got=got,
        expected="numbers",
        hint=STRINGS,
    )


@dataclass(frozen=True)
class FromData:
    """Numbers that a step computes from the data alone, which the host computes as well.

    Args:
        nodes: The nodes that compute them, in order.
        arrays: The names of the arrays of the data that nodes hold.
        result: The value.
    """

    nodes: tuple[Node, ...]
    arrays: Mapping[int, str]
    result: Ref

    def of(self, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
        """Their values in data."""
        values: dict[Ref, Array] = {}
        for node in self.nodes:
            if node.id in self.arrays:
                results: tuple[Array, ...] = (arrays[self.arrays[node.id]],)
            else:
                results = evaluate(node, [values[ref] for ref in node.inputs], sizes)
            values |= {Ref(node.id, out): result for out, result in enumerate(results)}
        return values[self.result]


@dataclass(frozen=True)
class HostCall:
    """A function that the host calls on data, and the input of the program that takes the result.

    Args:
        name: The name of the input.
        function: The function.
        arguments: Its arguments, with `HostTensor` and `FromData` anywhere within.
        type: The function that gives the type of a row of the result now; it changes with the layer's vocabulary.
        row: This type when the step was traced.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    type: Callable[[], TensorType]
    row: TensorType

    @property
    def is_current(self) -> bool:
        """Whether the result still has the type for which the step was traced."""
        return self.type() == self.row

    def compute(self, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
        """The result for data."""

        def value(leaf: Any) -> Any:
            if isinstance(leaf, FromData):
                return leaf.of(arrays, sizes)
            return leaf.of(arrays) if isinstance(leaf, HostTensor) else leaf

        args, kwargs = tree.map_structure(value, self.arguments)
        found = self.function(*args, **kwargs)
        array = found.numpy() if isinstance(found, Tensor) else found
        return array.astype(self.row.dtype.numpy, copy=False)


class HostCalls:
    """The calls of the host for a step that is being traced.

    Args:
        read: A function that adds an array of the data to the graph, by its name and the type of a row, and returns the
            rows of the batch.
    """

    def __init__(self, read: Callable[[str, TensorType], Tensor]) -> None:
        self.calls: list[HostCall] = []
        self._read = read

    def add(
        self,
        function: Callable[..., Any],
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        type: Callable[[], TensorType],
    ) -> Tensor:
        """Adds a call; returns what stands for its result in the graph."""
        call = HostCall(f"h{len(self.calls)}", function, arguments, type, type())
        self.calls.append(call)
        return self._read(call.name, call.row)
