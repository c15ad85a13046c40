"""C source in units: the same ones each time, of about the same length, with every kernel in one of them."""

from __future__ import annotations

import pytest

from graphc import dtypes
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu.render_program import FUNCTION_LENGTH, MOST_UNITS, ROW_LENGTH, UNITS_PER_PROCESSOR, CSource
from graphc.codegen.target import Target
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType

KERNELS = 60


def many_kernels() -> Graph:
    """Sums of tensors of different sizes: a kernel for each, and products of some."""
    builder = Builder({})
    found = []
    for i in range(KERNELS):
        x = builder.input(f"x{i}", TensorType((3 + i, 5 + 2 * i), dtypes.float32))
        if i % 3 == 0:
            axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (1,)}
            found.append(builder.apply("contract", x, x, **axes))
        else:
            found.append(builder.apply("sum", builder.apply("tanh", x), axes=(1,)))
    return builder.finish(found)


def source(processors: int) -> CSource:
    made = Compilation(many_kernels(), Target("cpu", processors=processors)).source
    assert isinstance(made, CSource)
    return made


@pytest.mark.parametrize("processors", [1, 2, 64])
def test_units_are_the_same_each_time_and_hold_each_kernel_once(processors: int) -> None:
    made = source(processors)
    assert made == source(processors)
    assert 1 < len(made.units) <= min(MOST_UNITS, UNITS_PER_PROCESSOR * processors)
    for definition in made.kernels.values():
        assert [definition in unit for unit in made.units].count(True) == 1
    assert made.text == "\n".join([*made.common, *made.units])


def test_units_take_about_the_same_time() -> None:
    made = source(2)
    costs = [sum(len(text) + FUNCTION_LENGTH for text in made.kernels.values() if text in unit) for unit in made.units]
    costs[0] += ROW_LENGTH * KERNELS  # the table that runs the plan
    assert len(costs) == 4
    assert max(costs) < 1.25 * min(costs)
