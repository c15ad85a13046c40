"""Every primitive as nodes of ONNX, on the sample calls of its record, beside its reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import GraphcError, UnsupportedError
from graphc.export.onnx import RULES, onnx_model
from graphc.export.onnx.protobuf import checked_bytes, to_message
from graphc.export.onnx.tracing import Inference
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.evaluation import run as evaluate
from graphc.graph.registry import REGISTRY, Case, Primitive
from graphc.graph.types import TensorType
from tests.export.onnx_runtime import NEWEST, OLDEST, run, session
from tests.support.cases import SIZE, attrs_of, build_symbolic, dtypes_of, named, operand_types, sample, tolerance

# What ONNX has no operators for.
CANNOT = {
    "bitcast": "the bits of elements cannot be read as another dtype",
    "cholesky": "no factorizations",
    "cofactors": "no factorizations",
    "conv_filter_grad": "a gradient, which no inference computes",
    "ctc_beam_search": "no lists that grow",
    "det": "ONNX has it; ONNX Runtime computes it in float32 only, and no gradient needs it",
    "eig": "no factorizations",
    "eigh": "no factorizations",
    "gcd": "no loops over elements",
    "lu": "no factorizations",
    "nextafter": "the bits of elements cannot be read as another dtype",
    "pinv": "no factorizations",
    "qr": "no factorizations",
    "random_bits": "exported models have no memory, and would draw the same each time",
    "singular_values": "no factorizations",
    "slogdet": "no factorizations",
    "solve": "no factorizations",
    "svd": "no factorizations",
    "triangular_solve": "no factorizations",
    "window_spread": "a gradient, which no inference computes",
}
# Removed from graphs, or sources of values.
NEVER = ("custom_gradient", "input", "state", "constant")
# Operations of newer versions.
NEWER = {"bit_and": 18, "bit_or": 18, "bit_xor": 18, "scatter_max": 18, "scatter_min": 18}
# Functions for which results are less exact than ours, with the relative error.
LOOSE = {"erfinv": 3e-5, "erfc": 1e-4, "pow": 1e-4, "cbrt": 1e-5}
PRIMITIVES = sorted(name for name in REGISTRY if name not in NEVER and REGISTRY[name].code is None)


def test_every_primitive_is_told() -> None:
    assert sorted({*RULES, *CANNOT} - {"constant"}) == PRIMITIVES
    assert not set(RULES) & set(CANNOT)


class Calls:
    """Sample calls in one graph, whose inputs and outputs are real."""

    def __init__(self) -> None:
        self.builder = Builder({SIZE: (1, 64)})
        self.arrays: list[Any] = []
        self.outputs: list[Value] = []
        self.dtypes: list[DType] = []

    def operand(self, array: Any, type: TensorType) -> Value:
        """An input of a call."""
        if type.dtype.is_complex:
            parts = [self.operand(part, TensorType(type.shape, type.dtype.real)) for part in (array.real, array.imag)]
            return self.builder.apply("complex", *parts)
        if type.dtype is dtypes.bfloat16:  # no array of ONNX Runtime has it
            wide = self.operand(array.astype(np.float32), TensorType(type.shape, dtypes.float32))
            return self.builder.apply("cast", wide, dtype=type.dtype)
        self.arrays.append(np.ascontiguousarray(array).reshape(array.shape))
        return self.builder.input(f"x{len(self.arrays) - 1}", type)

    def add(self, op: str, types: list[TensorType], arrays: list[Any], attrs: dict[str, Any]) -> None:
        """Adds a call."""
        operands = [self.operand(array, type) for array, type in zip(arrays, types, strict=True)]
        for value in self.builder.apply_many(op, *operands, **attrs):
            parts = [self.builder.apply(p, value) for p in ("real", "imag")] if value.dtype.is_complex else [value]
            self.dtypes += [part.dtype for part in parts]
            if value.dtype is dtypes.bfloat16:
                parts = [self.builder.apply("cast", value, dtype=dtypes.float32)]
            self.outputs += parts

    def graph(self) -> Graph:
        """The graph of all calls."""
        return self.builder.finish(self.outputs)


def exported(graph: Graph, opset: int) -> bytes:
    names = tuple(f"x{i}" for i in range(len(graph.inputs)))
    outputs = tuple(f"y{i}" for i in range(len(graph.outputs)))
    return checked_bytes(to_message(onnx_model(Inference(graph, {}, names, outputs), opset, "calls"), "test"))


def calls(primitive: Primitive, dtype: DType) -> Iterator[tuple[Case, dict[str, Any]]]:
    for case in primitive.cases():
        yield case, attrs_of(case, dtype)


def compare(op: str, calls: Calls, found: list[Any], expected: list[Any]) -> None:
    for a, b, dtype in zip(found, expected, calls.dtypes, strict=True):
        bound = tolerance(dtype)
        if dtype.name in ("float32", "float64") and op in LOOSE:
            bound = {**bound, "rtol": LOOSE[op], "atol": max(bound["atol"], 2e-6)}
        assert a.shape == b.shape and a.dtype == b.dtype, (dtype, a.shape, b.shape)
        np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), **bound, err_msg=str(dtype))


# ONNX Runtime has these in float32 only.
FLOAT32 = ("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "atan2", "erf", "erfc")


def supported(op: str, dtype: DType) -> bool:
    """Whether ONNX Runtime computes an operation of this dtype."""
    if op in FLOAT32 and dtype.bits == 64 and dtype.is_float:
        return False
    if op in ("floordiv", "mod", "pow") and dtype is dtypes.uint64:
        return False
    return not (dtype.is_complex and not complex_too(op))


def complex_too(op: str) -> bool:
    return op in (
        *("add", "sub", "mul", "div", "neg", "abs", "exp", "eq", "ne", "real", "imag", "conj", "fft", "select"),
        *("transpose", "broadcast", "reshape", "slice", "reverse", "pad", "concatenate", "gather", "dynamic_slice"),
        *("dynamic_update_slice", "scatter_add", "sum", "cumsum", "contract", "stop_gradient", "read", "identity"),
        *("copy",),
    )


@pytest.mark.parametrize("opset", [OLDEST, NEWEST])
@pytest.mark.parametrize("op", sorted(set(PRIMITIVES) - set(CANNOT)))
def test_primitive(op: str, opset: int) -> None:
    primitive, rng, made = REGISTRY[op], np.random.default_rng(0), Calls()
    if opset < NEWER.get(op, 0):
        case = next(iter(primitive.cases()))
        made.add(op, operand_types(primitive, case, dtypes.int32), sample(case, dtypes.int32, rng), case.attrs)
        with pytest.raises(UnsupportedError, match=r"opset_version=18"):
            exported(made.graph(), opset)
        return
    for dtype in dtypes_of(primitive):
        if not supported(op, dtype):
            continue
        for case, attrs in calls(primitive, dtype):
            if op.startswith("conv") and (len(case.shapes[0]) == 2 or not dtype.is_float or dtype.bits > 32):
                continue  # a convolution without spatial axes, or one that ONNX Runtime does not have
            if op == "size" and not isinstance(attrs["dim"], int):
                continue  # that of no input
            made.add(op, operand_types(primitive, case, dtype), sample(case, dtype, rng), attrs)
    graph = made.graph()
    found = run(session(exported(graph, opset)), made.arrays)
    expected, _ = evaluate(graph, named(made.arrays), sizes={SIZE: 5})
    compare(op, made, found, expected)


@pytest.mark.parametrize("op", sorted(set(PRIMITIVES) - set(CANNOT)))
def test_symbolic_sizes(op: str) -> None:
    primitive, rng = REGISTRY[op], np.random.default_rng(0)
    dtype = dtypes.float32 if "float32" in (primitive.dtypes or ("float32",)) else dtypes.as_dtype(primitive.dtypes[0])
    if dtype.is_complex:
        return
    for case, _ in calls(primitive, dtype):
        try:
            symbolic = build_symbolic(primitive, case, dtype)
        except GraphcError:
            continue
        if symbolic is None or (len(case.shapes[0]) == 2 and op.startswith("conv")):
            continue
        graph, count = symbolic
        if any(graph.type(ref).dtype.is_complex or graph.type(ref).dtype is dtypes.bfloat16 for ref in graph.outputs):
            continue
        arrays = sample(case, dtype, rng)
        made = Calls()
        made.dtypes = [graph.type(ref).dtype for ref in graph.outputs]
        found = run(session(exported(graph, NEWEST)), arrays)
        compare(op, made, found, evaluate(graph, named(arrays), sizes={SIZE: count})[0])


@pytest.mark.parametrize("op", sorted(CANNOT))
def test_what_onnx_cannot_say(op: str) -> None:
    primitive, made = REGISTRY[op], Calls()
    dtype = dtypes_of(primitive)[0]
    case, attrs = next(calls(primitive, dtype))
    made.add(op, operand_types(primitive, case, dtype), sample(case, dtype, np.random.default_rng(0)), attrs)
    with pytest.raises(UnsupportedError, match=op):
        exported(made.graph(), OLDEST)


@pytest.mark.parametrize("op", ["lt", "ge", "maximum", "max", "argmax", "min", "sort", "cummax", "window_reduce"])
def test_order_of_the_largest_numbers(op: str) -> None:
    array, made = np.array([3, 2**64 - 1, 2**63, 2**63 - 1, 0, 2**64 - 2], np.uint64), Calls()
    count = 2 if op in ("lt", "ge", "maximum") else 1
    attrs: dict[str, Any] = {"axes": (0,)} if op in ("max", "min", "argmax") else {}
    attrs |= {"axis": 0, "reverse": False} if op == "cummax" else {}
    if op == "window_reduce":
        attrs = {"combine": "max", "window": (2,), "strides": (1,), "padding": ((1, 0),), "dilation": (1,)}
    made.add(op, [TensorType((6,), dtypes.uint64)] * count, [array, array[::-1]][:count], attrs)
    graph = made.graph()
    found = run(session(exported(graph, NEWEST)), made.arrays)
    for a, b in zip(found, evaluate(graph, named(made.arrays))[0], strict=True):
        assert a.dtype == b.dtype and a.tolist() == b.tolist()


@pytest.mark.parametrize("op", ["floordiv", "mod", "pow"])
def test_numbers_that_would_be_wrong_are_refused(op: str) -> None:
    made = Calls()
    made.add(op, [TensorType((2,), dtypes.uint64)] * 2, [np.ones(2, np.uint64)] * 2, {})
    with pytest.raises(UnsupportedError, match="cast to int64"):
        exported(made.graph(), NEWEST)


@pytest.mark.parametrize("dtype", [t for t in dtypes.ALL if t.is_integer], ids=str)
def test_floats_outside_of_integers(dtype: DType) -> None:
    edges = [float(np.iinfo(dtype.numpy).min), float(np.iinfo(dtype.numpy).max), 2.0**63, 2.0**64]
    numbers = [0.0, -0.7, 1.9, np.nan, np.inf, -np.inf, 1e30, -1e30, *edges, *(x + 1.5 for x in edges)]
    array, made = np.array([*numbers, *(x - 1.5 for x in edges), 2.0**63 + 4096], np.float64), Calls()
    made.add("cast", [TensorType(array.shape, dtypes.float64)], [array], {"dtype": dtype})
    graph = made.graph()
    (found,) = run(session(exported(graph, NEWEST)), made.arrays)
    assert found.tolist() == evaluate(graph, named(made.arrays))[0][0].tolist()
