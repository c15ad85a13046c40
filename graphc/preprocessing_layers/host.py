"""Layers that work on strings and Python's integers: they compute in Python, on the host.

Eagerly they are called like others. In a model, what they compute must depend on the data alone: the host computes it
for the data before the compiled step runs, which takes it as a further input (`graphc.tracing.host`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc import dims, dtypes, tree
from graphc.errors import GraphcError, StateError
from graphc.graph.types import TensorType
from graphc.layers.dataset_graphs import add_node, is_in_dataset_graph
from graphc.layers.layer import Layer
from graphc.tracing import ANY_SIZE, Array, KerasTensor, Tensor, current_trace, has_symbolic, keras_shape, scope
from graphc.tracing.host import FromData, HostTensor
from graphc.tracing.lookups import DATA, nodes_from_data


class HostLayer(Layer):
    """The base class of these layers.

    `call` gets arrays, or what the caller gave, and computes each row of its result from the same row of them;
    `compute_output_shape` and `_result_dtype` tell the result's type.
    """

    _runs_on_host = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; on symbolic tensors adds a node to a functional model.

        Raises:
            StateError: if it is called in a step or function on what does not depend on the data alone.
        """
        if is_in_dataset_graph(args, kwargs):
            return add_node(self, args, kwargs)
        try:
            if has_symbolic(args, kwargs):
                return self.symbolic_call(*args, **kwargs)
            if any(map(_is_traced, tree.flatten((args, kwargs)))):
                return self._traced(args, kwargs)
        except GraphcError as error:
            raise self._located(error) from None
        self.built = True
        return self.call(*args, **kwargs)

    @property
    def _result_dtype(self) -> str:
        """The dtype of the result."""
        raise NotImplementedError

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> KerasTensor:
        """The symbolic output for symbolic tensors."""
        shape = self._output_shape(args, kwargs)
        self.built = True
        return KerasTensor(shape, self._result_dtype)

    def _output_shape(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if self._result_dtype == dtypes.string.name:
            raise StateError(
                f"{type(self).__name__} returns strings, which a model or function cannot",
                hint="call it on what the model returns",
            )
        shape: tuple[Any, ...] = self.compute_output_shape(_shapes(args[0] if args else next(iter(kwargs.values()))))
        return shape

    def _traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """The result in a step that is being traced: an input of its program."""
        trace = current_trace()
        assert trace is not None  # an argument is traced
        self.built = True
        if not trace.infers and trace.host_calls is None:
            raise StateError(
                f"{type(self).__name__} computes on the host, and cannot be part of a compiled function",
                hint="apply it to the data before: in `map` of a data set, or on arrays",
            )
        unique = len(trace.builder.nodes)

        def row() -> TensorType:
            sizes = self._output_shape(args, kwargs)[1:]
            known = [dims.size(f"H{unique}_{axis}") if size is None else size for axis, size in enumerate(sizes)]
            return TensorType(tuple(known), dtypes.as_dtype(self._result_dtype))

        found = row()
        trace.builder.symbols.update({str(size): ANY_SIZE for size in found.shape if not isinstance(size, int)})
        if trace.host_calls is None:
            rows = next(filter(_is_traced, tree.flatten((args, kwargs))))
            return Tensor(trace.stand_in(TensorType((rows.shape[0], *found.shape), found.dtype)))
        arguments = tree.map_structure(self._from_data, (args, kwargs))
        with scope(DATA, absolute=True):
            return trace.host_calls.add(self.call, arguments, row)

    def _from_data(self, leaf: Any) -> Any:
        """An argument as the host computes it from the data."""
        if not isinstance(leaf, Tensor) or leaf.traced is None:
            return leaf
        nodes, builder = nodes_from_data(leaf, cheap=False), leaf.traced.builder
        if nodes is None:
            raise StateError(
                f"{type(self).__name__} computes on the host, before the step that computes its inputs",
                expected="inputs that depend on the data alone",
                hint="apply it to the model's inputs, or to the data before",
            )
        # The rows of a batch of the data stand for all rows, and inputs for themselves.
        arrays = {node.id: builder.node(node.inputs[0]) if node.op == "gather" else node for node in nodes}
        names = {id: node.attrs["name"] for id, node in arrays.items() if node.op == "input"}
        return FromData(nodes, names, leaf.traced.ref)


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, HostTensor) or (isinstance(leaf, Tensor) and leaf.traced is not None)


def _shapes(value: Any) -> Any:
    """The shape of a tensor, or the list of the shapes of several."""
    return [_shapes(part) for part in value] if isinstance(value, list | tuple) else keras_shape(value.shape)


def is_batch(data: Any) -> bool:
    """Whether data are one array, and not an iterable of batches."""
    return isinstance(data, list | tuple | np.ndarray | Tensor) or hasattr(data, "__array__")


def batches_of(data: Any, steps: int | None) -> Iterator[Any]:
    """The first batches of an iterable."""
    for step, batch in enumerate(data):
        if steps is not None and step >= steps:
            return
        yield batch


def text_array(values: Any, encoding: str = "utf-8") -> Array:
    """Strings, bytes, or arrays, lists and columns of them, as an array of strings."""
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, encoding)
    if array.dtype.kind == "O":
        plain = [x.decode(encoding) if isinstance(x, bytes) else str(x) for x in array.ravel()]
        return np.array(plain, dtype=str).reshape(array.shape)
    return array.astype(str)
