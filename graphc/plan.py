"""The plan: what a compiled program does, as data. Ordered steps over buffers.

Runtimes execute plans and renderers print them; neither needs to know how a plan was made. Where temporaries lie in
memory is solved later, for given upper bounds of the symbolic sizes (`graphc.runtime.memory`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphc import dims
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.graph.types import Array, Loc

Role = Literal["input", "constant", "state", "temporary", "output", "scratch"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A dense run of elements.

    Args:
        id: Its position in the plan's buffers.
        role: Who owns it: the caller (input, output, state), the program (constant), or the arena (temporary, scratch).
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
        return self.role in ("temporary", "scratch")


@dataclass(frozen=True, slots=True)
class Launch:
    """Runs a kernel on buffers, given in the order of its parameters."""

    kernel: str
    buffers: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    origins: Loc = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """Copies a whole buffer to another of the same type."""

    source: int
    target: int

    @property
    def reads(self) -> tuple[int, ...]:
        return (self.source,)

    @property
    def writes(self) -> tuple[int, ...]:
        return (self.target,)


Step: TypeAlias = Launch | Copy


@dataclass(frozen=True)
class Plan:
    """An ordered program over buffers.

    Args:
        steps: What runs, in order.
        buffers: All buffers, by id.
        outputs: The buffer of each output.
        symbols: The range of each symbolic size.
    """

    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    outputs: tuple[int, ...]
    symbols: Mapping[str, tuple[int, int]]

    def named(self, role: Role) -> dict[str, Buffer]:
        """The buffers of a role by name."""
        return {buffer.name: buffer for buffer in self.buffers if buffer.role == role}

    @property
    def arena(self) -> list[Buffer]:
        """The buffers that live in the arena."""
        return [buffer for buffer in self.buffers if buffer.in_arena]

    def lifetimes(self) -> dict[int, tuple[int, int]]:
        """The first and the last step that touch each arena buffer."""
        spans: dict[int, tuple[int, int]] = {}
        for position, step in enumerate(self.steps):
            for id in (*step.reads, *step.writes):
                if self.buffers[id].in_arena:
                    first, _ = spans.get(id, (position, position))
                    spans[id] = (first, position)
        return spans

    def nbytes(self, sizes: Mapping[str, int]) -> dict[int, int]:
        """The bytes of each arena buffer at given sizes."""
        return {buffer.id: dims.evaluate(buffer.nbytes, sizes) for buffer in self.arena}

    def __str__(self) -> str:
        lines = []
        for buffer in self.buffers:
            name = f" {buffer.name!r}" if buffer.name else ""
            lines.append(f"b{buffer.id:<4} {buffer.role:<9} {buffer.dtype.name}[{buffer.elements}]{name}")
        for position, step in enumerate(self.steps):
            what = step.kernel if isinstance(step, Launch) else "copy"
            reads, writes = (" ".join(f"b{id}" for id in ids) for ids in (step.reads, step.writes))
            lines.append(f"{position:>4}  {what:<6} {reads} -> {writes}")
        return "\n".join(lines)


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
    live: dict[int, tuple[int, int]] = {}  # buffer -> its range, while its contents are whole
    written = {b.id for b in plan.buffers if b.role in ("input", "constant", "state")}
    for position, step in enumerate(plan.steps):
        for id in step.reads:
            whole = id in live if plan.buffers[id].in_arena else id in written
            if not whole:
                raise VerificationError("a step reads what is not there", got=f"step {position}, buffer b{id}")
        for id in step.writes:
            if plan.buffers[id].role in ("input", "constant"):
                raise VerificationError("a step writes what it does not own", got=f"step {position}, buffer b{id}")
            written.add(id)
            if plan.buffers[id].in_arena:
                start, end = offsets[id], offsets[id] + nbytes[id]
                for other, (low, high) in list(live.items()):
                    if other != id and low < end and start < high:
                        del live[other]
                live[id] = (start, end)
        for id in (*step.reads, *step.writes):
            if plan.buffers[id].in_arena and id not in live:
                raise VerificationError("two buffers of one step overlap", got=f"step {position}, buffer b{id}")
    for id in plan.outputs:
        if id not in written:
            raise VerificationError("an output is never written", got=f"b{id}")
