"""A model's prediction as a graph with one symbolic size, that of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import ShapeError, UnsupportedError
from graphc.export.inputs import output_names, symbolic_inputs
from graphc.graph.core import Graph
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
    inputs, structure = symbolic_inputs(model, signature)
    spec = DataSpec(tuple(_spec(i, x, model) for i, x in enumerate(inputs)), (structure, None, None))
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
    return Traced(step.graph, values, (tuple(x.name for x in inputs), output_names(model, step)))


def _spec(position: int, x: KerasTensor, model: Any) -> ArraySpec:
    if None in x.shape[1:]:
        raise ShapeError(
            "an exported model takes inputs of known size, but for the batch",
            layer=model.name,
            where=describe(user_line()),
            got=f"{x.name}: {x.shape}",
            hint="pass `input_signature`, such as [graphc.InputSpec(shape=(None, 128))]",
        )
    if x.dtype == dtypes.string.name:
        raise UnsupportedError(
            "an exported model takes numbers, and no strings",
            layer=model.name,
            where=describe(user_line()),
            hint="export a model of the layers behind the lookup, and pass what that returns",
        )
    return ArraySpec(f"x{position}", x.shape[1:], x.type.dtype)
