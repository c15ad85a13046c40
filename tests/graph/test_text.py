"""The text form: readable, exact, and refused with the line where it is broken."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc import dtypes
from graphc.errors import FileError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.text import format_graph
from graphc.graph.text_reader import parse_graph
from graphc.graph.types import Origin, TensorType
from tests.support.random_graphs import Sample, graphs
from tests.support.samples import awkward, locations, recurrence, training_step


@pytest.mark.parametrize("make", [training_step, recurrence, awkward, Graph])
def test_graphs_read_back(make: type[Graph]) -> None:
    graph = make()
    text = format_graph(graph)
    again = parse_graph(text)
    assert again == graph
    assert locations(again) == locations(graph)
    assert format_graph(again) == text


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_random_graphs_read_back(sample: Sample) -> None:
    assert parse_graph(sample.graph.to_text()) == sample.graph


@given(st.text(), st.text(), st.text(), st.integers(0, 10**9))
def test_any_names_read_back(name: str, layer: str, file: str, line: int) -> None:
    builder = Builder()
    with builder.located((Origin(layer, file, line), Origin("", file, 0))):
        x = builder.input(name, TensorType((), dtypes.float32))
    graph = builder.finish([x])
    again = parse_graph(graph.to_text())
    assert again == graph
    assert locations(again) == locations(graph)


def test_a_graph_looks_like_this() -> None:
    builder = Builder({"B": (1, 64)})
    x = builder.input("x", TensorType((3,), dtypes.float32))
    with builder.located((Origin("dense", "train.py", 4),)):
        y = builder.apply("mul", x, builder.full(0.1, x.shape, x.dtype))
    w = builder.state("w", x.type)
    builder.update(w, y)
    assert str(builder.finish([y])).splitlines() == [
        "graph B=1..64 {",
        '  %0 = input "x"                                 : float32[3]',
        "  %1 = constant 0.1                              : float32[]                     # dense train.py:4",
        "  %2 = broadcast %1 {axes=(), shape=(3,)}        : float32[3]                    # dense train.py:4",
        "  %3 = mul %0 %2                                 : float32[3]                    # dense train.py:4",
        '  %4 = state "w"                                 : float32[3]',
        "  return %3",
        "  update %4 := %3",
        "}",
    ]


def test_every_node_has_one_line() -> None:
    graph = awkward()
    main = format_graph(graph).split("\ngraph ")[1]
    assert len(main.splitlines()) == len(graph.table) + 4


def test_large_constants_are_shortened_in_print_only() -> None:
    graph = awkward()
    assert len(str(graph)) < len(graph.to_text())
    with pytest.raises(FileError, match="cannot be read") as caught:
        parse_graph(str(graph))
    assert "shortened" in str(caught.value)


def test_equal_bodies_stand_there_once() -> None:
    assert recurrence().to_text().count("body @") == 2


BAD = {
    "nothing": "",
    "no graph": "hello",
    "no end": "graph {",
    "no brace": "graph\n}",
    "text behind": "graph {\n  return\n}\nmore",
    "no such dtype": 'graph {\n%0 = input "x" : float33[]\nreturn\n}',
    "no type": 'graph {\n%0 = input "x"\nreturn\n}',
    "operand later": "graph {\n%0 = exp %1 : float32[]\nreturn\n}",
    "ids descend": "graph {\n%1 = iota : float32[]\n%0 = iota : float32[]\nreturn\n}",
    "result missing": "graph {\nreturn %3\n}",
    "bad size": 'graph {\n%0 = input "x" : float32[B **]\nreturn\n}',
    "division by zero": 'graph {\n%0 = input "x" : float32[(3 // 0)]\nreturn\n}',
    "open text": 'graph {\n%0 = input "x : float32[]\nreturn\n}',
    "bad escape": 'graph {\n%0 = input "\\q" : float32[]\nreturn\n}',
    "open attributes": "graph {\n%0 = iota {a=1 : float32[]\nreturn\n}",
    "bad base64": 'graph {\n%0 = iota {a=int8[2]"!!"} : float32[]\nreturn\n}',
    "too few bytes": 'graph {\n%0 = iota {a=int8[2]"AA=="} : float32[]\nreturn\n}',
    "too many elements": "graph {\n%0 = iota {a=int8[1]{1, 2}} : float32[]\nreturn\n}",
    "element too large": "graph {\n%0 = iota {a=int8[1]{300}} : float32[]\nreturn\n}",
    "element no number": 'graph {\n%0 = iota {a=int8[1]{"x"}} : float32[]\nreturn\n}',
    "huge array": 'graph {\n%0 = iota {a=float64[99999999999999]""} : float32[]\nreturn\n}',
    "unknown body": "graph {\n%0 = iota {a=@4} : float32[]\nreturn\n}",
    "nested too deeply": "graph {\n%0 = iota {a=" + "(" * 5000 + "} : float32[]\nreturn\n}",
    "huge number": "graph {\n%" + "9" * 5000 + " = iota : float32[]\nreturn\n}",
    "bad origin": "graph {\n%0 = iota : float32[] # a b c\nreturn\n}",
    "bad range": "graph B=1.5 {\nreturn\n}",
}


@pytest.mark.parametrize("name", BAD)
def test_broken_texts_are_refused(name: str) -> None:
    with pytest.raises(FileError):
        parse_graph(BAD[name])


def test_errors_name_the_line() -> None:
    with pytest.raises(FileError) as caught:
        parse_graph('graph {\n  %0 = input "x" : float33[]\n  return\n}')
    assert caught.value.where == "line 2"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_texts_are_refused_or_read(data: st.DataObject) -> None:
    """Whatever one edit makes of a text, reading it gives a graph or a `FileError`, nothing else."""
    text = _TEXT
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 12)))
    put = data.draw(st.text('(){}[]<>"%@#:=,.- \n019aBnef/\\', max_size=4))
    with contextlib.suppress(FileError):
        parse_graph(text[:start] + put + text[stop:])


_TEXT = awkward().to_text()
