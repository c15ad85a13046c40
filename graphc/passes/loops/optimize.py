"""All rewrites of loops, in order."""

from __future__ import annotations

from graphc.graph.core import Graph
from graphc.passes.loops.distribution import distribute_loops
from graphc.passes.loops.scans import simplify_scans
from graphc.passes.rewrite import has_regions
from graphc.passes.simplify import simplify


def optimize_loops(graph: Graph) -> Graph:
    """Joins and trims scans, distributes them, and trims the rest.

    Returns:
        A graph that computes the same results.
    """
    if not has_regions(graph):
        return graph
    return simplify_scans(distribute_loops(simplify_scans(graph, simplify)), simplify)
