"""The arena: memory of temporaries, placed so that those live at the same time never overlap."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphc import dims
from graphc.plan import Need, Plan
from graphc.plan_check import check_places
from graphc.runtime.counters import counters

# Offsets are multiples of this many bytes: cache lines, and coalesced accesses of GPUs.
ALIGNMENT = 256


@dataclass(frozen=True)
class Layout:
    """The layout of a plan's arena buffers.

    Args:
        offsets: The first byte of each buffer, by id.
        nbytes: The size of the arena.
        sizes: The upper bounds of the symbolic sizes for which the layout holds.
        held: The bytes reserved for each buffer, by id.
        varying: The needs of buffers that may need more at smaller sizes, such as a buffer of `B % 8` rows.
    """

    offsets: Mapping[int, int]
    nbytes: int
    sizes: Mapping[str, int]
    held: Mapping[int, int] = field(default_factory=dict)
    varying: Mapping[int, Need] = field(default_factory=dict)

    def covers(self, sizes: Mapping[str, int]) -> bool:
        """Whether the layout holds for given sizes: they are in its bounds, and the buffers in `varying` fit."""
        return all(value <= self.sizes[name] for name, value in sizes.items()) and all(
            need.at(sizes) <= self.held[id] for id, need in self.varying.items()
        )


def solve(plan: Plan, sizes: Mapping[str, int]) -> Layout:
    """Places the arena buffers of a plan: the largest first, each at the lowest place where it fits.

    Args:
        plan: The plan.
        sizes: The largest value of each symbolic size.

    Returns:
        A checked layout.
    """
    return _solved(plan, sizes, plan.nbytes(sizes), _varying(plan))


def _solved(plan: Plan, sizes: Mapping[str, int], nbytes: Mapping[int, int], varying: Mapping[int, Need]) -> Layout:
    spans, shared = plan.lifetimes(), {id: ids[0] for ids in plan.shared_parts() for id in ids[1:]}
    placed: list[tuple[int, int, int, int]] = []  # start, end, and the first and last step; in this order
    offsets: dict[int, int] = {}
    for id in sorted(spans.keys() - shared.keys(), key=lambda id: (-nbytes[id], id)):
        first, last = spans[id]
        size = _aligned(nbytes[id])
        start = 0
        for low, high, begins, ends in placed:
            if begins <= last and first <= ends:
                if start + size <= low:
                    break
                if high > start:
                    start = high
        offsets[id] = start
        insort(placed, (start, start + size, first, last))
    offsets |= {id: offsets[other] for id, other in shared.items()}
    total = max((end for _, end, *_ in placed), default=0)
    check_places(plan, offsets, nbytes)
    return Layout(offsets, total, dict(sizes), nbytes, varying)


def extended(plan: Plan, layout: Layout | None, sizes: Mapping[str, int]) -> Layout:
    """A layout that covers given sizes and those of the layout so far; the same layout, if it covers them.

    Args:
        plan: The plan.
        layout: The layout so far.
        sizes: A value for each symbolic size.
    """
    if layout is not None and layout.covers(sizes):
        return layout
    before = Layout({}, 0, {}) if layout is None else layout
    bounds = {name: max(value, before.sizes.get(name, 0)) for name, value in sizes.items()}
    varying = _varying(plan)
    now = {id: max(need.at(sizes), before.held.get(id, 0)) for id, need in varying.items()}
    result = _solved(plan, bounds, plan.nbytes(bounds) | now, varying)
    counters().arena_bytes += result.nbytes - before.nbytes
    return result


def by_role(plan: Plan, sizes: Mapping[str, int]) -> dict[str, int]:
    """The bytes of memory of a run, by role: `input`, `state`, `constant`, `output`, and `arena` for temporaries.

    Args:
        plan: The plan.
        sizes: A value for each symbolic size.
    """
    report = dict.fromkeys(("input", "state", "constant", "output"), 0)
    for buffer in plan.buffers:
        if buffer.role in report:
            report[buffer.role] += dims.evaluate(buffer.nbytes, sizes)
    return report | {"arena": solve(plan, sizes).nbytes}


def _varying(plan: Plan) -> dict[int, Need]:
    return {id: need for id, need in plan.needs().items() if not need.is_non_decreasing}


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT
