"""Convolutions without borders, and by phases: results stay what they were, and nothing is multiplied in vain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes, interpret
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from graphc.passes.layout.convolutions import pad_convolutions


def attributes(rank: int, **changed: Any) -> dict[str, Any]:
    ones = (1,) * rank
    plain = {"strides": ones, "padding": ((0, 0),) * rank, "lhs_dilation": ones, "rhs_dilation": ones, "groups": 1}
    return plain | changed


def graph_of(op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any]) -> Graph:
    builder = Builder()
    operands = [builder.input(f"x{i}", TensorType(shape, dtypes.float64)) for i, shape in enumerate(shapes)]
    return builder.finish([builder.apply(op, *operands, **attrs).ref])


def rewritten(op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any]) -> Graph:
    """The graph after the pass; fails where its result is another."""
    before = graph_of(op, shapes, attrs)
    after = pad_convolutions(before)
    verify(after)
    rng = np.random.default_rng(0)
    inputs = {f"x{i}": rng.normal(size=shape) for i, shape in enumerate(shapes)}
    (expected,), (found,) = (interpret.run(graph, inputs, {})[0] for graph in (before, after))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    return after


def products(graph: Graph) -> int:
    """The multiplications of a graph's convolutions."""
    total = 0
    for node in graph.of_op("conv"):
        taps = graph.type(node.inputs[1]).shape[:-1]
        total += dims.evaluate(dims.product((*node.outs[0].shape, *taps)), {})
    return total


@pytest.mark.parametrize("spread", [2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("low", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("high", [0, 1, 3])
def test_phases_of_a_spread_operand(spread: int, kernel: int, low: int, high: int) -> None:
    attrs = attributes(1, padding=((low, high),), lhs_dilation=(spread,))
    after = rewritten("conv", [(2, 5, 3), (kernel, 3, 2)], attrs)
    assert all(node.attrs["lhs_dilation"] == (1,) for node in after.of_op("conv"))
    out = tuple(dims.evaluate(dim, {}) for dim in after.type(after.outputs[0]).shape)
    after = rewritten("conv_filter_grad", [(2, 5, 3), out], attrs | {"kernel": (kernel,)})
    reaches = low < kernel and high < kernel
    assert reaches == all(pad.attrs["interior"] == (0, 0, 0) for pad in after.of_op("pad"))


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding"),
    [
        ((8, 8), (3, 3), (2, 2), ((0, 1), (0, 1))),
        ((8, 8), (3, 3), (2, 2), ((1, 0), (1, 0))),
        ((9, 7), (3, 3), (2, 3), ((1, 1), (1, 1))),
        ((8, 6), (1, 1), (2, 2), ((0, 0), (0, 0))),
        ((9, 8), (2, 5), (3, 1), ((1, 1), (2, 2))),
        ((8, 8), (7, 4), (4, 2), ((3, 2), (1, 1))),
        ((12, 12), (2, 2), (5, 4), ((0, 0), (1, 1))),
    ],
)
def test_gradients_of_strided_convolutions(size: Any, kernel: Any, strides: Any, padding: Any) -> None:
    attrs = attributes(2, strides=strides, padding=padding)
    shapes = [(2, *size, 3), (*kernel, 3, 4)]
    (conv,) = graph_of("conv", shapes, attrs).of_op("conv")
    out = tuple(dims.evaluate(dim, {}) for dim in conv.outs[0].shape)
    after = rewritten("conv_input_grad", [out, shapes[1]], attrs | {"sizes": size})
    assert not after.of_op("conv_input_grad")
    rewritten("conv_filter_grad", [shapes[0], out], attrs | {"kernel": kernel})


def test_no_products_with_what_lies_between_elements() -> None:
    """3x3 with strides of 2 has 9 products for 4 places in each pair of channels; 4 phases of 2x2 have 16, not 36."""
    attrs = attributes(2, strides=(2, 2), padding=((0, 1), (0, 1)), sizes=(8, 8))
    after = rewritten("conv_input_grad", [(1, 4, 4, 3), (3, 3, 2, 3)], attrs)
    assert products(after) == 4 * 4 * 16 * 2 * 3
    attrs = attributes(2, strides=(2, 2), sizes=(8, 8))
    after = rewritten("conv_input_grad", [(1, 4, 4, 3), (1, 1, 2, 3)], attrs)
    assert products(after) == 4 * 4 * 2 * 3


def test_what_phases_do_not_fit_stays_right() -> None:
    rewritten("conv", [(2, 5, 3), (3, 3, 2)], attributes(1, lhs_dilation=(2,), rhs_dilation=(2,), padding=((2, 2),)))
    rewritten("conv", [(2, 5, 3), (3, 3, 2)], attributes(1, lhs_dilation=(2,), strides=(2,), padding=((1, 2),)))
    rewritten("conv", [(2, 5, 4), (3, 2, 4)], attributes(1, lhs_dilation=(2,), groups=2))
    rewritten("conv", [(2, 5, 3), (2, 3, 2)], attributes(1, lhs_dilation=(2,), padding=((-1, -2),)))


@pytest.mark.parametrize(("groups", "each_in", "each_out"), [(1, 3, 1), (3, 1, 1), (3, 1, 2), (2, 3, 2), (2, 2, 1)])
@pytest.mark.parametrize(("strides", "dilation"), [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 1))])
def test_gradients_in_groups(groups: int, each_in: int, each_out: int, strides: Any, dilation: Any) -> None:
    attrs = attributes(2, strides=strides, rhs_dilation=dilation, padding=((1, 0), (1, 1)), groups=groups)
    shapes = [(2, 7, 8, groups * each_in), (3, 2, each_in, groups * each_out)]
    (conv,) = graph_of("conv", shapes, attrs).of_op("conv")
    out = tuple(dims.evaluate(dim, {}) for dim in conv.outs[0].shape)
    after = rewritten("conv_input_grad", [out, shapes[1]], attrs | {"sizes": (7, 8)})
    assert not after.of_op("conv_input_grad")
    after = rewritten("conv_filter_grad", [shapes[0], out], attrs | {"kernel": (3, 2)})
    few = each_in == 1 if groups > 1 else each_out == 1
    assert len(after.of_op("sum")) == (6 if few else 0)
    assert len(after.of_op("conv_filter_grad")) == (0 if few else 1)
