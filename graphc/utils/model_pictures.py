"""Pictures of models, `plot_model` and `model_to_dot`: by Graphviz, or by a layout of our own where it is missing."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from graphc.errors import ArgumentError, BackendError
from graphc.graph.layout import place
from graphc.graph.svg import clean
from graphc.tracing import describe, user_line
from graphc.utils.images import require_pillow
from graphc.utils.model_graph import Box, Cell, Cluster, ModelGraph, Shown, checked_direction

_SECONDS = 120.0


class Dot:
    """A picture of a model as a Graphviz program: what `model_to_dot` returns.

    Args:
        graph: The layers of the model, and what flows between them.
        rankdir: The direction of arrows: `"TB"`, from top to bottom, or `"LR"`, from left to right.
        dpi: The number of dots per inch.
        splines: How arrows are drawn.
        nested: Whether it is a cluster, to be part of another picture.
    """

    def __init__(self, graph: ModelGraph, rankdir: str, dpi: float, splines: str, nested: bool) -> None:
        self._graph, self._nested = graph, nested
        self._attributes: dict[str, Any] = {
            "rankdir": rankdir,
            "concentrate": "true",
            "dpi": dpi,
            "splines": splines,
        }

    def set(self, name: str, value: Any) -> None:
        """Sets an attribute of the picture, as Graphviz knows it."""
        self._attributes[name] = value

    def to_string(self) -> str:
        """The Graphviz program."""
        head = f"subgraph {_quoted(f'cluster_{self._graph.root.name}')} {{" if self._nested else "digraph G {"
        lines = [head, *(f"{name}={_quoted(value)};" for name, value in self._attributes.items())]
        lines += ["node [shape=plaintext, fontname=Helvetica, margin=0];", "edge [penwidth=2];"]
        lines += _in_cluster(self._graph.root)
        lines += [f"n{start} -> n{end};" for start, end in self._graph.arrows]
        return "\n".join([*lines, "}"]) + "\n"

    __str__ = to_string

    def create(self, prog: Any = None, format: str = "ps") -> bytes:
        """Draws the picture.

        Args:
            prog: The program of Graphviz. None: `"dot"`.
            format: A format that Graphviz has; without Graphviz `"svg"`, `"dot"`, or one that Pillow has.

        Returns:
            The content of the file.

        Raises:
            BackendError: if Graphviz fails.
            MissingPackageError: if neither Graphviz nor Pillow is there to draw it.
        """
        if format in ("dot", "raw"):
            return self.to_string().encode()
        program = shutil.which(prog or "dot")
        if program is None:
            drawn = _Drawing(self._graph, self._attributes["rankdir"])
            return drawn.svg().encode() if format == "svg" else drawn.pixels(format, float(self._attributes["dpi"]))
        command = [program, f"-T{format}"]
        done = subprocess.run(command, input=self.to_string().encode(), capture_output=True, timeout=_SECONDS)
        if done.returncode:
            raise BackendError(
                "Graphviz cannot draw the model",
                where=describe(user_line()),
                got=done.stderr.decode(errors="replace")[:500],
            )
        return done.stdout

    def write(self, path: Any, prog: Any = None, format: str | None = None) -> bool:
        """Writes the picture to a file; its name tells the format, unless it is given."""
        target = Path(path)
        target.write_bytes(self.create(prog, format or target.suffix[1:] or "png"))
        return True

    def __getattr__(self, name: str) -> Any:
        """`create_svg`, `write_png` and so on."""
        action, _, format = name.partition("_")
        if action == "create" and format:
            return lambda prog=None: self.create(prog, format)
        if action == "write" and format:
            return lambda path, prog=None: self.write(path, prog, format)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _quoted(value: Any) -> str:
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_cluster(cluster: Cluster) -> list[str]:
    lines = [f"n{box.id} [label={_label(box)}];" for box in cluster.boxes]
    for inner in cluster.inner:
        lines += [f"subgraph {_quoted(f'cluster_{inner.name}')} {{", f"label={_quoted(inner.name)}; labeljust=l;"]
        lines += ["style=dashed;", *_in_cluster(inner), "}"]
    return lines


def _label(box: Box) -> str:
    """A box as a table in Graphviz's HTML."""
    columns = max(map(len, box.rows))
    rows = "".join(f"<tr>{''.join(_cell(cell, columns // len(row)) for cell in row)}</tr>" for row in box.rows)
    return f'<<table border="0" cellborder="1" cellspacing="0" bgcolor="black" cellpadding="10">{rows}</table>>'


