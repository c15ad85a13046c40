"""The plan: a compiled program as data, ordered steps over buffers.

Runtimes execute plans and renderers print them. Temporaries are placed in memory later, for given upper bounds of the
symbolic sizes (`graphc.runtime.memory`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from graphc import dims
from graphc.dims import Dim, IntExpr, Shape
from graphc.dtypes import DType
from graphc.graph.types import Array, Attrs, Loc

# The value assumed for symbolic sizes where numbers of bytes are compared, or shown.
NOMINAL_SIZE = 32


def nominal(dim: Dim) -> int:
    """A size where every symbolic one in it has its nominal value."""
    return dims.evaluate(dim, dict.fromkeys(dims.size_names(dim), NOMINAL_SIZE))


Role = Literal["input", "constant", "state", "temporary", "output", "scratch", "persistent", "functions"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A dense array of elements in memory.

    Args:
        id: Its position in the plan's buffers.
        role: Its role, which tells the owner of its memory: the caller (input, output, state), the program (constant;
            functions: addresses of references that native code calls), or the arena (temporary, scratch, and
            persistent: valid in later runs, until a state changes).
        name: The caller's name of an input or state.
        value: The value of a constant.
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
        return self.role in ("temporary", "scratch", "persistent")


@dataclass(frozen=True, slots=True)
class Need:
    """The memory of an arena buffer: parts of equal size, one after the other.

    Args:
        nbytes: The bytes of a part.
        copies: The largest number of parts.
        count: Another bound of that number.
    """

    nbytes: Dim
    copies: int = 1
    count: Dim = 1

    @property
    def is_non_decreasing(self) -> bool:
        """Whether the memory is known never to be less at larger sizes."""
        return dims.is_non_decreasing(self.nbytes) and dims.is_non_decreasing(self.count)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The bytes at given sizes."""
        return dims.evaluate(self.nbytes, sizes) * min(self.copies, dims.evaluate(self.count, sizes))


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
    """Copies consecutive elements; offsets are in elements, and may depend on the counters of enclosing loops."""

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
class LibraryCall:
    """Calls a library function that computes a primitive of the kind `LIBRARY`.

    Args:
        operation: The name of the primitive.
        attrs: Its attributes.
        operands: The buffer of each operand.
        results: The buffer of each result.
        shapes: The shapes of the operands, then those of the results.
        offsets: The first element of each in its buffer; may depend on the counters of enclosing loops.
        work: The estimated number of scalar operations.
        native: The symbol of the library's function; empty for the reference.
        origins: Its origins.
    """

    operation: str
    attrs: Attrs
    operands: tuple[int, ...]
    results: tuple[int, ...]
    shapes: tuple[Shape, ...]
    offsets: tuple[Dim, ...]
    work: Dim = 0
    native: str = ""
    origins: Loc = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbolic sizes and loop counters on which it depends."""
        return tuple(sorted({name for dim in (*self.extents, *self.offsets) for name in dims.size_names(dim)}))

    @property
    def extents(self) -> tuple[Dim, ...]:
        """The integer arguments of the function: extents of operands and results, then sizes among the attributes."""
        sizes = (value for value in self.attrs.values() if isinstance(value, IntExpr))
        return (*(dim for shape in self.shapes for dim in shape), *sizes)

    @property
    def reads(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.operands))

    @property
    def writes(self) -> tuple[int, ...]:
        return self.results


class _Region:
    """A step that runs other steps, in blocks."""

    __slots__ = ()

    @property
    def blocks(self) -> tuple[tuple[Step, ...], ...]:
        """The steps inside, by block."""
        raise NotImplementedError

    def with_blocks(self, *blocks: tuple[Step, ...]) -> Region:
        """The region with other blocks."""
        raise NotImplementedError

    @property
    def reads(self) -> tuple[int, ...]:
        """The buffers that steps inside read, and those that decide which of them run."""
        inner = (id for block in self.blocks for step in block for id in step.reads)
        return tuple(dict.fromkeys((*self._decides, *inner)))

    @property
    def writes(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(id for block in self.blocks for step in block for id in step.writes))

    @property
    def _decides(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Loop(_Region):
    """Runs steps `count` times, with a symbol that counts from 1.

    Args:
        symbol: The counter.
        count: The number of iterations.
        steps: The steps of an iteration.
        slots: The number of iterations that may run at the same time, each on a thread of its own; 0 where an iteration
            depends on the one before it.
        private: Privatized buffers, of which each slot has a part, one after the other. Their elements are those of a
            part, and there are as many parts as slots, or as iterations if these are fewer.
    """

    symbol: str
    count: Dim
    steps: tuple[Step, ...]
    slots: int = 0
    private: tuple[int, ...] = ()

    @property
    def blocks(self) -> tuple[tuple[Step, ...], ...]:
        return (self.steps,)

    def with_blocks(self, *blocks: tuple[Step, ...]) -> Loop:
        return replace(self, steps=blocks[0])


@dataclass(frozen=True, slots=True)
class While(_Region):
    """Runs a test, and while its result is true, steps and the test.

    Args:
        holds: The buffer of the test's result, one bool.
        test: The steps of the test.
        steps: The steps of an iteration.
    """

    holds: int
    test: tuple[Step, ...]
    steps: tuple[Step, ...]

    @property
    def blocks(self) -> tuple[tuple[Step, ...], ...]:
        return (self.test, self.steps)

    def with_blocks(self, *blocks: tuple[Step, ...]) -> While:
        return replace(self, test=blocks[0], steps=blocks[1])

    @property
    def _decides(self) -> tuple[int, ...]:
        return (self.holds,)


@dataclass(frozen=True, slots=True)
class Branch(_Region):
    """Runs one of several blocks.

    Args:
        index: The buffer of the block's number, an int32, which is clamped to the numbers of the blocks.
        branches: The blocks.
        offset: The element of the buffer.
    """

    index: int
    branches: tuple[tuple[Step, ...], ...]
    offset: Dim = 0

    @property
    def blocks(self) -> tuple[tuple[Step, ...], ...]:
        return self.branches

    def with_blocks(self, *blocks: tuple[Step, ...]) -> Branch:
        return replace(self, branches=blocks)

    @property
    def _decides(self) -> tuple[int, ...]:
        return (self.index,)


Region: TypeAlias = Loop | While | Branch
Step: TypeAlias = Launch | Copy | LibraryCall | Region


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Steps and the steps inside them, in pre-order."""
    for step in steps:
        yield step
        if isinstance(step, _Region):
            for block in step.blocks:
                yield from all_steps(block)


