"""Which kernels go over the same samples: groups of launches that may become one loop.

A kernel may be in such a group if its iterations share nothing large that each would have to prepare again: plain
loops, and products of which both factors belong to the sample, or the other one is small. Where one member writes a
buffer that another reads or writes, both access the part of the current sample only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import combinations, takewhile
from typing import TypeVar

from graphc import dims
from graphc.codegen.ir.kernel import Axis, Kernel, Let, Store
from graphc.codegen.ir.matmul_roles import mentioned
from graphc.codegen.ir.walk import loads, needed, stores
from graphc.codegen.lower.assemble import Assembly
from graphc.dims import Dim, Shape
from graphc.exprs import Expr, Load
from graphc.passes.analysis.precedence import Precedence
from graphc.plan import Launch, Step, nominal

T = TypeVar("T")

# A loop over samples, and one inside it over parts of them. There is no third.
MOST_LEVELS = 2
# A factor of so many bytes that all samples have in common needs no packing: it stays in the first-level cache.
SMALL_BYTES = 4 << 10


def _leading(kernel: Kernel) -> dict[str, tuple[Axis, ...]]:
    """For each buffer of a kernel, the axes that number its outermost dimensions, two at most, in all accesses.

    Only axes whose points share nothing large that each would have to prepare again.
    """
    separable = kernel.axes
    if (product := kernel.contraction) is not None:
        factors = [mentioned(product, factor) for factor in (product.lhs, product.rhs) if not _is_small(kernel, factor)]
        separable = tuple(axis for axis in kernel.axes if all(axis.name in names for names in factors))
    accesses: dict[str, set[tuple[Dim, ...]]] = {}
    touches: tuple[Load | Store, ...] = (*loads(kernel.body), *stores(kernel.body)) if separable else ()
    for access in touches:
        accesses.setdefault(access.buffer, set()).add(access.index)
        if isinstance(access, Store) and access.accumulate:
            return {}
    touched = [(param, accesses.get(param.name, set())) for param in kernel.params]
    return {param.name: tuple(_numbering(param.shape, separable, indices)) for param, indices in touched}


def _is_small(kernel: Kernel, factor: Expr) -> bool:
    """Whether a factor of a kernel's product is read from little memory."""
    product = kernel.contraction
    assert product is not None
    sources = loads((*needed(product.body, factor), Let("", factor)))
    buffers = [kernel.param(name) for name in {load.buffer for load in sources}]
    return nominal(sum((dims.product(p.shape) * p.dtype.itemsize for p in buffers), start=0)) <= SMALL_BYTES


def _numbering(shape: Shape, axes: Sequence[Axis], indices: Set[tuple[Dim, ...]]) -> Iterator[Axis]:
    """The axes that are the first entries of all indices, and are in no other entry of them."""
    for position in range(min(MOST_LEVELS, len(shape))):
        places = {index[position] for index in indices}
        axis = next((a for a in axes if places == {a.index} and a.extent == shape[position]), None)
        inner = {dim for index in indices for dim in index[position + 1 :]}
        if axis is None or any(axis.name in dims.loop_names(dim) for dim in inner):
            return
        yield axis


