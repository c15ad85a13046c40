"""The plan: what a compiled program does, as data. Ordered steps over buffers.

Runtimes execute plans and renderers print them; neither needs to know how a plan was made. Where temporaries lie in
memory is solved later, for given upper bounds of the symbolic sizes (`graphc.runtime.memory`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from graphc import dims
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.graph.types import Array, Loc

# What a symbolic size is taken for where bytes are compared, or shown.
NOMINAL_SIZE = 32


def nominal(dim: Dim) -> int:
    """A size where every symbolic one in it has its nominal value."""
    return dims.evaluate(dim, dict.fromkeys(dims.size_names(dim), NOMINAL_SIZE))


Role = Literal["input", "constant", "state", "temporary", "output", "scratch", "kept"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A dense run of elements.

    Args:
        id: Its position in the plan's buffers.
        role: Who owns it: the caller (input, output, state), the program (constant), or the arena (temporary, scratch,
            and kept: what holds for later runs, until a state changes).
        name: The caller's name of an input or state.
        value: What a constant holds.
    """

    id: int
    role: Role
    dtype: DType
    elements: Dim
    name: str = ""
    value: Array | None = None

    @property
    def nbytes(self) -> Dim:
        return self.elements * self.dtype.itemsize

    @property
    def in_arena(self) -> bool:
        return self.role in ("temporary", "scratch", "kept")


