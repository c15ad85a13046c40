"""Loop fusion: kernels that follow one another over the same samples become one loop over samples.

A buffer that only these kernels access then holds one sample at a time and shrinks to that (array contraction; Gao,
Olsen, Sarkar and Thekkath, "Collective loop fusion for array contraction", 1992): it stays in a cache. The iterations
of such a loop do not depend on each other; each thread runs whole ones, with a slot of its own in contracted buffers.

Rematerialization: a buffer that one loop computes for another that comes much later can shrink, too, if the other
computes it again. So the scores of attention are never in memory as a whole, neither for the values nor for gradients
(as Dao, Fu, Ermon, Rudra and Ré do on GPUs: "FlashAttention", 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from graphc import dims
from graphc.codegen.cpu.caches import whole_lines
from graphc.codegen.cpu.sample_groups import Groups, axes_of
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Axis, Kernel
from graphc.codegen.ir.rewrite import map_accesses
from graphc.codegen.ir.strides import with_axes
from graphc.codegen.lower.assemble import Assembly, symbols_of
from graphc.dims import Dim
from graphc.plan import Buffer, Launch, Loop, Step, nominal

# The counters of a loop over samples and of one inside it, which no symbolic size is named.
COUNTERS = ("@sample", "@part")
# Buffers between kernels are worth a loop from so many bytes on, in all.
LEAST_BYTES = 1 << 20
# Buffers of an iteration that are smaller than this, in all, stay in a cache of its processor.
CACHE_BYTES = 128 << 10
# An iteration of fewer scalar operations is not worth its launches.
LEAST_WORK = 50_000
# Larger buffers (8 MB a sample) are computed again where they are used once more, which takes time and saves memory.
LARGE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    """A launch in a loop, its kernel as it is outside, and the axes of that which the loop goes over."""

    launch: Launch
    kernel: Kernel
    axes: tuple[Axis, ...]


@dataclass(slots=True)
class _FusedLoop:
    """Launches that become a loop, and the buffers that shrink."""

    members: list[_Member]
    contracted: set[int]

    @property
    def extents(self) -> list[Dim]:
        """How many iterations the loop and the one inside it have."""
        return [axis.extent for axis in self.members[0].axes]


def fuse_loops(assembly: Assembly, slots: int) -> Assembly:
    """Fuses the loops of a plan's kernels where that saves memory.

    Args:
        assembly: The plan and its kernels, not yet scheduled.
        slots: How many threads may run iterations at the same time: each has a slot in the contracted buffers.
    """
    groups = Groups(assembly, LEAST_BYTES)
    for pair in groups.candidates():
        groups.try_merge(*pair)
    fused = {first: loop for first, steps in groups.members.items() if (loop := _fused_loop(groups, steps)) is not None}
    if not fused:
        return assembly
    groups.part(groups.members.keys() - fused.keys())
    rematerialization = _Rematerialization(groups, fused)
    for first in fused:
        rematerialization.apply_to(first)
    kernels = dict(assembly.kernels)
    steps: list[Step] = []
    for first in groups.order():
        if first in fused:
            steps.append(_loop(fused[first], rematerialization.buffers, kernels, slots))
        else:
            steps += [assembly.plan.steps[position] for position in groups.members[first]]
    return Assembly(replace(assembly.plan, steps=tuple(steps), buffers=tuple(rematerialization.buffers)), kernels)


def _fused_loop(groups: Groups, positions: Sequence[int]) -> _FusedLoop | None:
    """The loop that a group of steps becomes; None where they stay as they are."""
    axes = axes_of(groups.assembly, positions, groups.leading) if len(positions) > 1 else None
    if axes is None:
        return None
    plan, kernels = groups.assembly.plan, groups.assembly.kernels
    launches = [step for position in positions if isinstance(step := plan.steps[position], Launch)]
    inside = Counter(id for launch in launches for id in {*launch.reads, *launch.writes})
    own = [b for b in plan.buffers if b.role == "temporary" and inside[b.id] == groups.touched[b.id] > 1]
    nbytes = sum(nominal(buffer.nbytes) for buffer in own)
    operations = sum(nominal(work(kernels[launch.kernel])) for launch in launches)
    samples, parts = (nominal(dims.product(axis.extent for axis in axes[0][:depth])) for depth in (1, 2))
    if nbytes < LEAST_BYTES or operations < samples * LEAST_WORK:
        return None
    depth = 2 if nbytes > samples * CACHE_BYTES and operations >= parts * LEAST_WORK else 1
    members = [
        _Member(launch, kernels[launch.kernel], some[:depth]) for launch, some in zip(launches, axes, strict=True)
    ]
    return _FusedLoop(members, {buffer.id for buffer in own})


# ---- rematerialization


class _Rematerialization:
    """Computes large values again in the loops that use them once more.

    Args:
        groups: The groups of steps.
        fused: The loops that some of them become, by the position of the first step; they are changed.

    Attributes:
        buffers: Those of the plan, and of the values that are computed again.
    """

    def __init__(self, groups: Groups, fused: dict[int, _FusedLoop]) -> None:
        self.groups, self.fused = groups, fused
        self.buffers = list(groups.assembly.plan.buffers)
        self.last = {id: i for i, step in enumerate(groups.steps) for id in (*step.reads, *step.writes)}
        self.writers: dict[int, list[int]] = {buffer.id: [] for buffer in self.buffers}
        for position, step in enumerate(groups.steps):
            for id in step.writes:
                self.writers[id].append(position)
        self.home = {
            id: first for first, loop in fused.items() for member in loop.members for id in member.launch.writes
        }
        self.left = Counter(groups.touched)  # the steps that touch each buffer still

    def apply_to(self, first: int) -> None:
        """Has a loop compute large values of earlier loops again, if what they are computed from is still in memory."""
        wanted: dict[int, set[int]] = {}
        for id in {id for member in self.fused[first].members for id in member.launch.reads}:
            maker = self.home.get(id, first)
            if maker != first and self._may_shrink(id, maker, first):
                wanted.setdefault(maker, set()).add(id)
        for maker, ids in sorted(wanted.items()):
            chain = self._chain(maker, ids)
            made = {id for member in chain for id in member.launch.writes}
            needed = {id for member in chain for id in member.launch.reads} - made
            if all(self._is_in_memory(id, first) for id in needed):
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
        positions = self.groups.members[first]
        own = self.fused[first].members[-len(positions) :]  # behind the copies
        leading = [self.groups.leading[position].get(id) for position in positions]
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

    def _is_in_memory(self, id: int, first: int) -> bool:
        """Whether a buffer still holds, when a loop runs, what it held for the earlier one."""
        if self.buffers[id].role == "temporary":
            return len(self.writers[id]) == 1 and self.last[id] >= first
        return all(self.groups.try_hold_back(writer, first) for writer in self.writers[id])

    def _copy(self, chain: Sequence[_Member], made: Set[int], ids: Set[int], first: int) -> None:
        """Puts copies of some launches in front of a loop's own, on buffers that it alone touches."""
        new = {}
        for id in sorted(made):
            new[id] = len(self.buffers)
            self.buffers.append(replace(self.buffers[id], id=new[id], role="temporary"))
        loop = self.fused[first]
        copies = [_on(member, new, f"{member.launch.kernel}_{first}") for member in chain]
        own = {id: new[id] for id in ids}
        loop.members = copies + [_on(member, own, member.launch.kernel) for member in loop.members]
        loop.contracted |= {*new.values()}

    def _release(self, id: int, maker: int, first: int) -> None:
        """Notes that a loop does not read a buffer any more; it shrinks if no other does."""
        self.left[id] -= self._touches(id, first)
        if self.left[id] == self._touches(id, maker):
            self.fused[maker].contracted.add(id)

    def _touches(self, id: int, first: int) -> int:
        """How many steps of a group touch a buffer."""
        steps = (self.groups.steps[position] for position in self.groups.members[first])
        return sum(id in (*step.reads, *step.writes) for step in steps)


