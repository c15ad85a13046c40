"""The SVG picture, and the layout below it."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.graph.core import Graph
from graphc.graph.layout import place
from graphc.graph.picture import picture_of
from tests.support.samples import AWKWARD, awkward, recurrence, training_step

NAMESPACE = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "style", "defs", "marker", "path", "rect", "text", "g", "title"}
GAP = 10.0


@pytest.mark.parametrize("make", [training_step, recurrence, awkward, Graph])
def test_it_is_xml_with_drawings_only(make: type[Graph]) -> None:
    graph = make()
    root = ElementTree.fromstring(graph.to_svg().encode())
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= ALLOWED
    picture = picture_of(graph)
    assert len(root.findall(f"{NAMESPACE}g")) == len(picture.boxes)
    assert len(root.findall(f"{NAMESPACE}path")) == len(picture.arrows)


def test_names_are_shown_and_escaped() -> None:
    root = ElementTree.fromstring(awkward().to_svg().encode())
    hints = " ".join(element.text or "" for element in root.iter(f"{NAMESPACE}title"))
    assert "<b>&amp;</b>" in hints
    assert 'quote \\" and back' in hints
    for name in AWKWARD:
        assert f"<{name}" not in awkward().to_svg()


def test_the_picture_says_what_there_is() -> None:
    text = training_step().to_svg()
    for part in ("contract", "mul(·, 0.9)", "state dense/kernel", "float32[B, 3]", "sequential/dense", "train.py:7"):
        assert part in text
    assert "new dense/kernel" in text
    assert "result 0" in text


def test_numbers_are_no_boxes() -> None:
    titles = [box.title for box in picture_of(training_step()).boxes]
    assert not [title for title in titles if title.startswith("constant")]


def test_all_that_is_drawn_is_inside() -> None:
    text = training_step().to_svg()
    width, height = (float(number) for number in re.findall(r'viewBox="0 0 (\d+) (\d+)"', text)[0])
    for x, y, w, h in re.findall(r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', text):
        assert 0 <= float(x) <= float(x) + float(w) <= width
        assert 0 <= float(y) <= float(y) + float(h) <= height


@st.composite
def drawings(draw: st.DrawFn) -> tuple[dict[int, float], list[tuple[int, int]]]:
    """Boxes of any width, with arrows to later ones."""
    widths = dict(enumerate(draw(st.lists(st.floats(10, 200), min_size=1, max_size=25))))
    pairs = [(a, b) for a, b in itertools.combinations(widths, 2)]
    return widths, draw(st.lists(st.sampled_from(pairs), max_size=50)) if pairs else []


@settings(deadline=None)
@given(drawings())
def test_layouts_have_arrows_down_and_boxes_apart(
    drawing: tuple[dict[int, float], list[tuple[int, int]]],
) -> None:
    widths, arrows = drawing
    placed = place(widths, arrows, GAP)
    assert set(placed.x) == set(widths)
    for source, target in arrows:
        assert placed.layer[source] < placed.layer[target]
        layers = [layer for _, layer in placed.arrows[source, target]]
        assert layers == list(range(placed.layer[source] + 1, placed.layer[target]))
    rows: dict[int, list[int]] = {}
    for id, layer in placed.layer.items():
        rows.setdefault(layer, []).append(id)
    for row in rows.values():
        row.sort(key=placed.x.__getitem__)
        for a, b in itertools.pairwise(row):
            assert placed.x[b] - placed.x[a] >= (widths[a] + widths[b]) / 2 + GAP - 1e-6
    assert min(placed.x[id] - widths[id] / 2 for id in widths) >= -1e-6
