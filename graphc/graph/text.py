"""The text form of graphs: one node a line, and exact, so that it reads back (`graphc.graph.text_reader`).

    graph B=1..1024 {
      %0 = input "x"         : float32[B, 784]
      %3 = state "kernel"    : float32[784, 128]
      %7 = contract %0 %3 {..} : float32[B, 128]   # sequential/dense train.py:12
      return %7
      update %3 := %9
    }

Graphs that are attributes, such as the body of a scan, come first, as `body @0 .. { .. }`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.graph.literals import format_constant, format_loc, format_type, format_value, quote
from graphc.graph.types import Node

if TYPE_CHECKING:
    from graphc.graph.core import Graph

# Columns at which types and origins begin, where the text before them is not wider.
TYPE_COLUMN = 48
ORIGIN_COLUMN = 80


def format_graph(graph: Graph, shorten: bool = False) -> str:
    """A graph as text.

    Args:
        graph: The graph.
        shorten: Whether the contents of large constants are left out; such a text does not read back.

    Returns:
        Lines, which `parse_graph` reads back.
    """
    return _Writer(shorten).write(graph)


class _Writer:
    def __init__(self, shorten: bool) -> None:
        self.shorten = shorten
        self.bodies: dict[str, str] = {}

    def write(self, graph: Graph) -> str:
        main = self._lines("graph", graph)
        return "\n".join([*(f"body @{name} {text}" for text, name in self.bodies.items()), main])

    def _body(self, body: Any) -> str:
        """The name of a graph that is an attribute; equal ones with equal origins share one."""
        text = self._lines("", body)
        name = self.bodies.get(text)
        if name is None:
            name = self.bodies[text] = str(len(self.bodies))
        return f"@{name}"

    def _lines(self, head: str, graph: Graph) -> str:
        symbols = ", ".join(f"{name}={low}..{high}" for name, (low, high) in graph.symbols.items())
        lines = [" ".join(part for part in (head, symbols, "{") if part)]
        width = max((len(str(id)) for id in graph.table), default=1)
        lines += [self._line(node, width) for node in graph.table.values()]
        lines.append(" ".join(["  return", ", ".join(map(str, graph.outputs))]).rstrip())
        lines += [f"  update %{id} := {ref}" for id, ref in graph.updates.items()]
        return "\n".join([*lines, "}"])

    def _line(self, node: Node, width: int) -> str:
        types = [format_type(type) for type in node.outs]
        call = " ".join([node.op, *map(str, node.inputs), *self._attrs(node)])
        left = f"  {'%' + str(node.id):<{width + 1}} = {call}"
        line = f"{left:<{TYPE_COLUMN}} : {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}"
        return f"{line:<{ORIGIN_COLUMN}} # {format_loc(node.loc)}" if node.loc else line

    def _attrs(self, node: Node) -> list[str]:
        """The attributes; of inputs, states and constants only those that the type does not imply."""
        attrs = dict(node.attrs)
        if is_plain_source(node):
            return [quote(attrs["name"])]
        if node.op == "constant" and set(attrs) == {"value"}:
            return [format_constant(attrs["value"], self.shorten)]
        if not attrs:
            return []
        items = (f"{name}={format_value(attr, self._body, self.shorten)}" for name, attr in attrs.items())
        return ["{" + ", ".join(items) + "}"]


def is_plain_source(node: Node) -> bool:
    """Whether a node is an input or a state whose type implies all attributes but its name."""
    attrs = node.attrs
    return (
        node.op in ("input", "state")
        and set(attrs) == {"name", "shape", "dtype"}
        and isinstance(attrs["name"], str)
        and len(node.outs) == 1
        and (attrs["shape"], attrs["dtype"]) == (node.outs[0].shape, node.outs[0].dtype)
    )
