"""Plans: what the checker finds when a good plan is spoilt, and what a plan tells about itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from graphc import dims, dtypes
from graphc.errors import VerificationError
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Step
from graphc.plan_check import check
from graphc.runtime.memory import solve
from tests.support.random_plans import LARGEST, Lost, plans, run_in_memory

FIXED = settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
BOUNDS = {"B": LARGEST}


# ---- spoilt plans


@settings(FIXED, max_examples=30)
@given(plans())
def test_moving_a_buffer_onto_a_live_one_is_found(plan: Plan) -> None:
    layout = solve(plan, BOUNDS)
    for moved in layout.offsets:
        for other in layout.offsets:
            offsets = {**layout.offsets, moved: layout.offsets[other]}
            if moved != other and _loses(plan, offsets):
                with pytest.raises(VerificationError):
                    check(plan, offsets, BOUNDS)


@FIXED
@given(plans())
def test_two_buffers_of_one_step_in_one_place_are_found(plan: Plan) -> None:
    """The same without a run in memory to compare with: what one step touches is alive together."""
    layout = solve(plan, BOUNDS)
    for step in _flat(plan.steps):
        touched = [id for id in dict.fromkeys((*step.reads, *step.writes)) if id in layout.offsets]
        for moved, other in ((a, b) for a in touched for b in touched if a != b):
            with pytest.raises(VerificationError):
                check(plan, {**layout.offsets, moved: layout.offsets[other]}, BOUNDS)


def _loses(plan: Plan, offsets: dict[int, int]) -> bool:
    try:
        run_in_memory(plan, offsets, BOUNDS)
    except Lost:
        return True
    return False


@FIXED
@given(plans(nested=False), st.data())
def test_a_reader_before_its_writer_is_found(plan: Plan, data: st.DataObject) -> None:
    pairs = list(_dependences(plan))
    assume(pairs)
    writer, reader = data.draw(st.sampled_from(pairs))
    steps = list(plan.steps)
    steps.insert(writer, steps.pop(reader))
    layout = solve(plan, BOUNDS)
    with pytest.raises(VerificationError):
        check(replace(plan, steps=tuple(steps)), layout.offsets, BOUNDS)


@FIXED
@given(plans(nested=False), st.data())
def test_a_step_left_out_is_found_where_another_needs_it(plan: Plan, data: st.DataObject) -> None:
    pairs = list(_dependences(plan))
    assume(pairs)
    writer, _ = data.draw(st.sampled_from(pairs))
    steps = plan.steps[:writer] + plan.steps[writer + 1 :]
    with pytest.raises(VerificationError, match="reads what is not there"):
        check(replace(plan, steps=steps), solve(plan, BOUNDS).offsets, BOUNDS)


@FIXED
@given(plans(), st.data())
def test_any_order_of_steps_that_loses_something_is_found(plan: Plan, data: st.DataObject) -> None:
    layout = solve(plan, BOUNDS)
    shuffled = replace(plan, steps=tuple(data.draw(st.permutations(plan.steps))))
    if _loses(shuffled, dict(layout.offsets)):
        with pytest.raises(VerificationError):
            check(shuffled, layout.offsets, BOUNDS)
    else:
        check(shuffled, layout.offsets, BOUNDS)


def _dependences(plan: Plan) -> Iterator[tuple[int, int]]:
    """Positions of a step that is the first to write a buffer of the arena, and of one that reads it later."""
    first: dict[int, int] = {}
    for position, step in enumerate(plan.steps):
        for id in step.reads:
            if id in first:
                yield first[id], position
        for id in step.writes:
            if plan.buffers[id].in_arena:
                first.setdefault(id, position)


def _flat(steps: tuple[Step, ...]) -> Iterator[Launch | Copy]:
    for step in steps:
        if isinstance(step, Loop):
            yield from _flat(step.steps)
        else:
            yield step


# ---- by hand

BATCH = dims.size("B")
BUFFERS = (
    Buffer(0, "input", dtypes.float32, BATCH, "x"),
    Buffer(1, "temporary", dtypes.float32, BATCH),
    Buffer(2, "state", dtypes.float32, 4, "w"),
    Buffer(3, "output", dtypes.float32, BATCH),
)
FIRST = Launch("k0", (0, 1), (0,), (1,), ("B",))
LAST = Launch("k1", (1, 2, 3), (1, 2), (2, 3), ("B",))
SYMBOLS = {"B": (1, LARGEST)}


def _plan(*steps: Step, outputs: tuple[int, ...] = (3,)) -> Plan:
    return Plan(steps, BUFFERS, outputs, SYMBOLS)


def test_a_good_plan_passes() -> None:
    check(_plan(FIRST, LAST), {1: 0}, BOUNDS)


def test_an_output_that_nothing_writes_is_found() -> None:
    with pytest.raises(VerificationError, match="never written"):
        check(_plan(FIRST), {1: 0}, BOUNDS)


@pytest.mark.parametrize("victim", ["input", "constant"])
def test_writing_what_belongs_to_others_is_found(victim: str) -> None:
    buffers = (replace(BUFFERS[0], role=victim), *BUFFERS[1:])
    plan = Plan((Copy(2, 0, 4), FIRST, LAST), buffers, (3,), SYMBOLS)
    with pytest.raises(VerificationError, match="does not own"):
        check(plan, {1: 0}, BOUNDS)


def test_a_temporary_is_not_there_at_the_start() -> None:
    with pytest.raises(VerificationError, match="reads what is not there"):
        check(_plan(LAST), {1: 0}, BOUNDS)


def test_a_plan_is_printed_with_its_loops() -> None:
    plan = _plan(FIRST, Loop("t2", BATCH, (Copy(1, 3, BATCH), LAST)))
    assert str(plan) == "\n".join(
        [
            "b0    input     float32[B] 'x'",
            "b1    temporary float32[B]",
            "b2    state     float32[4] 'w'",
            "b3    output    float32[B]",
            "  k0     b0 -> b1",
            "  for t2 in 1..B",
            "    copy   b1 -> b3",
            "    k1     b1 b2 -> b2 b3",
        ]
    )


def test_identifiers_name_sizes_and_the_counters_of_loops_apart() -> None:
    plan = _plan(FIRST, Loop("t2", BATCH, (Loop("t3", 2, (LAST,)),)))
    names = plan.identifiers()
    assert list(names) == ["B", "t2", "t3"]
    assert len(set(names.values())) == 3 and all(name.isidentifier() for name in names.values())


def test_launches_are_counted_with_those_of_loops() -> None:
    plan = _plan(FIRST, Loop("t2", 7, (LAST, Copy(1, 3, BATCH))))
    assert plan.launches() == 2
    assert plan.all_launches() == {"k0": FIRST, "k1": LAST}


def test_lifetimes_span_all_that_touches_a_buffer() -> None:
    assert _plan(FIRST, Copy(0, 3, BATCH), LAST).lifetimes() == {1: (0, 2)}


def test_buffers_are_found_by_role_and_name() -> None:
    plan = _plan(FIRST, LAST)
    assert plan.named("state") == {"w": BUFFERS[2]}
    assert plan.arena == [BUFFERS[1]]
    assert plan.nbytes({"B": 3}) == {1: 12}
