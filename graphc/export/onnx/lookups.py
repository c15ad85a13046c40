"""Lookups in vocabularies, which the host computes here, as nodes of ONNX: `StringLookup` and `IntegerLookup`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphc import dtypes
from graphc.errors import UnsupportedError
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.scope import Scope
from graphc.graph.core import Graph
from graphc.graph.types import Ref, TensorType
from graphc.preprocessing_layers.vocabulary import IndexLookup
from graphc.tracing import describe, trace, user_line
from graphc.tracing.host import FromData, HostCall, HostTensor

# The operators of which those for lookups are, and their version.
DOMAIN, DOMAIN_VERSION = "ai.onnx.ml", 2

# Emits a graph for the values of its inputs; returns its outputs.
Emit = Callable[[Graph, Mapping[Ref, Stored]], "list[Stored]"]


@dataclass(frozen=True)
class Lookup:
    """A lookup in a vocabulary.

    Args:
        name: The name of the input of the graph that takes the result.
        layer: The name of the layer.
        indices: The index of each token: a string, or an integer.
        unknown: The index of all others.
        source: What is looked up: an array of the data, or what is computed from the data.
        type: The type of what is looked up.
        encode: The graph that encodes indices.
    """

    name: str
    layer: str
    indices: Mapping[Any, int]
    unknown: int
    source: HostTensor | FromData
    type: TensorType
    encode: Graph


def lookup_of(call: HostCall, symbols: Mapping[str, tuple[int, int]]) -> Lookup:
    """What the host computes for a model, as a lookup.

    Raises:
        UnsupportedError: if it is something else.
    """
    layer: Any = getattr(call.function, "__self__", None)
    problem = _problem(layer)
    (args, kwargs) = call.arguments
    source = args[0] if args else next(iter(kwargs.values()), None)
    if problem is None and not isinstance(source, HostTensor | FromData):
        problem = "what it looks up is no input of the model", "call it on an input"
    if problem is not None:
        raise UnsupportedError(
            f"{type(layer).__name__} is computed on the host, and ONNX cannot say it: {problem[0]}",
            layer=getattr(layer, "name", None),
            where=describe(user_line()),
            hint=problem[1],
        )
    assert isinstance(source, HostTensor | FromData)
    given = _type_of(source)
    encode = trace(layer.encoded, [TensorType(given.shape, dtypes.int32)], symbols).graph
    indices = dict(layer._indices)
    if layer.mask_token is not None:
        indices[layer.mask_token] = 0 if layer.output_mode == "int" else -1
    return Lookup(call.name, layer.name, indices, layer._first_unknown, source, given, encode)


def _problem(layer: Any) -> tuple[str, str] | None:
    """Why ONNX cannot say what a layer computes, and what to do; None if it can."""
    behind = "export a model of the layers behind it, and give that what the layer returns"
    if not isinstance(layer, IndexLookup):
        return "it is no lookup in a vocabulary", behind
    if layer.invert:
        return "its results are not computed with", behind
    if layer.num_oov_indices == 0:
        return "unknown tokens are an error", "pass num_oov_indices=1"
    if layer.num_oov_indices > 1:
        return "unknown tokens are hashed", "pass num_oov_indices=1"
    return None


def _type_of(source: HostTensor | FromData) -> TensorType:
    if isinstance(source, HostTensor):
        return TensorType(source.shape, dtypes.string)
    return next(node for node in source.nodes if node.id == source.result.node).outs[source.result.out]


def emit_lookup(scope: Scope, lookup: Lookup, inputs: Mapping[str, Placed], emit: Emit) -> Stored:
    """Emits a lookup; returns the encoded indices.

    Args:
        scope: Where the nodes go.
        lookup: The lookup.
        inputs: The inputs of the model, by the name of the array of the data.
        emit: Emits a graph.
    """
    rank, source, scope.shared.label = lookup.type.rank, lookup.source, lookup.layer
    if isinstance(source, HostTensor):
        assert source.name is not None
        tokens, kind = inputs[source.name].name, "strings"
        if source.shaped is not None:
            tokens = scope.op("Reshape", tokens, scope.shape(source.shape))
    else:
        given: dict[Ref, Stored] = {Ref(id): inputs[name] for id, name in source.arrays.items()}
        (value,) = emit(Graph(source.nodes, [source.result]), given)
        assert isinstance(value, Placed)
        tokens, kind = scope.cast(value.name, dtypes.int64), "int64s"
    attrs: dict[str, Any] = {
        f"keys_{kind}": list(lookup.indices),
        "values_int64s": list(lookup.indices.values()),
        "default_int64": lookup.unknown,
    }
    (found,) = scope.ops("LabelEncoder", 1, tokens, domain=DOMAIN, **attrs)
    indices = Placed(scope.cast(found, dtypes.int32), tuple(range(rank)))
    (node,) = lookup.encode.inputs.values()
    return emit(lookup.encode, {Ref(node.id): indices})[0]
