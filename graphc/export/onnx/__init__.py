"""ONNX: the inference graph of a model as a file that other systems run.

Operations of the graph become nodes of ONNX one by one (`pointwise`, `views`, `reductions`, `contractions`, `windows`,
`loops`, `complex_numbers`: tables from operations to functions that emit nodes), so that every layer is covered whose
operations are. `patterns` finds what one operator of ONNX computes; `placed` tells how the axes of values lie in
tensors, so that transposing and broadcasting take no nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from graphc import dims, dtypes
from graphc.errors import ArgumentError, FileError
from graphc.export.onnx.complex_numbers import COMPLEX
from graphc.export.onnx.contractions import CONTRACTIONS
from graphc.export.onnx.emitter import Emitter, Rule, physical
from graphc.export.onnx.lookups import DOMAIN, DOMAIN_VERSION, emit_lookup
from graphc.export.onnx.loops import LOOPS
from graphc.export.onnx.patterns import find_patterns
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.pointwise import POINTWISE
from graphc.export.onnx.protobuf import OnnxModel, OnnxNode, Subgraph, Typed, checked_bytes, onnx_package, to_message
from graphc.export.onnx.reductions import REDUCTIONS
from graphc.export.onnx.scope import Scope, Shared
from graphc.export.onnx.tracing import Inference, inference_of
from graphc.export.onnx.views import VIEWS
from graphc.export.onnx.windows import WINDOWS
from graphc.graph.core import Graph
from graphc.graph.types import Ref, TensorType
from graphc.saving.files import written_aside
from graphc.tracing import BATCH

OLDEST_OPSET = DEFAULT_OPSET = 17
# How each operation is emitted.
RULES: Mapping[str, Rule] = MappingProxyType(
    {**POINTWISE, **VIEWS, **REDUCTIONS, **CONTRACTIONS, **WINDOWS, **LOOPS, **COMPLEX}
)


def export_onnx(model: Any, filepath: Any, *, input_signature: Any = None, opset_version: int | None = None) -> None:
    """Writes the inference graph of a model to an ONNX file.

    Args:
        model: The model, which is built.
        filepath: Path of the file; it is replaced when the new one is complete.
        input_signature: A structure of `InputSpec`, symbolic tensors or arrays like the inputs. None: the inputs that
            the model has.
        opset_version: The version of ONNX's operators: 17 or later. None: 17.

    Raises:
        MissingPackageError: if the package `onnx` is not installed.
        UnsupportedError: if ONNX has no operators for something, with its layer and line.
        FileError: if the file cannot be written; an existing file is then unchanged.
    """
    newest = int(onnx_package().defs.onnx_opset_version())
    opset = DEFAULT_OPSET if opset_version is None else opset_version
    if not isinstance(opset, int) or isinstance(opset, bool) or not OLDEST_OPSET <= opset <= newest:
        raise ArgumentError(
            "there is no such version of ONNX's operators",
            got=f"opset_version={opset_version!r}",
            expected=f"from {OLDEST_OPSET} to {newest}",
        )
    content = checked_bytes(to_message(onnx_model(inference_of(model, input_signature), opset, model.name), "graphc"))
    path = Path(filepath)
    try:
        with written_aside(path) as aside:
            aside.write_bytes(content)
    except (OSError, ValueError) as error:
        raise FileError("the ONNX file cannot be written", got=f"{path}: {error}") from None


def onnx_model(inference: Inference, opset: int, name: str) -> OnnxModel:
    """A model of ONNX that computes what a graph computes.

    Args:
        inference: The graph, with its inputs, weights, and names of outputs.
        opset: The version of the operators.
        name: The name of the model.
    """
    graph = inference.graph
    shared = Shared(opset, {})
    shared.weights = frozenset(graph.states)
    scope = Scope(shared)
    placed, inputs = _inputs(inference, scope)

    def emit(part: Graph, values: Mapping[Ref, Stored]) -> list[Stored]:
        return Emitter(part, scope, RULES, find_patterns, values).run(part.outputs)

    named: dict[str, Stored] = {**placed}
    for lookup in inference.lookups:
        named[lookup.name] = emit_lookup(scope, lookup, placed, emit)
    given = {Ref(node.id): named[name] for name, node in graph.inputs.items()}
    given |= {
        Ref(node.id): Placed(state, tuple(range(node.outs[0].rank)), inference.variables[state].numpy())
        for state, node in graph.states.items()
    }
    emitter = Emitter(graph, scope, RULES, find_patterns, given)
    found = emitter.run(graph.outputs)
    outputs = []
    for ref, value, wanted in zip(graph.outputs, found, inference.outputs, strict=True):
        type, shared.label = graph.type(ref), ""
        tensor = emitter.whole(value, type)
        if physical(type.dtype) is not type.dtype:
            tensor = scope.cast(tensor, type.dtype)
        outputs.append(Typed(scope.result(tensor, wanted), type.dtype, _shown(type.shape)))
    body = Subgraph(name, tuple(scope.nodes), tuple(inputs), tuple(outputs))
    # What an operator found as a pattern made needless.
    read = _names_read(body)
    initializers = {name: array for name, array in shared.initializers.items() if name in read}
    return OnnxModel(name, opset, body, initializers, {DOMAIN: DOMAIN_VERSION})


def _names_read(graph: Subgraph) -> set[str]:
    """The names of the values that nodes and outputs of a graph read, also in graphs within nodes."""
    found = {output.name for output in graph.outputs}
    for node in graph.nodes:
        found.update(node.inputs)
        for attribute in node.attrs.values():
            if isinstance(attribute, Subgraph):
                found |= _names_read(attribute)
    return found


def _inputs(inference: Inference, scope: Scope) -> tuple[dict[str, Placed], list[Typed]]:
    """The inputs as values, by the names of the arrays of the data, and as ONNX has them."""
    placed, typed = {}, []
    for place, wanted in enumerate(inference.inputs):
        array = f"x{place}"
        shape = inference.strings.get(array)
        type = inference.graph.inputs[array].outs[0] if shape is None else TensorType(shape, dtypes.string)
        name, told = scope.shared.unique(wanted), list[str]()
        for axis, size in enumerate(type.shape):
            if not isinstance(size, int):
                ((monomial, factor),) = size.terms
                here = name, axis, factor
                if scope.shared.sizes.setdefault(monomial[0].name, here) != here and str(size) != BATCH:
                    told.append(f"axis {axis} is that of {scope.shared.sizes[monomial[0].name][0]}")
                elif factor > 1:
                    told.append(f"axis {axis} is a multiple of {factor}")
        typed.append(Typed(name, type.dtype, _shown(type.shape)))
        own, lies = physical(type.dtype), _guarded(scope, name, type.shape, told)
        lies = lies if own is type.dtype else scope.cast(lies, own)
        placed[array] = Placed(lies, tuple(range(type.rank)))
    return placed, typed


def _guarded(scope: Scope, name: str, shape: dims.Shape, told: list[str]) -> str:
    """An input whose sizes are not any: a reshape that other sizes do not fit, so that they are an error."""
    if not told:
        return name
    result = scope.shared.unique(f"{name}: {', '.join(told)}")
    scope.nodes.append(OnnxNode("Reshape", result, (name, scope.shape(shape)), (result,)))
    return result


def _shown(shape: dims.Shape) -> tuple[int | str, ...]:
    """Sizes as ONNX has them: numbers, and names of those that are not known."""
    return tuple(size if isinstance(size, int) else "batch" if str(size) == BATCH else str(size) for size in shape)


__all__ = ["DEFAULT_OPSET", "OLDEST_OPSET", "RULES", "export_onnx", "onnx_model"]
