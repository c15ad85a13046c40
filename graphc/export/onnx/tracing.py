"""The inference graph of a model: what `predict` computes, with symbolic sizes, simplified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import GraphcError, ShapeError, UnsupportedError
from graphc.export.inputs import output_names, symbolic_inputs
from graphc.export.onnx.lookups import Lookup, lookup_of
from graphc.graph.core import Graph
from graphc.graph.types import Ref, at_origin
from graphc.models.data import ArraySpec, DataSpec
from graphc.models.program import Step, trace_step
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.empty import without_empty
from graphc.passes.loops.optimize import optimize_loops
from graphc.passes.simplify import simplify
from graphc.tracing import BATCH, KerasTensor, Variable


@dataclass(frozen=True)
class Inference:
    """What a model computes in inference.

    Args:
        graph: The graph; its inputs are `x0`, `x1`, ...
        variables: The variable of each state, by name.
        inputs: The names of the inputs, in order.
        outputs: The names of the outputs.
        strings: The shapes of the inputs that are strings, which the graph does not have.
        lookups: The inputs of the graph that are looked up in vocabularies.
    """

    graph: Graph
    variables: dict[str, Variable]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    strings: Mapping[str, dims.Shape] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()


def inference_of(model: Any, input_signature: Any) -> Inference:
    """Traces a model.

    Args:
        model: The model.
        input_signature: A structure of `InputSpec`, symbolic tensors or arrays like the inputs. None: the inputs that
            the model has.

    Raises:
        StateError: if the model is not built.
        UnsupportedError: if it keeps states between calls, or the host computes what ONNX cannot say.
    """
    tensors, spec = symbolic_inputs(model, input_signature)
    step = _traced(model, tensors, spec)
    lookups = tuple(lookup_of(call, step.graph.symbols) for call in step.host_calls)
    graph = simplified(step.graph)
    _refuse_kept_states(graph)
    strings = {f"x{i}": (dims.size(BATCH), *x.dims[1:]) for i, x in enumerate(tensors) if x.dtype == dtypes.string.name}
    names = tuple(x.name for x in tensors)
    return Inference(graph, step.variables, names, output_names(model, step), strings, lookups)


def simplified(graph: Graph) -> Graph:
    """The graph without what need not be computed, or need not be in a loop."""
    return simplify(optimize_loops(eliminate_dead(simplify(without_empty(graph)))))


def _traced(model: Any, tensors: Sequence[KerasTensor], spec: Any) -> Step:
    """The step; if it fails as unknown sizes may differ, those of equal axes are taken to be equal, then multiples."""
    first: GraphcError | None = None
    for attempt in _attempts(tensors):
        try:
            return _trace(model, tensors, spec, attempt)
        except ShapeError as error:
            first = first or error
    assert first is not None
    raise first


def _attempts(tensors: Sequence[KerasTensor]) -> list[list[tuple[Dim, ...]]]:
    """The shapes of samples to try."""

    def shapes(factor: int, shared: bool) -> list[tuple[Dim, ...]]:
        found = []
        for place, x in enumerate(tensors):
            front = "n" if shared else f"n{place}_"
            unknown = [dims.size(f"{front}{axis}") * factor for axis in range(x.ndim)]
            pairs = zip(x.shape[1:], unknown[1:], strict=True)
            found.append(tuple(other if size is None else size for size, other in pairs))
        return found

    if all(None not in x.shape[1:] for x in tensors):
        return [shapes(1, False)]
    several = sum(None in x.shape[1:] for x in tensors) > 1
    return [shapes(f, shared) for f in (1, 2, 4, 8, 16, 32) for shared in ((False, True) if several else (False,))]


def _trace(model: Any, tensors: Sequence[KerasTensor], spec: Any, shapes: Sequence[tuple[Dim, ...]]) -> Step:
    leaves = [ArraySpec(f"x{i}", shape, x.type.dtype) for i, (x, shape) in enumerate(zip(tensors, shapes, strict=True))]
    data = DataSpec(tuple(leaves), (spec, None, None))
    model._ensure_weights(data)
    try:
        return trace_step(model, data, "predict", None, frozenset(map(id, model._flatten_layers())))
    finally:
        model._clear_losses()


def _refuse_kept_states(graph: Graph) -> None:
    """Refuses states that a call changes and later calls read."""
    read = graph.ancestors(graph.outputs)
    for id in graph.updates:
        node = graph.node(id)
        if id not in read:
            continue
        users = {graph.node(user).op for user in graph.users.get(Ref(id), ())}
        drawn = node.outs[0].dtype is dtypes.uint32 or "random_bits" in users
        what = "random numbers change from call to call" if drawn else "a layer keeps a state from call to call"
        error = UnsupportedError(
            f"{what}, and an exported model has no memory",
            got=node.attrs["name"],
            hint="export it without training=True in its layers" if drawn else "export a model with stateful=False",
        )
        raise at_origin(error, node.loc)
