"""Checks that programs compute the same in another way as eagerly; what does not becomes a short script."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.transforms.random_programs.program import Program
from tests.transforms.random_programs.rendering import script
from tests.transforms.random_programs.running import can_run, difference, explained, run_compiled, run_eager, run_jax
from tests.transforms.random_programs.shrinking import shrunk, size

# Ways to run programs, and how several run at once.
BACKENDS = {"interpreter": "numpy", "cpu": "cpu", "cuda": "cuda"}
MOST_TRIED = 400


def check(programs: Sequence[Program], way: str, folder: Path) -> None:
    """Asserts that programs compute the same in a way as eagerly; backends run them as one compiled function.

    Args:
        programs: Programs; those are left out that the way cannot run.
        way: `interpreter`, `cpu`, `cuda` or `jax`.
        folder: Where a script is written that shows a failure.
    """
    fit = [program for program in programs if can_run(program, way)]
    problem = failure(fit, way)
    if problem is None:
        return
    for program in fit:
        if failure([program], way) is not None:
            raise AssertionError(_shown(program, way, folder))
    raise AssertionError(f"programs {[program.seed for program in fit]} fail together, and none alone: {problem}")


def failure(programs: Sequence[Program], way: str) -> str | None:
    """How programs differ from running them eagerly; None if they do not."""
    try:
        expected = [run_eager(program) for program in programs]
    except Exception as error:
        return f"eager: {type(error).__name__}: {error}"
    try:
        found = [run_jax(p) for p in programs] if way == "jax" else run_compiled(programs, BACKENDS[way])
    except Exception as error:
        return f"{way}: {type(error).__name__}: {error}"
    for mine, theirs, program in zip(found, expected, programs, strict=True):
        problem = difference(mine, theirs)
        if problem and not explained(mine, theirs, program):
            return f"{way}: {problem}"
    return None


def kind_of(way: str) -> Callable[[Program], str | None]:
    """A function that tells how a program fails: where, and by which error if there is one."""

    def kind(program: Program) -> str | None:
        problem = failure([program], way)
        found = problem and re.match(r"\w+: (\w+: )?", problem)
        return found[0] if found else None

    return kind


def _shown(program: Program, way: str, folder: Path) -> str:
    """Writes the smallest program that fails in the same way, and says where it is."""
    small = shrunk(program, kind_of(way), MOST_TRIED)
    path = folder / f"program_{program.seed}_{way}.py"
    path.write_text(script(small, BACKENDS.get(way, "numpy")))
    return f"program {program.seed}, shrunk to {size(small)} steps in {path}: {failure([small], way)}"
