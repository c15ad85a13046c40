"""Convolutions without borders: the padding of an operand is an operation of its own, and stored.

A convolution that needs no bounds checks reads its operand with constant strides, and is a product of matrices. The
gradient with respect to the input is then a convolution, too: of the padded cotangent with the reversed filter
(Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4).
"""

from __future__ import annotations

from itertools import product
from typing import Any

from graphc import dims
from graphc.dims import Dim
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Node
from graphc.passes.layout.subpixel import subpixel_convolution
from graphc.passes.rewrite import rewrite
from graphc.primitives.convolution import Sliding

OPERATIONS = ("conv", "conv_input_grad", "conv_filter_grad")
# The sums of a larger window's elements do not fit in registers and the nearest cache.
MOST_ELEMENTS = 25


def pad_convolutions(graph: Graph) -> Graph:
    """Pads the operands of convolutions, and makes gradients with respect to inputs convolutions.

    Operations whose padding removes elements stay as they are. Gradients with respect to filters that are no product of
    matrices, since each channel meets one other, become sums for each element of the window (`_sums_by_element`).
    """
    return rewrite(graph, dict.fromkeys(OPERATIONS, _rewritten))


def _rewritten(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
    attrs = node.attrs
    if node.op == "conv_input_grad":
        return _as_convolution(builder, operands, attrs)
    x, other = operands
    kernel = other.shape[:-2] if node.op == "conv" else attrs["kernel"]
    windows = _windows(x.shape[1:-1], kernel, attrs)
    if node.op == "conv" and attrs["groups"] == 1 and (subpixels := subpixel_convolution(builder, x, other, windows)):
        return subpixels
    if node.op == "conv_filter_grad" and (gradient := _swapped_filter_grad(builder, operands, attrs, windows)):
        return gradient
    wide = _padded(builder, x, windows)
    if wide is not None and node.op == "conv_filter_grad" and _has_few_partners(x, other, attrs):
        return _sums_by_element(builder, wide, other, windows, attrs)
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
    groups = attrs["groups"]
    windows: list[Sliding] = []
    forward = _windows(attrs["sizes"], w.shape[:-2], attrs)
    for window, places in zip(forward, g.shape[1:-1], strict=True):
        reach = (window.kernel - 1) * window.dilation
        spread_out = (places - 1) * window.stride + 1
        low, high = reach - window.low, window.wide + window.low - spread_out
        windows.append(Sliding(places, window.kernel, window.spread, low, high, window.stride, window.dilation))
    rank = len(windows)
    swapped = _swap_channels(builder, builder.apply("reverse", w, axes=tuple(range(rank))), groups)
    if (
        groups == 1
        and all(step == 1 for step in attrs["lhs_dilation"])
        and (subpixels := subpixel_convolution(builder, g, swapped, windows))
    ):
        return subpixels
    wide = _padded(builder, g, windows)
    if wide is None:
        return None
    return builder.apply(
        "conv",
        wide,
        swapped,
        strides=attrs["lhs_dilation"],
        padding=((0, 0),) * rank,
        lhs_dilation=(1,) * rank,
        rhs_dilation=attrs["rhs_dilation"],
        groups=groups,
    )


def _swap_channels(builder: Builder, w: Value, groups: int) -> Value:
    """The filter with its input and output channels exchanged, in each group."""
    rank, (each_in, outs) = w.rank - 2, w.shape[-2:]
    each_out = dims.floordiv(outs, groups)
    if groups == 1:
        return builder.apply("transpose", w, order=(*range(rank), rank + 1, rank))
    split = builder.apply("reshape", w, shape=(*w.shape[:-2], each_in, groups, each_out))
    split = builder.apply("transpose", split, order=(*range(rank), rank + 2, rank + 1, rank))
    return builder.apply("reshape", split, shape=(*w.shape[:-2], each_out, groups * each_in))


def _has_few_partners(x: Value, g: Value, attrs: Any) -> bool:
    """Whether each channel of the operand is multiplied with few of the cotangent's, for a small window."""
    groups, elements = attrs["groups"], dims.product(attrs["kernel"])
    single = x.shape[-1] == groups if groups > 1 else g.shape[-1] == 1
    return single and isinstance(elements, int) and elements <= MOST_ELEMENTS and x.dtype.bits >= 32


def _sums_by_element(builder: Builder, wide: Value, g: Value, windows: list[Sliding], attrs: Any) -> Value:
    """The gradient with respect to a filter: for each of its elements, the sum of the operand's elements times `g`.

    The sums are all over the same points, and so are one kernel that reads both operands once.

    Args:
        builder: The graph to which it is added.
        wide: The padded operand, of one channel in each group, or of any where the result has one.
        g: The cotangent.
        windows: For each spatial axis, how the filter slides.
        attrs: The attributes of the operation.
    """
    batch, channels = wide.shape[0], wide.shape[-1]
    each = dims.floordiv(g.shape[-1], attrs["groups"])
    shape = (batch, *g.shape[1:-1], channels, each)
    factor = builder.broadcast(g, shape, (*range(g.rank - 1), g.rank)) if attrs["groups"] == 1 else g
    factor = builder.apply("reshape", factor, shape=shape)
    sums = []
    for element in product(*(range(dims.evaluate(size, {})) for size in attrs["kernel"])):
        start = tuple(k * window.dilation for k, window in zip(element, windows, strict=True))
        stop = tuple(
            low + (places - 1) * window.stride + 1
            for low, places, window in zip(start, g.shape[1:-1], windows, strict=True)
        )
        step = (1, *(window.stride for window in windows), 1)
        under = builder.apply("slice", wide, start=(0, *start, 0), stop=(batch, *stop, channels), step=step)
        under = builder.broadcast(under, shape, tuple(range(under.rank)))
        sums.append(builder.apply("sum", builder.apply("mul", under, factor), axes=tuple(range(under.rank - 2))))
    parts = [builder.apply("reshape", part, shape=(1, channels, each)) for part in sums]
    whole = builder.apply("concatenate", *parts, axis=0)
    return builder.apply(
        "reshape", whole, shape=(*attrs["kernel"], dims.floordiv(channels, attrs["groups"]), g.shape[-1])
    )


def _swapped_filter_grad(builder: Builder, operands: list[Value], attrs: Any, windows: list[Sliding]) -> Value | None:
    """The gradient of the filter of a dilated operand, by sliding the operand over the cotangent; else None."""
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
    gradient = builder.apply("conv_filter_grad", wide, x, **{**attrs, **plain})
    gradient = builder.apply("reverse", gradient, axes=tuple(range(rank)))
    return builder.apply("transpose", gradient, order=(*range(rank), rank + 1, rank))
