"""Persistent buffers: what a run leaves for the next one.

What is computed from nothing but constants and from states that the program does not change is the same in every run
until somebody assigns to such a state: the scales of a batch normalization that predicts, a mask, a filter transformed
for the convolution that uses it. It stays where it is, and later runs find it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from graphc.codegen.lower.assemble import Assembly
from graphc.plan import Launch, LibraryCall, Plan


def steady(plan: Plan) -> set[int]:
    """The buffers that hold the same in every run, until a state changes that the plan only reads."""
    written = {id for step in plan.steps for id in step.writes}
    roles = ("constant", "state", "persistent")
    return {b.id for b in plan.buffers if b.role in roles and (b.role == "persistent" or b.id not in written)}


def mark_persistent(assembly: Assembly) -> Assembly:
    """Marks temporaries that hold the same in every run as persistent."""
    plan = assembly.plan
    writers = Counter(id for step in plan.steps for id in step.writes)
    found = steady(plan)
    for step in plan.steps:
        # What is as large as a batch is made anew.
        if isinstance(step, Launch | LibraryCall) and not step.symbols and found.issuperset(step.reads):
            own = all(plan.buffers[id].role == "temporary" and writers[id] == 1 for id in step.writes)
            found.update(step.writes if own else ())
    buffers = (replace(b, role="persistent") if b.role == "temporary" and b.id in found else b for b in plan.buffers)
    return replace(assembly, plan=replace(plan, buffers=tuple(buffers)))
