"""Lookups in tables: records which indices the layers of a model read while it is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from graphc.errors import DataError
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node
from graphc.tracing.arrays import Array
from graphc.tracing.tensor import Tensor
from graphc.tracing.trace import current_trace


@dataclass(frozen=True)
class Table:
    """The table of a layer.

    Args:
        layer: The layer's name.
        rows: The number of rows.
    """

    layer: str
    rows: int

    def check(self, indices: Array, where: str | None, name: str = "the inputs", first: int = 0) -> None:
        """Checks the values of the indices.

        Args:
            indices: The values.
            where: The user's line.
            name: The name of the data in the message.
            first: The index of the first sample.

        Raises:
            DataError: if an index is out of range, with its value and position.
        """
        if not indices.size or (indices.min() >= 0 and indices.max() < self.rows):
            return
        bad = np.unravel_index(np.argmax((indices < 0) | (indices >= self.rows)), indices.shape)
        position = ", ".join(str(int(i) + (first if axis == 0 else 0)) for axis, i in enumerate(bad))
        raise DataError(
            f"an index in {name} is out of range",
            layer=self.layer,
            where=where,
            got=f"{indices[bad].item()}" + (f" at [{position}]" if position else ""),
            expected=f"from 0 to {self.rows - 1}: the table has {self.rows} rows",
            hint="give the layer a larger input_dim, or count from 0",
        )


@dataclass(frozen=True)
class Lookup:
    """Rows of a table that a layer reads.

    Args:
        table: The table.
        indices: The indices of the rows: a tensor of integers.
        owner: The identity of the layer.
        nodes: The nodes that compute the indices from data alone; None if they depend on anything else.
    """

    table: Table
    indices: Tensor
    owner: int
    nodes: tuple[Node, ...] | None = None


# The scope in which a step gathers its batch from the data.
DATA = "data"
_CHEAP = (Kind.POINTWISE, Kind.VIEW, Kind.SOURCE, Kind.REDUCE)
_checked: ContextVar[frozenset[int]] = ContextVar("graphc_lookups_are_checked", default=frozenset())


@contextmanager
def checked_lookups(layers: frozenset[int]) -> Iterator[None]:
    """A context for tracing a model whose lookups in these layers are checked on the host (`graphc.models.indices`)."""
    token = _checked.set(layers)
    try:
        yield
    finally:
        _checked.reset(token)


def nodes_from_data(indices: Tensor, cheap: bool = True) -> tuple[Node, ...] | None:
    """The nodes that compute indices from data alone, in order; None if they depend on weights or random numbers.

    Also None in the body of a loop, whose inputs are not known, and with `cheap` if an operation is expensive on the
    host.
    """
    value, trace = indices.traced, current_trace()
    if value is None or trace is None or trace.outermost is not trace:
        return None
    seen: set[int] = set()
    stack = [value.ref.node]
    while stack:
        id = stack.pop()
        if id not in seen:
            node = value.builder.nodes[id]
            seen.add(id)
            if node.op == "gather" and node.loc[0].layer == DATA:
                continue  # the rows of a batch of the data
            if node.op == "state" or (cheap and primitive(node.op).kind not in _CHEAP):
                return None
            stack += [ref.node for ref in node.inputs]
    return tuple(value.builder.nodes[id] for id in sorted(seen))


def is_checked(lookup: Lookup) -> bool:
    """Whether a lookup of the model that is being traced is checked before the model runs."""
    return lookup.owner in _checked.get() and lookup.nodes is not None


_recorded: ContextVar[list[Lookup] | None] = ContextVar("graphc_lookups", default=None)


@contextmanager
def recorded_lookups() -> Iterator[list[Lookup]]:
    """A context that records the lookups of traced layers in a list."""
    found: list[Lookup] = []
    token = _recorded.set(found)
    try:
        yield found
    finally:
        _recorded.reset(token)


def record(lookup: Lookup) -> None:
    """Adds a lookup to the list of the current recording, if there is one."""
    found = _recorded.get()
    if found is not None:
        found.append(lookup)
