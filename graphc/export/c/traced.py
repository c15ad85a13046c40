"""A model's prediction as a graph with one symbolic size, that of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import config, dtypes, tree
from graphc.errors import ShapeError, StateError, UnsupportedError
from graphc.graph.core import Graph
from graphc.layers.shapes import map_shapes
from graphc.models.data import ArraySpec, DataSpec
from graphc.models.program import trace_step
from graphc.tracing import Array, KerasTensor, describe, user_line


@dataclass(frozen=True)
class Traced:
    """A traced prediction.

    Args:
        graph: The graph; its inputs are `x0`, `x1`, ...
        values: The values of the states, by name.
        labels: What the user calls the inputs and the outputs, in order.
    """

    graph: Graph
    values: Mapping[str, Array]
    labels: tuple[tuple[str, ...], tuple[str, ...]]


def traced_prediction(model: Any, signature: Any = None) -> Traced:
    """Traces what `predict` computes.

    Args:
        model: The model.
        signature: The inputs, as tensors or what else has a shape and a dtype, in the model's structure. None: the
            model's own.

    Raises:
        ShapeError: if an axis of an input, other than the batch, has no known size.
        StateError: if it is not known what the model takes.
        UnsupportedError: if something is computed on the host.
    """
    inputs = _inputs(model) if signature is None else _argument(signature)
    leaves, structure = tree.flatten_with_spec(inputs)
    spec = DataSpec(tuple(_spec(i, leaf, model) for i, leaf in enumerate(leaves)), (structure, None, None))
    model._ensure_weights(spec)
    try:
        step = trace_step(model, spec, "predict", None)
    finally:
        model._clear_losses()
    for call in step.host_calls:
        layer = getattr(call.function, "__self__", model)
        raise UnsupportedError(
            f"{type(layer).__name__} computes on the host, in Python, and not in C",
            layer=layer.name,
            where=describe(user_line()),
            hint="export a model of the layers behind it, and pass what it returns",
        )
    values = {name: np.asarray(variable.numpy()) for name, variable in step.variables.items()}
    names = tuple(getattr(leaf, "name", None) or f"input {i}" for i, leaf in enumerate(leaves))
    outputs = getattr(model, "_output_names", None) or ()
    if len(outputs) != len(step.graph.outputs):
        outputs = [f"output {i}" for i in range(len(step.graph.outputs))]
    return Traced(step.graph, values, (tuple(map(str, names)), tuple(outputs)))


def _argument(signature: Any) -> Any:
    """The structure of the inputs; Keras's signatures are lists of the arguments of `call`."""
    is_list = isinstance(signature, list | tuple) and len(signature) == 1
    return signature[0] if is_list else signature


def _inputs(model: Any) -> Any:
    """The symbolic inputs of a model, or what has their shapes."""
    if getattr(model, "_graph", None) is not None:
        return model.input
    shapes = getattr(model, "_build_args", None) or {}
    if model.built and "input_shape" in shapes:
        return map_shapes(lambda shape: KerasTensor((None, *shape[1:])), shapes["input_shape"])
    raise StateError(
        "it is not known what the model takes",
        layer=model.name,
        where=describe(user_line()),
        hint="call it on data first, or pass `input_signature`, such as [graphc.InputSpec(shape=(None, 784))]",
    )


def _spec(position: int, leaf: Any, model: Any) -> ArraySpec:
    shape = tuple(getattr(leaf, "shape", None) or ())
    if not shape or any(size is None for size in shape[1:]):
        raise ShapeError(
            "an exported model takes inputs of known size, but for the batch",
            layer=model.name,
            where=describe(user_line()),
            got=f"{getattr(leaf, 'name', None) or f'input {position}'}: {shape}",
            hint="pass `input_signature`, such as [graphc.InputSpec(shape=(None, 128))]",
        )
    if str(getattr(leaf, "dtype", "")) == dtypes.string.name:
        raise UnsupportedError(
            "an exported model takes numbers, and no strings",
            layer=model.name,
            where=describe(user_line()),
            hint="export a model of the layers behind the lookup, and pass what that returns",
        )
    dtype = dtypes.as_dtype(getattr(leaf, "dtype", None) or config.floatx())
    return ArraySpec(f"x{position}", tuple(map(int, shape[1:])), dtype)
