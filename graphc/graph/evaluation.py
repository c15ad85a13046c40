"""Evaluation of a graph with NumPy, one operation after the other, each by its own `eval`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import GraphcError, VerificationError
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import Node, Ref, at_origin, resolve

Array = np.ndarray[Any, Any]


def evaluate(node: Node, operands: list[Array], sizes: Mapping[str, int]) -> tuple[Array, ...]:
    """The results of one operation. Its regions are passed to its `eval` as functions of their inputs."""
    attrs = bound(node.attrs, sizes)
    try:
        result = primitive(node.op).eval(*operands, **attrs)
    except GraphcError as error:
        raise at_origin(error, node.loc) from error.__cause__
    results = result if isinstance(result, tuple) else (result,)
    # A loop without iterations has no rows to stack.
    missing = [np.zeros(resolve(type.shape, sizes), type.dtype.numpy) for type in node.outs[len(results) :]]
    return (*results, *missing)


def bound(attrs: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Attributes as `eval` takes them: sizes as numbers, graphs as functions of their inputs."""
    return {name: _bound(attr, sizes) for name, attr in attrs.items()}


def _bound(attr: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(attr, tuple) and any(isinstance(part, Graph) for part in attr):
        return tuple(_bound(part, sizes) for part in attr)
    return partial(_call, attr, sizes) if isinstance(attr, Graph) else resolve(attr, sizes)


def _call(graph: Graph, sizes: Mapping[str, int], inputs: Mapping[str, Array]) -> list[Array]:
    return run(graph, inputs, sizes=sizes)[0]


def run(
    graph: Graph,
    inputs: Mapping[str, Array],
    states: Mapping[str, Array] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> tuple[list[Array], dict[str, Array]]:
    """Runs a graph.

    Args:
        graph: The graph.
        inputs: A value for each input, by name.
        states: A value for each state, by name.
        sizes: A value for each symbolic size.

    Returns:
        The outputs, and the new value of each state that the graph updates, by name.

    Raises:
        VerificationError: if a value is missing.
    """
    given = {"input": inputs, "state": states or {}}
    last_use = _last_uses(graph)
    values: dict[Ref, Array] = {}
    for node in graph.table.values():
        if node.op in given:
            name = node.attrs["name"]
            if name not in given[node.op]:
                raise VerificationError(f"no value for {node.op}", got=name)
            results: tuple[Array, ...] = (np.asarray(given[node.op][name]),)
        else:
            results = evaluate(node, [values[ref] for ref in node.inputs], sizes or {})
        for out, result in enumerate(results):
            values[Ref(node.id, out)] = result
        for ref in node.inputs:
            if last_use[ref] == node.id:
                values.pop(ref, None)
    updates = {graph.node(id).attrs["name"]: np.array(values[ref]) for id, ref in graph.updates.items()}
    return [np.array(values[ref]) for ref in graph.outputs], updates


def _last_uses(graph: Graph) -> dict[Ref, int]:
    """The last node that reads each value; a graph's results are needed to the end."""
    last = {ref: node.id for node in graph.table.values() for ref in node.inputs}
    return last | dict.fromkeys(graph.roots, -1)
