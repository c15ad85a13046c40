"""Halves: every value of a graph is rounded to its dtype, wherever it lies, so that nothing depends on what is fused.

All operations here are exact in float32, or correctly rounded there, so that results are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc import compiler, dtypes, interpret
from graphc.codegen.compilation import Compilation
from graphc.codegen.ir.walk import expressions, walk
from graphc.codegen.target import Target
from graphc.dtypes import DType
from graphc.exprs import Cast
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.primitives.indexing import added_up
from tests.support.backends import run_threads
from tests.support.loop_interpreter import build_loops

Array = np.ndarray[Any, Any]
Make = Callable[[Builder, dict[str, Value]], Value]

HALVES = (dtypes.float16, dtypes.bfloat16)
SHAPE, DEPTH = (24, 45), 40


def _full(x: Value, number: float) -> Value:
    return x.builder.full(number, x.shape, x.dtype)


def _spread(x: Value) -> Value:
    """A value for each row, for all columns."""
    return x.builder.broadcast(x, SHAPE, (0,))


def arithmetic(b: Builder, v: dict[str, Value]) -> Value:
    x, y, z = v["x"], v["y"], v["z"]
    total = b.apply("sub", b.apply("add", b.apply("mul", x, y), z), b.apply("div", x, z))
    return b.apply("sqrt", b.apply("abs", b.apply("mul", total, b.apply("sub", y, total))))


def products_and_sums(b: Builder, v: dict[str, Value]) -> Value:
    """What a fused multiply-add would round once."""
    return b.apply("add", b.apply("mul", v["x"], v["y"]), b.apply("mul", v["y"], v["z"]))


def overflow(b: Builder, v: dict[str, Value]) -> Value:
    """What a half cannot hold is infinite, also if it is divided at once."""
    big = _full(v["x"], 30000.0)
    return b.apply("div", b.apply("mul", v["x"], big), big)


def number(b: Builder, v: dict[str, Value]) -> Value:
    """A literal that halves round."""
    return b.apply("mul", v["x"], _full(v["x"], 0.1))


def limits(b: Builder, v: dict[str, Value]) -> Value:
    return b.apply("clip", b.apply("mul", v["x"], v["y"]), low=-0.7, high=1.1)


def padding(b: Builder, v: dict[str, Value]) -> Value:
    doubled = b.apply("pad", v["x"], low=(1, 2), high=(0, 1), interior=(0, 0), value=0.1)
    return b.apply("mul", doubled, doubled)


def counting(b: Builder, v: dict[str, Value]) -> Value:
    x = b.apply("iota", shape=(5000,), axis=0, dtype=v["x"].dtype)
    return b.apply("sub", x, b.apply("mul", x, _full(x, 0.5)))


def choices(b: Builder, v: dict[str, Value]) -> Value:
    """Nothing here has more digits than its operands, which are rounded already."""
    x, y = b.apply("mul", v["x"], v["y"]), b.apply("add", v["x"], v["y"])
    larger = b.apply("maximum", b.apply("neg", x), b.apply("relu", y))
    return b.apply("select", b.apply("lt", x, y), larger, b.apply("floor", b.apply("minimum", x, y)))


def is_largest(b: Builder, v: dict[str, Value]) -> Value:
    """A row's largest element is one of the row, though the row is computed anew."""
    x = b.apply("mul", v["x"], v["y"])
    return b.apply("cast", b.apply("eq", x, _spread(b.apply("max", x, axes=(1,)))), dtype=v["x"].dtype)


def row_sums(b: Builder, v: dict[str, Value]) -> Value:
    """A sum is rounded before it is read."""
    total = _spread(b.apply("sum", v["whole"], axes=(1,)))
    return b.apply("div", b.apply("add", total, v["x"]), v["z"])


def column_sums(b: Builder, v: dict[str, Value]) -> Value:
    total = b.apply("sum", v["whole"], axes=(0,))
    return b.apply("sub", total, b.apply("mul", total, _full(total, 0.1)))


def dense(b: Builder, v: dict[str, Value]) -> Value:
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    product = b.apply("contract", v["left"], v["right"], **axes)
    return b.apply("relu", b.apply("mul", b.apply("add", product, v["x"]), v["z"]))


def running(b: Builder, v: dict[str, Value]) -> Value:
    return b.apply("mul", b.apply("cumsum", v["whole"], axis=1, reverse=False), v["z"])


def added(b: Builder, v: dict[str, Value]) -> Value:
    """Sums at places that are known at run time are formed in float32, too."""
    rows = b.apply("cast", b.apply("mod", v["index"], b.full(3, SHAPE[:1], dtypes.int32)), dtype=dtypes.int32)
    total = added_up(rows, v["whole"], 3)
    return b.apply("mul", total, _full(total, 0.1))


def conversions(b: Builder, v: dict[str, Value]) -> Value:
    """Digits that a conversion takes away do not come back."""
    half = b.apply("cast", b.apply("mul", v["wide"], v["wide"]), dtype=v["x"].dtype)
    back = b.apply("cast", half, dtype=dtypes.float32)
    return b.apply("add", back, b.apply("cast", b.apply("cast", v["index"], dtype=v["x"].dtype), dtype=dtypes.float32))


def parts(b: Builder, v: dict[str, Value]) -> Value:
    x = b.apply("mul", v["x"], v["y"])
    return b.apply("mul", b.apply("concatenate", x, v["z"], b.apply("add", x, v["y"]), axis=1), _full3(v))


