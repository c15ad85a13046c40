"""Persistent buffers: temporaries that hold the same values in every run, and are computed in the first one only.

A value that is computed from constants and from states that the program does not change is the same in every run, until
such a state is assigned to: the scales of a batch normalization in inference, a mask, the transformed filter of a
convolution. Its buffer shares its memory with no other, and later runs read it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from graphc.codegen.lower.assemble import Assembly
from graphc.plan import Launch, LibraryCall, Plan


def steady(plan: Plan) -> set[int]:
    """The buffers that hold the same values in every run, until a state changes that the plan only reads."""
    written = {id for step in plan.steps for id in step.writes}
    roles = ("constant", "state", "persistent")
    return {b.id for b in plan.buffers if b.role in roles and (b.role == "persistent" or b.id not in written)}


def mark_persistent(assembly: Assembly) -> Assembly:
    """Marks temporaries that hold the same values in every run as persistent."""
    plan = assembly.plan
    writers = Counter(id for step in plan.steps for id in step.writes)
    known = steady(plan)
    for step in plan.steps:
        # Values whose size depends on the batch are computed in every run.
        if isinstance(step, Launch | LibraryCall) and not step.symbols and known.issuperset(step.reads):
            own = all(plan.buffers[id].role == "temporary" and writers[id] == 1 for id in step.writes)
            known.update(step.writes if own else ())
    buffers = (replace(b, role="persistent") if b.role == "temporary" and b.id in known else b for b in plan.buffers)
    return replace(assembly, plan=replace(plan, buffers=tuple(buffers)))