def _cell(cell: Cell, span: int) -> str:
    bold = f"<b>{_escaped(cell.bold)}</b>" if cell.bold else ""
    texts = f"{bold}{_escaped(cell.plain)}" if cell.large else f"{_escaped(cell.plain)}{bold}"
    font = f'<font point-size="{16 if cell.large else 14}" color="{cell.ink}">{texts}</font>'
    return f'<td colspan="{span}" bgcolor="{cell.fill}">{font}</td>'


def _escaped(text: str) -> str:
    return escape("".join(c if c.isprintable() else " " for c in text))


class _Drawing:
    """A picture of our own: boxes in rows from top to bottom, or in columns from left to right.

    Args:
        graph: The layers.
        rankdir: The direction of arrows.
    """

    GAP, SPACE, MARGIN = 24.0, 36.0, 12.0
    LETTER, LINE = 8.2, 32.0

    def __init__(self, graph: ModelGraph, rankdir: str) -> None:
        self._boxes = {box.id: box for box in graph.root.all_boxes()}
        self._sizes = {id: (self._width(box), self.LINE * len(box.rows)) for id, box in self._boxes.items()}
        self._across = rankdir in ("LR", "RL")
        self._arrows = graph.arrows
        self._centres, self._paths, self._depth = self._placed()
        if rankdir in ("BT", "RL"):
            self._centres = {id: (x, self._depth - y) for id, (x, y) in self._centres.items()}
            self._paths = {ends: [(x, self._depth - y) for x, y in path] for ends, path in self._paths.items()}

    def _placed(self) -> tuple[dict[int, tuple[float, float]], dict[tuple[int, int], list[tuple[float, float]]], float]:
        """Each box's centre, what each arrow goes through between boxes, and the length of the picture.

        Points have their place across the direction of arrows first, and that along it second.
        """
        # The layout takes ids that ascend along arrows.
        order = {id: number for number, id in enumerate(_topological(list(self._boxes), self._arrows))}
        widths = {order[id]: size[self._across] for id, size in self._sizes.items()}
        forward = [(a, b) for a, b in self._arrows if order[a] < order[b]]
        placed = place(widths, [(order[a], order[b]) for a, b in forward], self.GAP)
        extents: dict[int, float] = {}
        for id, size in self._sizes.items():
            level = placed.layer[order[id]]
            extents[level] = max(extents.get(level, 0.0), size[not self._across])
        starts, position = {}, self.MARGIN
        for level, extent in sorted(extents.items()):
            starts[level] = position
            position += extent + self.SPACE
        centres = {
            id: (placed.x[n] + self.MARGIN, starts[placed.layer[n]] + extents[placed.layer[n]] / 2)
            for id, n in order.items()
        }
        paths = {}
        for a, b in forward:
            passed = placed.arrows[order[a], order[b]]
            ends = [(x + self.MARGIN, starts[level], starts[level] + extents[level]) for x, level in passed]
            paths[a, b] = [(x, y) for x, start, end in ends for y in (start, end)]
        return centres, paths, position - self.SPACE + self.MARGIN

    def _width(self, box: Box) -> float:
        return max(sum(self._cell_width(cell) for cell in row) for row in box.rows)

    def _cell_width(self, cell: Cell) -> float:
        return (len(cell.plain) + len(cell.bold)) * self.LETTER * (1.15 if cell.large else 1) + 20

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        ends = [centre[0] + self._sizes[id][self._across] / 2 for id, centre in self._centres.items()]
        side = max([*ends, *(x for path in self._paths.values() for x, _ in path)], default=0.0) + self.MARGIN
        return (self._depth, side) if self._across else (side, self._depth)

    def cells(self) -> list[tuple[float, float, float, float, Cell]]:
        """Left, top, width and height of each cell."""
        found = []
        for id, box in self._boxes.items():
            x, y = self._point(id, 0)
            width, height = self._sizes[id]
            for number, row in enumerate(box.rows):
                needed = sum(map(self._cell_width, row))
                left = x - width / 2
                for cell in row:
                    wide = self._cell_width(cell) * width / needed
                    found.append((left, y - height / 2 + number * self.LINE, wide, self.LINE, cell))
                    left += wide
        return found

    def lines(self) -> list[list[tuple[float, float]]]:
        """The points of each arrow."""
        found = []
        for start, end in self._arrows:
            forward = 1 if self._centres[end][1] > self._centres[start][1] else -1
            between = [self._turned(point) for point in self._paths.get((start, end), [])]
            found.append([self._point(start, forward), *between, self._point(end, -forward)])
        return found

    def _point(self, id: int, side: int) -> tuple[float, float]:
        """A box's centre, or the middle of its side at which arrows begin (1) or end (-1)."""
        across, along = self._centres[id]
        return self._turned((across, along + side * self._sizes[id][not self._across] / 2))

    def _turned(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point as x and y."""
        return point[::-1] if self._across else point

    def svg(self) -> str:
        """The picture as SVG; users' names are escaped."""
        width, height = self.size
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' font-family="Helvetica,Arial,sans-serif"><rect width="100%" height="100%" fill="#fff"/>',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
            ' orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        ]
        for left, top, wide, high, cell in self.cells():
            bold = f'<tspan font-weight="bold">{clean(cell.bold)}</tspan>'
            text = f"{bold}{clean(cell.plain)}" if cell.large else f"{clean(cell.plain)}{bold}"
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="{cell.fill}"'
                f' stroke="#000"/><text x="{left + wide / 2:.1f}" y="{top + high / 2 + 5:.1f}" text-anchor="middle"'
                f' xml:space="preserve" font-size="{16 if cell.large else 14}" fill="{cell.ink}">{text}</text>'
            )
        for points in self.lines():
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="2" marker-end="url(#tip)"/>'
            )
        return "\n".join([*parts, "</svg>"]) + "\n"

    def pixels(self, format: str, dpi: float) -> bytes:
        """The picture in a format that Pillow has."""
        pillow = require_pillow("to draw a model where Graphviz is not installed")
        draw, fonts, io = (import_module(name) for name in ("PIL.ImageDraw", "PIL.ImageFont", "io"))
        scale = dpi / 96
        image = pillow.new("RGB", tuple(max(1, round(x * scale)) for x in self.size), "white")
        pen = draw.Draw(image)
        for left, top, wide, high, cell in self.cells():
            box = [round(v * scale) for v in (left, top, left + wide, top + high)]
            pen.rectangle(box, fill=cell.fill, outline="black", width=max(1, round(scale)))
            text = cell.bold + cell.plain if cell.large else cell.plain + cell.bold
            font = fonts.load_default((15 if cell.large else 13) * scale)
            middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            pen.text(middle, text, fill=cell.ink, font=font, anchor="mm")
        for points in self.lines():
            scaled = [(x * scale, y * scale) for x, y in points]
            pen.line(scaled, fill="black", width=max(1, round(2 * scale)), joint="curve")
            pen.polygon(_tip(scaled[-2], scaled[-1], 10 * scale), fill="black")
        memory = io.BytesIO()
        try:
            image.save(memory, {"jpg": "jpeg"}.get(format.lower(), format))
        except (KeyError, ValueError, OSError):
            raise ArgumentError(
                "a model cannot be drawn in this format without Graphviz",
                where=describe(user_line()),
                got=repr(format),
                expected="svg, png, jpg or another that Pillow has",
            ) from None
        return bytes(memory.getvalue())


