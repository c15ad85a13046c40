"""The JSON form of graphs, for other programs and for `graphc.graph.json_reader`.

    {"format": "graphc.graph", "version": 1,
     "symbols": {"B": [1, 1024]},
     "nodes": [{"id": 3, "op": "exp", "attrs": {}, "inputs": [[2, 0]],
                "outs": [{"dtype": "float32", "shape": ["B", 10]}], "loc": [["dense", "train.py", 12]]}],
     "outputs": [[3, 0]], "updates": [[1, [3, 0]]]}

Attributes that JSON has no form for are objects whose one key is their type: `{"size": "2*B + 1"}`,
`{"dtype": "int8"}`, `{"float": "nan"}`, `{"complex": [1.0, {"float": "nan"}]}`, `{"array": {"dtype", "shape", "data"}}`
with the bytes in base64 (little-endian), `{"graph": {..}}`. Tuples are lists. Operations that users defined are listed
under `"own"`.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from graphc.dims import IntExpr
from graphc.dtypes import DType
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Array, Node, TensorType

if TYPE_CHECKING:
    from graphc.graph.core import Graph

FORMAT = "graphc.graph"
VERSION = 1


def to_json(graph: Graph, indent: int | None = None) -> str:
    """A graph as JSON.

    Args:
        graph: The graph.
        indent: Columns by which nested parts are indented; on one line where it is None.

    Returns:
        The text, which `from_json` reads back, origins included.
    """
    return json.dumps(graph_object(graph), indent=indent, allow_nan=False)


def graph_object(graph: Graph) -> dict[str, Any]:
    """A graph as dictionaries, lists, texts and numbers."""
    own = sorted(op for op in graph.ops if op in REGISTRY and REGISTRY[op].code is not None)
    return {
        "format": FORMAT,
        "version": VERSION,
        **({"own": own} if own else {}),
        "symbols": {name: list(bounds) for name, bounds in graph.symbols.items()},
        "nodes": [_node(node) for node in graph.table.values()],
        "outputs": [list(ref) for ref in graph.outputs],
        "updates": [[id, list(ref)] for id, ref in graph.updates.items()],
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "op": node.op,
        "attrs": {name: _value(attr) for name, attr in node.attrs.items()},
        "inputs": [list(ref) for ref in node.inputs],
        "outs": [_type(type) for type in node.outs],
        "loc": [list(origin) for origin in node.loc],
    }


def _type(type: TensorType) -> dict[str, Any]:
    return {"dtype": type.dtype.name, "shape": [dim if isinstance(dim, int) else str(dim) for dim in type.shape]}


def _value(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case complex():
            return {"complex": [_value(value.real), _value(value.imag)]}
        case IntExpr():
            return {"size": str(value)}
        case DType():
            return {"dtype": value.name}
        case Array():
            data = base64.b64encode(value.data).decode()
            return {"array": {"dtype": value.dtype.name, "shape": list(value.shape), "data": data}}
        case tuple():
            return [_value(part) for part in value]
    return {"graph": graph_object(value)}
