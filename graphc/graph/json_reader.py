"""Reads the JSON form of graphs (`graphc.graph.jsonform`). All input is checked before it is used."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, TypeVar

from graphc import dims
from graphc.dims import Dim
from graphc.dtypes import DType, as_dtype
from graphc.errors import FileError, GraphcError
from graphc.graph.core import Graph
from graphc.graph.jsonform import FORMAT, VERSION
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Array, Attrs, Node, Origin, Ref, TensorType

T = TypeVar("T")


def from_json(text: str) -> Graph:
    """Reads a graph.

    Args:
        text: The output of `to_json`.

    Returns:
        A graph equal to the one written, origins included. Types of operands are not checked: see `verify`.

    Raises:
        FileError: if the text is not JSON, not a graph, or of a later version.
    """
    try:
        return _graph(json.loads(text, parse_constant=_no_constant), "graph")
    except RecursionError:
        raise FileError("the JSON form of a graph is nested too deeply") from None
    except (ValueError, ArithmeticError) as error:
        raise FileError("a graph's JSON form is not JSON", got=str(error)) from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON; it is written as an object")


def _bad(path: str, got: Any, expected: str) -> FileError:
    shown = repr(got)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return FileError("the JSON form of a graph cannot be read", where=path, got=shown, expected=expected)


def _as(kind: type[T], value: Any, path: str) -> T:
    """A value that must be of a type; JSON's true and false are no numbers."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _bad(path, value, {dict: "an object", list: "a list", str: "a text", int: "an integer"}.get(kind, ""))
    return value


def _field(kind: type[T], value: dict[str, Any], name: str, path: str) -> T:
    if name not in value:
        raise _bad(path, sorted(value), f"a field {name!r}")
    return _as(kind, value[name], f"{path}.{name}")


def _graph(value: Any, path: str) -> Graph:
    top = _as(dict, value, path)
    if top.get("format") != FORMAT:
        raise _bad(f"{path}.format", top.get("format"), repr(FORMAT))
    version = _field(int, top, "version", path)
    if not 1 <= version <= VERSION:
        raise FileError(
            "the JSON form of a graph has another version",
            where=path,
            got=version,
            expected=f"{VERSION} or below",
            hint="use the version of graphc that wrote it, or a later one",
        )
    for op in _as(list, top.get("own", []), f"{path}.own"):
        if op not in REGISTRY:
            raise FileError(
                "the JSON form of a graph has an operation that is not defined in this process",
                where=f"{path}.own",
                got=op,
                expected="a primitive of this name, defined with `graphc.primitive` before the graph is read",
                hint="run the code that defines it first",
            )
    symbols = {}
    for name, bounds in _field(dict, top, "symbols", path).items():
        symbols[str(name)] = _pair(bounds, f"{path}.symbols.{name}")
    nodes: list[Node] = []
    known: dict[int, int] = {}
    for position, item in enumerate(_field(list, top, "nodes", path)):
        node = _node(item, known, f"{path}.nodes[{position}]")
        nodes.append(node)
        known[node.id] = len(node.outs)
    outputs = [
        _ref(item, known, f"{path}.outputs[{position}]")
        for position, item in enumerate(_field(list, top, "outputs", path))
    ]
    updates: dict[int, Ref] = {}
    for position, item in enumerate(_field(list, top, "updates", path)):
        here = f"{path}.updates[{position}]"
        parts = _as(list, item, here)
        if len(parts) != 2 or _as(int, parts[0], here) not in known:
            raise _bad(here, item, "[state, [node, output]]")
        updates[parts[0]] = _ref(parts[1], known, here)
    return Graph(nodes, outputs, updates, symbols)


def _pair(value: Any, path: str) -> tuple[int, int]:
    parts = _as(list, value, path)
    if len(parts) != 2:
        raise _bad(path, value, "two integers")
    return _as(int, parts[0], path), _as(int, parts[1], path)


def _ref(value: Any, known: dict[int, int], path: str) -> Ref:
    ref = Ref(*_pair(value, path))
    if not 0 <= ref.out < known.get(ref.node, 0):
        raise _bad(path, value, "an output of a node that stands before")
    return ref


def _node(value: Any, known: dict[int, int], path: str) -> Node:
    item = _as(dict, value, path)
    id = _field(int, item, "id", path)
    if id < 0 or (known and id <= next(reversed(known))):
        raise _bad(f"{path}.id", id, "a larger id than before")
    attrs = {
        str(name): _value(attr, f"{path}.attrs.{name}") for name, attr in _field(dict, item, "attrs", path).items()
    }
    return Node(
        id,
        _field(str, item, "op", path),
        Attrs(attrs),
        tuple(_ref(ref, known, f"{path}.inputs[{i}]") for i, ref in enumerate(_field(list, item, "inputs", path))),
        tuple(_type(out, f"{path}.outs[{i}]") for i, out in enumerate(_field(list, item, "outs", path))),
        tuple(_origin(origin, f"{path}.loc[{i}]") for i, origin in enumerate(_field(list, item, "loc", path))),
    )


def _origin(value: Any, path: str) -> Origin:
    parts = _as(list, value, path)
    if len(parts) != 3:
        raise _bad(path, value, "[layer, file, line]")
    return Origin(_as(str, parts[0], path), _as(str, parts[1], path), _as(int, parts[2], path))


def _type(value: Any, path: str) -> TensorType:
    item = _as(dict, value, path)
    shape = _field(list, item, "shape", path)
    return TensorType(
        tuple(_size(size, f"{path}.shape[{i}]") for i, size in enumerate(shape)),
        _dtype(_field(str, item, "dtype", path), path),
    )


def _size(value: Any, path: str) -> Dim:
    if isinstance(value, str):
        try:
            return dims.parse(value)
        except GraphcError:
            raise _bad(path, value, "a size, such as 2*B + 1") from None
    size = _as(int, value, path)
    if size < 0:
        raise _bad(path, value, "a size of 0 or more")
    return size


def _dtype(name: str, path: str) -> DType:
    try:
        return as_dtype(name)
    except GraphcError:
        raise _bad(path, name, "the name of a dtype") from None


def _value(value: Any, path: str) -> Any:
    """An attribute."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return tuple(_value(part, f"{path}[{i}]") for i, part in enumerate(value))
    item = _as(dict, value, path)
    if len(item) != 1:
        raise _bad(path, value, "an object with one key")
    ((kind, content),) = item.items()
    match kind:
        case "float" if content in ("nan", "inf", "-inf"):
            return float(content)
        case "complex":
            parts = [_value(part, path) for part in _as(list, content, path)]
            if [type(part) for part in parts] != [float, float]:
                raise _bad(path, content, "a real and an imaginary part")
            return complex(*parts)
        case "size":
            return _size(_as(str, content, path), path)
        case "dtype":
            return _dtype(_as(str, content, path), path)
        case "array":
            return _array(_as(dict, content, path), path)
        case "graph":
            return _graph(content, path)
    raise _bad(path, value, "float, complex, size, dtype, array or graph")


def _array(item: dict[str, Any], path: str) -> Array:
    dtype = _dtype(_field(str, item, "dtype", path), path)
    shape = tuple(_as(int, size, f"{path}.shape") for size in _field(list, item, "shape", path))
    try:
        data = base64.b64decode(_field(str, item, "data", path), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(f"{path}.data", str(error), "base64") from None
    count = dims.product(shape)
    if any(size < 0 for size in shape) or len(data) != count * dtype.itemsize:
        raise _bad(f"{path}.data", f"{len(data)} bytes", f"the bytes of {dtype.name}{list(shape)}")
    return Array(dtype, shape, data)
