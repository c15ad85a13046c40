"""Functional models: the graph of layers between symbolic inputs and outputs, and its execution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from graphc import dtypes, ops, tree
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.layers import Input, InputLayer
from graphc.layers.tracking import unique
from graphc.registration import choices
from graphc.tracing import KerasTensor, Node, Operation, Tensor, as_tensor, describe, get_mask, set_mask, user_line
from graphc.tracing.host import HostTensor


class LayerGraph:
    """The graph of operations between symbolic inputs and outputs.

    Args:
        inputs: Symbolic tensor, or a structure of them.
        outputs: Likewise.
        strict: Whether inputs must have the sizes of the symbolic inputs. False: other sizes are accepted if the
            layers accept them.

    Raises:
        ArgumentError: if an output does not come from the inputs, or something is no symbolic tensor.
    """

    def __init__(self, inputs: Any, outputs: Any, strict: bool = True) -> None:
        self.inputs, self.outputs, self.strict = inputs, outputs, strict
        self.flat_inputs = _symbolic(inputs, "inputs")
        self.flat_outputs = _symbolic(outputs, "outputs")
        if len({id(x) for x in self.flat_inputs}) != len(self.flat_inputs):
            raise ArgumentError("a model's inputs are given twice", got=", ".join(x.name for x in self.flat_inputs))
        self.nodes = self._collect()
        name, uses = Counter(operation.name for operation in self.operations).most_common(1)[0]
        if uses > 1:
            raise ArgumentError(
                "layers of a model have the same name",
                layer=name,
                where=describe(user_line()),
                got=f"{uses} layers named {name!r}",
                expected="a name of its own for each",
                hint="pass another `name` to one of them",
            )

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: the nodes come first, so that no chain of them is pickled recursively."""
        return {"nodes": self.nodes, **{name: value for name, value in vars(self).items() if name != "nodes"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for node in self.nodes:
            node.operation._inbound_nodes.append(node)

    def _collect(self) -> list[Node]:
        """The nodes in topological order: those of greater distance from the outputs first, as Keras orders layers."""
        inputs = {id(x) for x in self.flat_inputs}
        finished: list[Node] = []
        found: dict[int, int] = {}
        # Depth-first search without recursion, since models may be deep.
        stack: list[tuple[Node, Iterator[KerasTensor]]] = []
        for output in (*self.flat_outputs, *self.flat_inputs):
            self._enter(output, inputs, found, stack)
            while stack:
                node, rest = stack[-1]
                x = next(rest, None)
                if x is None:
                    finished.append(node)
                    stack.pop()
                else:
                    self._enter(x, inputs, found, stack)
        depth = dict.fromkeys(map(id, finished), 0)
        for node in reversed(finished):
            for x in node.inputs:
                if x.node is not None and id(x.node) in depth:
                    depth[id(x.node)] = max(depth[id(x.node)], depth[id(node)] + 1)
        return sorted(finished, key=lambda node: (-depth[id(node)], found[id(node)]))

    def _enter(
        self,
        x: KerasTensor,
        inputs: set[int],
        found: dict[int, int],
        stack: list[tuple[Node, Iterator[KerasTensor]]],
    ) -> None:
        """Pushes the node of a symbolic tensor on the stack, unless it was visited or precedes the model's inputs."""
        node = x.node
        starts = node is not None and isinstance(node.operation, InputLayer)
        if id(x) in inputs and not starts:
            return
        if node is None or (starts and id(x) not in inputs):
            raise ArgumentError(
                "an output does not come from the model's inputs",
                where=describe(user_line()),
                got=f"it needs {x!r}",
                expected=", ".join(repr(i) for i in self.flat_inputs),
                hint="add what it needs to the inputs",
            )
        if id(node) not in found:
            found[id(node)] = len(found)
            stack.append((node, iter(node.inputs)))

    @cached_property
    def operations(self) -> list[Operation]:
        """The operations, each once, in topological order."""
        return unique(node.operation for node in self.nodes)

    def run(self, inputs: Any, mask: Any = None, replaced: Callable[..., Any] | None = None) -> Any:
        """Computes the outputs for inputs.

        Args:
            inputs: Tensors or symbolic tensors that nest like the model's inputs, or a flat list of them.
            mask: The masks of the inputs, which nest alike; None: the masks that the inputs carry.
            replaced: What calls an operation in its place: `replaced(operation, *args, **kwargs)`.
        """
        flat = self._flat(inputs)
        for x, one in zip(flat, tree.flatten(mask) if mask is not None else (), strict=False):
            if one is not None:
                set_mask(x, one)
        values = {id(x): value for x, value in zip(self.flat_inputs, flat, strict=True)}
        for node in self.nodes:
            if all(id(x) in values for x in node.outputs):
                continue
            args, kwargs = tree.map_structure(
                lambda leaf: values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, (node.args, node.kwargs)
            )
            called = node.operation if replaced is None else partial(replaced, node.operation)
            results = tree.flatten(called(*args, **kwargs))
            for x, result in zip(node.outputs, [r for r in results if r is not None], strict=True):
                values[id(x)] = result
        results = tree.map_structure(lambda x: values[id(x)], self.outputs)
        return results[0] if isinstance(results, list | tuple) and len(results) == 1 else results

    def _flat(self, inputs: Any) -> list[Any]:
        given = [(standardized(value, x), x) for value, x in self.match_inputs(inputs)]
        for value, x in given:
            if value is None and not getattr(x.node and x.node.operation, "optional", False):
                raise ArgumentError(
                    "an input of the model is None", layer=x.name, hint="create it with Input(..., optional=True)"
                )
            if self.strict and value is not None:
                check_input_shape(tuple(value.shape), x)
        return [value for value, _ in given]

    def match_inputs(self, inputs: Any) -> list[tuple[Any, KerasTensor]]:
        """Pairs the given inputs with the model's symbolic inputs.

        Args:
            inputs: A structure that nests like the model's inputs, a flat list, or a dictionary by name of input.

        Raises:
            ArgumentError: if the number of inputs is wrong, or their order is ambiguous.
        """
        if isinstance(inputs, Mapping):
            keyed = isinstance(self.inputs, Mapping)
            names = list(self.inputs) if keyed else [x.name for x in self.flat_inputs]
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ArgumentError(
                    "an input of the model is missing",
                    got=", ".join(map(repr, inputs)),
                    expected=", ".join(map(repr, names)),
                    hint=choices(missing[0], inputs),
                )
            given = tree.flatten({name: inputs[name] for name in names}) if keyed else [inputs[name] for name in names]
        elif isinstance(self.inputs, Mapping) and list(self.inputs) != sorted(self.inputs):
            raise ArgumentError(
                "the model's inputs are a dictionary that is not in alphabetical order",
                where=describe(user_line()),
                got=type(inputs).__name__,
                expected=f"a dictionary with the keys {', '.join(map(repr, self.inputs))}",
                hint="name the inputs, since it cannot be told which is which",
            )
        else:
            given = tree.flatten(inputs)
        if len(given) != len(self.flat_inputs):
            raise ArgumentError(
                "the number of inputs is wrong",
                got=f"{len(given)}",
                expected=f"{len(self.flat_inputs)}: {', '.join(x.name for x in self.flat_inputs)}",
            )
        return list(zip(given, self.flat_inputs, strict=True))


def graph_between(inputs: Any, outputs: Any) -> LayerGraph:
    """The graph between symbolic tensors; as in Keras, an input that a layer computes is replaced by one of its own."""
    graph = LayerGraph(inputs, outputs)
    computed = [x for x in graph.flat_inputs if x.node is not None and not isinstance(x.node.operation, InputLayer)]
    if not computed:
        return graph
    fresh = {id(x): Input(batch_shape=x.shape, dtype=x.dtype, name=f"{x.name}CLONE") for x in computed}
    replaced = tree.map_structure(lambda x: fresh.get(id(x), x), inputs)
    found = graph.run(replaced)
    alone = isinstance(outputs, list | tuple) and len(outputs) == 1
    return LayerGraph(replaced, type(outputs)([found]) if alone else found)


def _symbolic(structure: Any, what: str) -> list[KerasTensor]:
    leaves = tree.flatten(structure)
    for leaf in leaves:
        if not isinstance(leaf, KerasTensor):
            raise ArgumentError(
                f"the {what} of a model are symbolic tensors",
                where=describe(user_line()),
                got=repr(leaf)[:80],
                hint="start from graphc.Input",
            )
    return leaves


def standardized(value: Any, wanted: KerasTensor) -> Any:
    """An input converted to the rank and dtype of a symbolic input: a last axis of size 1 is added or dropped."""
    strings = isinstance(value, HostTensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "OSU")
    if (strings or isinstance(value, Tensor)) and strings != (wanted.dtype == dtypes.string.name):
        raise DTypeError(
            "an input does not fit the model",
            layer=wanted.name,
            got="strings" if strings else f"dtype {value.dtype}",
            expected=f"dtype {wanted.dtype}",
            hint="pass other data, or change the dtype given to Input",
        )
    if strings:
        return _strings_standardized(value, wanted)
    if isinstance(value, Tensor):
        mask = get_mask(value)
        if value.ndim == wanted.ndim + 1 and value.shape[-1] == 1:
            value = ops.squeeze(value, -1)
        elif value.ndim == wanted.ndim - 1 and wanted.shape[-1] == 1:
            value = ops.expand_dims(value, -1)
        value = as_tensor(value, dtypes.as_dtype(wanted.dtype))
        if mask is not None:
            set_mask(value, mask)
    return value


def _strings_standardized(value: Any, wanted: KerasTensor) -> Any:
    rows = tuple(value.shape[1:])
    if len(rows) == wanted.ndim and rows[-1:] == (1,):
        rows = rows[:-1]
    elif len(rows) == wanted.ndim - 2 and wanted.shape[-1] == 1:
        rows = (*rows, 1)
    return value.reshaped(rows) if isinstance(value, HostTensor) else value.reshape(len(value), *rows)


def check_input_shape(
    shape: tuple[Any, ...], wanted: KerasTensor, name: str | None = None, where: str | None = None
) -> None:
    """Checks that a shape fits a symbolic input. As in Keras, the size of the batch is not checked.

    Raises:
        ShapeError: if it is not.
    """
    fits = len(shape) == wanted.ndim and all(
        a == b for a, b in zip(shape[1:], wanted.shape[1:], strict=True) if isinstance(a, int) and isinstance(b, int)
    )
    if not fits:
        shown = tuple(dim if isinstance(dim, int) else None for dim in shape)
        raise ShapeError(
            f"{name or 'an input'} does not fit the model",
            layer=wanted.name,
            where=where,
            got=f"shape {shown}",
            expected=f"shape {wanted.shape} (None: any size)",
            hint="reshape the data, or change the shape given to Input",
        )
