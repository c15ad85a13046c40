"""The content of a graph's pictures, for Graphviz and SVG alike: boxes and arrows.

Literals are not boxes: they are shown in the operations that read them. Results and the new values of states are boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.graph.literals import format_constant, format_loc, format_value, quote
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Node, Ref

if TYPE_CHECKING:
    from graphc.graph.core import Graph

# Longer texts on boxes are truncated in the middle.
LONGEST = 30

# The fill colour of a box, by its sort.
COLORS = {
    "input": "#ffffff",
    "state": "#fff3b0",
    "constant": "#ffffff",
    "pointwise": "#d6e8fa",
    "view": "#eeeeee",
    "reduce": "#ffd8a8",
    "contract": "#ffc2c7",
    "scan": "#dcd0f7",
    "scatter": "#c3f0e4",
    "random": "#d3f2c0",
    "result": "#333333",
    "other": "#f5f5f5",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box: an operation, a source, or a result.

    Args:
        id: Its number; numbers ascend along arrows.
        title: Its operation, such as `mul(·, 0.9)`.
        detail: The type of its value.
        layer: The path of the layer it comes from; empty where unknown.
        sort: A key of `COLORS`.
        hint: Its details, several lines.
    """

    id: int
    title: str
    detail: str
    layer: str
    sort: str
    hint: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, and arrows from producers to readers."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]

    @property
    def sorts(self) -> list[str]:
        """The sorts of its boxes, in the order of `COLORS`."""
        present = {box.sort for box in self.boxes}
        return [sort for sort in COLORS if sort in present]

    @property
    def layers(self) -> list[str]:
        """The layers of its boxes, in the order of their first box."""
        return list(dict.fromkeys(box.layer for box in self.boxes if box.layer))


def picture_of(graph: Graph) -> Picture:
    """The picture of a graph."""
    numbers = _numbers(graph)
    boxes: list[Box] = []
    arrows: list[tuple[int, int]] = []
    for node in graph.table.values():
        if node.id not in numbers:
            boxes.append(_box(node, numbers))
            arrows += [(ref.node, node.id) for ref in node.inputs if ref.node not in numbers]
    next_id = max(graph.table, default=-1) + 1
    results = [(f"result {position}", ref) for position, ref in enumerate(graph.outputs)]
    results += [(f"new {graph.node(id).attrs['name']}", ref) for id, ref in graph.updates.items()]
    for title, ref in results:
        source = graph.node(ref.node)
        if ref.node in numbers:
            title += f" = {numbers[ref.node]}"
        else:
            arrows.append((ref.node, next_id))
        boxes.append(Box(next_id, shortened(title), str(graph.type(ref)), _layer(source), "result", title))
        next_id += 1
    return Picture(tuple(boxes), tuple(dict.fromkeys(arrows)))


def _numbers(graph: Graph) -> dict[int, str]:
    """The text of each node all of whose elements are one number."""
    numbers: dict[int, str] = {}
    for node in graph.table.values():
        if node.op == "constant" and node.outs[0].rank == 0:
            numbers[node.id] = format_constant(node.attrs["value"], True)
        elif node.op == "broadcast" and node.inputs[0].node in numbers:
            numbers[node.id] = numbers[node.inputs[0].node]
    return numbers


def _box(node: Node, numbers: dict[int, str]) -> Box:
    types = ", ".join(map(str, node.outs))
    title = node.op
    if node.op in ("input", "state"):
        title = f"{node.op} {node.attrs['name']}"
    elif any(ref.node in numbers for ref in node.inputs):
        operands = (numbers.get(ref.node, "·") for ref in node.inputs)
        title = f"{node.op}({', '.join(operands)})"
    return Box(node.id, shortened(title), shortened(types), _layer(node), _sort(node), _hint(node, types))


def _sort(node: Node) -> str:
    if node.op in ("input", "state", "constant"):
        return node.op
    rule = REGISTRY.get(node.op)
    return rule.kind.value if rule is not None and rule.kind.value in COLORS else "other"


def _layer(node: Node) -> str:
    return next((origin.layer for origin in reversed(node.loc) if origin.layer), "")


def _hint(node: Node, types: str) -> str:
    lines = [f"{Ref(node.id)} = {node.op} {' '.join(map(str, node.inputs))}".rstrip(), types]
    for name, attr in node.attrs.items():
        text = format_value(attr, lambda body: f"a graph of {len(body.table)} nodes", shorten=True)
        lines.append(f"{name}: {text if len(text) <= 200 else text[:200] + '..'}")
    if node.loc:
        lines.append(format_loc(node.loc))
    return "\n".join(lines)


def shortened(text: str) -> str:
    """A text on one line, truncated in the middle where it is long."""
    if not text.isprintable():
        text = quote(text)[1:-1]
    return text if len(text) <= LONGEST else text[: LONGEST // 2] + ".." + text[-LONGEST // 2 + 2 :]
