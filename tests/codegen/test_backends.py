"""Every primitive, in every dtype, compiled: the same results as its reference.

All sample calls of a primitive are one graph, since a compiler call costs more than what it compiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc.errors import BackendError
from graphc.graph.registry import Kind, Primitive
from tests.support.backends import COMPILED, PORTABLE, Run, run_cuda, run_portable
from tests.support.cases import assert_close


def rows() -> list[Any]:
    """Every primitive and what compiles it; portable C of those that the tests of extremes compile together is slow."""
    return [
        pytest.param(primitive, run.values[0], id=f"{primitive.name}-{run.id}", marks=[*run.marks, *slow])
        for primitive in all_primitives()
        for run in COMPILED
        for slow in [[pytest.mark.slow] if run.id == "portable" and primitive.name not in PORTABLE else []]
    ]


@pytest.mark.parametrize(("primitive", "run"), rows())
def test_compiled_results_are_those_of_the_reference(primitive: Primitive, run: Run) -> None:
    calls = all_calls(primitive)
    lacking = run is run_cuda or (run is run_portable and primitive.name not in PORTABLE)
    if primitive.kind is Kind.LIBRARY and lacking:
        with pytest.raises(BackendError, match=f"`{primitive.name}` has no implementation"):
            run(calls.graph, calls.inputs, SIZES)
        return
    results = run(calls.graph, calls.inputs, SIZES)
    for got, wanted, label in zip(results, calls.expected(), calls.labels, strict=True):
        assert_close(np.asarray(got), wanted, label)