class Groups:
    """Groups of steps, each of one in the beginning, by the position of the first.

    Args:
        assembly: The plan and its kernels, not yet scheduled.
        least_bytes: The size from which on a buffer is a reason to put the steps that access it into one group.
    """

    def __init__(self, assembly: Assembly, least_bytes: int) -> None:
        self.assembly = assembly
        plan = assembly.plan
        self.steps = plan.steps
        self.members = {position: [position] for position in range(len(self.steps))}
        self.home = {position: position for position in self.members}
        self.levels: dict[int, int] = {}  # of loops that each group of several could be
        # How many steps touch each buffer.
        self.touched = Counter(id for step in self.steps for id in {*step.reads, *step.writes})
        self.large = {
            id for id, count in self.touched.items() if count > 1 and nominal(plan.buffers[id].nbytes) >= least_bytes
        }
        self.leading = [self._leading_of(step) for step in self.steps]
        self.direct = self._dependences()
        self.precedence = self._precedence()

    def _leading_of(self, step: Step) -> dict[int, tuple[Axis, ...]]:
        """For each buffer that a launch touches, the axes that number its outermost dimensions."""
        if not isinstance(step, Launch) or self.large.isdisjoint(step.buffers):
            return {}
        kernel = self.assembly.kernels[step.kernel]
        leading = _leading(kernel)
        return {id: leading.get(param.name, ()) for id, param in zip(step.buffers, kernel.params, strict=True)}

    def _dependences(self) -> list[set[int]]:
        """For each step, earlier ones that it must come after."""
        writer: dict[int, int] = {}
        readers: dict[int, set[int]] = {}
        dependences: list[set[int]] = []
        for position, step in enumerate(self.steps):
            needed = {writer[id] for id in (*step.reads, *step.writes) if id in writer}
            for id in step.writes:
                needed |= readers.pop(id, set())
                writer[id] = position
            for id in step.reads:
                readers.setdefault(id, set()).add(position)
            dependences.append(needed - {position})
        return dependences

    def _precedence(self) -> Precedence:
        """Which groups come before which."""
        precedence = Precedence()
        for group in self.members:
            precedence.add(group)
        for group, members in self.members.items():
            precedence.put_after(
                group, {self.home[other] for member in members for other in self.direct[member]} - {group}
            )
        return precedence

    def candidates(self) -> list[tuple[int, int]]:
        """Pairs of steps that touch the same large buffer sample by sample, those of the largest first."""
        pairs: list[tuple[int, int, int]] = []
        touching: dict[int, list[int]] = {}
        for position, leading in enumerate(self.leading):
            for id, axes in leading.items():
                if axes:
                    touching.setdefault(id, []).append(position)
        for id in touching.keys() & self.large:
            nbytes = nominal(self.assembly.plan.buffers[id].nbytes)
            pairs += [(-nbytes, a, b) for a, b in combinations(touching[id], 2)]
        return [(a, b) for _, a, b in sorted(pairs)]

    def try_merge(self, a: int, b: int) -> None:
        """Makes the groups of two steps one, if their members can all go over the same samples, one after the other.

        And over the same parts of samples, if those of a group do already.
        """
        first, last = sorted((self.home[a], self.home[b]))
        if first == last or any(self.precedence.is_through_others(*pair) for pair in ((first, last), (last, first))):
            return
        members = sorted(self.members[first] + self.members[last])
        axes = axes_of(self.assembly, members, self.leading)
        if axes is None or len(axes[0]) < max(self.levels.get(first, 1), self.levels.get(last, 1)):
            return
        self.levels[first] = len(axes[0])
        self.members[first] = members
        del self.members[last]
        self.home |= dict.fromkeys(members, first)
        self.precedence.merge(first, last)

    def part(self, groups: Iterable[int]) -> None:
        """Makes groups of several steps groups of one again."""
        for group in groups:
            for position in self.members[group]:
                self.members[position], self.home[position] = [position], position
        self.precedence = self._precedence()

    def try_hold_back(self, position: int, group: int) -> bool:
        """Has a step come after a group, unless that needs the step; returns whether it does."""
        home = self.home[position]
        if home == group or self.precedence.is_before(home, group):
            return False
        self.precedence.put_after(home, [group])
        return True

    def order(self) -> list[int]:
        """The groups so that each comes after those it needs; among free choices, as they were."""
        return self.precedence.sorted()


def axes_of(
    assembly: Assembly, members: Sequence[int], leading: Sequence[Mapping[int, tuple[Axis, ...]]]
) -> list[tuple[Axis, ...]] | None:
    """For each member of a group its axes over samples, and over parts if all have one; None if it can be no loop.

    They number the outermost dimensions of every buffer that one member writes and another touches. A member that has
    no such buffer takes those of what it writes.
    """
    steps = [assembly.plan.steps[position] for position in members]
    touched = Counter(id for step in steps for id in {*step.reads, *step.writes})
    linked = {id for step in steps for id in step.writes if touched[id] > 1}
    axes_of_members: list[tuple[Axis, ...]] = []
    for position, step in zip(members, steps, strict=True):
        if not isinstance(step, Launch):
            return None
        own = linked.intersection(step.buffers) or step.writes
        axes_of_members.append(_while_equal(leading[position][id] for id in own))
    depth = len(_while_equal([axis.extent for axis in axes] for axes in axes_of_members))
    return [axes[:depth] for axes in axes_of_members] if depth > 0 else None


def _while_equal(rows: Iterable[Sequence[T]]) -> tuple[T, ...]:
    """What all rows begin with."""
    columns = takewhile(lambda column: len({*column}) == 1, zip(*rows, strict=False))
    return tuple(column[0] for column in columns)
