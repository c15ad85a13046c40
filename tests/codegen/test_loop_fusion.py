"""Loops over samples: which kernels share one, what then shrinks, and that results stay."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from benchmarks.workloads import WORKLOADS
from graphc import config, dims, dtypes, interpret, layers, plan_json
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu import sample_groups
from graphc.codegen.cpu.sample_groups import SMALL_BYTES
from graphc.codegen.target import Target
from graphc.compiler import Executable, compile
from graphc.errors import VerificationError
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.models.data import arrays_of
from graphc.plan import Buffer, Launch, Loop, Need, Plan
from graphc.plan_check import check
from graphc.runtime.cpu import processor, thread_pool
from graphc.runtime.cpu.program import CpuProgram
from graphc.runtime.memory import solve
from graphc.runtime.state import StateBuffer
from tests.support.loop_interpreter import always_fused_loops

Array = np.ndarray[Any, Any]

BATCH = dims.size("B")
HEADS, ROWS, WIDTH = 3, 20, 8


def _product(x: Value, y: Value, batch: int, contract: tuple[int, int]) -> Value:
    axes = tuple(range(batch))
    attrs = {"lhs_contract": contract[:1], "rhs_contract": contract[1:]}
    return x.builder.apply("contract", x, y, lhs_batch=axes, rhs_batch=axes, **attrs)


def _softmax(x: Value) -> Value:
    b, last = x.builder, (x.rank - 1,)

    def rows(value: Value) -> Value:
        return b.broadcast(value, x.shape, tuple(range(x.rank - 1)))

    powers = b.apply("exp", b.apply("sub", x, rows(b.apply("max", x, axes=last))))
    return b.apply("div", powers, rows(b.apply("sum", powers, axes=last)))


def attention(rows: int = ROWS) -> Graph:
    """Values, mixed by softmax of the products of queries and keys."""
    b = Builder({"B": (1, 64)})
    q, k, v = (b.input(name, TensorType((BATCH, HEADS, rows, WIDTH), dtypes.float32)) for name in "qkv")
    return b.finish([_product(_softmax(_product(q, k, 2, (3, 3))), v, 2, (3, 2))])


def inputs(graph: Graph, batch: int) -> dict[str, Array]:
    rng = np.random.default_rng(batch)
    shapes = {name: [dims.evaluate(d, {"B": batch}) for d in node.outs[0].shape] for name, node in graph.inputs.items()}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def fused(graph: Graph) -> Executable:
    """Compiled as if its sizes were large, and not looked for among known programs."""
    with always_fused_loops():
        executable = compile(graph, "cpu", cached=False)
        assert executable.compilation.plan is not None
    return executable


def loops(compilation: Compilation) -> list[Loop]:
    """The loops whose passes threads take."""
    assert compilation.plan is not None
    return [step for step in compilation.plan.steps if isinstance(step, Loop) and step.slots]


def kernels(loop: Loop) -> list[str]:
    """The kernels that a pass launches, in order."""
    inner = loop.steps[0].steps if isinstance(loop.steps[0], Loop) else loop.steps
    return [step.kernel for step in inner if isinstance(step, Launch)]


@contextmanager
def team_of(threads: int) -> Iterator[None]:
    """So many threads, that share whatever there is to do."""
    with config.override(threads=threads), patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0):
        yield


def expect(graph: Graph, executable: Executable, batch: int, threads: int) -> None:
    """Compares with the interpreter, and bits with those of one thread."""
    given, sizes = inputs(graph, batch), {"B": batch}
    with team_of(threads):
        out = executable.run(given, {}, sizes)
    with config.override(threads=1):
        alone = executable.run(given, {}, sizes)
    for one, many, right in zip(alone, out, interpret.run(graph, given, sizes=sizes)[0], strict=True):
        np.testing.assert_array_equal(one, many)
        np.testing.assert_allclose(one, right, rtol=1e-5, atol=1e-5)


# ---- loops


@pytest.fixture(scope="module")
def attends() -> Executable:
    return fused(attention())


def test_attention_is_one_loop_over_heads(attends: Executable) -> None:
    (loop,) = loops(attends.compilation)
    (inner,) = loop.steps
    assert isinstance(inner, Loop)
    assert (loop.count, inner.count, inner.slots) == (BATCH, HEADS, 0)
    assert attends.compilation.plan is not None
    assert attends.compilation.plan.steps == (loop,)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("threads", [2, 3])
def test_passes_are_taken_by_threads(attends: Executable, batch: int, threads: int) -> None:
    expect(attention(), attends, batch, threads)


def test_scores_are_there_for_one_head_at_a_time(attends: Executable) -> None:
    slots = loops(attends.compilation)[0].slots
    a_head, many = ROWS * ROWS * 4, attends.memory({"B": 64})["arena"]
    assert many == attends.memory({"B": slots})["arena"]
    assert 2 * a_head * slots <= many < 64 * a_head


def chain(count: int) -> Graph:
    """Attention to what attention gave: a pass makes much, and needs little of it at a time."""
    b = Builder({"B": (1, 500)})
    x, k, v = (b.input(name, TensorType((BATCH, 16, 16), dtypes.float32)) for name in "xkv")
    for _ in range(count):
        x = _product(_softmax(_product(x, k, 1, (2, 2))), v, 1, (2, 1))
    return b.finish([x])


MANY = 64
GRAPHS = {"attention": attention(), "large products": attention(100), "a chain": chain(4)}


def without_loops(graph: Graph) -> Plan:
    """The plan of the same kernels with nothing in common."""
    plan = Compilation(graph, Target("cpu", processors=MANY), skip={"sample_loops"}).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_many_processors_take_no_more_memory_than_no_loop(graph: Graph) -> None:
    """There are no more parts than passes, and what a pass needs in turn lies in one place; but for scratch memory."""
    without = without_loops(graph)
    with always_fused_loops():
        plan = Compilation(graph, Target("cpu", processors=MANY)).plan
    assert plan is not None
    (loop,) = (step for step in plan.steps if isinstance(step, Loop))
    scratch = sum(plan.needs()[id].at({"B": 1}) for id in loop.private if plan.buffers[id].role == "scratch")
    for batch in (1, 2, 3, 32, 64, 65, 400):
        layout, parts = solve(plan, {"B": batch}), min(batch, MANY)
        check(plan, layout.offsets, {"B": batch})
        assert layout.nbytes <= solve(without, {"B": batch}).nbytes + parts * scratch + 256 * len(loop.private)
    assert solve(plan, {"B": MANY}).nbytes == solve(plan, {"B": 400}).nbytes


@pytest.mark.parametrize("name", ["convnet", "resnet20", "gpt"])
def test_workloads_on_many_processors_take_no_more_memory_than_unfused(name: str) -> None:
    graphc.utils.clear_session()
    workload = WORKLOADS[name]
    model = workload.build(graphc)
    workload.compile(graphc, model)
    with graphc.backend("numpy"):
        program = model.program("train", arrays_of(*workload.data(workload.batch)).spec)
    graph = program.executable.compilation.stages["initial"]
    fused, without = Compilation(graph, Target("cpu", processors=MANY)), without_loops(graph)
    assert loops(fused)
    unfused = Compilation(graph, Target("cpu", fused=False, processors=MANY))
    for batch in (1, 2, 32, 100):
        sizes = dict.fromkeys(unfused.plan.symbols, 4096) | {"B": batch}
        most = max(solve(plan, sizes).nbytes for plan in (without, unfused.plan))
        assert solve(fused.plan, sizes).nbytes <= most


@pytest.fixture(scope="module")
def chained() -> Executable:
    with patch.object(processor, "cores", return_value=MANY):
        return fused(chain(4))


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 64, 100])
def test_parts_in_one_place_are_each_pass_s_own(chained: Executable, batch: int) -> None:
    assert chained.compilation.plan is not None and chained.compilation.plan.shared_parts()
    for threads in (2, 3, 5):
        expect(chain(4), chained, batch, threads)


def test_each_lane_has_scratch_memory_of_its_own() -> None:
    graph = attention(100)
    executable = fused(graph)
    (loop,) = loops(executable.compilation)
    plan = executable.compilation.plan
    assert plan is not None
    scratch = {id for id in loop.writes if plan.buffers[id].role == "scratch"}
    assert scratch
    assert scratch <= set(loop.private)
    for batch in (8, 9, 16):
        expect(graph, executable, batch, 2)


def test_a_program_for_fewer_processors_is_another_one(tmp_path: Path) -> None:
    """One that was compiled where a single processor was allowed has a single lane, for good."""
    for processors in (1, 3, 2, 1):
        with (
            always_fused_loops(),
            config.override(cache_dir=tmp_path),
            patch.object(processor, "cores", return_value=processors),
        ):
            program = compile(attention(), "cpu").program
        assert isinstance(program, CpuProgram)
        assert [step.slots for step in program.plan.steps if isinstance(step, Loop)] == [processors]


def test_small_buffers_are_no_reason() -> None:
    assert loops(Compilation(attention(), Target("cpu", vector_bytes=32))) == []
    assert len(loops(Compilation(attention(512), Target("cpu", vector_bytes=32)))) == 1


def test_other_backends_have_no_such_loops() -> None:
    assert loops(Compilation(attention(512), Target("cuda"))) == []


def test_what_needs_the_whole_batch_is_in_no_loop() -> None:
    """The mean over the batch comes between: scores are needed before it and after it."""
    b = Builder({"B": (1, 64)})
    x, y = (b.input(name, TensorType((BATCH, ROWS, WIDTH), dtypes.float32)) for name in "xy")
    scores = _product(x, y, 1, (2, 2))
    mean = b.apply("div", b.apply("sum", scores, axes=(0,)), b.full(7, (ROWS, ROWS), dtypes.float32))
    apart = b.apply("exp", b.apply("sub", scores, b.broadcast(mean, scores.shape, (1, 2))))
    graph = b.finish([_product(_softmax(apart), y, 1, (2, 1))])
    executable = fused(graph)
    (loop,) = loops(executable.compilation)
    plan = executable.compilation.plan
    assert plan is not None
    assert len(plan.steps) > 2
    assert plan.steps[-1] == loop
    expect(graph, executable, 5, 2)


def weighed(width: int) -> Graph:
    """A product with a weight, between others that go over samples."""
    b = Builder({"B": (1, 64)})
    x = b.input("x", TensorType((BATCH, ROWS, WIDTH), dtypes.float32))
    w = b.input("w", TensorType((WIDTH, width), dtypes.float32))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (2,), "rhs_contract": (0,)}
    return b.finish([_softmax(b.apply("contract", _softmax(x), w, **axes))])


def test_products_with_a_weight_are_in_no_loop() -> None:
    """All samples share the weight, which each pass would have to gather anew."""
    assert loops(fused(weighed(1 + SMALL_BYTES // WIDTH // 4)).compilation) == []


@pytest.mark.parametrize("batch, threads", ((1, 1), (5, 1), (1, 3), (7, 3)))
def test_products_with_a_small_weight_are(batch: int, threads: int) -> None:
    graph = weighed(SMALL_BYTES // WIDTH // 4)
    executable = fused(graph)
    (loop,) = loops(executable.compilation)
    assert len(kernels(loop)) > 1
    expect(graph, executable, batch, threads)


def test_convolutions_of_few_channels_share_a_loop_with_what_pools_their_outputs() -> None:
    with config.override(backend="cpu"):
        graphc.utils.set_random_seed(5)
        stack = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(3)]
        model = graphc.Sequential([graphc.Input((28, 28, 1)), *stack])
        x = np.random.default_rng(0).normal(size=(33, 28, 28, 1)).astype(np.float32)
        for threads in (1, 3):
            with team_of(threads):
                got = model.predict(x, batch_size=33, verbose=0)
            with config.override(backend="numpy"):
                np.testing.assert_allclose(got, np.asarray(model(x)), rtol=1e-4, atol=1e-5)
        programs = [p.executable for p in model.made_programs if p.mode == "predict"]
        (loop,) = loops(next(program for program in programs if program.backend == "cpu").compilation)
    assert len(kernels(loop)) == 2


# ---- training


def transformer(length: int, dropout: float) -> Any:
    """Attention to earlier words that are there, in front of an output for each word."""
    graphc.utils.set_random_seed(3)
    words = graphc.Input((length,), dtype="int32")
    x = layers.Embedding(11, 12, mask_zero=True)(words)
    x = layers.MultiHeadAttention(3, 4, dropout=dropout)(x, x, use_causal_mask=True)
    model = graphc.Model(words, layers.Dense(11)(x))
    loss = graphc.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(graphc.optimizers.SGD(0.5), loss)
    return model


def trained(backend: str, dropout: float, threads: int = 1) -> tuple[list[float], list[Array], Any]:
    """The loss of each epoch, the weights in the end, and the model."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 11, (7, 9)).astype(np.int32)
    with config.override(backend=backend), team_of(threads):
        model = transformer(9, dropout)
        history = model.fit(x, np.roll(x, -1, 1), batch_size=3, epochs=3, shuffle=False, verbose=0)
    return history.history["loss"], model.get_weights(), model


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_scores_are_made_again_for_gradients(tmp_path: Path, dropout: float) -> None:
    with always_fused_loops(), config.override(cache_dir=tmp_path):
        losses, weights, model = trained("cpu", dropout)
        shared = trained("cpu", dropout, threads=3)
        (program,) = (p for p in model.made_programs if p.mode == "train")
        launched = Counter(name for loop in loops(program.executable.compilation) for name in kernels(loop))
    assert max(launched.values()) == 2, "the product of queries and keys"
    assert shared[0] == losses
    for one, many in zip(weights, shared[1], strict=True):
        np.testing.assert_array_equal(one, many)
    expected = trained("numpy", dropout)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-4)
    for got, right in zip(weights, expected[1], strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-3, atol=1e-4)


