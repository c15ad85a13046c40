"""Loop fusion: runs of kernels that go over the same samples become one loop over samples.

What such kernels hand to each other is then needed for one sample at a time. A buffer that only they touch shrinks to
that (array contraction; Gao, Olsen, Sarkar and Thekkath, "Collective loop fusion for array contraction", 1992), and is
found in a cache. The passes of such a loop do not need each other, and each thread takes its own.

What one loop makes for another that comes much later can shrink, too, if the other makes it again. It is the scores of
attention, most of all, that are then never in memory as a whole, neither for the values nor for gradients (as Dao, Fu,
Ermon, Rudra and Ré do on GPUs: "FlashAttention", 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from graphc import dims
from graphc.codegen.cpu.caches import whole_lines
from graphc.codegen.cpu.sample_groups import Runs, axes_of
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Axis, Kernel
from graphc.codegen.ir.rewrite import map_accesses
from graphc.codegen.ir.strides import with_axes
from graphc.codegen.lower.assemble import Assembly, symbols_of
from graphc.dims import Dim
from graphc.plan import Buffer, Launch, Loop, Step, nominal

# The counters of a loop over samples and of one inside it, which no symbolic size is named.
COUNTERS = ("@sample", "@part")
# What kernels hand to each other is worth a loop from so many bytes on.
LEAST_BYTES = 1 << 20
# And what a pass hands on, if it is less, stays in a cache of its processor.
CACHE_BYTES = 128 << 10
# A pass of fewer scalar operations is not worth its launches.
LEAST_WORK = 50_000
# What is larger (8 MB a sample) is made again where it is needed once more, which takes time and saves memory.
LARGE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    """A launch in a loop, its kernel as it is outside, and the axes of that which the loop goes over."""

    launch: Launch
    kernel: Kernel
    axes: tuple[Axis, ...]


@dataclass(slots=True)
class _Run:
    """Launches that become a loop, and the buffers that shrink."""

    members: list[_Member]
    contracted: set[int]

    @property
    def extents(self) -> list[Dim]:
        """How often the loop and those inside it run."""
        return [axis.extent for axis in self.members[0].axes]


def fuse_loops(assembly: Assembly, slots: int) -> Assembly:
    """Fuses the loops of a plan's kernels where that saves memory.

    Args:
        assembly: The plan and its kernels, not yet scheduled.
        slots: How many threads may take passes at the same time: each has its part of the contracted buffers.
    """
    runs = Runs(assembly, LEAST_BYTES)
    for pair in runs.candidates():
        runs.try_merge(*pair)
    fused = {first: run for first, steps in runs.members.items() if (run := _run(runs, steps)) is not None}
    if not fused:
        return assembly
    runs.part(runs.members.keys() - fused.keys())
    again = _Again(runs, fused)
    for first in fused:
        again.make_in(first)
    kernels = dict(assembly.kernels)
    steps: list[Step] = []
    for first in runs.order():
        if first in fused:
            steps.append(_loop(fused[first], again.buffers, kernels, slots))
        else:
            steps += [assembly.plan.steps[position] for position in runs.members[first]]
    return Assembly(replace(assembly.plan, steps=tuple(steps), buffers=tuple(again.buffers)), kernels)


def _run(runs: Runs, positions: Sequence[int]) -> _Run | None:
    """What becomes of a group of steps; None where they stay as they are."""
    axes = axes_of(runs.assembly, positions, runs.leading) if len(positions) > 1 else None
    if axes is None:
        return None
    plan, kernels = runs.assembly.plan, runs.assembly.kernels
    launches = [step for position in positions if isinstance(step := plan.steps[position], Launch)]
    inside = Counter(id for launch in launches for id in {*launch.reads, *launch.writes})
    own = [b for b in plan.buffers if b.role == "temporary" and inside[b.id] == runs.touched[b.id] > 1]
    nbytes = sum(nominal(buffer.nbytes) for buffer in own)
    operations = sum(nominal(work(kernels[launch.kernel])) for launch in launches)
    samples, parts = (nominal(dims.product(axis.extent for axis in axes[0][:depth])) for depth in (1, 2))
    if nbytes < LEAST_BYTES or operations < samples * LEAST_WORK:
        return None
    depth = 2 if nbytes > samples * CACHE_BYTES and operations >= parts * LEAST_WORK else 1
    members = [
        _Member(launch, kernels[launch.kernel], some[:depth]) for launch, some in zip(launches, axes, strict=True)
    ]
    return _Run(members, {buffer.id for buffer in own})


# ---- making values again


class _Again:
    """Rematerialization of large values in the loops that need them once more.

    Args:
        runs: The groups of steps.
        fused: What becomes of some of them, by the position of the first step; is changed.

    Attributes:
        buffers: Those of the plan, and of what is made again.
    """

    def __init__(self, runs: Runs, fused: dict[int, _Run]) -> None:
        self.runs, self.fused = runs, fused
        self.buffers = list(runs.assembly.plan.buffers)
        self.last = {id: i for i, step in enumerate(runs.steps) for id in (*step.reads, *step.writes)}
        self.writers: dict[int, list[int]] = {buffer.id: [] for buffer in self.buffers}
        for position, step in enumerate(runs.steps):
            for id in step.writes:
                self.writers[id].append(position)
        self.home = {id: first for first, run in fused.items() for member in run.members for id in member.launch.writes}
        self.left = Counter(runs.touched)  # the steps that touch each buffer still

    def make_in(self, first: int) -> None:
        """Has a loop make again what it reads of earlier ones, if it is large, from what is there at that time."""
        wanted: dict[int, set[int]] = {}
        for id in {id for member in self.fused[first].members for id in member.launch.reads}:
            maker = self.home.get(id, first)
            if maker != first and self._may_shrink(id, maker, first):
                wanted.setdefault(maker, set()).add(id)
        for maker, ids in sorted(wanted.items()):
            chain = self._chain(maker, ids)
            made = {id for member in chain for id in member.launch.writes}
            needed = {id for member in chain for id in member.launch.reads} - made
            if all(self._is_there(id, first) for id in needed):
                self._copy(chain, made, ids, first)
                for id in ids:
                    self._release(id, maker, first)

    def _may_shrink(self, id: int, maker: int, first: int) -> bool:
        """Whether a value is large, and two loops go over the same samples of it."""
        buffer = self.buffers[id]
        large = buffer.role == "temporary" and nominal(buffer.nbytes) >= LARGE_BYTES and len(self.writers[id]) == 1
        alike = self.fused[maker].extents == self.fused[first].extents
        return large and alike and self._goes_over(id, maker) and self._goes_over(id, first)

    def _goes_over(self, id: int, first: int) -> bool:
        """Whether what a loop touches of a buffer is of the sample that it is at."""
        positions = self.runs.members[first]
        own = self.fused[first].members[-len(positions) :]  # behind what the loop makes again
        leading = [self.runs.leading[position].get(id) for position in positions]
        return all(
            axes is None or axes[: len(member.axes)] == member.axes for axes, member in zip(leading, own, strict=True)
        )

    def _chain(self, maker: int, ids: Set[int]) -> list[_Member]:
        """The members of a loop that make some values."""
        wanted, chain = set(ids), []
        for member in reversed(self.fused[maker].members):
            if not wanted.isdisjoint(member.launch.writes):
                wanted.update(member.launch.reads)
                chain.append(member)
        return chain[::-1]

    def _is_there(self, id: int, first: int) -> bool:
        """Whether a value is in memory until a loop runs, in any case, and is then what it was for the earlier one."""
        if self.buffers[id].role == "temporary":
            return len(self.writers[id]) == 1 and self.last[id] >= first
        return all(self.runs.try_hold_back(writer, first) for writer in self.writers[id])

    def _copy(self, chain: Sequence[_Member], made: Set[int], ids: Set[int], first: int) -> None:
        """Puts copies of some launches in front of a loop's own, on buffers that it alone touches."""
        new = {}
        for id in sorted(made):
            new[id] = len(self.buffers)
            self.buffers.append(replace(self.buffers[id], id=new[id], role="temporary"))
        run = self.fused[first]
        copies = [_on(member, new, f"{member.launch.kernel}_{first}") for member in chain]
        own = {id: new[id] for id in ids}
        run.members = copies + [_on(member, own, member.launch.kernel) for member in run.members]
        run.contracted |= {*new.values()}

    def _release(self, id: int, maker: int, first: int) -> None:
        """A loop does not need a value any more; it shrinks if no other does."""
        self.left[id] -= self._touches(id, first)
        if self.left[id] == self._touches(id, maker):
            self.fused[maker].contracted.add(id)

    def _touches(self, id: int, first: int) -> int:
        """How many steps of a group touch a buffer."""
        steps = (self.runs.steps[position] for position in self.runs.members[first])
        return sum(id in (*step.reads, *step.writes) for step in steps)


