"""Working memory, and what a run leaves for the next one.

What is computed from nothing but constants and from states that the program does not change is the same in every run
until somebody assigns to such a state: the scales of a batch normalization that predicts, a mask, a filter transformed
for the convolution that uses it. It stays where it is, and later runs find it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc import dims, dtypes
from graphc.codegen.cpu.gemm.prefetch import LINE_BYTES
from graphc.codegen.lower.assemble import Assembly
from graphc.dims import Dim
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Step


@dataclass(frozen=True, slots=True)
class Scratch:
    """The working memory of a kernel.

    Args:
        nbytes: Its size.
        made_of: The parameter from whose values alone the kernel makes what it then reads there; None where what it
            holds is different in each launch.
    """

    nbytes: Dim
    made_of: str | None = None


def whole_lines(nbytes: Dim) -> Dim:
    """At least so many bytes, or elements: what follows them in memory shares no cache line with them."""
    return dims.floordiv(nbytes + (LINE_BYTES - 1), LINE_BYTES) * LINE_BYTES


def steady(plan: Plan) -> set[int]:
    """The buffers that hold the same in every run, until a state changes that the plan only reads."""
    written = {id for step in plan.steps for id in step.writes}
    roles = ("constant", "state", "kept")
    return {b.id for b in plan.buffers if b.role in roles and (b.role == "kept" or b.id not in written)}


def keep(plan: Plan) -> Plan:
    """Marks temporaries that hold the same in every run as kept."""
    writers = Counter(id for step in plan.steps for id in step.writes)
    found = steady(plan)
    for step in plan.steps:
        # What is as large as a batch is made anew.
        if isinstance(step, Launch) and not step.symbols and found.issuperset(step.reads):
            own = all(plan.buffers[id].role == "temporary" and writers[id] == 1 for id in step.writes)
            found.update(step.writes if own else ())
    buffers = (replace(b, role="kept") if b.role == "temporary" and b.id in found else b for b in plan.buffers)
    return replace(plan, buffers=tuple(buffers))


def with_scratch(assembly: Assembly, needs: Mapping[str, Scratch]) -> Assembly:
    """Gives some kernels working memory in the arena, as a last buffer; kept, where it is made of what is steady."""
    buffers, known = list(assembly.plan.buffers), steady(assembly.plan)

    def equipped(step: Step, always: bool = True, lanes: int = 1) -> Step:
        if isinstance(step, Loop):
            # A loop that the first run does not enter leaves nothing.
            runs = always and isinstance(step.count, int) and step.count > 0 and not step.lanes
            first = len(buffers)
            steps = tuple(equipped(inner, runs, max(lanes, step.lanes)) for inner in step.steps)
            own = range(first, len(buffers)) if step.lanes else ()
            return replace(step, steps=steps, apart=(*step.apart, *own))
        if isinstance(step, Copy) or step.kernel not in needs:
            return step
        need, id = needs[step.kernel], len(buffers)
        names = [param.name for param in assembly.kernels[step.kernel].params]
        kept = always and need.made_of is not None and step.buffers[names.index(need.made_of)] in known
        buffers.append(Buffer(id, "kept" if kept else "scratch", dtypes.uint8, whole_lines(need.nbytes) * lanes))
        return replace(step, buffers=(*step.buffers, id), writes=(*step.writes, id))

    steps = tuple(equipped(step) for step in assembly.plan.steps)
    return replace(assembly, plan=replace(assembly.plan, steps=steps, buffers=tuple(buffers)))
