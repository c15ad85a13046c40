"""Configurations of functional models, in Keras's format: layers, with the calls of each on results of others."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphc import ops, tree
from graphc.errors import ArgumentError, FileError
from graphc.layers import InputLayer, Layer
from graphc.models.functional import LayerGraph
from graphc.ops import namespaces
from graphc.registration import choices, deserialize_keras_object, serialize_keras_object
from graphc.tracing import KerasTensor, Node, Operation
from graphc.tracing.symbolic import FunctionOperation

# Where Keras has the classes of operations.
_HOME = "keras.src.ops."
# Keras notes defaults of `training`, too, and lets the model's prevail. Where it was given here, this tells.
_TRAINING, _GIVEN = "training", "given"
# Parameters of operations that are arguments of the call in Keras, and not of the constructor of its class.
_OF_CALLS = frozenset({"x", "x1", "x2", "y", "key", "condition", "indices", "values", "inputs", "updates", "shape"})


def graph_config(graph: LayerGraph, is_model: Callable[[Any], bool]) -> dict[str, Any]:
    """The configuration of a graph of layers: its layers, inputs and outputs.

    Args:
        graph: The graph.
        is_model: Whether an operation is a functional model: as outputs of the graph, their calls count from 1.

    Raises:
        ArgumentError: if an operation or one of its arguments cannot be written.
    """
    places: dict[int, tuple[str, int]] = {}
    calls: dict[int, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        calls[id(node.operation)].append(node)
    # The calls of an operation are numbered in the order in which they were made.
    order = {id(node): i for op in graph.operations for i, node in enumerate(op._inbound_nodes)}
    for found in calls.values():
        found.sort(key=lambda node: order[id(node)])
        places.update((id(node), (node.operation.name, i)) for i, node in enumerate(found))

    def reference(x: KerasTensor) -> list[Any]:
        assert x.node is not None
        return [*places[id(x.node)], x.tensor_index]

    def of_model(x: KerasTensor) -> list[Any]:
        name, call, index = reference(x)
        assert x.node is not None
        return [name, call + is_model(x.node.operation), index]

    def written(value: Any) -> Any:
        return _written(value, reference)

    layers = []
    for operation in graph.operations:
        config, nodes = _operation_config(operation, calls[id(operation)], written)
        layers.append({**config, "name": operation.name, "inbound_nodes": nodes})
    return {
        "layers": layers,
        "input_layers": _references(graph.inputs, of_model),
        "output_layers": _references(graph.outputs, of_model),
    }


def _references(structure: Any, reference: Callable[[KerasTensor], list[Any]]) -> Any:
    if isinstance(structure, KerasTensor):
        return reference(structure)
    if isinstance(structure, Mapping):
        return {key: _references(part, reference) for key, part in structure.items()}
    return [_references(part, reference) for part in structure]


def _written(value: Any, reference: Callable[[KerasTensor], list[Any]]) -> Any:
    """An argument of a call as plain data."""
    if isinstance(value, KerasTensor):
        config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": reference(value)}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, list | tuple):
        return [_written(part, reference) for part in value]
    if isinstance(value, Mapping):
        return {key: _written(part, reference) for key, part in value.items()}
    return serialize_keras_object(value)


def _operation_config(
    operation: Operation, calls: Iterable[Node], written: Callable[[Any], Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The configuration of an operation, and those of its calls."""
    if isinstance(operation, FunctionOperation):
        (node,) = calls
        return _function_config(operation, node, written)
    nodes = [_call_config(operation, node, written) for node in calls if node.inputs]
    return serialize_keras_object(operation), nodes


def _call_config(operation: Operation, node: Node, written: Callable[[Any], Any]) -> dict[str, Any]:
    config = {"args": written(node.args), "kwargs": written(node.kwargs)}
    if _TRAINING in node.kwargs and node.kwargs[_TRAINING] is _default_training(operation):
        config[_GIVEN] = [_TRAINING]
    return config


def _default_training(operation: Any) -> bool | None:
    """What `training` is in calls of a layer if nobody says it."""
    if not isinstance(operation, Layer):
        return None
    parameter = inspect.signature(type(operation).call).parameters.get(_TRAINING)
    # Where Keras's layer has the parameter and ours has not, it has no effect.
    default = parameter.default if parameter is not None else None
    return default if isinstance(default, bool) else None


