"""Where the buffers of an exported program are: in the caller's arena, in its state, or among the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc import dims
from graphc.plan import Plan
from graphc.runtime import memory

# C has no arrays of no elements; so many bytes are aligned anyway.
LEAST_BYTES = 8
# The weights in a file begin at multiples of this many bytes, behind a head as long.
WEIGHTS_ALIGNMENT = 64


@dataclass(frozen=True)
class Memory:
    """The places of buffers.

    Args:
        arena: The first byte of each temporary, by buffer.
        arena_bytes: The size of the arena.
        state: The first byte of each state that runs change, by buffer.
        state_bytes: The size of all of these.
        weights: The first byte of each constant in the file of weights, by buffer; None if they are in the source.
        weights_bytes: The size of that file.
    """

    arena: Mapping[int, int]
    arena_bytes: int
    state: Mapping[int, int]
    state_bytes: int
    weights: Mapping[int, int] | None
    weights_bytes: int


def memory_of(plan: Plan, bounds: Mapping[str, int], in_file: bool) -> Memory:
    """Places the buffers of a plan.

    Args:
        plan: The plan.
        bounds: The largest value of each symbolic size.
        in_file: Whether constants are in a file.
    """
    layout = memory.solve(plan, bounds)
    if layout.varying:
        # Some buffers may need more for a smaller batch.
        for name, bound in bounds.items():
            for size in range(1, bound):
                layout = memory.extended(plan, layout, {**bounds, name: size})
    state, state_bytes = _packed(plan, "state", 8)
    constants, weights_bytes = _packed(plan, "constant", WEIGHTS_ALIGNMENT)
    weights = {id: WEIGHTS_ALIGNMENT + offset for id, offset in constants.items()}
    return Memory(
        layout.offsets,
        max(layout.nbytes, LEAST_BYTES),
        state,
        state_bytes,
        weights if in_file else None,
        WEIGHTS_ALIGNMENT + weights_bytes if in_file else 0,
    )


def _packed(plan: Plan, role: str, alignment: int) -> tuple[dict[int, int], int]:
    """The buffers of a role, one behind the other, and how many bytes they take."""
    places: dict[int, int] = {}
    end = 0
    for buffer in plan.buffers:
        if buffer.role == role:
            places[buffer.id] = end
            end += -(-dims.evaluate(buffer.nbytes, {}) // alignment) * alignment
    return places, end
