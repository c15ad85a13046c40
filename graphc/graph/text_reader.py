"""Reads the text form of graphs (`graphc.graph.text`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import FileError
from graphc.graph.core import Graph
from graphc.graph.literals import Scanner, read_loc, read_type, read_value
from graphc.graph.types import Array, Attrs, Loc, Node, Ref, TensorType


def parse_graph(text: str) -> Graph:
    """Reads a graph.

    Args:
        text: The output of `format_graph`.

    Returns:
        A graph equal to the one written, origins included. Types of operands are not checked: see `verify`.

    Raises:
        FileError: if the text is not that of a graph, with the line.

    Example:

    >>> print(parse_graph('graph {\\n%0 = input "x" : float32[3]\\n%1 = exp %0 : float32[3]\\nreturn %1\\n}'))
    graph {
      %0 = input "x"                                 : float32[3]
      %1 = exp %0                                    : float32[3]
      return %1
    }
    """
    try:
        return _TextReader(text).read()
    except RecursionError:
        raise FileError("the text of a graph is nested too deeply") from None
    except (ValueError, ArithmeticError) as error:
        raise FileError("a number in the text of a graph cannot be read", got=str(error)) from None


class _TextReader:
    def __init__(self, text: str) -> None:
        # Only line feeds end lines: names may hold other separators, escaped or not.
        self.lines = [line.rstrip("\r") for line in text.split("\n")]
        self.number = 0
        self.bodies: dict[str, Graph] = {}

    def read(self) -> Graph:
        while True:
            scan = self._next()
            if scan.accept("body"):
                scan.expect("@")
                name = str(scan.integer())
                self.bodies[name] = self._graph(scan)
                continue
            scan.expect("graph")
            graph = self._graph(scan)
            if any(line.strip() for line in self.lines[self.number :]):
                raise self._next().fail("nothing after the graph")
            return graph

    def _next(self) -> Scanner:
        """The next line that is not empty."""
        while self.number < len(self.lines):
            self.number += 1
            line = self.lines[self.number - 1]
            if line.strip():
                return Scanner(line, f"line {self.number}", self.bodies)
        raise FileError("the text of a graph ends too early", where=f"line {self.number}", expected="a closing brace")

    def _graph(self, head: Scanner) -> Graph:
        symbols = self._symbols(head)
        nodes: list[Node] = []
        outputs: list[Ref] = []
        updates: dict[int, Ref] = {}
        known: set[int] = set()
        while True:
            scan = self._next()
            if scan.accept("}"):
                scan.end()
                break
            if scan.accept("return"):
                while scan.at("%"):
                    outputs.append(_ref(scan))
                    scan.accept(",")
            elif scan.accept("update"):
                scan.expect("%")
                state = scan.integer()
                scan.expect(":=")
                updates[state] = _ref(scan)
            else:
                nodes.append(_node(scan, known, nodes[-1].id if nodes else -1))
                known.add(nodes[-1].id)
            scan.end()
        missing = {ref.node for ref in (*outputs, *updates.values())} | updates.keys()
        if missing - known:
            raise FileError("a graph returns what it does not have", where=f"line {self.number}", got=missing - known)
        return Graph(nodes, outputs, updates, symbols)

    def _symbols(self, scan: Scanner) -> dict[str, tuple[int, int]]:
        symbols: dict[str, tuple[int, int]] = {}
        while not scan.accept("{"):
            name = scan.name()
            scan.expect("=")
            low = scan.integer()
            scan.expect("..")
            symbols[name] = (low, scan.integer())
            scan.accept(",")
        scan.end()
        return symbols


def _ref(scan: Scanner) -> Ref:
    scan.expect("%")
    node = scan.integer()
    out = 0
    if scan.text.startswith(".", scan.position):
        scan.expect(".")
        out = scan.integer()
    return Ref(node, out)


def _node(scan: Scanner, known: set[int], last: int) -> Node:
    scan.expect("%")
    id = scan.integer()
    if id <= last:
        raise scan.fail("a larger number than before")
    scan.expect("=")
    op = scan.name()
    inputs: list[Ref] = []
    while scan.at("%"):
        inputs.append(_ref(scan))
        if inputs[-1].node not in known:
            raise scan.fail("an operand that stands above")
    attrs = _attrs(scan, op)
    scan.expect(":")
    outs = _types(scan)
    loc: Loc = read_loc(scan) if scan.accept("#") else ()
    if op in ("input", "state") and set(attrs) == {"name"} and len(outs) == 1:
        attrs |= {"shape": outs[0].shape, "dtype": outs[0].dtype}
    if op == "constant" and isinstance(attrs.get("value"), (bool, int, float, complex)) and outs[0].shape == ():
        attrs["value"] = Array.of(np.asarray(attrs["value"], outs[0].dtype.numpy))
    return Node(id, op, Attrs(attrs), tuple(inputs), outs, loc)


def _attrs(scan: Scanner, op: str) -> dict[str, Any]:
    if scan.accept("{"):
        attrs: dict[str, Any] = {}
        while not scan.accept("}"):
            name = scan.name()
            scan.expect("=")
            attrs[name] = read_value(scan)
            scan.accept(",")
        return attrs
    if scan.at(":"):
        return {}
    return {"name" if op in ("input", "state") else "value": read_value(scan)}


def _types(scan: Scanner) -> tuple[TensorType, ...]:
    if not scan.accept("("):
        return (read_type(scan),)
    types: list[TensorType] = []
    while not scan.accept(")"):
        types.append(read_type(scan))
        scan.accept(",")
    return tuple(types)