@dataclass(frozen=True, slots=True)
class Launch:
    """Runs a kernel on buffers, given in the order of its parameters, then the values of symbols."""

    kernel: str
    buffers: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    symbols: tuple[str, ...] = ()
    origins: Loc = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """Copies a run of elements; offsets are in elements, and may speak of the counters of loops around."""

    source: int
    target: int
    elements: Dim
    source_offset: Dim = 0
    target_offset: Dim = 0

    @property
    def reads(self) -> tuple[int, ...]:
        return (self.source,)

    @property
    def writes(self) -> tuple[int, ...]:
        return (self.target,)


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs steps `count` times, with a symbol that counts from 1.

    Args:
        symbol: The counter.
        count: How many passes there are.
        steps: What a pass runs.
        lanes: How many threads may take passes at the same time, each going through its own alone; 0 where a pass
            needs what the one before it left.
        apart: Buffers of which each lane has its own part: as many equal parts as there are lanes, one after the other.
    """

    symbol: str
    count: Dim
    steps: tuple[Step, ...]
    lanes: int = 0
    apart: tuple[int, ...] = ()

    @property
    def reads(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(id for step in self.steps for id in step.reads))

    @property
    def writes(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(id for step in self.steps for id in step.writes))


Step: TypeAlias = Launch | Copy | Loop


@dataclass(frozen=True)
class Plan:
    """An ordered program over buffers.

    Args:
        steps: What runs, in order.
        buffers: All buffers, by id.
        outputs: The buffer of each output.
        symbols: The range of each symbolic size.
        work: About how many scalar operations a run takes.
    """

    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    outputs: tuple[int, ...]
    symbols: Mapping[str, tuple[int, int]]
    work: Dim = 0

    def named(self, role: Role) -> dict[str, Buffer]:
        """The buffers of a role by name."""
        return {buffer.name: buffer for buffer in self.buffers if buffer.role == role}

    @property
    def arena(self) -> list[Buffer]:
        """The buffers that live in the arena."""
        return [buffer for buffer in self.buffers if buffer.in_arena]

    def lifetimes(self) -> dict[int, tuple[int, int]]:
        """The first and the last position at which each arena buffer is touched; steps inside loops count singly.

        What a loop's pass may read before writing it, or what also stands outside the loop, lives as long as the loop,
        and so does all that passes touch which run at the same time; what is kept for later runs lives always.
        """
        spans: dict[int, tuple[int, int]] = {}
        end = self._spans(self.steps, 0, spans)
        return spans | {buffer.id: (0, end) for buffer in self.buffers if buffer.role == "kept"}

    def keeps(self, step: Step) -> Literal["nothing", "some", "all"]:
        """How much of what a step writes holds for later runs, as long as no state changes."""
        kept = [self.buffers[id].role == "kept" for id in step.writes]
        return "nothing" if not any(kept) else "all" if all(kept) else "some"

    def _spans(self, steps: tuple[Step, ...], position: int, spans: dict[int, tuple[int, int]]) -> int:
        for step in steps:
            if isinstance(step, Loop):
                inner: dict[int, tuple[int, int]] = {}
                end = self._spans(step.steps, position, inner)
                local = set() if step.lanes else _written_first(step.steps) - self._outside(step)
                for id, span in inner.items():
                    _extend(spans, id, span if id in local else (position, end - 1))
                position = end
                continue
            for id in (*step.reads, *step.writes):
                if self.buffers[id].in_arena:
                    _extend(spans, id, (position, position))
            position += 1
        return position

    def _outside(self, loop: Loop) -> set[int]:
        """The buffers that steps outside a loop touch, too."""

        def touched(steps: tuple[Step, ...]) -> set[int]:
            found: set[int] = set()
            for step in steps:
                if step is loop:
                    continue
                found |= touched(step.steps) if isinstance(step, Loop) else {*step.reads, *step.writes}
            return found

        return touched(self.steps)

    def nbytes(self, sizes: Mapping[str, int]) -> dict[int, int]:
        """The bytes of each arena buffer at given sizes."""
        return {buffer.id: dims.evaluate(buffer.nbytes, sizes) for buffer in self.arena}

    def __str__(self) -> str:
        lines = []
        for buffer in self.buffers:
            name = f" {buffer.name!r}" if buffer.name else ""
            lines.append(f"b{buffer.id:<4} {buffer.role:<9} {buffer.dtype.name}[{buffer.elements}]{name}")
        lines.extend(_described(self.steps, "  "))
        return "\n".join(lines)

    def all_launches(self) -> dict[str, Launch]:
        """The launch of each kernel, those inside loops included."""

        def collect(steps: tuple[Step, ...]) -> dict[str, Launch]:
            found: dict[str, Launch] = {}
            for step in steps:
                if isinstance(step, Loop):
                    found |= collect(step.steps)
                elif isinstance(step, Launch):
                    found[step.kernel] = step
            return found

        return collect(self.steps)

    def identifiers(self) -> dict[str, str]:
        """A name fit for source text for every symbolic size and loop counter."""

        def counters(steps: tuple[Step, ...]) -> list[str]:
            return [n for s in steps if isinstance(s, Loop) for n in (s.symbol, *counters(s.steps))]

        return {name: f"size{i}" for i, name in enumerate((*self.symbols, *counters(self.steps)))}

    def launches(self) -> int:
        """How many kernels a run launches, loops counted once."""

        def count(steps: tuple[Step, ...]) -> int:
            return sum(count(s.steps) if isinstance(s, Loop) else isinstance(s, Launch) for s in steps)

        return count(self.steps)


def _extend(spans: dict[int, tuple[int, int]], id: int, span: tuple[int, int]) -> None:
    first, last = spans.get(id, span)
    spans[id] = (min(first, span[0]), max(last, span[1]))


def _written_first(steps: tuple[Step, ...]) -> set[int]:
    """The buffers that a pass over steps writes before it reads them."""
    written: set[int] = set()
    read: set[int] = set()
    for step in steps:
        fresh = _written_first(step.steps) if isinstance(step, Loop) else set(step.writes) - set(step.reads)
        read |= set(step.reads) - written - (fresh if isinstance(step, Loop) else set())
        written |= fresh - read
    return written - read


def _described(steps: tuple[Step, ...], indent: str) -> list[str]:
    lines = []
    for step in steps:
        if isinstance(step, Loop):
            together = f", {step.lanes} at the same time" if step.lanes else ""
            lines += [f"{indent}for {step.symbol} in 1..{step.count}{together}", *_described(step.steps, indent + "  ")]
            continue
        what = step.kernel if isinstance(step, Launch) else "copy"
        reads, writes = (" ".join(f"b{id}" for id in ids) for ids in (step.reads, step.writes))
        lines.append(f"{indent}{what:<6} {reads} -> {writes}")
    return lines


def check(plan: Plan, offsets: Mapping[int, int], sizes: Mapping[str, int]) -> None:
    """Verifies a plan and its memory by simulation, knowing nothing of how they were made.

    A write destroys every buffer whose bytes it touches. A read must find its buffer whole; so nothing that is still
    needed is overwritten, and nothing is read before it is written.

    Args:
        plan: The plan.
        offsets: The place of each arena buffer.
        sizes: The sizes for which the offsets were solved.

    Raises:
        VerificationError: if a read would find something else.
    """
    nbytes = plan.nbytes(sizes)
    simulation = _Simulation(plan, offsets, nbytes)
    simulation.run(plan.steps)
    # A later run finds what is kept, and makes no more of it.
    simulation.run(tuple(step for step in plan.steps if plan.keeps(step) != "all"))
    for id in plan.outputs:
        if id not in simulation.written and plan.buffers[id].elements != 0:
            raise VerificationError("an output is never written", got=f"b{id}")


class _Simulation:
    def __init__(self, plan: Plan, offsets: Mapping[int, int], nbytes: Mapping[int, int]) -> None:
        self.plan = plan
        self.ranges = {id: (place, place + nbytes[id]) for id, place in offsets.items()}
        self.live: set[int] = set()  # arena buffers whose contents are whole
        self.written = {b.id for b in plan.buffers if b.role in ("input", "constant", "state")}

    def run(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            if isinstance(step, Loop):
                # Twice: what the first pass leaves is what the second finds.
                self.run(step.steps)
                self.run(step.steps)
                if step.lanes:
                    self._side_by_side(step)
            else:
                self._step(step)

    def _side_by_side(self, loop: Loop) -> None:
        """Passes that run at the same time may be anywhere: nothing that they touch shares memory."""
        places = sorted(self.ranges[id] for id in {*loop.reads, *loop.writes} if id in self.ranges)
        for (_, end), (start, _) in pairwise(places):
            if start < end:
                raise VerificationError("two buffers of passes that run at the same time overlap", got=loop.symbol)

    def _step(self, step: Launch | Copy) -> None:
        buffers = self.plan.buffers
        for id in step.reads:
            if id not in (self.live if buffers[id].in_arena else self.written):
                raise VerificationError("a step reads what is not there", got=f"{step}, buffer b{id}")
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
