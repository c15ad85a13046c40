"""Every primitive, in every dtype, compiled: the same results as its reference.

All sample calls of a primitive are one graph, since a compiler call costs more than what it compiles.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc.errors import BackendError
from graphc.graph.registry import Kind, Primitive
from tests.support.backends import COMPILED, Run, run_cuda
from tests.support.cases import assert_close


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("primitive", all_primitives(), ids=lambda primitive: primitive.name)
def test_compiled_results_are_those_of_the_reference(primitive: Primitive, run: Run) -> None:
    calls = all_calls(primitive)
    if primitive.kind is Kind.LIBRARY and run is run_cuda:
        with pytest.raises(BackendError, match=f"`{primitive.name}` has no implementation on the backend cuda"):
            run(calls.graph, calls.inputs, SIZES)
        return
    results = run(calls.graph, calls.inputs, SIZES)
    for got, wanted, label in zip(results, calls.expected(), calls.labels, strict=True):
        assert_close(np.asarray(got), wanted, label)
