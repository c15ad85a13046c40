"""The graph that everything is compiled from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphc import graph as forms
from graphc.errors import VerificationError
from graphc.graph.types import Node, Ref, TensorType

if TYPE_CHECKING:
    import networkx as nx

    _Base = nx.MultiDiGraph[int]
else:

    class _Base:
        """The base class of `Graph` until an attribute of networkx's graphs is first read; from then on, that is one.

        To import networkx takes as long as to import all modules that a first training step needs. Programs that test
        whether a graph is one of networkx's have imported it.
        """

        @property
        def __class__(self) -> type:
            if "networkx" not in sys.modules:
                return type(self)
            _inherit_networkx()
            # `isinstance` has checked the type itself before, when that did not inherit yet.
            return type(type(self).__name__, (type(self),), {})

        def __getattr__(self, name: str) -> Any:
            _inherit_networkx()
            return getattr(self, name)

        # Special methods, which Python looks up in the class.
        def __len__(self) -> int:
            _inherit_networkx()
            return len(self)

        def __iter__(self) -> Iterator[int]:
            _inherit_networkx()
            return iter(self)

        def __contains__(self, id: object) -> bool:
            _inherit_networkx()
            return id in self

        def __getitem__(self, id: int) -> Any:
            _inherit_networkx()
            return self[id]


class _FilledOnRead:
    """An attribute that networkx's `__init__` would set: networkx's dictionaries are filled when it is first read.

    Few graphs are ever read through networkx, and to fill its dictionaries takes longer than most passes do.

    Args:
        name: Its name.
        setter: networkx's own setter, if it has one: other attributes depend on it.
    """

    def __init__(self, name: str, setter: Any) -> None:
        self.name = name
        self.setter = setter

    def __get__(self, graph: Graph | None, owner: type | None = None) -> Any:
        if graph is None:
            return self
        held = vars(graph)
        if self.name not in held:
            _fill_networkx(graph)
        return held[self.name]

    def __set__(self, graph: Graph, value: Any) -> None:
        if self.name not in vars(graph):
            _fill_networkx(graph)
        if self.setter is None:
            vars(graph)[self.name] = value
        else:
            self.setter.__set__(graph, value)


def _inherit_networkx() -> None:
    """Makes `Graph`, and all its instances, graphs of networkx."""
    import networkx as nx  # noqa: PLC0415

    if issubclass(Graph, nx.MultiDiGraph):
        return
    Graph.__bases__ = (nx.MultiDiGraph,)
    for name in ("graph", "_node", "_adj", "_succ", "_pred", "__networkx_cache__"):
        setter = next((vars(base)[name] for base in Graph.__mro__[1:] if name in vars(base)), None)
        setattr(Graph, name, _FilledOnRead(name, setter))


def _fill_networkx(graph: Graph) -> None:
    import networkx as nx  # noqa: PLC0415

    told: Any = nx.MultiDiGraph()
    told.add_nodes_from((node.id, {"node": node}) for node in graph.table.values())
    # The stubs of networkx lack edges with keys.
    edges: Iterable[Any] = (
        (ref.node, node.id, position, {"out": ref.out})
        for node in graph.table.values()
        for position, ref in enumerate(node.inputs)
    )
    told.add_edges_from(edges)
    vars(graph).update(vars(told))


class Graph(_Base):
    """A typed tensor graph: a networkx multigraph whose nodes are operations and whose edges are values.

    networkx sees integer ids as nodes, each with the `Node` under the key `"node"`, and an edge for each input, keyed
    by its position, with `"out"` telling which output of the producer it is. Ids only grow along edges, hence are a
    topological order. A graph is not changed once built: passes make new ones.

    Args:
        nodes: The operations, ids ascending.
        outputs: The values that the graph returns.
        updates: The value that each state node (by id) takes after a run; the only mutation there is.
        symbols: The least and the greatest value of each symbolic size.
    """

    def __init__(
        self,
        nodes: Iterable[Node] = (),
        outputs: Iterable[Ref] = (),
        updates: Mapping[int, Ref] | None = None,
        symbols: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.table = {node.id: node for node in nodes}
        self.outputs = tuple(outputs)
        self.updates = dict(updates or {})
        self.symbols = dict(symbols or {})

    def node(self, id: int) -> Node:
        """The operation with an id."""
        return self.table[id]

    def type(self, ref: Ref) -> TensorType:
        """The type of a value."""
        return self.table[ref.node].outs[ref.out]

    def of_op(self, *ops: str) -> list[Node]:
        """The nodes of some operations, in order."""
        return [node for node in self.table.values() if node.op in ops]

    @cached_property
    def ops(self) -> frozenset[str]:
        """The names of its operations."""
        return frozenset(node.op for node in self.table.values())

    @cached_property
    def inputs(self) -> dict[str, Node]:
        """The input nodes, by name."""
        return {node.attrs["name"]: node for node in self.of_op("input")}

    @cached_property
    def states(self) -> dict[str, Node]:
        """The state nodes (weights, moments, counters), by name."""
        return {node.attrs["name"]: node for node in self.of_op("state")}

    @cached_property
    def roots(self) -> tuple[Ref, ...]:
        """The values that a run must produce: outputs, then updates."""
        return (*self.outputs, *self.updates.values())

    @cached_property
    def users(self) -> dict[Ref, list[int]]:
        """The ids of the nodes that read each value, once for every use, ascending."""
        users: dict[Ref, list[int]] = {}
        for node in self.table.values():
            for ref in node.inputs:
                users.setdefault(ref, []).append(node.id)
        return users

    @cached_property
    def fingerprint(self) -> tuple[Any, ...]:
        """A key that is equal for graphs with equal operations, wiring, results and sizes; origins do not count."""
        nodes = tuple((n.id, n.op, n.attrs, n.inputs, n.outs) for n in self.table.values())
        return nodes, self.outputs, tuple(self.updates.items()), tuple(sorted(self.symbols.items()))

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Graph) and self.fingerprint == other.fingerprint)

    def __str__(self) -> str:
        return forms.text.format_graph(self, shorten=True)

    def to_text(self) -> str:
        """The graph as exact text, which `text_reader.parse_graph` reads back; `str` leaves out large constants."""
        return forms.text.format_graph(self)

    def to_json(self, indent: int | None = None) -> str:
        """The graph as JSON, which `graphc.graph.json_reader.from_json` reads back."""
        return forms.jsonform.to_json(self, indent)

    def to_dot(self) -> str:
        """The graph as a program for Graphviz."""
        return forms.dot.to_dot(self)

    def to_svg(self) -> str:
        """The graph as an SVG picture."""
        return forms.svg.to_svg(self)

    def ancestors(self, refs: Iterable[Ref]) -> set[int]:
        """The ids of all nodes on which some values depend, their own nodes included."""
        seen: set[int] = set()
        stack = [ref.node for ref in refs]
        while stack:
            id = stack.pop()
            if id not in seen:
                seen.add(id)
                stack.extend(ref.node for ref in self.table[id].inputs)
        return seen

    def state_of(self, name: str) -> Node:
        """The state with a name.

        Raises:
            VerificationError: if the graph has no such state.
        """
        if name not in self.states:
            raise VerificationError("the graph has no such state", got=name, expected=f"one of {sorted(self.states)}")
        return self.states[name]
