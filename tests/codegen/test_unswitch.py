"""Conditions are taken out of the innermost loop, and results stay what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import compiler, dims, dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from tests.support.backends import run_threads

SHAPE = (3, 5, 4, 20)


def padded(low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...], value: float = 0.0) -> Graph:
    """`relu(pad(x * y + 1))` and more of the same, where the padding is asked for."""
    builder = Builder()
    x, y = (builder.input(name, TensorType(SHAPE, dtypes.float32)) for name in ("x", "y"))
    one = builder.full(1.0, SHAPE, dtypes.float32)
    inner: Value = builder.apply("add", builder.apply("mul", x, y), one)
    wide = builder.apply("pad", inner, low=low, high=high, interior=interior, value=value)
    other = builder.apply("pad", y, low=low, high=high, interior=interior, value=2.0)
    return builder.finish(
        [builder.apply("exp", builder.apply("add", wide, other)).ref, builder.apply("relu", wide).ref]
    )


@pytest.mark.parametrize("value", [0.0, 3.0])
@pytest.mark.parametrize(
    ("low", "high", "interior"),
    [
        ((0, 1, 1, 0), (0, 1, 1, 0), (0, 0, 0, 0)),
        ((0, 0, 2, 0), (0, 1, 0, 0), (0, 0, 1, 0)),
        ((1, 0, 0, 2), (0, 0, 0, 1), (0, 0, 0, 0)),
        ((0, 0, 0, 0), (0, 0, 0, 3), (0, 0, 0, 1)),
    ],
)
def test_padding_of_computed_values(low: Any, high: Any, interior: Any, value: float) -> None:
    graph = padded(low, high, interior, value)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=SHAPE).astype("float32") for name in ("x", "y")}
    inputs["x"][0, 0, 0, 0] = np.nan
    expected = interpret.run(graph, inputs, {})[0]
    found = compiler.compile(graph, backend="cpu").run(inputs, {}, {})
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5, atol=1e-6)


def test_conditions_that_consist_of_others() -> None:
    """Padding of what was interleaved and cut: each condition is made of the one around it and one more."""
    builder = Builder()
    x, y = (builder.input(name, TensorType((2, 4, 3), dtypes.float32)) for name in ("x", "y"))
    both = builder.apply("concatenate", *(builder.apply("reshape", v, shape=(2, 4, 1, 3)) for v in (x, y)), axis=2)
    row = builder.apply("reshape", both, shape=(2, 8, 3))
    wide = builder.apply("pad", row, low=(0, 0, 0), high=(1, 1, 0), interior=(0, 0, 0), value=0.0)
    inner = builder.apply("pad", wide, low=(0, 2, 0), high=(0, 0, 0), interior=(1, 0, 0), value=1.0)
    graph = builder.finish([builder.apply("exp", inner).ref])
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(2, 4, 3)).astype("float32") for name in ("x", "y")}
    (expected,) = interpret.run(graph, inputs, {})[0]
    (found,) = compiler.compile(graph, backend="cpu").run(inputs, {}, {})
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5)


def test_the_loop_over_channels_does_not_ask() -> None:
    graph = padded((0, 1, 1, 0), (0, 1, 1, 0), (0, 0, 0, 0))
    text = next(iter(compiler.compile(graph, backend="cpu").compilation.source.kernels.values()))
    loops = [part.split("}")[0] for part in text.split("#pragma omp simd")[1:]]
    assert loops and not any("?" in loop or ">=" in loop for loop in loops)


def joined(widths: tuple[int, ...]) -> Graph:
    """Rows of a table that are looked up, a computed part and others side by side, then an operation over all."""
    builder = Builder({"B": (1, 64)})
    batch = dims.size("B")
    table = builder.input("table", TensorType((9, widths[0]), dtypes.float32))
    rows = builder.input("rows", TensorType((batch,), dtypes.int32))
    parts = [builder.apply("gather", table, rows, axis=0)]
    for number, width in enumerate(widths[1:]):
        part: Value = builder.input(f"x{number}", TensorType((batch, width), dtypes.float32))
        parts.append(builder.apply("exp", part) if number == 0 else part)
    return builder.finish([builder.apply("neg", builder.apply("concatenate", *parts, axis=1))])


@pytest.mark.parametrize("widths", [(16, 5), (16, 16, 16, 13), (4, 1, 7), (30, 3, 40), (2, 2, 2)])
@pytest.mark.parametrize("size", [1, 7])
def test_what_is_side_by_side(widths: tuple[int, ...], size: int) -> None:
    graph, rng = joined(widths), np.random.default_rng(size)
    inputs = {f"x{i}": rng.normal(size=(size, width)).astype("float32") for i, width in enumerate(widths[1:])}
    inputs |= {"table": rng.normal(size=(9, widths[0])).astype("float32")}
    inputs |= {"rows": rng.integers(-2, 12, size).astype("int32")}
    inputs["x0"][0, 0] = np.nan
    (expected,) = interpret.run(graph, inputs, {"B": size})[0]
    for run in (compiler.compile(graph, backend="cpu").run, lambda *given: run_threads(graph, *given[::2])):
        (found,) = run(inputs, {}, {"B": size})
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


def test_loops_over_parts_ask_nothing() -> None:
    source = compiler.compile(joined((16, 16, 16, 13)), backend="cpu").compilation.source
    loops = [part.split("}")[0] for text in source.kernels.values() for part in text.split("#pragma omp simd")[1:]]
    assert len(loops) == 5  # the exponentials, and four parts
    assert not any("?" in loop or ">=" in loop or "%" in loop for loop in loops)
