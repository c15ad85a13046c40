"""Every public layer in exported C beside `predict`, some of them in one program, which takes less time to compile."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc import tree
from graphc.errors import UnsupportedError
from tests.layers.each_layer import _Names
from tests.layers.test_each_layer import LAYERS, doubled, kind_of
from tests.support.c_programs import Program

# Layers that compute on the host.
ON_HOST = ("Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization")
# The most layers of a program, and samples of a batch.
TOGETHER, BOUND = 27, 3
COMPILED = [text for text in LAYERS if kind_of(text) not in ON_HOST]
GROUPS = [COMPILED[start : start + TOGETHER] for start in range(0, len(COMPILED), TOGETHER)]


def called(text: str) -> tuple[list[Any], list[Any]]:
    """The inputs and the outputs of a layer of the table."""
    given = LAYERS[text]
    layer = eval(text, {}, _Names(graphc, {"doubled": doubled, "FIRST": {"data_format": "channels_first"}}))
    inputs = given.like(lambda shape: graphc.Input(shape, dtype=given.dtype))
    return tree.flatten(inputs), tree.flatten(layer(*inputs))


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{kind_of(group[0])}-{kind_of(group[-1])}")
def test_layers_are_equal_to_predict(group: list[str], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [called(text) for text in group]
        model = graphc.Model([x for inputs, _ in parts for x in inputs], [y for _, outputs in parts for y in outputs])
        arrays = [array for text in group for array in tree.flatten(LAYERS[text].arrays(BOUND))]
        program = Program(model, tmp_path, max_batch=BOUND)
        built = program.build("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")
        program.check(model, built, *arrays, batches=(1, BOUND))


@pytest.mark.parametrize("text", [text for text in LAYERS if kind_of(text) in ON_HOST])
def test_layers_of_the_host_are_named(text: str, tmp_path: Path) -> None:
    inputs, outputs = called(text)
    with pytest.raises(UnsupportedError, match=r"(strings|in Python)(.|\n)*layer:(.|\n)*test_c_layers.py(.|\n)*to do:"):
        graphc.Model(inputs, outputs).export(tmp_path / "model.c", format="c")
    assert not list(tmp_path.iterdir())
