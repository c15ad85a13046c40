"""The GPU check itself, tried on the emulated driver; and what it counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu_peers import PEERS, Absent
from benchmarks.kernel_work import Work, work
from benchmarks.mlp_step import Mlp
from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc import dims, dtypes, interpret
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from tests.support.loop_interpreter import build_loops

ROOT = Path(__file__).parent.parent
FLOAT = dtypes.float32


def _gpu_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: it chooses which driver it loads."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": ""})


@pytest.mark.cuda
@pytest.mark.slow
def test_the_gpu_check_runs_through_on_the_emulator(tmp_path: Path) -> None:
    for _ in range(2):
        done = _gpu_check("--emulate", "--output", str(tmp_path / "gpu.json"))
        assert done.returncode == 0, done.stdout + done.stderr
    assert "all is right" in done.stdout
    runs = json.loads((tmp_path / "gpu.json").read_text())
    assert len(runs) == 2 and runs[0]["machine"]["emulated"]
    assert runs[0]["failures"] == [] and runs[0]["primitives"] > 5
    assert runs[0]["systems"]["graphc (cuda)"]["samples_per_second"] > 0
    assert all(row["seconds"] > 0 for row in runs[0]["kernels"])


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    done = _gpu_check()
    assert done.returncode == 2
    assert "there is no GPU" in done.stderr and "install" in done.stderr


def test_a_wrong_result_is_told_with_its_call() -> None:
    calls = all_calls(next(primitive for primitive in all_primitives() if primitive.name == "tanh"))
    outputs = calls.expected()
    assert calls.differences(outputs) == []
    outputs[2] = outputs[2] + 1
    assert [problem.split(":")[0] for problem in calls.differences(outputs)] == [calls.labels[2]]


def test_every_primitive_is_called() -> None:
    calls = all_calls(next(primitive for primitive in all_primitives() if primitive.name == "gather"))
    verify(calls.graph)
    assert len(interpret.run(calls.graph, calls.inputs, sizes=SIZES)[0]) == len(calls.labels)


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
@pytest.mark.parametrize("name", PEERS)
def test_peers_that_cannot_run_say_so(name: str) -> None:
    with pytest.raises(Absent):
        PEERS[name](Mlp(side=2, hidden=2, classes=2), 8, 4)


def test_the_step_is_a_good_graph_that_learns() -> None:
    mlp = Mlp(side=4, hidden=8, classes=3)
    graph = mlp.step()
    verify(graph)
    inputs, states = mlp.data(64), mlp.states()
    losses = []
    for _ in range(60):
        outputs, updates = interpret.run(graph, inputs, states, {"B": 16, "N": 64})
        losses.append(float(outputs[0]))
        states |= updates
        if states["cursor"] == 64:
            states["cursor"] = np.zeros((), np.int32)
    assert states["steps"] == 60
    assert np.mean(losses[-4:]) < losses[0]


# ---- what a kernel does, counted


def _work_of(graph: Graph, **sizes: int) -> list[Work]:
    return [work(kernel, sizes) for kernel in build_loops(graph).scheduled.values()]


def test_work_of_a_product() -> None:
    b, batch = Builder({"B": (1, 64)}), dims.size("B")
    x, w = b.input("x", TensorType((batch, 100), FLOAT)), b.input("w", TensorType((100, 10), FLOAT))
    y = b.apply("contract", x, w, lhs_batch=(), rhs_batch=(), lhs_contract=(1,), rhs_contract=(0,))
    graph = b.finish([y])
    assert _work_of(graph, B=8) == [Work(4 * (800 + 1000 + 80), 2 * 8 * 100 * 10)]


def test_work_of_rows_and_of_what_is_gathered() -> None:
    """A table of which few rows are read counts with these rows only."""
    b = Builder()
    table, rows = b.input("table", TensorType((1000, 16), FLOAT)), b.input("rows", TensorType((4,), dtypes.int32))
    total = b.apply("sum", b.apply("gather", table, rows, axis=0), axes=(1,))
    assert _work_of(b.finish([total])) == [Work(4 * (4 * 16 + 4 + 4), 64)]