def _function_config(
    operation: FunctionOperation, node: Node, written: Callable[[Any], Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The configuration of a function of `graphc.ops`: as in Keras, options belong to the object, not to the call."""
    name, args = operation.public, node.args
    if operation.function.__module__ == "graphc.tracing.arithmetic":
        args = args[1:]  # the first one is the name of the primitive
    function = getattr(ops, name, None)
    if function is None:
        raise ArgumentError("a function of a model has no public name, so that it cannot be written", got=name)
    bound = inspect.signature(function).bind(*args, **node.kwargs).arguments
    symbolic = {key for key, value in bound.items() if any(isinstance(x, KerasTensor) for x in tree.flatten(value))}
    of_call = [key for key in bound if key in symbolic or key in _OF_CALLS]
    options = {key: written(value) for key, value in bound.items() if key not in of_call}
    class_name = operation.shown_class
    config = {
        "module": _HOME + namespaces.home(name),
        "class_name": class_name,
        "config": {"name": operation.name, **options},
        "registered_name": class_name,
    }
    return config, [{"args": [written(bound[key]) for key in of_call], "kwargs": {}}]


# ---- reading


class _Reader:
    """Creates the layers of a configuration, and repeats their calls."""

    def __init__(
        self, layers: Iterable[Mapping[str, Any]], custom_objects: Any, is_model: Callable[[Any], bool]
    ) -> None:
        self._first: dict[str, int] = {}
        # The outputs of the calls of each operation.
        self._calls: dict[str, list[list[KerasTensor]]] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._pending: dict[str, list[Mapping[str, Any]]] = {}
        for config in layers:
            name = config["name"]
            if name in self._functions:
                raise FileError("a configuration has two layers of one name", got=name)
            made = _made(config, custom_objects)
            self._functions[name] = made
            self._first[name] = 1 if is_model(made) else 0
            self._calls[name] = [[made.output]] if isinstance(made, InputLayer) else []
            self._pending[name] = list(config["inbound_nodes"])

    def run(self) -> None:
        """Repeats all calls, each as soon as there are the tensors that it needs."""
        while any(self._pending.values()):
            progress = False
            for name, nodes in self._pending.items():
                while nodes and self._is_ready(nodes[0]):
                    self._call(name, nodes.pop(0))
                    progress = True
            if not progress:
                stuck = [name for name, nodes in self._pending.items() if nodes]
                raise FileError("the layers of a configuration wait for each other", got=", ".join(stuck[:5]))

    def _call(self, name: str, node: Mapping[str, Any]) -> None:
        args, kwargs = self._read(node["args"]), self._read(node["kwargs"])
        function = self._functions[name]
        if _TRAINING in kwargs and _TRAINING not in node.get(_GIVEN, ()):
            default = _default_training(function)
            if default is not None and kwargs[_TRAINING] is default:
                del kwargs[_TRAINING]
        outputs = function(*args, **kwargs)
        self._calls[name].append([x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)])

    def _is_ready(self, value: Any) -> bool:
        place = _place(value)
        if place is not None:
            name, call, _ = place
            if name not in self._calls:
                raise FileError(
                    "a configuration needs a layer that it lacks", got=str(name), hint=choices(name, self._calls)
                )
            return call < len(self._calls[name])
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        return all(self._is_ready(part) for part in parts)

    def tensor(self, name: str, call: int, index: int) -> KerasTensor:
        """The output of a call."""
        try:
            return self._calls[name][call][index]
        except (KeyError, IndexError, TypeError):
            raise FileError("a configuration needs a result that it lacks", got=f"{name}, {call}, {index}") from None

    def _read(self, value: Any) -> Any:
        place = _place(value)
        if place is not None:
            return self.tensor(*place)
        if isinstance(value, list | tuple):
            return [self._read(part) for part in value]
        if isinstance(value, Mapping) and "class_name" not in value:
            return {key: self._read(part) for key, part in value.items()}
        return deserialize_keras_object(value)

    def structure(self, references: Any) -> Any:
        """The tensors of a structure of references."""
        if isinstance(references, Mapping):
            return {key: self.structure(part) for key, part in references.items()}
        if isinstance(references, list | tuple) and len(references) == 3 and isinstance(references[0], str):
            name, call, index = references
            return self.tensor(name, call - self._first.get(name, 0), index)
        return [self.structure(part) for part in references]


def _place(value: Any) -> tuple[str, int, int] | None:
    """The layer, call and output that a symbolic tensor in a configuration is; None if it is none."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        name, call, index = value["config"]["keras_history"]
        return name, call, index
    return None


def _made(config: Mapping[str, Any], custom_objects: Any) -> Any:
    """The layer of a configuration, or the function with its options."""
    module = config.get("module") or ""
    if not module.startswith(_HOME):
        return deserialize_keras_object(dict(config), custom_objects)
    name = _OPERATIONS.get(config["class_name"])
    if name is None:
        raise FileError(
            "a configuration needs an operation that does not exist",
            got=config["class_name"],
            hint=choices(config["class_name"], _OPERATIONS),
        )
    options = {key: value for key, value in config["config"].items() if key != "name"}
    return _Call(getattr(ops, name), deserialize_keras_object(options), config["name"])


class _Call:
    """A function of `graphc.ops` with its options, under the name that a configuration gives it."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any], name: str) -> None:
        self._function, self._options, self._name = function, options, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._function is ops.get_item:
            # JSON has no tuples.
            args = tuple(tuple(arg) if isinstance(arg, list) else arg for arg in args)
        if not any(isinstance(x, KerasTensor) for x in tree.flatten([list(args), kwargs])):
            # It would be computed at once, however large.
            raise FileError("an operation of a configuration has no symbolic tensor", got=self._name)
        outputs = self._function(*args, **kwargs, **self._options)
        for x in tree.flatten(outputs):
            if isinstance(x, KerasTensor) and x.node is not None:
                x.node.operation.name = self._name
        return outputs


_OPERATIONS = {
    "".join(part.capitalize() for part in name.split("_")): name for name in dir(ops) if callable(getattr(ops, name))
}


def graph_from_config(
    config: Mapping[str, Any], custom_objects: Any, is_model: Callable[[Any], bool]
) -> tuple[Any, Any]:
    """The symbolic inputs and outputs of a configuration that `graph_config` returned, or Keras.

    Raises:
        FileError: if its layers do not fit each other.
    """
    reader = _Reader(config["layers"], custom_objects, is_model)
    reader.run()
    return reader.structure(config["input_layers"]), reader.structure(config["output_layers"])
