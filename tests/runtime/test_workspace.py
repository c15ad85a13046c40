"""What a program on the CPU remembers between runs."""

from __future__ import annotations

from graphc import dims, dtypes
from graphc.compiler import compile
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType
from graphc.runtime.cpu import thread_pool
from graphc.runtime.cpu.workspace import Workspace


def test_slow_short_runs_do_not_keep_long_ones_on_one_thread() -> None:
    builder = Builder({"B": (1, 100)})
    graph = builder.finish([builder.apply("exp", builder.input("x", TensorType((dims.size("B"),), dtypes.float32)))])
    table = Workspace(compile(graph, "cpu").compilation.plan, {}).table({"B": 4})
    short, long = thread_pool.CERTAIN - 1, thread_pool.CERTAIN
    for _ in range(100):
        trials = table.trials_of(8, short)
        threads = trials.chosen(2, short)
        trials.note(threads, {1: 1.0, 2: 5.0}[threads])
    assert table.trials_of(8, short).chosen(2, short) == 1
    assert table.trials_of(500, long).chosen(2, long) == 2
    assert table.trials_of(1, short) is not table.trials_of(8, short)
