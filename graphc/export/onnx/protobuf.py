"""ONNX models as plain data, and their conversion to messages of the package `onnx`, which is imported when used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.dtypes import DType
from graphc.errors import MissingPackageError, UnsupportedError

Array = np.ndarray[Any, Any]
# By the name of a dtype: its number in ONNX.
CODES = MappingProxyType(
    {
        "float32": 1,
        "uint8": 2,
        "int8": 3,
        "uint16": 4,
        "int16": 5,
        "int32": 6,
        "int64": 7,
        "string": 8,
        "bool": 9,
        "float16": 10,
        "float64": 11,
        "uint32": 12,
        "uint64": 13,
        "bfloat16": 16,
    }
)


@dataclass(frozen=True)
class Typed:
    """An input or output: its name, its dtype, and a number or a name for each size."""

    name: str
    dtype: DType
    shape: tuple[int | str, ...] | None


@dataclass(frozen=True)
class Subgraph:
    """A graph that is an attribute of a node."""

    name: str
    nodes: tuple[OnnxNode, ...]
    inputs: tuple[Typed, ...]
    outputs: tuple[Typed, ...]


@dataclass(frozen=True)
class OnnxNode:
    """A node: its operator, the names of its operands and results, and its attributes."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True)
class OnnxModel:
    """A model.

    Args:
        name: Its name.
        opset: The version of the operators.
        graph: Nodes, inputs and outputs.
        initializers: The values of weights and constants, by name.
        domains: The versions of further operators, by domain.
    """

    name: str
    opset: int
    graph: Subgraph
    initializers: Mapping[str, Array]
    domains: Mapping[str, int] = field(default_factory=dict)


def onnx_package() -> Any:
    """The package `onnx`.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        import onnx  # noqa: PLC0415
    except ImportError:
        raise MissingPackageError(
            "the package `onnx` writes and checks ONNX files, and is not installed",
            hint="pip install 'graphc[onnx]'",
        ) from None
    return onnx


def to_message(model: OnnxModel, producer: str) -> Any:
    """The model as a message of the package `onnx`."""
    onnx = onnx_package()
    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in model.initializers.items()]
    graph = _graph(onnx, model.graph, initializers)
    imports = [onnx.helper.make_opsetid("", model.opset)]
    for domain in sorted({node.domain for node in model.graph.nodes} - {""}):
        imports.append(onnx.helper.make_opsetid(domain, model.domains[domain]))
    return onnx.helper.make_model(
        graph,
        opset_imports=imports,
        ir_version=onnx.helper.find_min_ir_version_for(imports),
        producer_name=producer,
    )


def checked_bytes(message: Any) -> bytes:
    """The bytes of a model that passes the full check of the package `onnx`.

    Raises:
        UnsupportedError: if it is larger than a message can be.
    """
    onnx = onnx_package()
    try:
        content: bytes = message.SerializeToString()
    except Exception as error:  # the libraries that serialize have classes of their own
        raise UnsupportedError(
            "the model does not fit into one ONNX file", got=str(error), expected="less than 2 GB of weights"
        ) from error
    onnx.checker.check_model(content, full_check=True)
    return content


def _graph(onnx: Any, graph: Subgraph, initializers: Sequence[Any] = ()) -> Any:
    return onnx.helper.make_graph(
        [_node(onnx, node) for node in graph.nodes],
        graph.name,
        [_typed(onnx, x) for x in graph.inputs],
        [_typed(onnx, x) for x in graph.outputs],
        initializer=initializers,
    )


def _typed(onnx: Any, x: Typed) -> Any:
    return onnx.helper.make_tensor_value_info(x.name, CODES[x.dtype.name], x.shape)


def _node(onnx: Any, node: OnnxNode) -> Any:
    attrs = {
        name: _graph(onnx, value)
        if isinstance(value, Subgraph)
        else onnx.numpy_helper.from_array(value)
        if isinstance(value, np.ndarray)
        else value
        for name, value in node.attrs.items()
    }
    return onnx.helper.make_node(
        node.op, node.inputs, node.outputs, name=node.name, domain=node.domain or None, **attrs
    )
