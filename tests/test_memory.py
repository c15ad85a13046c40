"""The arena: what is alive together never overlaps, and no more memory is taken than that needs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc import dims, dtypes
from graphc.errors import VerificationError
from graphc.plan import Buffer, Launch, Loop, Plan, check
from graphc.runtime.memory import ALIGNMENT, Layout, solve
from tests.support.random_plans import LARGEST, Lost, plans, run_in_memory

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
@given(plans(), st.integers(1, LARGEST))
def test_a_layout_holds_for_all_smaller_sizes(plan: Plan, batch: int) -> None:
    layout = solve(plan, BOUNDS)
    assert layout.covers({"B": batch})
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
    assert solve(_chain(1), {}) == Layout({}, 0, {})


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
