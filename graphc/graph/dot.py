"""Graphs as Graphviz programs, with a cluster for each layer of the model."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from graphc.graph.picture import COLORS, Box, picture_of

if TYPE_CHECKING:
    from graphc.graph.core import Graph


def to_dot(graph: Graph) -> str:
    """A graph as a DOT program.

    Args:
        graph: The graph.

    Returns:
        Text for `dot -Tsvg`. Identifiers are `n0`, `n1`, ..; users' names occur in quoted labels only.
    """
    picture = picture_of(graph)
    tree = _Cluster("")
    for box in picture.boxes:
        tree.find(box.layer).boxes.append(box)
    lines = [
        "digraph graphc {",
        "  rankdir=TB; compound=true; fontname=Helvetica;",
        "  node [shape=box, style=filled, fontname=Helvetica, fontsize=10];",
        "  edge [color=gray40, arrowsize=0.6];",
    ]
    lines += tree.lines("  ", count())
    lines += [f"  n{source} -> n{target};" for source, target in picture.arrows]
    return "\n".join([*lines, "}"]) + "\n"


class _Cluster:
    """The boxes of one layer, and the layers inside it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.boxes: list[Box] = []
        self.inner: dict[str, _Cluster] = {}

    def find(self, path: str) -> _Cluster:
        """The cluster of a path, created if it is missing."""
        here = self
        for part in path.split("/") if path else ():
            here = here.inner.setdefault(part, _Cluster(part))
        return here

    def lines(self, indent: str, numbers: count[int]) -> list[str]:
        """The boxes and the inner clusters."""
        lines = [f"{indent}{_node(box)}" for box in self.boxes]
        for cluster in self.inner.values():
            lines.append(f"{indent}subgraph cluster_{next(numbers)} {{")
            lines.append(f"{indent}  label={quoted(cluster.name)}; style=rounded; color=gray70; fontsize=11;")
            lines += cluster.lines(indent + "  ", numbers)
            lines.append(f"{indent}}}")
        return lines


def _node(box: Box) -> str:
    fill = COLORS[box.sort]
    font = ', fontcolor="#ffffff"' if box.sort == "result" else ""
    label = quoted(f"{box.title}\n{box.detail}")
    return f'n{box.id} [label={label}, tooltip={quoted(box.hint)}, fillcolor="{fill}"{font}];'


def quoted(text: str) -> str:
    """A text as a DOT string; control characters other than line feeds become spaces."""
    clean = "".join(c if c == "\n" or c.isprintable() else " " for c in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
