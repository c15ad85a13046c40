"""The verifier: right graphs pass, and each kind of wrong one is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from graphc import dims, dtypes
from graphc.errors import VerificationError
from graphc.graph.core import Graph
from graphc.graph.types import Attrs, Node, Origin, Ref, TensorType
from graphc.graph.verify import verify
from tests.support.random_graphs import Sample, graphs
from tests.support.samples import recurrence, training_step

FLOAT = dtypes.float32
VECTOR = TensorType((3,), FLOAT)
X = Node(0, "input", Attrs({"name": "x", "shape": (3,), "dtype": FLOAT}), (), (VECTOR,))
S = Node(1, "state", Attrs({"name": "s", "shape": (3,), "dtype": FLOAT}), (), (VECTOR,))
E = Node(2, "exp", Attrs({}), (Ref(0),), (VECTOR,), (Origin("dense", "train.py", 4),))


def test_right_graphs_pass() -> None:
    verify(training_step())
    verify(recurrence())
    verify(Graph([X, S, E], [Ref(2)], {1: Ref(2)}))


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_random_graphs_pass(sample: Sample) -> None:
    verify(sample.graph)


def with_attrs(node: Node, **attrs: Any) -> Node:
    """The node with other attributes."""
    return replace(node, attrs=Attrs({**node.attrs, **attrs}))


def edge_removed() -> Graph:
    """A graph that was changed after it was built."""
    graph = Graph([X, S, E], [Ref(2)])
    graph.remove_edge(0, 2)
    return graph


def id_disagrees() -> Graph:
    """A table whose key is not the node's id."""
    graph = Graph([X, E], [Ref(2)])
    graph.table = {0: X, 3: E}
    return graph


BROAD = Node(2, "broadcast", Attrs({"shape": (dims.size("B"), 3), "axes": (1,)}), (Ref(0),), ())
WRONG: dict[str, tuple[Callable[[], Graph], str]] = {
    "ids descend": (lambda: Graph([S, X]), "do not ascend"),
    "id disagrees": (id_disagrees, "do not ascend"),
    "operand missing": (lambda: Graph([X, replace(E, inputs=(Ref(7),))]), "an operand does not exist"),
    "operand output missing": (lambda: Graph([X, replace(E, inputs=(Ref(0, 1),))]), "an operand does not exist"),
    "operand later": (lambda: Graph([X, replace(E, inputs=(Ref(2),))]), "comes later than its reader"),
    "unknown operation": (lambda: Graph([X, replace(E, op="no_such")]), "no such operation"),
    "other type": (lambda: Graph([X, replace(E, outs=(TensorType((4,), FLOAT),))]), "another type"),
    "too many outputs": (lambda: Graph([X, replace(E, outs=(VECTOR, VECTOR))]), "another type"),
    "operands do not fit": (lambda: Graph([X, replace(E, op="logical_not")]), "do not fit it"),
    "too few operands": (lambda: Graph([X, replace(E, inputs=())]), "do not fit it"),
    "unknown attribute": (lambda: Graph([X, with_attrs(E, axis=1)]), "attributes of a node do not fit"),
    "attribute of no kind": (lambda: Graph([with_attrs(X, name=b"x")]), "cannot be written down"),
    "attribute is a set": (lambda: Graph([with_attrs(X, name=frozenset("x"))]), "cannot be written down"),
    "attribute inside": (lambda: Graph([with_attrs(X, name=(1, (b"x",)))]), "cannot be written down"),
    "symbol in type": (
        lambda: Graph([X, replace(BROAD, outs=(TensorType((dims.size("B"), 3), FLOAT),))]),
        "not declared",
    ),
    "index as size": (
        lambda: Graph([with_attrs(X, shape=(dims.axis("i", 3),))], symbols={"i": (1, 2)}),
        "depends on an index",
    ),
    "bad range": (lambda: Graph([X], symbols={"B": (0, 4)}), "no sensible range"),
    "bad symbol": (lambda: Graph([X], symbols={"B C": (1, 4)}), "no sensible range"),
    "output missing": (lambda: Graph([X], [Ref(0), Ref(4)]), "result of the graph does not exist"),
    "update of no state": (lambda: Graph([X, S], updates={0: Ref(1)}), "no state"),
    "update with nothing": (lambda: Graph([X, S], updates={1: Ref(9)}), "does not exist"),
    "two inputs of a name": (lambda: Graph([X, replace(X, id=1)]), "two nodes are the same input"),
    "edge removed": (edge_removed, "not its nodes' operands"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_graphs_are_found(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(VerificationError, match=message):
        verify(make())


def test_an_update_has_the_type_of_its_state() -> None:
    wide = Node(2, "cast", Attrs({"dtype": dtypes.float64}), (Ref(0),), (TensorType((3,), dtypes.float64),))
    with pytest.raises(VerificationError, match="another type"):
        verify(Graph([X, S, wide], updates={1: Ref(2)}))


def test_errors_say_which_node_of_which_layer() -> None:
    with pytest.raises(VerificationError, match="%2, `exp`") as caught:
        verify(Graph([X, replace(E, outs=(TensorType((), FLOAT),))]))
    assert (caught.value.layer, caught.value.where) == ("dense", "train.py:4")
    assert (caught.value.got, caught.value.expected) == ("float32[]", "float32[3]")


def test_bodies_are_verified_as_well() -> None:
    graph = recurrence()
    scan = graph.of_op("scan")[0]
    body = scan.attrs["body"]
    last = next(reversed(body.table.values()))
    broken = Graph([*list(body.table.values())[:-1], replace(last, op="no_such")], body.outputs, {}, body.symbols)
    nodes = [with_attrs(node, body=broken) if node.id == scan.id else node for node in graph.table.values()]
    with pytest.raises(VerificationError, match="no such operation"):
        verify(Graph(nodes, graph.outputs, {}, graph.symbols))


def test_a_body_has_the_ranges_of_its_graph() -> None:
    graph = recurrence()
    with pytest.raises(VerificationError, match="symbols of other ranges"):
        verify(Graph(graph.table.values(), graph.outputs, {}, {"T": (1, 2)}))