def _twice(gate: bool, computed: bool) -> Graph:
    """Weights of attention that are used, and once more after all samples have been, in a loop of its own.

    Args:
        gate: Whether scores are multiplied by a state, which is then changed.
        computed: Whether queries are computed, and not needed for anything else.
    """
    b = Builder({"B": (1, 64)})
    q, k, v = (b.input(name, TensorType((BATCH, ROWS, WIDTH), dtypes.float32)) for name in "qkv")
    if computed:
        w = b.input("w", TensorType((WIDTH, WIDTH), dtypes.float32))
        axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (2,), "rhs_contract": (0,)}
        q = b.apply("contract", q, w, **axes)
    scores = _product(q, k, 1, (2, 2))
    if gate:
        state = b.state("gate", TensorType((), dtypes.float32))
        scores = b.apply("mul", scores, b.broadcast(state, scores.shape, ()))
        b.update(state, b.apply("add", state, b.full(1, (), dtypes.float32)))
    weights = _softmax(scores)
    whole = b.apply("tanh", b.apply("sum", _product(weights, v, 1, (2, 1)), axes=(0,)))
    gated = b.apply("mul", v, b.broadcast(whole, v.shape, (1, 2)))
    return b.finish([_product(_softmax(b.apply("mul", weights, _product(gated, v, 1, (2, 2)))), v, 1, (2, 1))])