def _on(member: _Member, new: Mapping[int, int], kernel: str) -> _Member:
    """A launch of another kernel on other buffers."""
    launch = member.launch
    buffers, reads, writes = (
        tuple(new.get(id, id) for id in ids) for ids in (launch.buffers, launch.reads, launch.writes)
    )
    return replace(member, launch=replace(launch, kernel=kernel, buffers=buffers, reads=reads, writes=writes))


# ---- the loop


def _loop(loop: _FusedLoop, buffers: list[Buffer], kernels: dict[str, Kernel], slots: int) -> Loop:
    """The loop that a group becomes, whose kernels and contracted buffers are replaced."""
    for id in loop.contracted:
        elements = dims.floordiv(buffers[id].elements, dims.product(loop.extents))
        buffers[id] = replace(buffers[id], elements=whole_lines(elements))
    steps: tuple[Step, ...] = ()
    for member in loop.members:
        kernel = kernels[member.launch.kernel] = _iteration(member, loop.contracted)
        steps = (*steps, replace(member.launch, symbols=symbols_of(kernel)))
    counted = list(zip(COUNTERS, loop.extents, strict=False))
    for counter, extent in reversed(counted[1:]):
        steps = (Loop(counter, extent, steps),)
    return Loop(*counted[0], steps, slots, tuple(sorted(loop.contracted)))


def _iteration(member: _Member, contracted: Set[int]) -> Kernel:
    """The kernel of one iteration: axes that the loop goes over are fixed, as are those dimensions of buffers."""
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
