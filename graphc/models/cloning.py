"""Copies of models, with new weights."""

from __future__ import annotations

from typing import Any

from graphc import tree
from graphc.errors import ArgumentError
from graphc.layers import Layer
from graphc.models.model import Model
from graphc.registration import functions_kept


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of the same layers with new weights.

    Args:
        model: A functional model, a Sequential, or one of a class with `get_config`.
        input_tensors: Symbolic tensors for its inputs. None: new ones.
        clone_function: Makes the layer for each layer. None: one with the same configuration.
        call_function: Calls each new layer: `call_function(layer, *args, **kwargs)`.
        recursive: Whether models within the model are cloned layer by layer.

    Example:

    >>> from graphc import Sequential, layers
    >>> model = Sequential([layers.Input((3,)), layers.Dense(2)])
    >>> clone_model(model).layers[0] is model.layers[0]
    False
    """
    kwargs.pop("cache", None)
    if kwargs:
        raise ArgumentError("`clone_model` takes no such argument", got=", ".join(kwargs))
    with functions_kept():
        return _clone(model, input_tensors, clone_function, call_function, recursive)


def _clone(model: Any, input_tensors: Any, clone_function: Any, call_function: Any, recursive: bool) -> Any:
    if model._graph is None:
        plain = clone_function is None and call_function is None and input_tensors is None
        if not plain and not hasattr(model, "_stack"):
            raise ArgumentError("a model of a subclass is cloned by its configuration alone", layer=model.name)
        if plain:
            return type(model).from_config(model.get_config())
        copies = [(clone_function or _copied)(layer) for layer in model._stack]
        return type(model)(copies, name=model.name)
    clone = _Cloning(clone_function, call_function, recursive).of(model, input_tensors)
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _copied(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


class _Cloning:
    """Copies of layers, each made once."""

    def __init__(self, clone_function: Any, call_function: Any, recursive: bool) -> None:
        self._clone, self._call, self._recursive = clone_function or _copied, call_function, recursive
        self._copies: dict[int, Any] = {}

    def of(self, model: Any, input_tensors: Any = None) -> Any:
        """A clone of a model with a graph."""
        graph = model._graph
        if input_tensors is None:
            fresh = {id(x): self._input(x) for x in graph.flat_inputs}
            inputs = tree.map_structure(lambda x: fresh[id(x)], graph.inputs)
        else:
            inputs = input_tensors
            if tree.flatten_with_spec(inputs)[1] != tree.flatten_with_spec(graph.inputs)[1]:
                raise ArgumentError(
                    "input_tensors do not nest as the model's inputs do",
                    layer=model.name,
                    got=repr(input_tensors)[:80],
                    expected=repr(graph.inputs)[:80],
                )
        if hasattr(model, "_stack"):
            return self._sequential(model, inputs)
        return type(model)(inputs, graph.run(inputs, replaced=self._called), name=model.name)

    def _sequential(self, model: Any, inputs: Any) -> Any:
        first = tree.flatten(inputs)[0].node.operation
        return type(model)([first, *(self._copy(layer) for layer in model.layers)], name=model.name)

    def _input(self, x: Any) -> Any:
        layer = self._copy(x.node.operation)
        return layer.output

    def _copy(self, operation: Any) -> Any:
        if id(operation) not in self._copies:
            nested = self._recursive and isinstance(operation, Model) and operation._graph is not None
            is_layer = isinstance(operation, Layer)
            made = self.of(operation) if nested else self._clone(operation) if is_layer else operation
            self._copies[id(operation)] = made
        return self._copies[id(operation)]

    def _called(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        copy = self._copy(operation)
        if self._call is not None and isinstance(copy, Layer):
            return self._call(copy, *args, **kwargs)
        return copy(*args, **kwargs)
