"""The inference graph of a model: what `predict` computes, with symbolic sizes, simplified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc import dims, dtypes, tree
from graphc.dims import Dim
from graphc.errors import ArgumentError, GraphcError, ShapeError, StateError, UnsupportedError
from graphc.export.onnx.lookups import Lookup, lookup_of
from graphc.graph.core import Graph
from graphc.graph.types import Ref, at_origin
from graphc.models.data import ArraySpec, DataSpec
from graphc.models.program import Step, trace_step
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.empty import without_empty
from graphc.passes.loops.optimize import optimize_loops
from graphc.passes.simplify import simplify
from graphc.tracing import BATCH, KerasTensor, Variable, describe, user_line


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
    structure = _signature(model, input_signature)
    leaves, spec = tree.flatten_with_spec(structure)
    tensors = tuple(_symbolic(leaf, i) for i, leaf in enumerate(leaves))
    step = _traced(model, tensors, spec)
    lookups = tuple(lookup_of(call, step.graph.symbols) for call in step.host_calls)
    graph = simplified(step.graph)
    _refuse_kept_states(graph)
    strings = {f"x{i}": (dims.size(BATCH), *x.dims[1:]) for i, x in enumerate(tensors) if x.dtype == dtypes.string.name}
    names = tuple(x.name for x in tensors)
    return Inference(graph, step.variables, names, _output_names(model, step, graph), strings, lookups)


def simplified(graph: Graph) -> Graph:
    """The graph without what need not be computed, or need not be in a loop."""
    return simplify(optimize_loops(eliminate_dead(simplify(without_empty(graph)))))


def _signature(model: Any, given: Any) -> Any:
    if given is not None:
        # Keras's signatures are lists of the arguments of `call`.
        return given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if getattr(model, "_graph", None) is not None:
        return model.input
    shapes = getattr(model, "_build_args", None) or {}
    if not model.built or "input_shape" not in shapes:
        raise StateError(
            "the shapes of the model's inputs are not known",
            layer=model.name,
            where=describe(user_line()),
            hint="call the model on data first, or pass input_signature=[graphc.InputSpec(shape=..., dtype=...)]",
        )
    return _tensors(shapes["input_shape"])


def _tensors(shapes: Any) -> Any:
    """Symbolic tensors for a structure of shapes."""
    if isinstance(shapes, dict):
        return {name: _tensors(part) for name, part in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return KerasTensor((None, *shapes[1:]))
    return type(shapes)(_tensors(part) for part in shapes)


def _symbolic(leaf: Any, place: int) -> KerasTensor:
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or not len(shape):
        raise ArgumentError(
            "an input signature tells the shape and the dtype of each input",
            got=repr(leaf)[:80],
            expected="an InputSpec with a shape, a symbolic tensor or an array, with the batch as first axis",
        )
    name = getattr(leaf, "name", None) or f"input_{place}"
    sizes = tuple(size if isinstance(size, int) else None for size in shape)
    return KerasTensor((None, *sizes[1:]), dtype if dtype is not None else "float32", name=name)


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


def _output_names(model: Any, step: Step, graph: Graph) -> tuple[str, ...]:
    count = len(graph.outputs)
    named = tree.unflatten(step.structure, list(range(count)))
    if isinstance(named, dict):
        return tuple("/".join(map(str, path)) for path in tree.paths(named))
    names = list(getattr(model, "_output_names", None) or ())
    return tuple(names) if len(names) == count else tuple(f"output_{i}" for i in range(count))
