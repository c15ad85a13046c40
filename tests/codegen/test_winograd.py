"""Convolutions with fewer multiplications, against sums of all products."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from graphc import config, dims, dtypes, interpret
from graphc.codegen.cpu.contraction import contraction_tiling
from graphc.codegen.cpu.gemm.choose_tiling import REGISTERS
from graphc.codegen.cpu.gemm.tiling import Tiling
from graphc.codegen.cpu.winograd import tiling
from graphc.codegen.cpu.winograd.tiling import Winograd
from graphc.compiler import compile
from graphc.dtypes import DType
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.runtime.cpu import processor
from tests.support.backends import run_threads

BATCH = dims.size("B")
FLOAT = dtypes.float32
SAME = ((1, 1), (1, 1))
PLAIN = {
    "strides": (1, 1),
    "padding": ((0, 0), (0, 0)),
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "groups": 1,
}
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path) -> Any:
    """Programs of one graph differ by what a test patches."""
    with config.override(cache_dir=tmp_path):
        yield


def convolution(
    height: int,
    width: int,
    channels: int,
    columns: int,
    *epilogue: str,
    dtype: DType = FLOAT,
    window: int = 3,
    **attrs: Any,
) -> Graph:
    """A convolution of an input that is larger by two pixels, and what follows it."""
    builder = Builder({"B": (1, 1 << 20)})
    x = builder.input("x", TensorType((BATCH, height + 2, width + 2, channels), dtype))
    attrs = {**PLAIN, **attrs}
    w = builder.input("w", TensorType((window, window, channels // attrs["groups"], columns), dtype))
    y: Value = builder.apply("conv", x, w, **attrs)
    if "bias" in epilogue:
        bias = builder.input("bias", TensorType((columns,), dtype))
        y = builder.apply("add", y, builder.broadcast(bias, y.shape, (3,)))
    if "residual" in epilogue:
        y = builder.apply("add", y, builder.input("residual", TensorType(y.shape, dtype)))
    if "relu" in epilogue:
        y = builder.apply("relu", y)
    return builder.finish([y])


def blocks(side: int, channels: int) -> Graph:
    """Residual blocks: what is added is a result of the program, and may be updated where it lies."""
    builder = Builder({"B": (1, 1 << 20)})
    x: Value = builder.input("x", TensorType((BATCH, side, side, channels), FLOAT))
    for name in ("v", "w", "z"):
        filters = builder.input(name, TensorType((3, 3, channels, channels), FLOAT))
        y = builder.apply("conv", x, filters, **{**PLAIN, "padding": SAME})
        x = builder.apply("add", x, builder.apply("relu", y))
    return builder.finish([x])


def cuts(graph: Graph) -> list[Winograd | Tiling | None]:
    kernels = compile(graph, "cpu").compilation.kernels.values()
    return [contraction_tiling(kernel, processor.vector_bytes()) for kernel in kernels if kernel.contraction]


def inputs_of(graph: Graph, batch: int) -> dict[str, Array]:
    rng = np.random.default_rng(batch)
    shapes = {name: graph.inputs[name].outs[0].shape for name in graph.inputs}
    return {n: rng.normal(size=[batch if d == BATCH else d for d in s]).astype(np.float32) for n, s in shapes.items()}


def check(graph: Graph, batch: int, tolerance: float = 1e-4) -> None:
    inputs = inputs_of(graph, batch)
    (wanted,) = interpret.run(graph, inputs, sizes={"B": batch})[0]
    (got,) = run_threads(graph, inputs, {"B": batch})
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("channels, columns", ((16, 16), (20, 16), (16, 20), (64, 32), (33, 48), (17, 3), (32, 100)))
@pytest.mark.parametrize("sides", ((8, 8), (7, 9), (2, 30), (11, 6)))
def test_sizes(sides: tuple[int, int], channels: int, columns: int) -> None:
    graph = convolution(*sides, channels, columns)
    assert isinstance(cuts(graph)[0], Winograd)
    for batch in (1, 5):
        check(graph, batch)


def test_threads_share_columns_where_the_filter_is_larger_than_the_image() -> None:
    for columns in (96, 100, 128):
        graph = convolution(6, 4, 16, columns, "bias", "residual")
        for batch in (1, 4, 30):
            check(graph, batch)


@pytest.mark.parametrize("direct", (False, True))
@pytest.mark.parametrize("epilogue", (("bias", "relu"), ("residual",), ("bias", "residual", "relu")))
def test_what_follows(epilogue: tuple[str, ...], direct: bool) -> None:
    with patch.object(tiling, "FEWEST_TILES", 1 << 30 if direct else 4):
        graph = convolution(9, 8, 16, 32, *epilogue)
        assert isinstance(cuts(graph)[0], Tiling if direct else Winograd)
        for batch in (1, 5):
            check(graph, batch)


@pytest.mark.parametrize("side", (11, 12))
@pytest.mark.parametrize("direct", (False, True))
def test_updates_in_place(side: int, direct: bool) -> None:
    with patch.object(tiling, "FEWEST_TILES", 1 << 30 if direct else 4):
        graph = blocks(side, 16)
        check(graph, 3)


@pytest.mark.parametrize("vector_bytes", (16, 32, 64))
def test_vectors_of_all_sizes(vector_bytes: int) -> None:
    if vector_bytes > processor.vector_bytes():
        pytest.skip("the processor has no such vectors")
    with patch.object(processor, "vector_bytes", lambda: vector_bytes):
        for columns in (16, 20, 48):
            graph = convolution(7, 8, 16, columns, "bias")
            (cut,) = cuts(graph)
            assert isinstance(cut, Winograd)
            assert 2 * (cut.rows + 1) * cut.vectors < REGISTERS[vector_bytes]
            check(graph, 3)


def test_the_gradient_by_the_input() -> None:
    builder = Builder({"B": (1, 1 << 20)})
    g = builder.input("g", TensorType((BATCH, 8, 8, 32), FLOAT))
    w = builder.input("w", TensorType((3, 3, 16, 32), FLOAT))
    graph = builder.finish([builder.apply("conv_input_grad", g, w, sizes=(8, 8), **{**PLAIN, "padding": SAME})])
    assert any(isinstance(cut, Winograd) for cut in cuts(graph))
    check(graph, 3)


@pytest.mark.parametrize(
    "graph",
    (
        convolution(8, 8, 16, 16, dtype=dtypes.float64),
        convolution(8, 8, 16, 16, strides=(2, 2)),
        convolution(8, 8, 16, 16, rhs_dilation=(2, 2)),
        convolution(8, 8, 32, 32, groups=2),
        convolution(8, 8, 16, 16, window=5),
        convolution(8, 8, 16, 16, window=2),
        convolution(8, 8, 3, 16),
        convolution(2, 2, 16, 16),
        convolution(1, 30, 16, 16),
        convolution(8, 8, 1024, 16),
    ),
)
def test_others_stay_as_they_are(graph: Graph) -> None:
    assert not any(isinstance(cut, Winograd) for cut in cuts(graph))


def test_errors_are_about_those_of_all_products() -> None:
    graph = convolution(16, 16, 64, 64)
    inputs = inputs_of(graph, 4)
    exact = convolution(16, 16, 64, 64, dtype=dtypes.float64)
    (wanted,) = interpret.run(exact, {name: x.astype(np.float64) for name, x in inputs.items()}, sizes={"B": 4})[0]
    errors = []
    for fewest in (4, 1 << 30):
        with (
            patch.object(tiling, "FEWEST_TILES", fewest),
            config.override(cache_dir=config.current().cache_dir / str(fewest)),
        ):
            (got,) = compile(graph, "cpu").run(inputs, {}, {"B": 4})
        errors.append(float(np.sqrt(np.mean((got - wanted) ** 2))))
    assert errors[0] != errors[1]
    assert errors[0] < 2 * errors[1]


def test_what_is_not_finite_stays_in_its_tiles() -> None:
    graph = convolution(9, 8, 16, 16)
    inputs = inputs_of(graph, 2)
    inputs["x"][1, 5, 5, 3] = np.nan
    (got,) = compile(graph, "cpu").run(inputs, {}, {"B": 2})
    touched = np.isnan(got)
    assert touched[1, 3:6, 3:6].all()
    assert not touched[0].any()
    assert not touched[1, :2].any() and not touched[1, 6:].any()
    assert not touched[1, :, :2].any() and not touched[1, :, 6:].any()
