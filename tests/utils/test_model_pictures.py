"""`plot_model` and `model_to_dot`: what is drawn, by Graphviz and without."""

import shutil
import xml.etree.ElementTree as XML
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, StateError
from graphc.utils import model_to_dot, plot_model

ALL = {
    "show_shapes": True,
    "show_dtype": True,
    "show_layer_names": True,
    "show_layer_activations": True,
    "show_trainable": True,
}


def residual() -> Any:
    inputs = graphc.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    y = layers.Conv2D(4, 3, padding="same", name="second", trainable=False)(x)
    z = layers.Flatten(name="flat")(layers.Add(name="sum")([x, y]))
    head = graphc.Sequential([graphc.Input((256,)), layers.Dense(4, name="a"), layers.Dense(3, name="b")], name="head")
    return graphc.Model(inputs, [head(z), layers.Dense(2, name='<b>&"other')(z)])


def arrows(dot: Any) -> set[tuple[str, str]]:
    """The arrows of a program, between names of layers."""
    names = {}
    for line in dot.to_string().splitlines():
        if " [label=<" in line:
            names[line.split()[0]] = line.split('color="#ffffff">')[1].split("<b>")[1].split("</b>")[0]
    ends = [line.rstrip(";").split(" -> ") for line in dot.to_string().splitlines() if " -> " in line]
    return {(names[start], names[end]) for start, end in ends}


def test_arrows_are_the_connections_of_layers() -> None:
    known = {("image", "first"), ("first", "second"), ("first", "sum"), ("second", "sum"), ("sum", "flat")}
    other = "&lt;b&gt;&amp;&quot;other"
    assert arrows(model_to_dot(residual())) == {*known, ("flat", "head"), ("flat", other)}
    nested = arrows(model_to_dot(residual(), expand_nested=True))
    assert nested == {*known, ("flat", "a"), ("a", "b"), ("flat", other)}


def test_layers_that_are_used_twice_are_drawn_once() -> None:
    left, right, shared = (
        graphc.Input((4,), name="left"),
        graphc.Input((4,), name="right"),
        layers.Dense(2, name="shared"),
    )
    model = graphc.Model([left, right], layers.Concatenate(name="both")([shared(left), shared(right)]))
    expected = {("left", "shared"), ("right", "shared"), ("shared", "both")}
    assert arrows(model_to_dot(model)) == expected
    outer = graphc.Sequential([graphc.Input((4,)), layers.Dense(4, name="one"), graphc.Sequential([layers.Dense(4)])])
    assert len(arrows(model_to_dot(outer, expand_nested=True))) == 1


def test_boxes_show_what_is_asked_for() -> None:
    text = model_to_dot(residual(), **ALL).to_string()
    for part in ("<b>(None, 8, 8, 4)</b>", "<b>float32</b>", "<b>relu</b>", "<b>Trainable</b>", "<b>Non-trainable</b>"):
        assert part in text
    plain = model_to_dot(residual(), show_layer_names=False).to_string()
    assert "shape:" not in plain
    assert "first" not in plain
    assert "<b>Conv2D</b>" in plain
    assert 'rankdir="LR"' in model_to_dot(residual(), rankdir="LR").to_string()


def test_a_subclassed_model_is_one_box() -> None:
    class Own(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    model = Own()
    with pytest.raises(StateError, match="not built"):
        model_to_dot(model)
    model(graphc.ops.ones((1, 3)))
    assert model_to_dot(model).to_string().count("<table") == 1


@pytest.fixture(params=["graphviz", "without"])
def drawn_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "without":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    else:
        assert shutil.which("dot"), "Graphviz is installed where the tests run"
    return str(request.param)


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT"])
def test_pictures_are_written(drawn_by: str, rankdir: str, tmp_path: Path) -> None:
    model = residual()
    plot_model(model, tmp_path / "model.svg", rankdir=rankdir, expand_nested=True, **ALL)
    root = XML.parse(tmp_path / "model.svg").getroot()
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]
    assert any('<b>&"other' in text for text in texts)
    plot_model(model, tmp_path / "model.png", rankdir=rankdir, dpi=50)
    assert (tmp_path / "model.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert model_to_dot(model).create(prog="dot", format="svg").startswith(b"<")
    assert model_to_dot(model).create_svg().startswith(b"<")


def test_bad_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="layer_range"):
        plot_model(residual(), tmp_path / "x.png", layer_range=(0, 1))
    with pytest.raises(ArgumentError, match="rankdir"):
        model_to_dot(residual(), rankdir="up")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ArgumentError, match="format"):
        plot_model(residual(), tmp_path / "x.pdfx")
