"""Generated CUDA through NVIDIA's own compiler, which needs no GPU."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from graphc.codegen.cuda.render_program import render
from tests.cuda_emulator import nvrtc
from tests.cuda_emulator.nvrtc import KernelUsage
from tests.support.loop_interpreter import LoopProgram


def usage_on_sm90(program: LoopProgram) -> Mapping[str, KernelUsage]:
    """What each kernel of a program takes on an H100; skips the test where the compiler is not installed."""
    problem = nvrtc.missing()
    if problem is not None:
        if os.environ.get("GRAPHC_REQUIRE_CUDA"):
            pytest.fail(problem)
        pytest.skip(problem)
    usage = nvrtc.compile_for(render(program.plan, program.scheduled).text).usage
    assert usage.keys() == program.scheduled.keys()
    return usage
