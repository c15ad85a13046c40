"""The interpreter: runs a graph with NumPy, one operation after the other. It is slow, simple, and the reference.

The loop itself stands with the graph (`graphc.graph.evaluation`), since operations that hold a graph, such as `scan`,
are evaluated by it, too.
"""

from graphc import primitives
from graphc.graph.evaluation import evaluate, run

__all__ = ["evaluate", "primitives", "run"]
