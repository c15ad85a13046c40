"""Runs programs eagerly, compiled, and by JAX, and compares what they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import graphc
from graphc import config
from tests.transforms.programs import execute
from tests.transforms.random_programs import rendering
from tests.transforms.random_programs.jax_programs import World, as_array
from tests.transforms.random_programs.program import Program, steps_of

Array = np.ndarray[Any, Any]
# The results and the variables after each call.
Found = list[dict[str, Array]]
# The second call takes other branches, with variables that the first assigned.
SIGNS = (1, -1)
# Results may differ by this share of the largest element; in C most differ by less than a hundredth of that. What is
# small is a difference of values that are not, which were rounded.
TOLERANCE = 5e-5
SMALL = 0.1
# Inputs and variables changed by a rounding, and how often what that changes in a result may be its error: bodies of
# loops may amplify an error at each turn.
NUDGE = 2.0**-23
AMPLIFIED = 30.0
# What the backend cuda refuses.
ONLY_ON_THE_CPU = ("ops.sort", "ops.argsort")


def inputs_of(program: Program, sign: int) -> list[Array]:
    """The inputs of a call."""
    return [np.array(values, type.dtype) * np.array(sign, type.dtype) for (_, type), values in program.inputs]


def _arrays(found: dict[str, Any], space: dict[str, Any], program: Program) -> dict[str, Array]:
    state = {name: space[name].numpy() for (name, _), _ in program.variables}
    return {name: np.asarray(value) for name, value in found.items()} | state


def run_eager(program: Program, nudge: float = 0.0) -> Found:
    """Line by line; compiled functions in it are interpreted.

    Args:
        program: A program.
        nudge: By which share inputs and the first values of variables are larger.
    """
    space = execute(rendering.module(program))
    found = []
    with config.override(backend="numpy"):
        for (name, _), _ in program.variables:
            space[name].assign(_nudged(space[name].numpy(), nudge))
        for sign in SIGNS:
            inputs = [graphc.ops.convert_to_tensor(_nudged(x, nudge)) for x in inputs_of(program, sign)]
            found.append(_arrays(space["program"](*inputs), space, program))
    return found


def _nudged(x: Array, nudge: float) -> Array:
    return x * np.array(1.0 + nudge, x.dtype) if _real(x) else x


def run_compiled(programs: Sequence[Program], backend: str) -> list[Found]:
    """As one compiled function that holds several programs."""
    spaces = [execute(rendering.module(program)) for program in programs]
    found: list[Found] = [[] for _ in programs]

    @graphc.function
    def together(*given: Any) -> Any:
        return [space["program"](*part) for space, part in zip(spaces, given, strict=True)]

    with config.override(backend=backend):
        for sign in SIGNS:
            results = together(*(inputs_of(program, sign) for program in programs))
            for mine, result, space, program in zip(found, results, spaces, programs, strict=True):
                mine.append(_arrays(result, space, program))
    return found


def run_jax(program: Program) -> Found:
    """The first call, by JAX."""
    world = World(program)
    space = execute(rendering.HELPERS + rendering.source(program, "jax"), **world.names())
    results = space["program"](*(as_array(values, type) for (_, type), values in program.inputs))
    found = {name: np.asarray(value) for name, value in results.items() if name[0] != "n"}
    return [found | {name: np.asarray(cell.raw) for name, cell in world.cells.items()}]


def can_run(program: Program, way: str) -> bool:
    """Whether a program has only what a way to run it can do: JAX draws other numbers, CUDA does not sort."""
    if way == "cuda":
        return not any(name in step.text for step in steps_of(program.body) for name in ONLY_ON_THE_CPU)
    return way != "jax" or not program.draws


def explained(found: Found, expected: Found, program: Program) -> bool:
    """Whether found results differ only as much as roundings of inputs and variables can explain."""
    nudged = [run_eager(program, nudge) for nudge in (NUDGE, -NUDGE)]
    margins = [
        {
            name: np.max([np.abs(run[call][name] - x) for run in nudged], axis=0)
            for name, x in theirs.items()
            if _real(x)
        }
        for call, theirs in enumerate(expected)
    ]
    return difference(found, expected, margins) is None


def _real(x: Array) -> bool:
    return x.dtype.kind == "f"


def difference(found: Found, expected: Found, margins: Found | None = None) -> str | None:
    """What differs; None if nothing does.

    Args:
        found: The results of some way to run a program.
        expected: Those of running it eagerly.
        margins: For real results, what a rounding of inputs and variables changes.

    A gradient that is None in a graph is None in eager code, too, but not the other way round: eager code takes one of
    several branches.
    """
    for call, (mine, theirs) in enumerate(zip(found, expected, strict=False)):
        for name in mine:
            if name[0] == "n":
                problem = "None only in a graph" if mine[name] & ~theirs[name] else None
            else:
                margin = margins[call].get(name) if margins else None
                problem = _differs(mine[name], theirs[name], 0.0 if margin is None else AMPLIFIED * np.max(margin))
            if problem:
                return f"{name} of call {call}: {problem}"
    return None


def _differs(a: Array, b: Array, margin: float) -> str | None:
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
    if a.dtype.kind != "f":
        return None if np.array_equal(a, b) else f"{a.tolist()} instead of {b.tolist()}"
    finite = np.abs(b[np.isfinite(b)])
    bound = TOLERANCE * max(float(finite.max()) if finite.size else 0.0, SMALL) + margin
    if np.allclose(a, b, rtol=0.0, atol=bound, equal_nan=True):
        return None
    return f"{a.tolist()} instead of {b.tolist()}"