@dataclass(frozen=True)
class Plan:
    """An ordered program over buffers.

    Args:
        steps: The steps, in order.
        buffers: All buffers, by id.
        outputs: The buffer of each output.
        symbols: The range of each symbolic size.
        work: The estimated number of scalar operations of a run.
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
        """The live range of each arena buffer: positions of its first and last access; steps inside loops count singly.

        Buffers that an iteration may read before writing them, or that steps outside the loop access, too, are live in
        the whole loop, and so are all buffers of iterations that run at the same time; persistent ones are live always.
        """
        spans: dict[int, tuple[int, int]] = {}
        end = self._spans(self.steps, 0, spans)
        spans = {id: span for id, span in spans.items() if self.buffers[id].in_arena}
        return spans | {buffer.id: (0, end) for buffer in self.buffers if buffer.role == "persistent"}

    def shared_parts(self) -> list[list[int]]:
        """Groups of private buffers of a parallel loop that may share memory: of equal sizes, live one after the other.

        Each iteration reads in its part only values that it has written itself.
        """
        needs, shared = self.needs(), list[list[int]]()
        for loop in (step for step in self.steps if isinstance(step, Loop) and step.slots):
            spans: dict[int, tuple[int, int]] = {}
            self._spans(loop.steps, 0, spans)
            free: dict[Need, list[tuple[int, list[int]]]] = {}  # places, with the last step that accesses each
            for id in sorted(_written_first(loop.steps) & {*loop.private}, key=lambda id: (spans[id], id)):
                places, (first, last) = free.setdefault(needs[id], []), spans[id]
                ids = next((ids for end, ids in places if end < first), [])
                places[:] = [(end, other) for end, other in places if other is not ids] + [(last, [*ids, id])]
            shared += [ids for places in free.values() for _, ids in places if len(ids) > 1]
        return shared

    def persists(self, step: Step) -> Literal["nothing", "some", "all"]:
        """How many of a step's results are persistent: valid in later runs, as long as no state changes."""
        persistent = [self.buffers[id].role == "persistent" for id in step.writes]
        return "nothing" if not any(persistent) else "all" if all(persistent) else "some"

    def _spans(self, steps: tuple[Step, ...], position: int, spans: dict[int, tuple[int, int]]) -> int:
        for step in steps:
            if isinstance(step, Branch):
                # One block runs. Its results are live in all blocks.
                _extend(spans, step.index, (position, position))
                position += 1
                for block in step.branches:
                    position = self._spans(block, position, spans)
            elif isinstance(step, Loop | While):
                inner: dict[int, tuple[int, int]] = {}
                end = position
                for block in step.blocks:
                    end = self._spans(block, end, inner)
                once = () if isinstance(step, Loop) and step.slots else sum(step.blocks, ())
                local = _written_first(once) - self._outside(step)
                for id, span in inner.items():
                    _extend(spans, id, span if id in local else (position, end - 1))
                position = end
            else:
                for id in (*step.reads, *step.writes):
                    _extend(spans, id, (position, position))
                position += 1
        return position

    def _outside(self, region: Region) -> set[int]:
        """The buffers that steps outside a region access."""

        def accessed(steps: tuple[Step, ...]) -> set[int]:
            ids: set[int] = set()
            for step in steps:
                if step is region:
                    continue
                if isinstance(step, _Region):
                    ids |= {*step._decides}.union(*map(accessed, step.blocks))
                else:
                    ids |= {*step.reads, *step.writes}
            return ids

        return accessed(self.steps)

    def needs(self) -> dict[int, Need]:
        """The memory of each arena buffer."""
        parts = {id: (loop.slots, loop.count) for loop in self.steps if isinstance(loop, Loop) for id in loop.private}
        return {buffer.id: Need(buffer.nbytes, *parts.get(buffer.id, ())) for buffer in self.arena}

    def nbytes(self, sizes: Mapping[str, int]) -> dict[int, int]:
        """The bytes of each arena buffer at given sizes."""
        return {id: need.at(sizes) for id, need in self.needs().items()}

    def __str__(self) -> str:
        lines = []
        for buffer in self.buffers:
            name = f" {buffer.name!r}" if buffer.name else ""
            lines.append(f"b{buffer.id:<4} {buffer.role:<9} {buffer.dtype.name}[{buffer.elements}]{name}")
        lines.extend(_described(self.steps, "  "))
        return "\n".join(lines)

    def all_launches(self) -> dict[str, Launch]:
        """The launch of each kernel, those inside other steps included."""
        return {step.kernel: step for step in all_steps(self.steps) if isinstance(step, Launch)}

    def calls(self) -> list[LibraryCall]:
        """The calls of libraries, those inside other steps included."""
        return [step for step in all_steps(self.steps) if isinstance(step, LibraryCall)]

    def identifiers(self) -> dict[str, str]:
        """An identifier for every symbolic size and loop counter."""
        counters = (step.symbol for step in all_steps(self.steps) if isinstance(step, Loop))
        return {name: f"size{i}" for i, name in enumerate((*self.symbols, *counters))}

    def launches(self) -> int:
        """The number of launches in the plan; those in loops and branches are counted once."""
        return sum(isinstance(step, Launch) for step in all_steps(self.steps))


