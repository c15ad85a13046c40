"""Convolutions with fewer multiplications, against the sum of all products."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dims, dtypes, interpret
from graphc.codegen.winograd import Winograd, contraction_cut
from graphc.compiler import compile
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from tests.support.backends import run_team

BATCH = dims.size("B")
FLOAT = dtypes.float32
PLAIN = {
    "strides": (1, 1),
    "padding": ((0, 0), (0, 0)),
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "groups": 1,
}


def convolution(
    height: int, width: int, channels: int, columns: int, *epilogue: str, dtype: dtypes.DType = FLOAT, **attrs: object
) -> Graph:
    """A convolution whose result has some height and width, and what follows it."""
    builder = Builder({"B": (1, 1 << 20)})
    x = builder.input("x", TensorType((BATCH, height + 2, width + 2, channels), dtype))
    w = builder.input("w", TensorType((3, 3, channels, columns), dtype))
    y: Value = builder.apply("conv", x, w, **{**PLAIN, **attrs})
    if "bias" in epilogue:
        bias = builder.input("bias", TensorType((columns,), dtype))
        y = builder.apply("add", y, builder.broadcast(bias, y.shape, (3,)))
    if "residual" in epilogue:
        y = builder.apply("add", y, builder.input("residual", TensorType(y.shape, dtype)))
    if "relu" in epilogue:
        y = builder.apply("relu", y)
    return builder.finish([y])


def cuts(graph: Graph, vector_bytes: int = 64) -> list[object]:
    kernels = compile(graph, "cpu").compilation.kernels.values()
    return [contraction_cut(kernel, vector_bytes) for kernel in kernels if kernel.contraction]


def check(graph: Graph, batch: int) -> None:
    rng = np.random.default_rng(batch)
    shapes = {name: graph.inputs[name].outs[0].shape for name in graph.inputs}
    inputs = {n: rng.normal(size=[batch if d == BATCH else d for d in s]).astype(np.float32) for n, s in shapes.items()}
    (wanted,) = interpret.run(graph, inputs, sizes={"B": batch})[0]
    (got,) = run_team(graph, inputs, {"B": batch})
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels, columns", ((16, 16), (20, 16), (16, 20), (64, 32), (33, 48), (16, 3), (32, 100)))
@pytest.mark.parametrize("sides", ((8, 8), (7, 9), (2, 30), (11, 6)))
def test_sizes(sides: tuple[int, int], channels: int, columns: int) -> None:
    graph = convolution(*sides, channels, columns)
    assert isinstance(cuts(graph)[0], Winograd)
    for batch in (1, 5):
        check(graph, batch)
