"""Which rows of tables the data ask for, checked before a program runs: on a device they would silently be others.

What a layer looks up is found by tracing the model once. Where the indices come from the data alone, through casts,
slices and whatever else is cheap, they are computed on the host and compared with the table. Where weights or random
numbers take part, nothing is known before the program runs: rows outside are then NaN, as of `ops.take`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphcError
from graphc.graph.evaluation import evaluate
from graphc.graph.types import Node, Ref
from graphc.layers.core import Embedding
from graphc.layers.lookups import Lookup, recorded_lookups
from graphc.models.data import Batch, DataSpec
from graphc.models.program import trace_step
from graphc.tracing import BATCH, Array, describe, user_line

# How many elements of the data are looked at together.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class DataLookup:
    """A lookup whose indices are computed from the data alone.

    Args:
        lookup: What is looked up.
        nodes: The operations that compute the indices, in order.
        result: Their result.
        inputs: The arrays that they read, by name.
        name: What to call the data in a message.
    """

    lookup: Lookup
    nodes: tuple[Node, ...]
    result: Ref
    inputs: tuple[str, ...]
    name: str

    def check(self, batch: Batch) -> None:
        """Checks the indices that a batch asks for; those that no data take part in were checked when they were found.

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
            self.lookup.check(found, describe(user_line()), self.name, start)

    def indices(self, arrays: dict[str, Array], rows: int) -> Array:
        """The indices of some rows of the data."""
        values: dict[Ref, Array] = {}
        for node in self.nodes:
            if node.op == "input":
                results: tuple[Array, ...] = (arrays[node.attrs["name"]],)
            elif _keeps_integers(node, values):
                # As they are: those that a narrower type cannot hold would be others.
                results = (values[node.inputs[0]],)
            else:
                results = evaluate(node, [values[ref] for ref in node.inputs], {BATCH: rows})
            values |= {Ref(node.id, out): result for out, result in enumerate(results)}
        return values[self.result]


def _keeps_integers(node: Node, values: dict[Ref, Array]) -> bool:
    return node.op == "cast" and node.attrs["dtype"].is_integer and values[node.inputs[0]].dtype.kind in "iu"


def data_lookups(model: Any, data_spec: DataSpec) -> tuple[DataLookup, ...] | None:
    """What a model looks up at indices that come from data of a kind; None where it cannot be called on such data.

    Raises:
        DataError: if indices that no data take part in are outside of their table.
    """
    if not any(isinstance(layer, Embedding) for layer in model._flatten_layers()):
        return ()
    with recorded_lookups() as lookups:
        try:
            trace_step(model, data_spec, "predict", None)
        except GraphcError:
            return None  # why is told when its program is made
        finally:
            model._forget_losses()
    found = (_of_data(lookup, data_spec) for lookup in lookups)
    return tuple(lookup for lookup in found if lookup is not None)


def _of_data(lookup: Lookup, data_spec: DataSpec) -> DataLookup | None:
    """A lookup with what computes its indices; None where that is not known before the program runs."""
    value, nodes = lookup.indices.traced, lookup.nodes
    if value is None or nodes is None:
        return None
    inputs = tuple(node.attrs["name"] for node in nodes if node.op == "input")
    count = len(data_spec.of("x"))
    name = "the indices" if len(inputs) != 1 else "x" if count == 1 else f"x[{int(inputs[0][1:])}]"
    if inputs and any(node.op not in ("input", "cast") for node in nodes):
        name = f"the indices made of {name}"  # places are those in them
    made = DataLookup(lookup, nodes, value.ref, inputs, name)
    if not inputs:
        lookup.check(np.asarray(made.indices({}, 1)), describe(user_line()), name)
    return made
