"""The digest of a graph: equal in every process for graphs with equal operations, wiring, results and sizes.

Origins do not count. Python's own hashes are not used: those of texts differ between processes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.dims import IntExpr
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Array, Attrs

if TYPE_CHECKING:
    from graphc.graph.core import Graph


def digest(graph: Graph) -> str:
    """The SHA-256 of a graph's operations, attributes, wiring, results and sizes, as hexadecimal digits.

    The current rules of users' primitives are part of it; `own.have_digests` tells whether all of them have digests.
    """
    known: dict[Attrs, str] = {}
    lines: list[str] = []
    for node in graph.table.values():
        attrs = known.get(node.attrs)
        if attrs is None:
            attrs = known[node.attrs] = ";".join(f"{name}={_text(value)}" for name, value in node.attrs.items())
        lines.append(f"{node.id} {node.op} {[*map(tuple, node.inputs)]} {attrs}")
    own = ((op, REGISTRY[op].code) for op in sorted(graph.ops & REGISTRY.keys()))
    lines += [f"rules of {op}: {code()}" for op, code in own if code is not None]
    lines.append(f"outputs {[*map(tuple, graph.outputs)]}")
    lines.append(f"updates {[(id, tuple(ref)) for id, ref in graph.updates.items()]}")
    lines.append(f"symbols {sorted(graph.symbols.items())}")
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: Any) -> str:
    """A text that is different for different attributes; line breaks are escaped."""
    if value is None or isinstance(value, bool | int | float | complex | str):
        return repr(value)
    if isinstance(value, np.generic):  # such as an axis that the user computed with NumPy
        return f"{value.dtype} {value.item()!r}"
    if isinstance(value, IntExpr):
        return f"<{value}>"
    if isinstance(value, DType):
        return f"dtype {value.name}"
    if isinstance(value, tuple):
        return f"({','.join(map(_text, value))})"
    if isinstance(value, Array):
        return f"array {value.dtype.name}{value.shape} {hashlib.sha256(value.data).hexdigest()}"
    if hasattr(value, "table"):
        return f"graph {digest(value)}"
    raise VerificationError("an attribute of a graph has no digest", got=type(value).__name__)
