"""Every primitive's CUDA kernels, in every dtype, go through NVIDIA's compiler for an H100."""

from __future__ import annotations

import pytest

from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import Primitive
from tests.support.cases import SIZE, all_primitives, attrs_of, dtypes_of, operand_types
from tests.support.loop_interpreter import build_loops
from tests.support.sm90 import usage_on_sm90


def _all_calls(primitive: Primitive) -> Graph:
    """All sample calls of a primitive as one graph."""
    builder = Builder({SIZE: (1, 64)})
    results: list[Value] = []
    for dtype in dtypes_of(primitive):
        for case in primitive.cases():
            first = len(builder.nodes)
            types = operand_types(primitive, case, dtype)
            operands = [builder.input(f"x{first}_{i}", type) for i, type in enumerate(types)]
            results += builder.apply_many(primitive.name, *operands, **attrs_of(case, dtype))
    return builder.finish(results)


# What the compiler may put aside around a 64-bit division, which is a call; more means that registers ran out.
FEW_BYTES = 16


@pytest.mark.parametrize("primitive", all_primitives(), ids=lambda primitive: primitive.name)
def test_kernels_compile_for_the_gpu(primitive: Primitive) -> None:
    for name, usage in usage_on_sm90(build_loops(_all_calls(primitive))).items():
        assert usage.spills <= FEW_BYTES, f"{name} spills {usage.spills} bytes of its {usage.registers} registers"
