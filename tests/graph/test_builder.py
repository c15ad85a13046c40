"""Building graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.errors import ShapeError, VerificationError
from graphc.graph.builder import Builder, inline
from graphc.graph.types import Array, Attrs, Origin, Ref, TensorType, union
from tests.support.samples import training_step

FLOAT = dtypes.float32
VECTOR = TensorType((3,), FLOAT)


def test_equal_nodes_are_one_node_with_all_origins() -> None:
    builder = Builder()
    x = builder.input("x", VECTOR)
    here, there = Origin("a", "f.py", 1), Origin("b", "f.py", 2)
    with builder.located((here,)):
        first = builder.apply("exp", x)
    with builder.located((there,)):
        second = builder.apply("exp", x)
    assert first.ref == second.ref
    assert builder.node(first.ref).loc == (here, there)


def test_numbers_of_different_types_are_different_attributes() -> None:
    kinds = [Attrs({"v": value}) for value in (1, 1.0, True, 0.0, -0.0, float("nan"), None, "1", (1,))]
    assert len(set(kinds)) == len(kinds)
    assert Attrs({"v": float("nan")}) == Attrs({"v": float("nan")})
    # Inside tuples as well.
    assert Attrs({"v": (1,)}) != Attrs({"v": (1.0,)})
    assert Attrs({"v": (0.0,)}) != Attrs({"v": (-0.0,)})


def test_arrays_are_equal_by_contents() -> None:
    values = np.float32([1, 2])
    array = Array.of(values)
    values[0] = 9
    np.testing.assert_array_equal(array.numpy(), [1, 2])
    assert array == Array.of(np.float32([1, 2]))
    assert array != Array.of(np.float32([1, 3]))
    assert array != Array.of(np.asarray([1, 2], np.int32))
    assert Array.of(np.arange(6).reshape(2, 3).T).numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(ValueError, match="read-only"):
        array.numpy()[0] = 1


def test_errors_name_layer_line_and_shapes() -> None:
    builder = Builder()
    x, y = builder.input("x", VECTOR), builder.input("y", TensorType((4,), FLOAT))
    with (
        pytest.raises(ShapeError) as caught,
        builder.located((Origin("block", "lib.py", 1), Origin("dense", "train.py", 12))),
    ):
        builder.apply("add", x, y)
    assert (caught.value.layer, caught.value.where) == ("dense", "train.py:12")
    assert "float32[3] and float32[4]" in str(caught.value)


def test_values_of_another_graph_are_refused() -> None:
    x = Builder().input("x", VECTOR)
    with pytest.raises(VerificationError, match="another graph"):
        Builder().apply("exp", x)


def test_updates_fit_their_state() -> None:
    builder = Builder()
    x, w = builder.input("x", VECTOR), builder.state("w", TensorType((4,), FLOAT))
    with pytest.raises(VerificationError, match="cannot take"):
        builder.update(w, x)
    with pytest.raises(VerificationError, match="cannot take"):
        builder.update(x, x)


def test_inlining_puts_values_for_inputs() -> None:
    inner = Builder()
    a, b = inner.input("a", VECTOR), inner.input("b", VECTOR)
    graph = inner.finish([inner.apply("sub", a, b), a])
    builder = Builder()
    x = builder.input("x", VECTOR)
    difference, same = inline(builder, graph, {"a": x, "b": x})
    assert same.ref == x.ref
    assert builder.node(difference.ref).inputs == (x.ref, x.ref)
    with pytest.raises(VerificationError, match="no argument") as caught:
        inline(builder, graph, {"a": x})
    assert caught.value.got == "b"


def test_networkx_sees_nodes_and_edges() -> None:
    graph = training_step()
    assert nx.is_directed_acyclic_graph(graph)
    assert list(nx.lexicographical_topological_sort(graph)) == list(graph.table)
    product = graph.of_op("contract")[0]
    assert set(graph.predecessors(product.id)) == {ref.node for ref in product.inputs}
    assert graph.nodes[product.id]["node"] is product
    square = next(node for node in graph.of_op("mul") if node.inputs[0] == node.inputs[1])
    assert graph.number_of_edges(square.inputs[0].node, square.id) == 2


def test_graph_queries() -> None:
    graph = training_step()
    assert set(graph.inputs) == {"x", "y"}
    assert set(graph.states) == {"dense/kernel", "dense/bias", "sgd/dense/kernel", "sgd/dense/bias"}
    assert graph.state_of("dense/bias").outs[0] == TensorType((3,), FLOAT)
    with pytest.raises(VerificationError, match="no such state"):
        graph.state_of("other")
    assert graph.roots == (*graph.outputs, *graph.updates.values())
    behind = graph.ancestors([graph.outputs[1]])
    assert {graph.node(id).op for id in behind} == {"input", "state", "contract", "broadcast", "add"}
    x = Ref(graph.inputs["x"].id)
    assert graph.users[x] == [node.id for node in graph.table.values() if x in node.inputs]


def test_graphs_are_equal_by_what_they_compute() -> None:
    assert training_step() == training_step()
    assert hash(training_step()) == hash(training_step())
    builder = Builder()
    assert builder.finish([]) != training_step()


def test_union_of_origins_is_ordered_and_unique() -> None:
    a, b, c = Origin("a"), Origin("b"), Origin("c")
    assert union((b, a), (b, a)) == (b, a)
    assert union((c,), (a, b), (b,)) == (a, b, c)
    assert union((a,), ()) == (a,)


def test_sizes_of_types() -> None:
    type = TensorType((dims.size("B"), 3), dtypes.bfloat16)
    assert type.nbytes == 6 * dims.size("B")
    assert str(type) == "bfloat16[B, 3]"
