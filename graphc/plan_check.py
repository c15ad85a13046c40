"""Whether a plan and its memory are right: a simulation that knows nothing of how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from graphc.errors import VerificationError
from graphc.plan import Branch, Copy, Launch, LibraryCall, Loop, Plan, Step, While, name_of


def check(plan: Plan, offsets: Mapping[int, int], sizes: Mapping[str, int]) -> None:
    """Verifies a plan and its memory by simulation.

    A write destroys every buffer whose bytes it touches. A read must find its buffer whole; so nothing that is still
    needed is overwritten, and nothing is read before it is written.

    Args:
        plan: The plan.
        offsets: The place of each arena buffer.
        sizes: The sizes for which the offsets were solved.

    Raises:
        VerificationError: if a read would find something else.
    """
    check_places(plan, offsets, plan.nbytes(sizes))


def check_places(plan: Plan, offsets: Mapping[int, int], nbytes: Mapping[int, int]) -> None:
    """`check` where arena buffers have so many bytes.

    Raises:
        VerificationError: if a read would find something else.
    """
    simulation = _Simulation(plan, offsets, nbytes)
    simulation.run(plan.steps)
    # A later run finds persistent buffers whole, and does not write them again.
    simulation.run(tuple(step for step in plan.steps if plan.persists(step) != "all"))
    for id in plan.outputs:
        if id not in simulation.written and plan.buffers[id].elements != 0:
            raise VerificationError("an output is never written", got=f"b{id}")


class _Simulation:
    def __init__(self, plan: Plan, offsets: Mapping[int, int], nbytes: Mapping[int, int]) -> None:
        self.plan = plan
        self.needs = plan.needs()
        self.ranges = {id: (place, place + nbytes[id]) for id, place in offsets.items()}
        self.live: set[int] = set()  # arena buffers whose contents are whole
        self.written = {b.id for b in plan.buffers if b.role in ("input", "constant", "state")}

    def run(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Loop():
                    # Twice: what the first pass leaves is what the second finds.
                    self.run(step.steps)
                    self.run(step.steps)
                    if step.slots:
                        self._side_by_side(step)
                case While():
                    self._test(step)
                    without = set(self.live), set(self.written)
                    for _ in range(2):
                        self.run(step.steps)
                        self._test(step)
                    self.live, self.written = self.live & without[0], self.written & without[1]
                case Branch():
                    self._find(step, step.index)
                    before, after = (self.live, self.written), []
                    for block in step.branches:
                        self.live, self.written = set(before[0]), set(before[1])
                        self.run(block)
                        after.append((self.live, self.written))
                    self.live, self.written = (set.intersection(*sets) for sets in zip(*after, strict=True))
                case _:
                    self._step(step)

    def _test(self, step: While) -> None:
        self.run(step.test)
        self._find(step, step.holds)

    def _find(self, step: Step, id: int) -> None:
        """What is read must be there."""
        if id not in (self.live if self.plan.buffers[id].in_arena else self.written):
            what = name_of(step) if isinstance(step, Launch | Copy | LibraryCall) else type(step).__name__.lower()
            raise VerificationError("a step reads what is not there", got=f"{what}, buffer b{id}")

    def _side_by_side(self, loop: Loop) -> None:
        """Passes that run at the same time may be anywhere: nothing that they touch shares memory.

        But for equal parts, of which each pass has its own.
        """
        places = sorted((*self.ranges[id], id) for id in {*loop.reads, *loop.writes} if id in self.ranges)
        for (first, end, a), (start, _, b) in pairwise(places):
            alike = first == start and {a, b} <= {*loop.private} and self.needs[a] == self.needs[b]
            if start < end and not alike:
                raise VerificationError("two buffers of passes that run at the same time overlap", got=loop.symbol)

    def _step(self, step: Launch | Copy | LibraryCall) -> None:
        buffers = self.plan.buffers
        for id in step.reads:
            self._find(step, id)
        for id in step.writes:
            if buffers[id].role in ("input", "constant"):
                raise VerificationError("a step writes what it does not own", got=f"{step}, buffer b{id}")
            self.written.add(id)
            if buffers[id].in_arena:
                start, end = self.ranges[id]
                self.live -= {o for o in self.live if self.ranges[o][0] < end and start < self.ranges[o][1]}
                self.live.add(id)
        for id in (*step.reads, *step.writes):
            if buffers[id].in_arena and id not in self.live:
                raise VerificationError("two buffers of one step overlap", got=f"{step}, buffer b{id}")