def _tip(start: tuple[float, float], end: tuple[float, float], size: float) -> list[tuple[float, float]]:
    """The corners of an arrow's tip."""
    x, y = end[0] - start[0], end[1] - start[1]
    length = math.hypot(x, y) or 1.0
    x, y = x * size / length, y * size / length
    back = end[0] - x, end[1] - y
    return [end, (back[0] - y / 2, back[1] + x / 2), (back[0] + y / 2, back[1] - x / 2)]


def _topological(ids: Sequence[int], arrows: Sequence[tuple[int, int]]) -> list[int]:
    """The ids in an order in which arrows lead forward; layers that are shared may close a cycle, which is cut."""
    above: dict[int, list[int]] = {id: [] for id in ids}
    for start, end in arrows:
        above[end].append(start)
    done: dict[int, None] = {}
    waiting: set[int] = set()
    stack = list(reversed(ids))
    while stack:
        id = stack[-1]
        missing = [other for other in above[id] if other not in done and other not in waiting]
        waiting.add(id)
        if missing and id not in done:
            stack += missing
        else:
            done.setdefault(stack.pop())
    return list(done)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Dot:
    """A picture of a model's layers, as a Graphviz program.

    Args:
        model: A model that is built.
        show_shapes: Whether the shapes of inputs and outputs are shown.
        show_dtype: Whether the dtypes of outputs are shown.
        show_layer_names: Whether the names of layers are shown.
        rankdir: `"TB"`: from top to bottom; `"LR"`: from left to right.
        expand_nested: Whether the layers of nested models are shown.
        dpi: The number of dots per inch.
        subgraph: Whether the result is a cluster for another picture.
        show_layer_activations: Whether activations are shown.
        show_trainable: Whether it is shown which layers are trained.
        splines: How arrows are drawn: `"ortho"`, `"curved"`, `"polyline"`, `"spline"` or `"line"`.
        **kwargs: None.

    Returns:
        A `Dot`: `to_string()`, `create(prog, format)` and `write(path)` as of pydot's.

    Raises:
        StateError: if the model is not built.

    Example:

    >>> from graphc import Input, Sequential, layers
    >>> model = Sequential([Input((4,)), layers.Dense(3, name="first"), layers.Dense(2)])
    >>> "<b>first</b> (Dense)" in model_to_dot(model).to_string()
    True
    """
    if kwargs:
        raise ArgumentError("there is no such argument", where=describe(user_line()), got=", ".join(kwargs))
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, expand_nested)
    return Dot(ModelGraph(model, shown), checked_direction(rankdir), dpi, splines, subgraph)


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draws a model's layers to a file: by Graphviz, or by a layout of our own where `dot` is not installed.

    Args:
        model: A model that is built.
        to_file: The path; its suffix tells the format: `.png`, `.svg`, `.pdf`, ...
        show_shapes: As of `model_to_dot`, like the other arguments.
        show_dtype: Whether the dtypes of outputs are shown.
        show_layer_names: Whether the names of layers are shown.
        rankdir: The direction of arrows.
        expand_nested: Whether the layers of nested models are shown.
        dpi: The number of dots per inch.
        show_layer_activations: Whether activations are shown.
        show_trainable: Whether it is shown which layers are trained.
        splines: How arrows are drawn.
        **kwargs: None.

    Returns:
        In a notebook the picture, to be displayed; where IPython is not installed, None.

    Raises:
        StateError: if the model is not built.
        MissingPackageError: if neither Graphviz nor Pillow is there to draw it.

    Example:

    >>> import tempfile
    >>> from graphc import Input, Sequential, layers
    >>> path = Path(tempfile.mkdtemp()) / "model.svg"
    >>> _ = plot_model(Sequential([Input((4,)), layers.Dense(3)]), path, show_shapes=True)
    >>> "(None, 3)" in path.read_text()
    True
    """
    dot = model_to_dot(
        model,
        show_shapes,
        show_dtype,
        show_layer_names,
        rankdir,
        expand_nested,
        dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
        **kwargs,
    )
    path = Path(to_file)
    dot.write(path)
    try:
        display = import_module("IPython.display")
    except ImportError:
        return None
    shown = {".svg": display.SVG, ".png": display.Image, ".jpg": display.Image, ".jpeg": display.Image}
    suffix = path.suffix.lower() or ".png"
    return shown[suffix](filename=str(path)) if suffix in shown else None
