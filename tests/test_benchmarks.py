"""The benchmarks: what they count and conclude; and the GPU check, tried on the emulated driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks import compile_scaling, deploy, eager, loops, loops_rows, machine, results, systems, targets, turns
from benchmarks.ceilings import Ceilings, Level, Probe, Product
from benchmarks.eager_rows import TITLES, report
from benchmarks.gpu_peers import PEERS, Absent
from benchmarks.kernel_work import Work, work
from benchmarks.measure import RESULT
from benchmarks.mlp_step import Mlp
from benchmarks.peers import eager_keras, loops_keras
from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from benchmarks.tables import MARK, write_readme
from benchmarks.variety_models import VARIETY
from benchmarks.workloads import WORKLOADS
from graphc import config, dims, dtypes, interpret
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from graphc.plan import Launch, Loop, Plan
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


# ---- the CPU benchmark


def _row(system: str, rate: float, others: float = 0.0, **figures: float) -> dict[str, Any]:
    times = {"first_step_seconds": 1.0, "first_step_taken_by_others": others, "peak_rss_mb": 100.0, "loss": 2.3}
    rates = {"samples_per_second": [rate, rate], "taken_by_others": [others, others]}
    return {"system": system, "workload": "mlp", "task": "train", **times, **rates, **figures}


ROWS = [
    *(_row("graphc", rate) for rate in (300.0, 310.0, 320.0)),
    _row("graphc", 10.0, others=0.5),
    *(_row("jax", rate, peak_rss_mb=250.0) for rate in (190.0, 200.0)),
    _row("torch", 100.0, others=0.5),
    {"system": "keras-tf", "workload": "mlp", "task": "train", "failed": "no"},
]


def test_noisy_figures_count_only_where_there_is_nothing_better() -> None:
    assert results.median([1, 2, 3, 99], [0, 0, 0, 0.9]) == (2, False)
    assert results.median([1, 2, 99], [0, 0, 0.9]) == (2, True)
    table = results.summary(ROWS)["train"]["mlp"]
    assert table["graphc"]["samples_per_second"] == 310 and table["graphc"]["noisy"] == []
    assert table["torch"]["noisy"] == ["samples_per_second", "first_step_seconds"]
    assert "keras-tf" not in table


def test_targets_are_marked() -> None:
    medians = results.summary(ROWS)
    marks = {target.title.split(" ")[0]: target.marked(medians, "mlp") for target in targets.TARGETS}
    assert targets.TARGETS[0].marked(medians, "mlp") == f"{targets.MET} 1.59"
    assert marks["peak"] == f"{targets.MISSED} 1.00"  # the noisy peer is the leanest: memory has no noise
    assert targets.TARGETS[1].marked(medians, "mlp") == "-" and targets.TARGETS[1].marked(medians, "gpt") == ""
    imports = [
        {"system": s, "workload": "", "task": "import", "seconds": t} for s, t in (("graphc", 0.5), ("base", 0.2))
    ]
    assert targets.import_excess(results.summary(imports)) == pytest.approx(0.3)


def test_the_tables_go_between_the_marks_of_the_readme(tmp_path: Path) -> None:
    where = {"processor": machine.processor(), "commit": "abc", "time": "now"}
    scaling = [{"nodes": 200, "kernels": 9, "trace_seconds": 0.1, "compile_seconds": 1.0, "c_compiler_seconds": 0.5}]
    run = {"machine": where, "medians": results.summary(ROWS), "scaling": scaling, "rows": ROWS}
    alone = {"machine": where, "medians": results.summary(ROWS[:2]), "rows": ROWS[:2]}
    other = run | {"machine": where | {"processor": where["processor"] | {"core": "Another"}, "commit": "abd"}}
    early = run | {"machine": where | {"processor": {"name": "AMD", "cores": 2}}}
    results.write([early, other, run, alone], tmp_path / "cpu.json")
    slow = {"seconds": 2.0, "operations": 8e9, "onednn_operations_per_second": 5e9}
    plain = {"seconds": 1.0, "operations": 1.0, "onednn_operations_per_second": None}
    profile = {"machine": where, "workloads": {"gpt": {"kernels": [slow, plain]}}}
    kinds = results.by_processor(results.read(tmp_path / "cpu.json"), [profile])
    (here, latest), (there, _) = kinds.items()
    assert there == "Another" and here != there  # the one that was measured last comes first
    assert set(latest["medians"]["train"]["mlp"]) == {"graphc", "jax", "torch"}  # of the run with peers
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{MARK}\nold\n{MARK}\nafter\n")
    write_readme(kinds, readme)
    text = readme.read_text()
    assert text.startswith(f"before\n{MARK}\n### Targets") and text.endswith(f"{MARK}\nafter\n") and "old" not in text
    assert text.index(f"### Targets: {here}") < text.index("### Targets: Another")
    assert f"{targets.MET} 0.80" in text and "commit abc" in text and "commit abd" in text
    assert "| graphc | 310 | 1.59 | 1.00 |" in text and "| PyTorch eager | ~100 |" in text
    assert "| 200 | 9 | 0.10 | 1.00 | 0.50 | 5.50 |" in text


def test_plots_are_drawn(tmp_path: Path) -> None:
    plots = pytest.importorskip("benchmarks.plots", reason="needs matplotlib", exc_type=ImportError)
    latest = {"medians": results.summary(ROWS)}
    (path,) = plots.draw(latest, tmp_path)
    assert path.name == "mlp.png" and 1000 < path.stat().st_size < 200_000


@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_have_keras_s_parameters(name: str) -> None:
    counts = {"mlp": 101_770, "wide_mlp": 1_863_690, "convnet": 34_826, "resnet20": 273_658}
    counts |= {"lstm": 738_945, "gpt": 834_400}
    workload = WORKLOADS[name]
    model = workload.build(graphc)
    workload.compile(graphc, model)
    assert model.count_params() == counts[name]
    x, y = workload.data(workload.batch)
    assert model.output_shape[1:-1] == (y.shape[1:] if workload.loss == "logits" else ())
    assert x.shape[1:] == model.input_shape[1:] and workload.samples % workload.batch == 0


# Keras on JAX takes long to make the models of applications, which have tests of their own.
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in ("resnet50", "mobilenet_v2") else n for n in VARIETY]
)
def test_models_that_nothing_was_tuned_for_are_keras_s(name: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    workload = VARIETY[name]
    ours, theirs = workload.build(graphc), workload.build(keras)
    workload.compile(graphc, ours)
    assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
    x, y = workload.data(2)
    assert ours.output_shape == theirs.output_shape and x.shape[1:] == ours.input_shape[1:]
    assert workload.samples % workload.batch == 0 and len(y) == 2


def test_a_process_tells_its_figures_or_fails(tmp_path: Path) -> None:
    told = systems.run(systems.IMPORTS["base"], [], tmp_path)
    assert 0 < told["seconds"] < 30
    with pytest.raises(systems.Failed, match="no_such_module"):
        systems.run(systems.System("", None, "importing", ("no_such_module",)), [], tmp_path)


@pytest.mark.slow
def test_a_system_is_measured(tmp_path: Path) -> None:
    trained = systems.measure(systems.SYSTEMS["graphc"], "train", "mlp", 1, tmp_path)
    assert trained["samples_per_second"][0] > 0 and trained["first_step_seconds"] > 0 and trained["loss"] < 3
    predicted = systems.measure(systems.SYSTEMS["graphc"], "predict", "mlp", 1, tmp_path)
    assert 0 < predicted["latency_ms"] <= predicted["latency_p95_ms"] and predicted["samples_per_second"][0] > 0


def test_compile_time_is_told_apart(tmp_path: Path) -> None:
    with config.override(cache_dir=tmp_path):  # what is in the cache is not compiled
        row = compile_scaling.compile_one(1)
    assert row["nodes"] > 100 and row["kernels"] > 5
    assert 0 < row["c_compiler_seconds"] < row["compile_seconds"] and row["trace_seconds"] > 0


# ---- the roofline

LIMITS = Ceilings(1, (Level("L1", 1000, 100.0), Level("memory", None, 10.0)), 1000.0)


def test_ceilings() -> None:
    assert LIMITS.least_seconds(1000, 0) == 10 and LIMITS.least_seconds(2000, 0) == 200
    assert LIMITS.least_seconds(10, 5000) == 5


def test_the_machine_can_do_something() -> None:
    probe = Probe()
    assert probe._copy(1024, 1) > 1e6 and probe._fma(1) > 1e6


def test_contractions_are_matrix_products() -> None:
    roofline = pytest.importorskip("benchmarks.roofline", reason="needs matplotlib", exc_type=ImportError)
    plain = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    assert roofline.as_product([(4, 6), (6, 5)], plain) == Product(4, 5, 6)
    weights = {**plain, "lhs_contract": (0,)}
    assert roofline.as_product([(6, 4), (6, 5)], weights) == Product(4, 5, 6, left=True)
    inputs = {**plain, "rhs_contract": (1,)}
    assert roofline.as_product([(4, 6), (5, 6)], inputs) == Product(4, 5, 6, right=True)
    heads = {"lhs_batch": (0, 2), "rhs_batch": (0, 2), "lhs_contract": (3,), "rhs_contract": (3,)}
    assert roofline.as_product([(2, 7, 3, 4), (2, 8, 3, 4)], heads) == Product(7, 8, 4, 6, right=True)
    assert Product(4, 5, 6, 2).operations == 480


def test_a_kernel_s_share_of_the_roofline(tmp_path: Path) -> None:
    roofline = pytest.importorskip("benchmarks.roofline", reason="needs matplotlib", exc_type=ImportError)
    b, batch = Builder({"B": (1, 64)}), dims.size("B")
    x, w = b.input("x", TensorType((batch, 100), FLOAT)), b.input("w", TensorType((100, 10), FLOAT))
    plain = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    graph = b.finish([b.apply("contract", x, w, **plain)])
    assert roofline.contractions(graph, {"B": 8}) == [Product(8, 10, 100)]
    ((name, kernel),) = build_loops(graph).scheduled.items()
    launch = Launch(name, (), (), (), ("B", "@1"))
    plan = Plan((Loop("@1", dims.size("B") - 7, (launch,)), launch), (), (), {"B": (1, 64)})
    assert roofline.launches(plan, {"B": 8}) == {name: 2}
    tuned = {Product(8, 10, 100): 500.0}
    (row,) = roofline.kernel_rows({name: 2000.0}, {name: kernel}, plan, {"B": 8}, LIMITS, tuned)
    # Twice 7,520 bytes, at 10 a second.
    assert (row["bytes"], row["operations"], row["level"]) == (15040, 32000, "memory")
    assert row["share"] == pytest.approx(0.752) and row["onednn_operations_per_second"] == 500
    assert roofline.plot("mlp", [row], LIMITS, tmp_path).stat().st_size > 1000


@pytest.mark.slow
def test_a_step_tells_what_its_kernels_take() -> None:
    roofline = pytest.importorskip("benchmarks.roofline", reason="needs matplotlib", exc_type=ImportError)
    step = roofline.ProfiledStep("mlp")
    turns = [step.seconds(), step.seconds()]
    found = roofline.best(turns, min)
    assert set(found) == set(step.executable.compilation.kernels)
    assert all(0 < seconds <= turn[kernel] for kernel, seconds in found.items() for turn in turns)


def test_eager_calls_are_told_beside_the_second_fastest_peer() -> None:
    def cell(ms: float) -> dict[str, float]:
        return {"ms": ms, "cpu_ms": 2 * ms, "first_ms": 1.0}

    times = {"graphc": [2.0, 4.0, 3.0], "torch": [1.0, 1.0, 9.0], "keras-tf": [6.0] * 3, "keras-jax": [7.0] * 3}
    rows = [{"system": name, "calls": {"dense": cell(ms)}} for name, all_ms in times.items() for ms in all_ms]
    rows += [{"system": "graphc", "calls": {"add": cell(1.0)}}, {"system": "torch", "failed": "no memory"}]
    found = turns.medians(rows)
    assert found["dense"]["graphc"] == cell(3.0) and eager.place(found["dense"]) == 0.5
    text = eager.report({"machine": machine.describe(), "medians": found})
    assert "| 3 (6) | 6 (12) | 7 (14) | 1 (2) | 0.50 |" in text and "| 1 (2) | - | - | - | - |" in text
    assert {*eager_keras.calls(graphc)} == {*TITLES}


def test_the_table_of_exported_models_has_a_row_for_each_system_and_model() -> None:
    cell = {"ms": 0.5, "batch_ms": 8.0, "size_kb": 1234.5, "peak_mb": 2.25}
    text = deploy.report(
        {"machine": machine.describe(), "medians": {"mlp": {"c": cell, "onnx": cell}, "gpt": {"c": cell}}}
    )
    assert "| MLP 784-128-10 | exported C | 1,234 | 2.2 | 0.5 | 4,000 |" in text
    assert text.count("exported C") == 2 and text.count("ONNX Runtime") == 1


def test_eager_calls_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report(eager_keras.calls(graphc), lambda result: None, 0.0, ["add", "softmax"])
    told = json.loads(capsys.readouterr().out.removeprefix(RESULT))
    assert set(told) == {"add", "softmax"} and all(figure > 0 for figure in told["add"].values())


def test_ratios_are_those_of_rounds() -> None:
    def row(turn: int, system: str, ms: float) -> dict[str, Any]:
        return {"round": turn, "system": system, "calls": {"mlp": {"ms": ms}}}

    # Twice as quick in each round, though the rounds are of different speed; in the last there is no peer.
    rows = [*(row(t, "graphc", ms) for t, ms in enumerate((1.0, 10.0, 2.0, 5.0))), {"round": 3, "system": "jax"}]
    rows += [*(row(t, "jax", ms) for t, ms in enumerate((2.0, 20.0, 4.0))), row(0, "torch", 9.0), row(2, "torch", 3.0)]
    assert turns.ratio(rows, "mlp", "ms", "graphc", ("jax", "torch")) == 2.0
    assert turns.ratio(rows, "mlp", "ms", "graphc", ("torch",)) == pytest.approx((9.0 + 1.5) / 2)
    assert turns.ratio(rows, "mlp", "ms", "keras-tf", ("jax",)) is None
    assert turns.ratio(rows, "vae", "ms", "graphc", ("jax",)) is None


def test_loops_are_told_beside_fit_and_the_fastest_peer() -> None:
    def told(system: str, row: str, ms: float, first: float, again: float | None = None) -> list[dict[str, Any]]:
        cells: list[dict[str, float]] = [{"ms": ms, "first_s": first}]
        cells += [] if again is None else [{"again_s": again}]
        return [{"round": 0, "system": system, "calls": {row: cell}} for cell in cells]

    rows = [*told("graphc", "mlp", 2.0, 1.0, 0.5), *told("fit", "mlp", 1.7, 1.01, 0.4), *told("jax", "mlp", 3.0, 2.0)]
    rows += [*told("graphc", "newton", 0.5, 1.0), *told("fit", "newton", 0.3, 1.0), *told("jax", "newton", 0.4, 1.0)]
    rows += [*told("graphc", "call", 0.02, 0.5), *told("jax", "call", 0.01, 0.5)]
    text = loops.report({"machine": machine.describe(), "medians": turns.medians(rows), "rows": rows})
    good, bad = targets.MET, targets.MISSED
    assert f"| 2 | 1.7 | 3 | {good} 1.50 | {bad} 0.85 |" in text
    assert f"| 0.5 | 0.3 | 0.4 | {bad} 0.80 | 0.60 |" in text  # too short a step for a share of fit's speed
    assert f"| {good} 0.02 | - | 0.01 | 0.50 | - |" in text  # a call has a bound of its own
    assert f"| 1.00 (0.50) | 1.01 (0.40) | 2.00 | {good} 1.01 ({bad} 0.80) |" in text


def test_loops_and_fit_take_the_same_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert {*loops_keras.MAKERS} == {*loops_rows.ROWS}
    small = loops_rows.Row("", 8, loops_rows.ROWS["newton"].make, 2)
    with graphc.backend("numpy"):
        make = partial(loops_keras.MAKERS["newton"], graphc, graphc)
        loop = loops_rows.looped(lambda: graphc.function(make()), small)
        fit = loops_keras.fitted(graphc, make, small)
        assert loop.first() == pytest.approx(fit.first(), rel=1e-5) == pytest.approx(np.log(2), rel=1e-5)
        assert loop.steps == 2 and fit.steps == loops_rows.FITTED
        for _ in range(loops_rows.FITTED // 2):
            last = loop.turn()
        assert last == pytest.approx(fit.turn(), rel=1e-3)
        capsys.readouterr()
        loops_rows.report(loops_rows.looped(lambda: graphc.function(make()), small), "newton", 1e-9)
    told = json.loads(capsys.readouterr().out.removeprefix(RESULT))["newton"]
    assert told["ms"] > 0 and told["cpu_ms"] > 0 and told["first_s"] > 0 and np.isfinite(told["loss"])
