"""Every primitive's CUDA kernels, in every dtype, go through NVIDIA's compiler for an H100."""

from __future__ import annotations

import pytest

from benchmarks.primitive_calls import all_calls, all_primitives
from graphc.graph.registry import Primitive
from tests.support.loop_interpreter import build_loops
from tests.support.sm90 import usage_on_sm90

# What the compiler may put aside around a 64-bit division, which is a call; more means that registers ran out.
FEW_BYTES = 16


# What takes the compiler longest.
LONG = ("conv_filter_grad", "conv_input_grad")


@pytest.mark.parametrize(
    "primitive",
    [
        pytest.param(primitive, id=primitive.name, marks=[pytest.mark.slow] if primitive.name in LONG else [])
        for primitive in all_primitives()
    ],
)
def test_kernels_compile_for_the_gpu(primitive: Primitive) -> None:
    for name, usage in usage_on_sm90(build_loops(all_calls(primitive).graph)).items():
        assert usage.spills <= FEW_BYTES, f"{name} spills {usage.spills} bytes of its {usage.registers} registers"