def _makes_scores(executable: Executable) -> int:
    """How many loops multiply queries and keys, with which the first one begins."""
    found = loops(executable.compilation)
    return sum(kernels(found[0])[0] in kernels(loop) for loop in found)


def test_what_changes_meanwhile_waits() -> None:
    """The second loop makes weights again of the state that the first one has seen."""
    graph = _twice(gate=True, computed=False)
    executable, given = fused(graph), inputs(graph, 5)
    assert _makes_scores(executable) == 2
    states = {"gate": StateBuffer(np.full((), 0.5, np.float32))}
    (out,) = executable.run(given, states, {"B": 5})
    ((expected,), updated) = interpret.run(graph, given, {"gate": np.full((), 0.5, np.float32)}, {"B": 5})
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(states["gate"].host(), updated["gate"])


def test_nothing_is_kept_so_that_something_else_can_be_made_again() -> None:
    with patch.object(sample_groups, "SMALL_BYTES", 0):  # what computes queries is in no loop
        again, kept = (fused(_twice(gate=False, computed=computed)) for computed in (False, True))
    assert _makes_scores(again) == 2
    assert _makes_scores(kept) == 1
    expect(_twice(gate=False, computed=True), kept, 5, 2)
    expect(_twice(gate=False, computed=False), again, 5, 2)


