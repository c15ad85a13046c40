"""Checks the indices of embedding lookups before a program runs: on a device an invalid index would read another row.

The lookups of a model are found by tracing it once. If the indices depend on the data alone, through casts, slices and
other cheap operations, they are computed on the host and compared with the size of the table. If they depend on weights
or random numbers, they cannot be checked before the program runs: rows out of range are then NaN, as of `ops.take`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphcError
from graphc.graph.evaluation import evaluate
from graphc.graph.types import Node, Ref
from graphc.layers.core import Embedding
from graphc.models.data import Batch, DataSpec
from graphc.models.program import trace_step
from graphc.tracing import BATCH, Array, describe, user_line
from graphc.tracing.lookups import Lookup, recorded_lookups

# The number of elements of the data in a chunk.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class DataLookup:
    """A lookup whose indices are computed from the data alone.

    Args:
        lookup: The lookup.
        nodes: The nodes that compute the indices, in order.
        result: The value of the indices.
        inputs: The names of the arrays that the nodes read.
        name: The name of the data in messages.
    """

    lookup: Lookup
    nodes: tuple[Node, ...]
    result: Ref
    inputs: tuple[str, ...]
    name: str

    def check(self, batch: Batch) -> None:
        """Checks the indices that a batch leads to; constant ones were checked when the lookup was found.

        Raises:
            DataError: if one is outside of the table.
        """
        if not self.inputs:
            return
        arrays = {name: batch.arrays[name] for name in self.inputs}
        row = max((array[:1].size for array in arrays.values()), default=1)
        step = max(1, _AT_ONCE // max(1, row))
        for start in range(0, batch.size, step):
            part = {name: array[start : start + step] for name, array in arrays.items()}
            found = self.indices(part, min(step, batch.size - start))
            self.lookup.table.check(found, describe(user_line()), self.name, start)

    def indices(self, arrays: dict[str, Array], rows: int) -> Array:
        """The indices of some rows of the data."""
        values: dict[Ref, Array] = {}
        for node in self.nodes:
            if node.op == "input":
                results: tuple[Array, ...] = (arrays[node.attrs["name"]],)
            elif _keeps_integers(node, values):
                # Not cast: an index that the narrower dtype cannot hold would become a valid one.
                results = (values[node.inputs[0]],)
            else:
                results = evaluate(node, [values[ref] for ref in node.inputs], {BATCH: rows})
            values |= {Ref(node.id, out): result for out, result in enumerate(results)}
        return values[self.result]


def _keeps_integers(node: Node, values: dict[Ref, Array]) -> bool:
    return node.op == "cast" and node.attrs["dtype"].is_integer and values[node.inputs[0]].dtype.kind in "iu"


def data_lookups(model: Any, data_spec: DataSpec) -> tuple[DataLookup, ...] | None:
    """The lookups of a model whose indices depend on data of a spec alone; None if it cannot be called on such data.

    Raises:
        DataError: if constant indices are outside of their table.
    """
    if not any(isinstance(layer, Embedding) for layer in model._flatten_layers()):
        return ()
    with recorded_lookups() as lookups:
        try:
            trace_step(model, data_spec, "predict", None)
        except Exception as error:
            # The error is raised when the program is compiled. A model with steps of its own may not take such data.
            if isinstance(error, GraphcError | NotImplementedError) or model._has_own_steps:
                return None
            raise
        finally:
            model._clear_losses()
    found = (_of_data(lookup, data_spec) for lookup in lookups)
    return tuple(lookup for lookup in found if lookup is not None)


def _of_data(lookup: Lookup, data_spec: DataSpec) -> DataLookup | None:
    """A lookup with the nodes that compute its indices; None if these depend on more than the data."""
    value, nodes = lookup.indices.traced, lookup.nodes
    if value is None or nodes is None:
        return None
    inputs = tuple(node.attrs["name"] for node in nodes if node.op == "input")
    if not set(inputs) <= {leaf.name for leaf in data_spec.leaves}:
        return None  # the host computes them from strings
    count = len(data_spec.of("x"))
    name = "the indices" if len(inputs) != 1 else "x" if count == 1 else f"x[{int(inputs[0][1:])}]"
    if inputs and any(node.op not in ("input", "cast") for node in nodes):
        name = f"the indices made of {name}"  # the reported index is one into these
    data_lookup = DataLookup(lookup, nodes, value.ref, inputs, name)
    if not inputs:
        lookup.table.check(np.asarray(data_lookup.indices({}, 1)), describe(user_line()), name)
    return data_lookup
