"""The public operations as ONNX: the calls of `tests/support/keras_tables.py`, beside the interpreter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import dtypes, ops
from graphc.dtypes import DType
from graphc.errors import GraphcError, UnsupportedError
from graphc.export.onnx import onnx_model
from graphc.export.onnx.protobuf import checked_bytes, to_message
from graphc.export.onnx.tracing import Inference, simplified
from graphc.graph.core import Graph
from graphc.graph.evaluation import run as evaluate
from tests.export.onnx_runtime import NEWEST, OLDEST, run, session
from tests.export.test_onnx_primitives import CANNOT, NEWER
from tests.support.keras_calls import Call
from tests.support.keras_tables import TABLES

# Relative and absolute tolerance by the dtype of the result; all other results are equal. ONNX Runtime transforms
# signals whose length is no power of 2 less exactly.
TOLERANCES = {"float32": (2e-5, 1e-5), "float16": (4e-3, 4e-3)}
SLOW = [
    *((table, "float32", NEWEST) for i, table in enumerate(TABLES) if i % 3),
    *((table, dtype, NEWEST) for table in TABLES for dtype in ("float16", "int32", "int8", "uint8", "bool")),
    *((table, dtype, OLDEST) for table in TABLES for dtype in ("float32", "bfloat16", "int32")),
]


def traced(name: str, call: Call, dtype: str) -> tuple[Graph, list[Any]] | None:
    """The graph of a call, and its operands; None if it is none: it has no operands, or refuses them."""
    arrays = [np.asarray(of.array(name, i, dtype)) for i, of in enumerate(call.operands)]
    function = graphc.function(lambda *xs: call.run(ops, *xs))
    try:
        function(*arrays)
    except (GraphcError, TypeError):
        return None
    graph = simplified(function.graph())
    return None if any(type.is_complex for type in _types(graph)) else (graph, arrays[: len(graph.inputs)])


def _types(graph: Graph) -> list[DType]:
    """The dtypes of inputs and outputs."""
    return [*(node.outs[0].dtype for node in graph.inputs.values()), *(graph.type(ref).dtype for ref in graph.outputs)]


def is_refused(problem: str, opset: int) -> bool:
    """Whether ONNX is known not to have what an error says."""
    newer = [op for op, version in NEWER.items() if opset < version]
    return any(f"`{op}`" in problem for op in (*CANNOT, *newer)) or (opset < 18 and "bitwise" in problem)


def differences(table: str, dtype: str, opset: int) -> tuple[dict[str, str], int]:
    """What differs, by call, and how many were tried."""
    found, count = {}, 0
    for name, call in TABLES[table].items():
        pair = traced(name, call, dtype) if dtype in call.dtypes else None
        if pair is None:
            continue
        (graph, arrays), count = pair, count + 1
        names = [tuple(f"{letter}{i}" for i in range(len(x))) for letter, x in (("x", arrays), ("y", graph.outputs))]
        try:
            message = to_message(onnx_model(Inference(graph, {}, *names), opset, "call"), "test")
            one = session(checked_bytes(message))
            if dtypes.bfloat16 not in _types(graph):  # no array of ONNX Runtime has it
                _compare(run(one, arrays), evaluate(graph, dict(zip(names[0], arrays, strict=True)))[0])
        except UnsupportedError as error:
            if not is_refused(error.problem, opset):
                found[name] = str(error)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found, count


def _compare(found: list[Any], expected: list[Any]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, b.dtype, a.shape, b.shape)
        bound = TOLERANCES.get(str(b.dtype), (0, 0))
        np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), *bound)


QUICK = [(table, "float32", NEWEST) for table in list(TABLES)[::3]]


@pytest.mark.parametrize(
    ("table", "dtype", "opset"),
    [*QUICK, *(pytest.param(*c, marks=pytest.mark.slow) for c in SLOW)],
)
def test_operations(table: str, dtype: str, opset: int) -> None:
    with graphc.backend("numpy"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, count = differences(table, dtype, opset)
    assert not found, "\n".join(f"{name}: {error}" for name, error in found.items())
    assert count or not any(dtype in call.dtypes for call in TABLES[table].values())