def test_long_sequences_take_less_than_their_scores() -> None:
    length, batch = 1024, 16
    model = transformer(length, 0.0)
    x = np.zeros((batch, length), np.int32)
    with config.override(backend="cpu"):
        step = model.program("train", graphc.models.data.arrays_of(x, x).spec)
    compilation = Compilation(step.graph, Target("cpu", vector_bytes=32))
    assert compilation.plan is not None
    sizes = dict.fromkeys(compilation.plan.symbols, batch)
    assert solve(compilation.plan, sizes).nbytes < batch * 3 * length * length * 4


# ---- plans with such loops


def _lanes(other: int = 64) -> Plan:
    """Three kernels, of which each lane has its own part of what one hands to the next."""
    buffers = [Buffer(0, "input", dtypes.float32, BATCH, "x")]
    buffers += [Buffer(1, "temporary", dtypes.float32, 64), Buffer(2, "temporary", dtypes.float32, other)]
    buffers += [Buffer(3, "output", dtypes.float32, BATCH)]
    body = (Launch("k0", (0, 1), (0,), (1,)), Launch("k1", (1, 2), (1,), (2,)), Launch("k2", (2, 3), (2,), (3,)))
    return Plan((Loop("@sample", BATCH, body, 2, (1, 2)),), tuple(buffers), (3,), {"B": (1, 8)})


