"""Random programs at the level of what users write: run in several ways, compared, and made small where they fail.

A program is data (`program`), made by random choices (`maker`, with the steps of `operations`, `views`, `regions` and
`gradients`). `rendering` makes Python source text of it: for graphc, or for JAX (`jax_programs`), which runs its loops
and branches in Python. `running` runs and compares, `shrinking` leaves out what a failure does not need, and `checking`
does both and writes a script.
"""

from __future__ import annotations

from tests.transforms.random_programs.gradients import GRADIENTS
from tests.transforms.random_programs.maker import Maker
from tests.transforms.random_programs.operations import OPERATIONS
from tests.transforms.random_programs.program import Program
from tests.transforms.random_programs.regions import REGIONS
from tests.transforms.random_programs.views import VIEWS


def random_program(seed: int, least: int = 20, most: int = 200) -> Program:
    """The program of a seed, with so many steps, about."""
    return Maker(seed, (*OPERATIONS, *VIEWS), REGIONS, GRADIENTS).program(least, most)
