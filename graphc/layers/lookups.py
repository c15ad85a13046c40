"""What layers look up in tables: who asks for it is told which indices a model reads at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from graphc.errors import DataError
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node
from graphc.tracing import Array, BodyTrace, Tensor, current_trace


@dataclass(frozen=True)
class Lookup:
    """Rows of a table that a layer reads.

    Args:
        layer: The layer's name.
        indices: Which rows: a tensor of integers.
        rows: How many the table has.
        owner: The layer's identity.
        nodes: What computes the indices from data alone; None where that is not known before a program runs.
    """

    layer: str
    indices: Tensor
    rows: int
    owner: int
    nodes: tuple[Node, ...] | None = None

    def check(self, indices: Array, where: str | None, name: str = "the inputs", first: int = 0) -> None:
        """Checks the values that the indices have.

        Args:
            indices: The values.
            where: The user's line.
            name: What they come from.
            first: How many samples came before the first.

        Raises:
            DataError: if one is outside of the table, with its value and its place.
        """
        if not indices.size or (indices.min() >= 0 and indices.max() < self.rows):
            return
        bad = np.unravel_index(np.argmax((indices < 0) | (indices >= self.rows)), indices.shape)
        place = ", ".join(str(int(i) + (first if axis == 0 else 0)) for axis, i in enumerate(bad))
        raise DataError(
            f"an index in {name} is out of range",
            layer=self.layer,
            where=where,
            got=f"{indices[bad].item()}" + (f" at [{place}]" if place else ""),
            expected=f"from 0 to {self.rows - 1}: the table has {self.rows} rows",
            hint="give the layer a larger input_dim, or count from 0",
        )


# The scope in which a step takes its batch out of the data.
DATA = "data"
_CHEAP = (Kind.POINTWISE, Kind.VIEW, Kind.SOURCE, Kind.REDUCE)
_checked: ContextVar[frozenset[int]] = ContextVar("graphc_lookups_are_checked", default=frozenset())


@contextmanager
def checked_lookups(layers: frozenset[int]) -> Iterator[None]:
    """Within, a model is traced whose data are checked before these layers look them up (`graphc.models.indices`)."""
    token = _checked.set(layers)
    try:
        yield
    finally:
        _checked.reset(token)


def origin_in_data(indices: Tensor) -> tuple[Node, ...] | None:
    """The operations that compute indices from data alone, in order; None where weights or chance take part.

    Only those count that cost little on the host. In the body of a loop nothing is known of the data.
    """
    value, trace = indices.traced, current_trace()
    if value is None or isinstance(trace, BodyTrace):
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
            if node.op == "state" or primitive(node.op).kind not in _CHEAP:
                return None
            stack += [ref.node for ref in node.inputs]
    return tuple(value.builder.nodes[id] for id in sorted(seen))


def is_checked(lookup: Lookup) -> bool:
    """Whether what a layer of the model that is being traced looks up is checked before the model runs."""
    return lookup.owner in _checked.get() and lookup.nodes is not None


_recorded: ContextVar[list[Lookup] | None] = ContextVar("graphc_lookups", default=None)


@contextmanager
def recorded_lookups() -> Iterator[list[Lookup]]:
    """Within, lookups whose indices are not known yet are put into the list."""
    found: list[Lookup] = []
    token = _recorded.set(found)
    try:
        yield found
    finally:
        _recorded.reset(token)


def record(lookup: Lookup) -> None:
    """Takes a lookup into the list of who asked for it."""
    found = _recorded.get()
    if found is not None:
        found.append(lookup)