def _full3(v: dict[str, Value]) -> Value:
    return v["x"].builder.full(1.7, (SHAPE[0], 3 * SHAPE[1]), v["x"].dtype)


CASES: list[Make] = [
    *(arithmetic, products_and_sums, overflow, number, limits, padding, counting, choices, is_largest, row_sums),
    *(column_sums, dense, running, added, conversions, parts),
]


def _values(b: Builder, dtype: DType) -> dict[str, Value]:
    shapes = dict.fromkeys(("x", "y", "z", "whole"), SHAPE)
    shapes |= {"left": (SHAPE[0], DEPTH), "right": (DEPTH, SHAPE[1])}
    found = {name: b.input(f"{dtype}_{name}", TensorType(shape, dtype)) for name, shape in shapes.items()}
    wide = b.input(f"{dtype}_wide", TensorType(SHAPE[:1], dtypes.float32))
    return found | {"wide": wide, "index": b.input(f"{dtype}_index", TensorType(SHAPE[:1], dtypes.int32))}


def graph_of(*dtypes_: DType) -> Graph:
    builder = Builder()
    return builder.finish(
        [make(builder, values).ref for d in dtypes_ for values in [_values(builder, d)] for make in CASES]
    )


def inputs_of(*dtypes_: DType) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    found: dict[str, Array] = {}
    for d in dtypes_:
        # Halves with all their digits, and whole numbers whose sums are exact in float32, and have more digits.
        floats = {name: rng.uniform(0.5, 3, SHAPE) * rng.choice((-1, 1), SHAPE) for name in ("x", "y", "z")}
        whole = {"whole": SHAPE, "left": (SHAPE[0], DEPTH), "right": (DEPTH, SHAPE[1])}
        floats |= {name: rng.integers(-9, 30, shape) for name, shape in whole.items()}
        found |= {f"{d}_{name}": array.astype(np.float32).astype(d.numpy) for name, array in floats.items()}
        found |= {f"{d}_wide": rng.normal(size=SHAPE[0]).astype(np.float32)}
        found |= {f"{d}_index": rng.integers(0, 9000, SHAPE[0]).astype(np.int32)}
    return found


def assert_equal(found: list[Array]) -> None:
    expected = interpret.run(graph_of(*HALVES), inputs_of(*HALVES), {})[0]
    names = [f"{make.__name__} in {d}" for d in HALVES for make in CASES]
    for name, a, b in zip(names, found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(np.float32), b.astype(np.float32), err_msg=name)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_kernels_round_as_the_interpreter_does(fused: bool) -> None:
    assert_equal(build_loops(graph_of(*HALVES), fused=fused).run(inputs_of(*HALVES), {}))


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_machine_code_rounds_as_the_interpreter_does(backend: str, fused: bool) -> None:
    executable = compiler.compile(graph_of(*HALVES), backend, fused=fused)
    assert_equal(executable.run(inputs_of(*HALVES), {}, {}))


def test_threads_round_alike() -> None:
    assert_equal(run_threads(graph_of(*HALVES), inputs_of(*HALVES), {}))


def test_what_has_no_more_digits_is_not_rounded() -> None:
    """Choices between halves are computed one after the other in float32; only what is stored is made a half."""
    builder = Builder()
    x, y = (builder.input(name, TensorType((64,), dtypes.float16)) for name in ("x", "y"))
    chosen = builder.apply("relu", builder.apply("maximum", builder.apply("neg", x), builder.apply("abs", y)))
    clipped = builder.apply("clip", chosen, low=-0.5, high=2.0)
    (kernel,) = Compilation(builder.finish([clipped.ref]), Target("cpu")).kernels.values()
    parts = [part for stmt in kernel.body for expr in expressions(stmt) for part in walk(expr)]
    assert [part.dtype for part in parts if isinstance(part, Cast)].count(dtypes.float16) == 1


def boundaries(half: DType, wide: DType) -> Array:
    """All halves, what lies between two of them, and the nearest numbers beside those."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(half.numpy).astype(wide.numpy)
    finite = np.sort(np.unique(halves[np.isfinite(halves)])).astype(np.float64)
    with np.errstate(over="ignore"):
        between = np.concatenate(((finite[1:] + finite[:-1]) / 2, finite[-1:] * 1.001, finite[-1:] * 3)).astype(
            wide.numpy
        )
    towards = np.asarray(np.inf, wide.numpy)
    return np.concatenate((halves, *(np.nextafter(between, way) for way in (towards, -towards, between))))


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_every_conversion_is_that_of_numpy(backend: str) -> None:
    """Also from float64, in one step."""
    pairs = [(half, dtypes.float32) for half in HALVES]
    if backend == "cpu":  # NVIDIA's header rounds twice where it is compiled for a processor, as for the emulator
        pairs.append((dtypes.float16, dtypes.float64))
    builder, inputs, outputs = Builder(), {}, []
    for half, wide in pairs:
        name = f"{half}_{wide}"
        inputs[name] = boundaries(half, wide)
        x = builder.input(name, TensorType(inputs[name].shape, wide))
        stored = builder.apply("cast", x, dtype=half)
        # One is read in memory, the other between two operations.
        outputs += [stored.ref, builder.apply("mul", builder.apply("cast", stored, dtype=wide), x).ref]
    with np.errstate(all="ignore"):
        expected = interpret.run(builder.finish(outputs), inputs, {})[0]
    for a, b in zip(compiler.compile(builder.finish(outputs), backend).run(inputs, {}, {}), expected, strict=True):
        np.testing.assert_array_equal(a.astype(np.float64), b.astype(np.float64))