def _extend(spans: dict[int, tuple[int, int]], id: int, span: tuple[int, int]) -> None:
    first, last = spans.get(id, span)
    spans[id] = (min(first, span[0]), max(last, span[1]))


def _written_first(steps: tuple[Step, ...]) -> set[int]:
    """The buffers that steps certainly write before they read them."""
    written: set[int] = set()
    read: set[int] = set()
    for step in steps:
        fresh = _fresh(step)
        read |= set(step.reads) - written - (fresh if isinstance(step, _Region) else set())
        written |= fresh - read
    return written - read


def _fresh(step: Step) -> set[int]:
    """The buffers that a step certainly writes, and does not read before."""
    match step:
        case Loop():
            return _written_first(step.steps)
        case While():
            return _written_first(step.test)
        case Branch():
            return set.intersection(*map(_written_first, step.branches))
        case _:
            return set(step.writes) - set(step.reads)


def _described(steps: tuple[Step, ...], indent: str) -> list[str]:
    lines, deeper = [], indent + "  "
    for step in steps:
        match step:
            case Loop():
                own = " with parts of " + " ".join(f"b{id}" for id in step.private) if step.private else ""
                together = f", {step.slots} at the same time{own}" if step.slots else ""
                lines += [f"{indent}for {step.symbol} in 1..{step.count}{together}", *_described(step.steps, deeper)]
            case While():
                lines += [f"{indent}while b{step.holds}, after", *_described(step.test, deeper)]
                lines += [f"{indent}do", *_described(step.steps, deeper)]
            case Branch():
                for number, block in enumerate(step.branches):
                    lines += [f"{indent}if b{step.index} = {number}", *_described(block, deeper)]
            case _:
                reads, writes = (" ".join(f"b{id}" for id in ids) for ids in (step.reads, step.writes))
                lines.append(f"{indent}{name_of(step):<6} {reads} -> {writes}")
    return lines


def name_of(step: Launch | Copy | LibraryCall) -> str:
    """The name of a step in texts."""
    return step.kernel if isinstance(step, Launch) else step.operation if isinstance(step, LibraryCall) else "copy"
