"""Every primitive, in every dtype, compiled: the same results as its reference.

All sample calls of a primitive are one graph, since a compiler call costs more than what it compiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.graph.builder import Builder, Value
from graphc.graph.registry import Primitive
from tests.support.backends import COMPILED, Run, run_interpreter
from tests.support.cases import (
    SIZE,
    all_primitives,
    assert_close,
    attrs_of,
    dtypes_of,
    operand_types,
    sample,
)

SIZES = {SIZE: 3}


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("primitive", all_primitives(), ids=lambda primitive: primitive.name)
def test_compiled_results_are_those_of_the_reference(primitive: Primitive, run: Run) -> None:
    rng = np.random.default_rng(0)
    builder = Builder({SIZE: (1, 64)})
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    results: list[Value] = []
    labels: list[str] = []
    for dtype in dtypes_of(primitive):
        for number, case in enumerate(primitive.cases()):
            operands = []
            types = operand_types(primitive, case, dtype)
            for type, array in zip(types, sample(case, dtype, rng), strict=True):
                name = f"x{len(arrays)}"
                arrays[name] = array
                operands.append(builder.input(name, type))
            outputs = builder.apply_many(primitive.name, *operands, **attrs_of(case, dtype))
            results += outputs
            labels += [f"{primitive.name} {dtype} case {number}"] * len(outputs)
    graph = builder.finish(results)
    expected = run_interpreter(graph, arrays, SIZES)
    for got, wanted, label in zip(run(graph, arrays, SIZES), expected, labels, strict=True):
        assert_close(np.asarray(got), wanted, label)
