"""The order of groups against networkx, while groups are added, put after each other and merged."""

from __future__ import annotations

import random

import networkx
import pytest

from graphc.passes.analysis.precedence import Precedence


def contracted(graph: networkx.DiGraph, group: int, gone: int) -> networkx.DiGraph:
    return networkx.contracted_nodes(graph, group, gone, self_loops=False)


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_closure_of_a_graph(seed: int) -> None:
    rng = random.Random(seed)
    order, graph = Precedence(), networkx.DiGraph()
    for group in range(rng.randrange(2, 40)):
        needed = rng.sample(range(group), rng.randrange(min(group, 3) + 1))
        order.add(group, needed)
        graph.add_node(group)
        graph.add_edges_from((other, group) for other in needed)
    for _ in range(30):
        if len(graph) < 2:
            break
        first, last = rng.sample(sorted(graph), 2)
        paths = networkx.has_path(graph, first, last), networkx.has_path(graph, last, first)
        assert (order.is_before(first, last), order.is_before(last, first)) == paths
        others = [
            any(networkx.has_path(graph, a, g) and networkx.has_path(graph, g, b) for g in graph if g not in (a, b))
            for a, b in ((first, last), (last, first))
        ]
        assert [order.is_through_others(first, last), order.is_through_others(last, first)] == others
        if rng.random() < 0.5 and not paths[0]:
            order.put_after(first, [last])
            graph.add_edge(last, first)
        elif not any(others):
            order.merge(first, last)
            graph = contracted(graph, first, last)
    assert order.sorted() == list(networkx.lexicographical_topological_sort(graph))
    backwards = networkx.lexicographical_topological_sort(graph, key=lambda group: -group)
    assert order.sorted(lambda group: -group) == list(backwards)
