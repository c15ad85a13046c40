"""Writes `docs/operations.md`: what each operation does on which backend, and whether it has a gradient.

    python -m tests.support.operations_table > docs/operations.md

Each operation is traced on the operands of its first call in `keras_tables`.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import graphc
from graphc import ops, tree
from graphc.dtypes import as_dtype
from graphc.errors import GraphcError
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import TensorType
from graphc.tracing import trace
from tests.support.keras_calls import Call
from tests.support.keras_tables import TABLES

TITLES = {
    "elementwise": "Elementwise",
    "activations": "Activations",
    "reductions": "Reductions",
    "shapes": "Shapes, creation, indices",
    "products": "Products",
    "layers": "Layers and losses",
    "cumulative": "Partial results",
    "nan": "Reductions without NaN",
    "quantiles": "Quantiles",
    "ordering": "Ordering",
    "stacking": "Joining, splitting, turning",
    "diagonals": "Diagonals",
    "numbers": "Numbers and their bits",
    "spaces": "Spaces and windows",
    "segments": "Segments and histograms",
    "statistics": "Distances and correlations",
    "blocks": "Blocks of images",
    "neural": "Alignment, patterns, vectorization",
    "linear": "Linear algebra",
    "fourier": "Fourier transforms",
    "resized": "Images resized and cut",
    "warped": "Images warped",
}
HEAD = """# Operations

`tests/support/operations_table.py` writes this page from what the operations do. All of them run on the backends
`numpy` and `cpu`; those whose results have sizes that depend on values (`nonzero`, `bincount`, `unique` without `size`)
run eagerly only.

- **cuda**: whether it runs on a GPU; else the operation of a library that stands in its way, which an error names.
- **gradient**: whether gradients flow through it; without one it is 0, or the result is no float.
- **sizes**: `any`: symbolic tensors may have unknown axes (`None`); `known`: the first axis must have a known size;
  `-`: there are no symbolic tensors.
"""


def _libraries(graph: Graph) -> set[str]:
    """The operations of libraries in a graph, and in those that it runs."""
    found: set[str] = set()
    for node in graph.table.values():
        record = primitive(node.op)
        if record.kind is Kind.LIBRARY:
            found.add(node.op)
        for inner in record.graphs(node.attrs):
            found |= _libraries(inner)
    return found


def _operands(name: str, call: Call, dtype: str) -> list[Any]:
    return [of.array(name, i, dtype) for i, of in enumerate(call.operands)]


def _on_gpu(call: Call, dtype: str) -> str:
    specs = [TensorType(of.shape, as_dtype(of.dtype or dtype)) for of in call.operands]
    try:
        libraries = _libraries(trace(lambda *xs: list(tree.flatten(call.run(ops, *xs))), specs).graph)
    except GraphcError:
        return "eager only"
    return "no: " + ", ".join(f"`{name}`" for name in sorted(libraries)) if libraries else "yes"


def _has_gradient(name: str, call: Call, dtype: str) -> bool:
    arrays = _operands(name, call, dtype)
    watched = {i: ops.convert_to_tensor(x) for i, x in enumerate(arrays) if "float" in str(x.dtype)}
    if not watched:
        return False
    with graphc.GradientTape() as tape:
        tape.watch(list(watched.values()))
        results = tree.flatten(call.run(ops, *(watched.get(i, x) for i, x in enumerate(arrays))))
        parts = [ops.sum(ops.absolute(r)) for r in results if "float" in r.dtype or "complex" in r.dtype]
        total = sum(parts[1:], parts[0]) if parts else None
    if total is None:
        return False
    try:
        return any(g is not None for g in tape.gradient(total, list(watched.values())))
    except GraphcError:
        return False


def _sizes(call: Call, dtype: str) -> str:
    for unknown, answer in ((True, "any"), (False, "known")):
        shapes: list[Any] = [of.shape for of in call.operands]
        if unknown and shapes and shapes[0]:
            shapes[0] = (None, *shapes[0][1:])
        inputs = [graphc.KerasTensor(s, of.dtype or dtype) for s, of in zip(shapes, call.operands, strict=True)]
        try:
            call.run(ops, *inputs)
        except GraphcError:
            continue
        return answer
    return "-"


def _name(key: str) -> str:
    """The operation that a call is named after."""
    return re.split(r"[ ,]", key)[0]


def _public(name: str) -> str | None:
    for place, space in (("", ops), ("image.", ops.image), ("linalg.", ops.linalg)):
        if hasattr(space, name):
            return place + name
    return None


def rows(table: str) -> list[str]:
    """The lines of a table's operations."""
    found: dict[str, str] = {}
    for key, call in TABLES[table].items():
        name = _public(_name(key))
        if name is None or name in found or (not call.operands and table != "spaces"):
            continue
        dtype = "float32" if "float32" in call.dtypes else call.dtypes[0]
        gradient = "yes" if call.operands and _has_gradient(key, call, dtype) else "-"
        sizes = _sizes(call, dtype) if call.operands else "-"
        found[name] = f"| `{name}` | {_on_gpu(call, dtype)} | {gradient} | {sizes} |"
    return [found[name] for name in sorted(found)]


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table in TABLES:
            title = TITLES.get(table, table.capitalize())
            lines += [f"## {title}", "", "| operation | cuda | gradient | sizes |", "| --- | --- | --- | --- |"]
            lines += [*rows(table), ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
