"""The arena: what is alive together never overlaps, and no more memory is taken than that needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc import dims, dtypes, interpret
from graphc.compiler import compile
from graphc.dims import Dim
from graphc.errors import VerificationError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.plan import Buffer, Launch, Loop, Plan
from graphc.plan_check import check
from graphc.runtime.memory import ALIGNMENT, extended, solve
from tests.support.random_plans import LARGEST, VARYING, Lost, plans, run_in_memory

FIXED = settings(derandomize=True, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
BOUNDS = {"B": LARGEST}


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


@FIXED
@given(plans())
def test_solved_plans_lose_nothing(plan: Plan) -> None:
    layout = solve(plan, BOUNDS)
    check(plan, layout.offsets, BOUNDS)
    run_in_memory(plan, layout.offsets, BOUNDS)


@FIXED
@given(plans(varying=True), st.lists(st.integers(1, LARGEST), min_size=2, max_size=5))
def test_a_layout_holds_for_all_sizes_that_it_was_extended_for(plan: Plan, batches: list[int]) -> None:
    layout = None
    for batch in batches:
        layout = extended(plan, layout, {"B": batch})
        check(plan, layout.offsets, {"B": batch})
        run_in_memory(plan, layout.offsets, {"B": batch})
    for batch in batches:
        assert layout is not None and layout.covers({"B": batch})
        assert extended(plan, layout, {"B": batch}) is layout


@FIXED
@given(plans(varying=True), st.integers(1, LARGEST))
def test_what_a_layout_covers_fits(plan: Plan, batch: int) -> None:
    """Also where it was solved for another size; what grows with sizes is covered below it without a look."""
    layout = solve(plan, BOUNDS)
    assert set(layout.varying) == {b.id for b in plan.arena if b.nbytes // b.dtype.itemsize in VARYING}
    assert layout.covers({"B": batch}) or layout.varying
    if layout.covers({"B": batch}):
        check(plan, layout.offsets, {"B": batch})
        run_in_memory(plan, layout.offsets, {"B": batch})


@FIXED
@given(plans())
def test_offsets_are_aligned_and_inside_the_arena(plan: Plan) -> None:
    layout, nbytes = solve(plan, BOUNDS), plan.nbytes(BOUNDS)
    assert all(place % ALIGNMENT == 0 for place in layout.offsets.values())
    assert all(place + nbytes[id] <= layout.nbytes for id, place in layout.offsets.items())
    assert layout.nbytes % ALIGNMENT == 0


@FIXED
@given(plans())
def test_the_arena_is_between_the_peak_and_the_sum(plan: Plan) -> None:
    layout, nbytes, spans = solve(plan, BOUNDS), plan.nbytes(BOUNDS), plan.lifetimes()
    moments = range(max((last for _, last in spans.values()), default=0) + 1)
    peak = max(sum(nbytes[id] for id, (first, last) in spans.items() if first <= now <= last) for now in moments)
    assert peak <= layout.nbytes <= sum(_aligned(nbytes[id]) for id in spans)


@FIXED
@given(plans())
def test_solving_again_gives_the_same(plan: Plan) -> None:
    assert solve(plan, BOUNDS) == solve(plan, BOUNDS)


@FIXED
@given(plans(), st.data())
def test_the_checker_finds_what_memory_shows(plan: Plan, data: st.DataObject) -> None:
    """Any places at all: the checker refuses exactly those with which a run loses something."""
    places = st.integers(0, 12).map(lambda place: place * 32)
    offsets = {buffer.id: data.draw(places) for buffer in plan.arena}
    try:
        run_in_memory(plan, offsets, BOUNDS)
    except Lost:
        with pytest.raises(VerificationError):
            check(plan, offsets, BOUNDS)
    else:
        check(plan, offsets, BOUNDS)


# ---- by hand


def _chain(count: int) -> Plan:
    """Each step reads what the one before wrote."""
    buffers = [Buffer(0, "input", dtypes.float32, 64, "x")]
    buffers += [Buffer(i, "temporary", dtypes.float32, 64) for i in range(1, count)]
    buffers += [Buffer(count, "output", dtypes.float32, 64)]
    steps = tuple(Launch(f"k{i}", (i, i + 1), (i,), (i + 1,)) for i in range(count))
    return Plan(steps, tuple(buffers), (count,), {})


def test_a_chain_needs_two_places() -> None:
    assert solve(_chain(10), {}).nbytes == 2 * 64 * 4


def test_a_plan_without_temporaries_needs_nothing() -> None:
    assert (solve(_chain(1), {}).offsets, solve(_chain(1), {}).nbytes) == ({}, 0)


def test_what_a_loop_carries_keeps_its_place_for_all_passes() -> None:
    """`b1` is read by a pass before the pass writes it, so that `b2` may not lie there although it comes later."""
    buffers = [Buffer(0, "input", dtypes.float32, 64, "x")]
    buffers += [Buffer(i, "temporary", dtypes.float32, 64) for i in (1, 2)]
    buffers += [Buffer(3, "output", dtypes.float32, 64)]
    body = (Launch("k1", (1, 3), (1,), (3,)), Launch("k2", (0, 2), (0,), (2,)), Launch("k3", (2, 1), (2,), (1,)))
    plan = Plan((Launch("k0", (0, 1), (0,), (1,)), Loop("t", 5, body)), tuple(buffers), (3,), {})
    layout = solve(plan, {})
    assert layout.offsets[1] != layout.offsets[2]
    run_in_memory(plan, layout.offsets, {})


def test_what_a_pass_writes_first_lives_within_the_pass() -> None:
    buffers = [Buffer(0, "input", dtypes.float32, 64, "x")]
    buffers += [Buffer(i, "temporary", dtypes.float32, 64) for i in (1, 2, 3)]
    buffers += [Buffer(4, "output", dtypes.float32, 64)]
    body = tuple(Launch(f"k{i}", (i, i + 1), (i,), (i + 1,)) for i in range(4))
    plan = Plan((Loop("t", 5, body),), tuple(buffers), (4,), {})
    assert plan.lifetimes() == {1: (0, 1), 2: (1, 2), 3: (2, 3)}
    assert solve(plan, {}).nbytes == 2 * 64 * 4


def test_larger_sizes_are_not_covered() -> None:
    batch = dims.size("B")
    buffers = (
        Buffer(0, "input", dtypes.float32, batch, "x"),
        Buffer(1, "temporary", dtypes.float32, batch),
        Buffer(2, "output", dtypes.float32, batch),
    )
    steps = (Launch("k0", (0, 1), (0,), (1,)), Launch("k1", (1, 2), (1,), (2,)))
    layout = solve(Plan(steps, buffers, (2,), {"B": (1, 100)}), {"B": 10})
    assert layout.covers({"B": 10}) and layout.covers({"B": 1}) and not layout.covers({"B": 11})


# ---- sizes that shrink as a symbol grows

BATCH = dims.size("B")
ROWS = {
    "remainder": (1100, lambda b: b % 1000 + 1, (1000, 999, 3, 1003, 999, 1000)),
    "the rest of a table": (10, lambda b: 11 - b, (10, 1, 5, 2, 9, 10)),
    "the rest of a table, in rows of the batch": (10, lambda b: (11 - b) * b, (10, 1, 5, 2, 9, 10)),
    "a quotient": (60, lambda b: 60 // b, (60, 1, 7, 2, 60)),
    "a sum": (50, lambda b: b + (49 - b) % 7 * 4 + 1, (50, 49, 43, 1, 50)),
}


def _shrinking(rows: Dim, most: int) -> Graph:
    """A chain on `rows` rows and one on as many as the batch, which take turns, so that they share an arena."""
    builder = Builder({"B": (1, most)})
    x, seed = (
        builder.input(name, TensorType(shape, dtypes.int32)) for name, shape in (("x", (BATCH, 8)), ("seed", (8,)))
    )
    wide = builder.broadcast(seed, (rows, 8), (1,))
    for _ in range(3):
        count = builder.apply("iota", shape=(rows, 8), axis=0, dtype=dtypes.int32)
        wide = builder.apply("bit_xor", builder.apply("cumsum", wide, axis=0, reverse=False), count)
        total = builder.apply("sum", wide, axes=(0,))
        x = builder.apply(
            "cumsum", builder.apply("bit_xor", x, builder.broadcast(total, (BATCH, 8), (1,))), axis=0, reverse=True
        )
        wide = builder.apply("mul", wide, builder.broadcast(builder.apply("sum", x, axes=(0,)), (rows, 8), (1,)))
    return builder.finish([x.ref, wide.ref])


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize(("most", "rows", "order"), ROWS.values(), ids=ROWS)
def test_sizes_that_shrink_are_run_in_any_order(
    backend: str, most: int, rows: Callable[[Dim], Dim], order: tuple[int, ...]
) -> None:
    graph = _shrinking(rows(BATCH), most)
    executable = compile(graph, backend, fused=False)
    rng, layout = np.random.default_rng(0), None
    for batch in order:
        inputs = {name: rng.integers(-99, 99, size).astype("int32") for name, size in (("x", (batch, 8)), ("seed", 8))}
        found = executable.run(inputs, {}, {"B": batch})
        for a, b in zip(found, interpret.run(graph, inputs, sizes={"B": batch})[0], strict=True):
            np.testing.assert_array_equal(a, b)
        layout = extended(executable.program.plan, layout, {"B": batch})
        check(executable.program.plan, layout.offsets, {"B": batch})
