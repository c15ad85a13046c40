"""The JSON form: exact, checked as it is read."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.errors import FileError
from graphc.graph.core import Graph
from graphc.graph.json_reader import from_json
from tests.support.random_graphs import Sample, graphs
from tests.support.samples import awkward, locations, recurrence, training_step


@pytest.mark.parametrize("make", [training_step, recurrence, awkward, Graph])
def test_graphs_read_back(make: type[Graph]) -> None:
    graph = make()
    text = graph.to_json()
    again = from_json(text)
    assert again == graph
    assert locations(again) == locations(graph)
    assert again.to_json() == text
    assert from_json(graph.to_json(indent=2)) == graph


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_random_graphs_read_back(sample: Sample) -> None:
    assert from_json(sample.graph.to_json()) == sample.graph


def test_it_is_strict_json() -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    json.loads(awkward().to_json(), parse_constant=refuse)


def changed(*path: Any, value: Any) -> str:
    """The JSON form of a training step with one part replaced."""
    whole = json.loads(training_step().to_json())
    here = whole
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return json.dumps(whole)


BAD = {
    "not JSON": "{",
    "a constant that is no JSON": changed("nodes", 0, "attrs", "name", value=float("nan")),
    "a list": "[]",
    "another format": changed("format", value="onnx"),
    "no version": changed("version", value=None),
    "a later version": changed("version", value=99),
    "a version that is a truth value": changed("version", value=True),
    "symbols": changed("symbols", "B", value=[1]),
    "an id that is a text": changed("nodes", 3, "id", value="3"),
    "ids that descend": changed("nodes", 3, "id", value=0),
    "an operand that comes later": changed("nodes", 4, "inputs", value=[[40, 0]]),
    "an output that is not there": changed("nodes", 4, "inputs", value=[[0, 1]]),
    "an output below zero": changed("nodes", 4, "inputs", value=[[0, -1]]),
    "a dtype": changed("nodes", 0, "outs", 0, "dtype", value="float33"),
    "a size": changed("nodes", 0, "outs", 0, "shape", 0, value="B +"),
    "a size below zero": changed("nodes", 0, "outs", 0, "shape", 0, value=-1),
    "a division by zero": changed("nodes", 0, "outs", 0, "shape", 0, value="(B // 0)"),
    "an attribute of no kind": changed("nodes", 0, "attrs", "name", value={"set": [1]}),
    "an attribute of two kinds": changed("nodes", 0, "attrs", "name", value={"size": "B", "float": "nan"}),
    "a float": changed("nodes", 0, "attrs", "name", value={"float": "1.0"}),
    "an array": changed("nodes", 0, "attrs", "name", value={"array": {"dtype": "int8", "shape": [2], "data": "AA=="}}),
    "base64": changed("nodes", 0, "attrs", "name", value={"array": {"dtype": "int8", "shape": [2], "data": "!"}}),
    "a nested graph": changed("nodes", 0, "attrs", "name", value={"graph": {"format": "graphc.graph"}}),
    "an origin": changed("nodes", 2, "loc", value=[["a", "b"]]),
    "outputs": changed("outputs", value=[[999, 0]]),
    "updates": changed("updates", value=[[[], [0, 0]]]),
    "a missing field": json.dumps({"format": "graphc.graph", "version": 1}),
    "deep nesting": "[" * 100000,
}


@pytest.mark.parametrize("name", BAD)
def test_broken_forms_are_refused(name: str) -> None:
    with pytest.raises(FileError):
        from_json(BAD[name])


def test_errors_name_the_place() -> None:
    with pytest.raises(FileError) as caught:
        from_json(changed("nodes", 0, "outs", 0, "dtype", value="float33"))
    assert caught.value.where == "graph.nodes[0].outs[0]"
    assert "'float33'" in str(caught.value)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([]) | st.just({})


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_forms_are_refused_or_read(data: st.DataObject) -> None:
    """Whatever one replaced value makes of a form, reading it gives a graph or a `FileError`, nothing else."""
    whole = json.loads(_TEXT)
    here: Any = whole
    while True:
        keys = sorted(here) if isinstance(here, dict) else range(len(here))
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(here[key], (dict, list)) and here[key] and data.draw(st.integers(0, 3)):
            here = here[key]
            continue
        here[key] = data.draw(VALUES)
        break
    with contextlib.suppress(FileError):
        from_json(json.dumps(whole))


_TEXT = awkward().to_json()
