"""Every primitive, in every dtype, compiled: the same results as its reference.

All sample calls of a primitive are one graph, since a compiler call costs more than what it compiles.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc.errors import BackendError
from graphc.graph.registry import Kind, Primitive
from tests.support.backends import COMPILED, WITHOUT_LIBRARIES, Run, run_portable
from tests.support.cases import assert_close


@pytest.mark.parametrize("run", [*COMPILED[:-1], pytest.param(run_portable, id="portable", marks=pytest.mark.slow)])
@pytest.mark.parametrize("primitive", all_primitives(), ids=lambda primitive: primitive.name)
def test_compiled_results_are_those_of_the_reference(primitive: Primitive, run: Run) -> None:
    calls = all_calls(primitive)
    if primitive.kind is Kind.LIBRARY and run in WITHOUT_LIBRARIES:
        with pytest.raises(BackendError, match=f"`{primitive.name}` has no implementation"):
            run(calls.graph, calls.inputs, SIZES)
        return
    results = run(calls.graph, calls.inputs, SIZES)
    for got, wanted, label in zip(results, calls.expected(), calls.labels, strict=True):
        assert_close(np.asarray(got), wanted, label)
