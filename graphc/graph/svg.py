"""Graphs as SVG pictures, without any other program: boxes in layers from top to bottom, arrows from producers down.

Boxes are coloured by the kind of the operation; the stripe at their left tells the layer of the model, named below the
type. A tooltip over a box shows its details.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from graphc.graph.layout import Placed, place
from graphc.graph.picture import COLORS, Box, Picture, picture_of

if TYPE_CHECKING:
    from graphc.graph.core import Graph

MARGIN = 24.0
GAP = 18.0
ROW_GAP = 34.0
CHARACTER = 7.6
STRIPES = ("#1f77b4", "#e6550d", "#31a354", "#9467bd", "#d62728", "#8c564b", "#17becf", "#bcbd22", "#e377c2", "#636363")
STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#222}"
    ".t{font-weight:600}.d{font-size:10px;fill:#444}.l{font-size:10px;font-style:italic;fill:#555}"
    ".result .t,.result .d,.result .l{fill:#fff}"
    ".a{fill:none;stroke:#8a8a8a;stroke-width:1.1}"
)


def to_svg(graph: Graph) -> str:
    """A graph as an SVG picture.

    Args:
        graph: The graph.

    Returns:
        The text of an SVG file. Users' names are escaped, and occur in texts only.
    """
    return _Drawing(picture_of(graph)).draw()


def clean(text: str) -> str:
    """A text for XML: markup escaped, forbidden characters replaced."""
    allowed = "".join(c if c in "\n\t" or (c.isprintable() and not "\ud800" <= c <= "\udfff") else "�" for c in text)
    return escape(allowed, quote=True)


class _Drawing:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.boxes = {box.id: box for box in picture.boxes}
        self.widths = {box.id: _width(box) for box in picture.boxes}
        self.placed: Placed = place(self.widths, picture.arrows, GAP)
        self.stripe = {layer: STRIPES[i % len(STRIPES)] for i, layer in enumerate(picture.layers)}
        self.legend, self.legend_width, self.top = self._legend()
        self.rows = self._rows()

    def draw(self) -> str:
        """The whole picture."""
        right = max((x + self.widths[id] / 2 for id, x in self.placed.x.items()), default=0.0)
        right = max([right, *(x for path in self.placed.arrows.values() for x, _ in path)])
        width, height = max(right, self.legend_width) + 2 * MARGIN, self.rows[-1][1] + MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0.8L8 4L0 7.2z" fill="#8a8a8a"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            *self.legend,
            *(self._arrow(source, target) for source, target in self.picture.arrows),
            *(self._box(box) for box in self.picture.boxes),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _rows(self) -> list[tuple[float, float]]:
        """Top and bottom of each row."""
        heights = [0.0] * (max(self.placed.layer.values(), default=0) + 1)
        for id, layer in self.placed.layer.items():
            heights[layer] = max(heights[layer], _height(self.boxes[id]))
        rows, y = [], self.top + MARGIN
        for height in heights:
            rows.append((y, y + height))
            y += height + ROW_GAP
        return rows

    def _legend(self) -> tuple[list[str], float, float]:
        """The colours of kinds, then those of layers; its width and its bottom."""
        parts: list[str] = []
        x, y, right = MARGIN, MARGIN, 0.0
        entries = [(COLORS[sort], 14, sort) for sort in self.picture.sorts]
        stripes = [(color, 5, layer) for layer, color in self.stripe.items()]
        for row in (entries, stripes):
            for color, width, name in row:
                if x > 1000:
                    x, y = MARGIN, y + 20
                parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="12" fill="{color}" stroke="#999"/>'
                    f'<text x="{x + width + 5:.1f}" y="{y + 10:.1f}" class="d">{clean(name)}</text>'
                )
                x += width + 22 + len(name) * 5.6
                right = max(right, x)
            x, y = MARGIN, y + 20 * bool(row)
        return parts, right, y

    def _box(self, box: Box) -> str:
        width, height = self.widths[box.id], _height(box)
        x = self.placed.x[box.id] - width / 2 + MARGIN
        top, bottom = self.rows[self.placed.layer[box.id]]
        y = (top + bottom - height) / 2
        middle = x + width / 2 + 2
        parts = [
            f'<g class="{box.sort}"><title>{clean(box.hint)}</title>',
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"'
            f' fill="{COLORS[box.sort]}" stroke="#777"/>',
        ]
        if box.layer:
            stripe = self.stripe[box.layer]
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="5" height="{height:.1f}" rx="2" fill="{stripe}"/>')
        for i, (style, text) in enumerate(_lines(box)):
            line = y + 15 + 13 * i
            parts.append(
                f'<text x="{middle:.1f}" y="{line:.1f}" text-anchor="middle" class="{style}">{clean(text)}</text>'
            )
        return "".join([*parts, "</g>"])

    def _arrow(self, source: int, target: int) -> str:
        """A line down through the dummy vertices: straight through rows, curved between them."""
        placed = self.placed
        x, layer = placed.x[source] + MARGIN, placed.layer[source]
        top, bottom = self.rows[layer]
        y = (top + bottom + _height(self.boxes[source])) / 2
        path = [f"M{x:.1f} {y:.1f}"]
        for point, layer in placed.arrows[source, target]:
            top, bottom = self.rows[layer]
            path += [_curve(x, y, point + MARGIN, top), f"V{bottom:.1f}"]
            x, y = point + MARGIN, bottom
        end, (top, bottom) = placed.x[target] + MARGIN, self.rows[placed.layer[target]]
        # Arrows that come from a side end on that side of the box.
        reach = self.widths[target] / 2 - 8
        end += max(-reach, min(reach, (x - end) * 0.4))
        path.append(_curve(x, y, end, (top + bottom - _height(self.boxes[target])) / 2))
        return f'<path class="a" d="{"".join(path)}" marker-end="url(#tip)"/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(x - to_x) < 0.5:
        return f"L{to_x:.1f} {to_y:.1f}"
    half = (y + to_y) / 2
    return f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"


def _lines(box: Box) -> list[tuple[str, str]]:
    lines = [("t", box.title), ("d", box.detail), ("l", box.layer if len(box.layer) <= 32 else ".." + box.layer[-30:])]
    return [(style, text) for style, text in lines if text]


def _height(box: Box) -> float:
    return 10 + 13 * len(_lines(box))


def _width(box: Box) -> float:
    return max(44.0, *(len(text) * (CHARACTER if style == "t" else 5.4) for style, text in _lines(box))) + 18