def _on(member: _Member, new: Mapping[int, int], kernel: str) -> _Member:
    """A launch of another kernel on other buffers."""
    launch = member.launch
    buffers, reads, writes = (
        tuple(new.get(id, id) for id in ids) for ids in (launch.buffers, launch.reads, launch.writes)
    )
    return replace(member, launch=replace(launch, kernel=kernel, buffers=buffers, reads=reads, writes=writes))


# ---- the loop


def _loop(run: _Run, buffers: list[Buffer], kernels: dict[str, Kernel], slots: int) -> Loop:
    """The loop of a run, whose kernels and contracted buffers are replaced."""
    for id in run.contracted:
        elements = dims.floordiv(buffers[id].elements, dims.product(run.extents))
        buffers[id] = replace(buffers[id], elements=whole_lines(elements))
    steps: tuple[Step, ...] = ()
    for member in run.members:
        kernel = kernels[member.launch.kernel] = _pass(member, run.contracted)
        steps = (*steps, replace(member.launch, symbols=symbols_of(kernel)))
    counted = list(zip(COUNTERS, run.extents, strict=False))
    for counter, extent in reversed(counted[1:]):
        steps = (Loop(counter, extent, steps),)
    return Loop(*counted[0], steps, slots, tuple(sorted(run.contracted)))


def _pass(member: _Member, contracted: Set[int]) -> Kernel:
    """What a kernel does in one pass of a loop: some of its axes are the loop's, and so are dimensions of buffers."""
    kernel, launch, depth = member.kernel, member.launch, len(member.axes)
    shrunk = {param.name for param, id in zip(kernel.params, launch.buffers, strict=True) if id in contracted}
    values = {axis.name: dims.size(counter) - 1 for axis, counter in zip(member.axes, COUNTERS, strict=False)}

    def access(buffer: str, index: tuple[Dim, ...]) -> tuple[str, tuple[Dim, ...]]:
        inner = index[depth:] if buffer in shrunk else index
        return buffer, tuple(with_axes(dim, values) for dim in inner)

    params = tuple(replace(p, shape=p.shape[depth:]) if p.name in shrunk else p for p in kernel.params)
    rest = tuple(axis for axis in kernel.axes if axis not in member.axes)
    body = tuple(map_accesses(stmt, access) for stmt in kernel.body)
    return replace(kernel, name=launch.kernel, params=params, axes=rest, body=body)
