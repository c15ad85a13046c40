"""Convolutions without borders: what lies outside an operand is put into memory, as padding of its own.

A convolution that need not ask whether an element is there reads its operand at even steps, and is a product of
matrices. The gradient with respect to the input is then a convolution, too: of the padded cotangent with the filter
turned around (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4).
"""

from __future__ import annotations

from typing import Any

from graphc import dims
from graphc.dims import Dim
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Node
from graphc.passes.phases import convolve_phases
from graphc.passes.rewriting import rewrite
from graphc.primitives.convolution import Sliding

OPERATIONS = ("conv", "conv_input_grad", "conv_filter_grad")


def pad_convolutions(graph: Graph) -> Graph:
    """Pads the operands of convolutions, and makes gradients with respect to inputs convolutions.

    Left as they are: those whose padding removes elements, and gradients with respect to inputs in groups.
    """
    return rewrite(graph, dict.fromkeys(OPERATIONS, _rewritten))


def _rewritten(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    attrs = node.attrs
    if node.op == "conv_input_grad":
        return _as_convolution(builder, operands, attrs)
    x, other = operands
    kernel = other.shape[:-2] if node.op == "conv" else attrs["kernel"]
    windows = _windows(x.shape[1:-1], kernel, attrs)
    if node.op == "conv" and attrs["groups"] == 1 and (phases := convolve_phases(builder, x, other, windows)):
        return phases
    if node.op == "conv_filter_grad" and (turned := _turned_filter_grad(builder, operands, attrs, windows)):
        return turned
    wide = _padded(builder, x, windows)
    if wide is None or wide is x:
        return None
    rank = len(kernel)
    plain = {"padding": ((0, 0),) * rank, "lhs_dilation": (1,) * rank}
    return builder.apply(node.op, wide, other, **{**attrs, **plain})


def _windows(sizes: tuple[Dim, ...], kernel: tuple[Dim, ...], attrs: Any) -> list[Sliding]:
    parts = zip(sizes, kernel, *(attrs[n] for n in ("strides", "padding", "lhs_dilation", "rhs_dilation")), strict=True)
    return [Sliding(e, k, s, low, high, spread, d) for e, k, s, (low, high), spread, d in parts]


def _padded(builder: Builder, x: Value, windows: list[Sliding]) -> Value | None:
    """The operand with its padding; the operand itself where it has none, None where padding removes elements."""
    low, high = [window.low for window in windows], [window.high for window in windows]
    if not all(dims.nonnegative(amount) for amount in (*low, *high)):
        return None
    between = [window.spread - 1 for window in windows]
    if all(amount == 0 for amount in (*low, *high, *between)):
        return x
    return builder.apply("pad", x, low=(0, *low, 0), high=(0, *high, 0), interior=(0, *between, 0), value=0.0)


def _as_convolution(builder: Builder, operands: list[Value], attrs: Any) -> Value | None:
    g, w = operands
    if attrs["groups"] != 1:
        return None
    windows: list[Sliding] = []
    forward = _windows(attrs["sizes"], w.shape[:-2], attrs)
    for window, places in zip(forward, g.shape[1:-1], strict=True):
        reach = (window.kernel - 1) * window.dilation
        spread_out = (places - 1) * window.stride + 1
        low, high = reach - window.low, window.wide + window.low - spread_out
        windows.append(Sliding(places, window.kernel, window.spread, low, high, window.stride, window.dilation))
    rank = len(windows)
    turned = builder.apply("reverse", w, axes=tuple(range(rank)))
    turned = builder.apply("transpose", turned, order=(*range(rank), rank + 1, rank))
    if all(step == 1 for step in attrs["lhs_dilation"]) and (phases := convolve_phases(builder, g, turned, windows)):
        return phases
    wide = _padded(builder, g, windows)
    if wide is None:
        return None
    return builder.apply(
        "conv",
        wide,
        turned,
        strides=attrs["lhs_dilation"],
        padding=((0, 0),) * rank,
        lhs_dilation=(1,) * rank,
        rhs_dilation=attrs["rhs_dilation"],
        groups=1,
    )


def _turned_filter_grad(builder: Builder, operands: list[Value], attrs: Any, windows: list[Sliding]) -> Value | None:
    """The gradient with respect to the filter of a spread operand, which then slides over the cotangent; else None."""
    spread = any(window.spread > 1 for window in windows)
    if not spread or attrs["groups"] != 1 or any(window.stride > 1 for window in windows):
        return None
    x, g = operands
    reach = [(window.kernel - 1) * window.dilation for window in windows]
    around = [
        Sliding(places, window.kernel, window.spread, far - window.low, far - window.high, 1, window.dilation)
        for places, far, window in zip(g.shape[1:-1], reach, windows, strict=True)
    ]
    wide = _padded(builder, g, around)
    if wide is None:
        return None
    rank = len(windows)
    ones = (1,) * rank
    plain = {"padding": ((0, 0),) * rank, "lhs_dilation": ones, "strides": attrs["lhs_dilation"]}
    found = builder.apply("conv_filter_grad", wide, x, **{**attrs, **plain})
    found = builder.apply("reverse", found, axes=tuple(range(rank)))
    return builder.apply("transpose", found, order=(*range(rank), rank + 1, rank))
