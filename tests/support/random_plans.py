"""Random plans for hypothesis, and a run of a plan in real memory that tells whether any buffer is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Role, Step

Draw = Callable[[st.SearchStrategy[Any]], Any]

BATCH = dims.size("B")
LARGEST = 64
# Elements of buffers: as many at least at larger sizes, and other ones.
GROWING = (1, 3, 64, 200, BATCH, 5 * BATCH, BATCH * BATCH + 1)
VARYING = (BATCH % 7 * 20 + 1, LARGEST + 1 - BATCH, LARGEST * BATCH - BATCH * BATCH + 5, 300 // BATCH)


class Lost(Exception):
    """A step finds something else in a buffer than what was written to it."""


@st.composite
def plans(draw: Draw, nested: bool = True, varying: bool = False) -> Plan:
    """Plans that read only what has been written: launches, copies, updates in place, loops in loops.

    Args:
        draw: From hypothesis.
        nested: Whether there are loops.
        varying: Whether some buffers are smaller at larger sizes.
    """
    maker = _Maker(draw, (*GROWING, *VARYING) if varying else GROWING)
    for _ in range(draw(st.integers(1, 3))):
        maker.known.append(maker.buffer(draw(st.sampled_from(["input", "state"]))))
    steps = maker.steps(depth=2 if nested else 0)
    result = maker.buffer("output")
    last = Launch("k_last", (*maker.known, result), tuple(maker.known), (result,))
    return Plan((*steps, last), tuple(maker.buffers), (result,), {"B": (1, LARGEST)})


class _Maker:
    def __init__(self, draw: Draw, sizes: tuple[Dim, ...]) -> None:
        self.draw = draw
        self.sizes = sizes
        self.buffers: list[Buffer] = []
        self.known: list[int] = []  # buffers that something has been written to
        self.names = 0

    def buffer(self, role: Role) -> int:
        elements = self.draw(st.sampled_from(self.sizes))
        dtype = self.draw(st.sampled_from([dtypes.float32, dtypes.uint8, dtypes.float64]))
        name = f"v{len(self.buffers)}" if role in ("input", "state") else ""
        self.buffers.append(Buffer(len(self.buffers), role, dtype, elements, name))
        return len(self.buffers) - 1

    def steps(self, depth: int) -> tuple[Step, ...]:
        kinds = ["launch"] * 4 + ["copy", "update"] + ["loop"] * (depth > 0)
        makers = [getattr(self, f"_{kind}") for kind in kinds]
        return tuple(self.draw(st.sampled_from(makers))(depth) for _ in range(self.draw(st.integers(1, 6))))

    def _some(self, most: int) -> tuple[int, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(self.known), min_size=1, max_size=most, unique=True)))

    def _name(self, letter: str) -> str:
        self.names += 1
        return f"{letter}{self.names}"

    def _launch(self, depth: int) -> Launch:
        reads = self._some(3)
        writes = tuple(self.buffer(self.draw(st.sampled_from(["temporary"] * 4 + ["scratch"]))) for _ in range(2))
        self.known += [id for id in writes if self.buffers[id].role != "scratch"]
        return Launch(self._name("k"), (*reads, *writes), reads, writes)

    def _update(self, depth: int) -> Launch:
        """Writes over buffers that are there; whether it reads them, too, differs."""
        reads = self._some(2)
        writes = tuple(id for id in self._some(2) if self.buffers[id].role != "input")
        return Launch(self._name("k"), tuple(dict.fromkeys((*reads, *writes))), reads, writes)

    def _copy(self, depth: int) -> Copy:
        source = self.draw(st.sampled_from(self.known))
        target = self.buffer("temporary")
        self.buffers[target] = Buffer(target, "temporary", self.buffers[source].dtype, self.buffers[source].elements)
        self.known.append(target)
        return Copy(source, target, self.buffers[source].elements)

    def _loop(self, depth: int) -> Loop:
        return Loop(self._name("t"), self.draw(st.sampled_from([2, 3, BATCH + 1])), self.steps(depth - 1))


def run_in_memory(plan: Plan, offsets: Mapping[int, int], sizes: Mapping[str, int]) -> None:
    """Runs a plan on bytes: each write leaves a mark of its own, each read looks for the one it expects.

    Raises:
        Lost: if it finds another.
    """
    _Memory(plan, offsets, sizes).run(plan.steps)


class _Memory:
    def __init__(self, plan: Plan, offsets: Mapping[int, int], sizes: Mapping[str, int]) -> None:
        nbytes = plan.nbytes(sizes)
        self.sizes = sizes
        ends = [offsets[id] + nbytes[id] for id in offsets]
        self.bytes = np.zeros(max(ends, default=0), np.int64)
        self.places = {id: slice(offsets[id], offsets[id] + nbytes[id]) for id in offsets}
        # What lives outside the arena is nobody else's.
        self.expected = {b.id: 0 for b in plan.buffers if b.role in ("input", "constant", "state")}
        self.marks = 0

    def run(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            if isinstance(step, Loop):
                for _ in range(min(3, dims.evaluate(step.count, self.sizes))):
                    self.run(step.steps)
                continue
            self._look(step.reads)
            for id in step.writes:
                self.marks += 1
                self.expected[id] = self.marks
                if id in self.places:
                    self.bytes[self.places[id]] = self.marks
            # A kernel reads and writes in any order, so that all it touches must be there at once.
            self._look((*step.reads, *step.writes))

    def _look(self, ids: tuple[int, ...]) -> None:
        for id in ids:
            if id not in self.expected:
                raise Lost(f"b{id} is not written yet")
            if id in self.places and np.any(self.bytes[self.places[id]] != self.expected[id]):
                raise Lost(f"b{id} is overwritten")
