"""Kernels that do the same are built once and launched with buffers of their own."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import compiler, dims, dtypes
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import Origin, TensorType

LAYERS = 6


def tower(last: int = 4) -> Graph:
    """Layers of one shape after another, the last of another size."""
    builder = Builder({"B": (1, 1 << 20)})
    x = builder.input("x", TensorType((dims.size("B"), 4), dtypes.float32))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    for i in range(LAYERS):
        size = last if i == LAYERS - 1 else 4
        with builder.located((Origin(f"layer {i}", "file.py", i),)):
            w = builder.input(f"w{i}", TensorType((4, size), dtypes.float32))
            x = builder.apply("tanh", builder.apply("contract", x, w, **axes))
    return builder.finish([x])


@pytest.mark.parametrize(("last", "kernels"), [(4, 1), (3, 2)])
def test_layers_of_one_shape_are_one_kernel(last: int, kernels: int) -> None:
    compilation = compiler.compile(tower(last), "cpu").compilation
    assert compilation.plan is not None
    assert compilation.plan.launches() == LAYERS
    assert len(compilation.kernels) == kernels
    origins = {origin.layer for kernel in compilation.kernels.values() for origin in kernel.origins}
    assert origins == {f"layer {i}" for i in range(LAYERS)}


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_shared_kernels_work_on_their_own_buffers(backend: str) -> None:
    rng = np.random.default_rng(0)
    inputs = {f"w{i}": rng.normal(size=(4, 4)).astype(np.float32) for i in range(LAYERS)}
    inputs["x"] = expected = rng.normal(size=(3, 4)).astype(np.float32)
    for i in range(LAYERS):
        expected = np.tanh(expected @ inputs[f"w{i}"])
    (out,) = compiler.compile(tower(), backend).run(inputs, {}, {"B": 3})
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
