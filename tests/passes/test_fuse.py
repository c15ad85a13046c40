"""The partition into kernels: every operation is computed, in an order that works, and refusals say why."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from graphc import dims, dtypes
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import TensorType
from graphc.passes.copy_sources import copy_sources
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.fusion.fuse import Partition, fuse
from graphc.passes.fusion.inline import UNFUSED
from graphc.passes.simplify import simplify
from tests.support.random_graphs import Sample, graphs
from tests.support.samples import training_step

FLOAT = dtypes.float32
BATCH = dims.size("B")


def prepared(graph: Graph) -> Graph:
    """What fusion gets."""
    return eliminate_dead(simplify(copy_sources(eliminate_dead(simplify(graph)))))


def check(partition: Partition) -> None:
    """Fails where the groups do not compute the graph."""
    graph = partition.graph
    home: dict[int, int] = {}
    for position, group in enumerate(partition.groups):
        if any(primitive(node.op).kind in UNFUSED for node in group.nodes):
            assert len(group.nodes) == 1, "a loop in order shares its kernel"
        for node in group.nodes:
            assert node.id not in home, "an operation is in two groups"
            assert node.id not in partition.inlined, "an operation is in a group and inlined into readers"
            home[node.id] = position
    for node in graph.table.values():
        placed = node.id in home or node.id in partition.inlined or primitive(node.op).kind is Kind.SOURCE
        assert placed, f"%{node.id} {node.op} is computed nowhere"
    stored = {ref for refs in partition.stored.values() for ref in refs}
    for position, group in enumerate(partition.groups):
        for ref in group.reads:
            before = home.get(ref.node)
            assert before is None or before <= position, "a group reads what comes later"
            assert before is None or before == position or ref in stored, "a group reads what is not stored"
    for ref in graph.roots:
        assert ref in stored or primitive(graph.node(ref.node).op).kind is Kind.SOURCE
    for refusal in partition.refusals:
        assert refusal.reason


@pytest.mark.parametrize("enabled", [True, False])
@settings(max_examples=60, deadline=None)
@given(sample=graphs())
def test_random_graphs_are_cut_well(enabled: bool, sample: Sample) -> None:
    partition = fuse(prepared(sample.graph), enabled)
    check(partition)
    if not enabled:
        assert all(len(group.nodes) == 1 for group in partition.groups)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_training_step_is_cut_well(enabled: bool) -> None:
    check(fuse(prepared(training_step()), enabled))


def test_a_training_step_is_few_kernels() -> None:
    partition = fuse(prepared(training_step()))
    contractions = [group for group in partition.groups if group.kind is Kind.CONTRACT]
    assert len(contractions) == 2
    assert len(partition.groups) <= 6


def groups_of(*results: Value) -> list[list[str]]:
    """The operations of each group."""
    partition = fuse(prepared(results[0].builder.finish(results)))
    check(partition)
    return [[node.op for node in group.nodes] for group in partition.groups]


def matrix(builder: Builder, name: str) -> Value:
    """An input of two axes."""
    return builder.input(name, TensorType((BATCH, 16), FLOAT))


def test_elementwise_chains_are_one_kernel() -> None:
    builder = Builder({"B": (1, 64)})
    x = matrix(builder, "x")
    assert groups_of(builder.apply("tanh", builder.apply("mul", builder.apply("exp", x), x))) == [
        ["exp", "mul", "tanh"]
    ]


def test_softmax_is_one_kernel() -> None:
    builder = Builder({"B": (1, 64)})
    x = matrix(builder, "x")
    top = builder.broadcast(builder.apply("max", x, axes=(1,)), x.shape, (0,))
    grown = builder.apply("exp", builder.apply("sub", x, top))
    total = builder.broadcast(builder.apply("sum", grown, axes=(1,)), x.shape, (0,))
    assert len(groups_of(builder.apply("div", grown, total))) == 1


def test_a_contraction_takes_its_epilogue() -> None:
    builder = Builder({"B": (1, 64)})
    x, w = matrix(builder, "x"), builder.input("w", TensorType((16, 8), FLOAT))
    bias = builder.input("b", TensorType((8,), FLOAT))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    product = builder.apply("contract", x, w, **axes)
    added = builder.apply("add", product, builder.broadcast(bias, product.shape, (1,)))
    assert groups_of(builder.apply("relu", added)) == [["contract", "add", "relu"]]


def test_a_path_that_leaves_and_comes_back_is_refused() -> None:
    builder = Builder({"B": (1, 64)})
    x = matrix(builder, "x")
    first = builder.apply("exp", x)
    around = builder.apply("cumsum", first, axis=0, reverse=False)
    groups = groups_of(builder.apply("add", first, around))
    assert ["cumsum"] in groups
    assert len(groups) == 3


def test_a_concatenation_of_what_one_group_computes_is_stored_part_by_part() -> None:
    b = Builder()
    x, w = b.input("x", TensorType((BATCH, 4), FLOAT)), b.input("w", TensorType((8, 3), FLOAT))
    whole = b.apply("concatenate", b.apply("tanh", x), b.apply("exp", x), axis=1)
    product = b.apply("contract", whole, w, lhs_contract=(1,), rhs_contract=(0,), lhs_batch=(), rhs_batch=())
    assert groups_of(product) == [["tanh", "exp", "concatenate"], ["contract"]]


def test_a_concatenation_of_what_several_groups_compute_is_a_group() -> None:
    b = Builder()
    x, w = b.input("x", TensorType((BATCH, 4), FLOAT)), b.input("w", TensorType((5, 3), FLOAT))
    total = b.apply("reshape", b.apply("sum", x, axes=(1,)), shape=(BATCH, 1))
    whole = b.apply("concatenate", b.apply("tanh", x), total, axis=1)
    product = b.apply("contract", whole, w, lhs_contract=(1,), rhs_contract=(0,), lhs_batch=(), rhs_batch=())
    assert [group for group in groups_of(product) if "concatenate" in group] == [["concatenate"]]