def test_what_passes_touch_at_the_same_time_shares_no_memory() -> None:
    plan = _lanes()
    offsets = dict(solve(plan, {"B": 8}).offsets)
    assert abs(offsets[1] - offsets[2]) >= 2 * 64 * 4


@pytest.mark.parametrize("other", [64, 128])
def test_only_parts_of_equal_sizes_are_in_one_place(other: int) -> None:
    """Those of different sizes would lie in parts of other passes."""
    plan = _lanes(other)
    body = (Launch("k0", (0, 1), (0,), (1,)), Launch("k1", (1, 3), (1,), (3,)), Launch("k2", (0, 2), (0,), (2,)))
    in_turn = replace(plan, steps=(replace(plan.steps[0], steps=body),))
    offsets = solve(in_turn, {"B": 8}).offsets
    assert (offsets[1] == offsets[2]) == (other == 64)
    for second in {0, 256} - ({0} if other == 64 else set()):
        with pytest.raises(VerificationError, match="at the same time"):
            check(in_turn, {1: 0, 2: second}, {"B": 8})
    with pytest.raises(VerificationError, match="two buffers of one step"):
        check(plan, {1: 0, 2: 0}, {"B": 8})


def test_parts_are_no_more_than_passes() -> None:
    need = Need(100 * BATCH, 4, BATCH // 2 + 1)
    assert [need.at({"B": batch}) for batch in (1, 2, 6, 100)] == [100, 2 * 200, 4 * 600, 4 * 10000]
    assert need.is_non_decreasing and not Need(100, 4, 9 - BATCH).is_non_decreasing


def test_lanes_survive_json_and_are_described() -> None:
    plan = _lanes()
    assert plan_json.from_object(json.loads(json.dumps(plan_json.to_object(plan)))) == plan
    assert "for @sample in 1..B, 2 at the same time" in str(plan)
