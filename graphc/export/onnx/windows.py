"""Reductions over sliding windows as nodes of ONNX."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from graphc import dims, dtypes
from graphc.errors import UnsupportedError
from graphc.export.onnx.emitter import Emitter, known, physical
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.pointwise import choose, real
from graphc.export.onnx.views import padded
from graphc.graph.types import Node, TensorType
from graphc.primitives.windows import identity

# Windows of more elements are not written out element by element.
_LARGEST = 256
_FLOATS = ("float32", "float64")


class _Pool:
    """A value whose windows slide along its last axes, of which there are three at most, behind two others."""

    def __init__(self, e: Emitter, node: Node, x: Placed, fill: float) -> None:
        self.e, self.type, attrs = e, e.type(node.inputs[0]), node.attrs
        rank, s = self.type.rank, e.scope
        pads = attrs["padding"]
        self.slid = [
            a for a in range(rank) if attrs["window"][a] != 1 or attrs["strides"][a] != 1 or tuple(pads[a]) != (0, 0)
        ] or [rank - 1]
        others = [axis for axis in range(rank) if axis not in self.slid]
        self.order = (*others, *self.slid)
        plain = all(isinstance(n, int) and n >= 0 for axis in self.slid for n in pads[axis])
        type = self.type
        if not plain:
            lows, highs = ([pads[axis][side] for axis in self.slid] for side in (0, 1))
            x, type = padded(e, x, type, lows, highs, self.slid, fill)
        sizes = [type.shape[axis] for axis in self.order]
        self.others = sizes[: len(others)]
        self.front = self.others if len(others) == 2 else [dims.product(self.others), 1]
        self.name = s.reshape(e.whole(x, type, self.order), sizes, [*self.front, *sizes[len(others) :]])
        self.window = [known(attrs["window"][axis]) for axis in self.slid]
        self.attrs = {
            "kernel_shape": self.window,
            "strides": [attrs["strides"][axis] for axis in self.slid],
            "pads": [known(pads[axis][side]) if plain else 0 for side in (0, 1) for axis in self.slid],
        }
        self.dilations = [attrs["dilation"][axis] for axis in self.slid]

    def result(self, name: str, out: TensorType) -> Placed:
        """What the operator computed, with the axes of the value."""
        sizes = [out.shape[axis] for axis in self.order]
        after = sizes[len(self.others) :]
        return Placed(self.e.scope.reshape(name, [*self.front, *after], sizes), self.order)


def pooled_mean(e: Emitter, node: Node, x: Placed) -> Placed:
    """The sum over each window, divided by the number of its elements."""
    pool = _Pool(e, node, x, 0)
    name = e.scope.op("AveragePool", pool.name, count_include_pad=1, **pool.attrs)
    return pool.result(name, node.outs[0])


def can_average(node: Node, type: TensorType) -> bool:
    """Whether windows are such that the operator averages over them."""
    pairs = list(zip(node.attrs["window"], node.attrs["padding"], strict=True))
    plain = all(isinstance(size, int) and isinstance(n, int) and 0 <= n < size for size, pad in pairs for n in pad)
    slid = sum(size != 1 for size, _ in pairs)
    return type.dtype.name == "float32" and all(d == 1 for d in node.attrs["dilation"]) and plain and 1 <= slid <= 3


def _window_reduce(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, combine = e.type(node.inputs[0]), node.attrs["combine"]
    x, s = real(e, operands)[0], e.scope
    own = physical(type.dtype)
    slid = sum(size != 1 for size in node.attrs["window"])
    if own.name not in _FLOATS or slid > 3 or any(not isinstance(size, int) for size in node.attrs["window"]):
        return _written_out(e, node, x)
    if combine == "sum" and own is not dtypes.float32:  # ONNX Runtime averages and convolves in float32 only
        return _written_out(e, node, x)
    if combine == "sum":
        pool = _Pool(e, node, x, 0)
        count = math.prod(pool.window)
        if all(d == 1 for d in pool.dilations):
            mean = s.op("AveragePool", pool.name, count_include_pad=1, **pool.attrs)
            found = s.op("Mul", mean, s.number(count, own))
        else:
            found = _summed(e, pool)
        return _rounded(e, pool.result(found, node.outs[0]), type)
    sign = combine == "min"
    x = Placed(s.op("Neg", e.named(x)), x.axes) if sign else x
    pool = _Pool(e, node, x, -math.inf)
    found = s.op("MaxPool", pool.name, dilations=pool.dilations, **pool.attrs)
    return pool.result(s.op("Neg", found) if sign else found, node.outs[0])


def _rounded(e: Emitter, x: Placed, type: TensorType) -> Placed:
    return Placed(e.rounded(x.name, type.dtype), x.axes)


def _summed(e: Emitter, pool: _Pool) -> str:
    """The sum over windows whose elements are apart, as a convolution of single channels."""
    s, own = e.scope, physical(pool.type.dtype)
    channels = pool.front[1]
    if not isinstance(channels, int):
        raise UnsupportedError("ONNX has no sum over windows whose elements are apart", got=str(pool.type))
    ones = s.constant(np.ones((channels, 1, *pool.window), own.numpy))
    return s.op("Conv", pool.name, ones, dilations=pool.dilations, group=channels, **pool.attrs)


# ---- element by element


def _parts(e: Emitter, node: Node, x: Placed, fill: float) -> list[str]:
    """For each element of the window, the elements of the padded operand that lie under it, over all windows."""
    type, attrs, s = e.type(node.inputs[0]), node.attrs, e.scope
    if math.prod(known(size) for size in attrs["window"]) > _LARGEST:
        raise UnsupportedError("the windows are too large for ONNX", got=f"{attrs['window']} over {type}")
    axes = [a for a, pair in enumerate(attrs["padding"]) if tuple(pair) != (0, 0)]
    if axes:
        lows, highs = ([attrs["padding"][a][side] for a in axes] for side in (0, 1))
        x, type = padded(e, x, type, lows, highs, axes, fill)
    name = e.whole(x, type)
    found = []
    for offsets in itertools.product(*(range(known(size)) for size in attrs["window"])):
        starts = [k * d for k, d in zip(offsets, attrs["dilation"], strict=True)]
        stops = [
            start + (count - 1) * stride + 1
            for start, count, stride in zip(starts, node.outs[0].shape, attrs["strides"], strict=True)
        ]
        every = s.ints(*range(type.rank))
        found.append(s.op("Slice", name, s.shape(starts), s.shape(stops), every, s.ints(*attrs["strides"])))
    return found


def _written_out(e: Emitter, node: Node, x: Placed) -> Placed:
    type, combine, s = e.type(node.inputs[0]), node.attrs["combine"], e.scope
    own = physical(type.dtype)
    parts = _parts(e, node, x, identity(combine, type.dtype))
    kept = (*_FLOATS, "int32", "int64", *(() if combine == "sum" else ("uint32", "uint64")))
    wide = own if own.name in kept else dtypes.int32 if own.bits < 32 else dtypes.int64
    names = [name if wide is own else s.cast(name, wide) for name in parts]
    total = names[0]
    for name in names[1:]:
        total = s.op({"sum": "Add", "max": "Max", "min": "Min"}[combine], total, name)
    total = total if wide is own else s.cast(total, own)
    return Placed(e.rounded(total, type.dtype), tuple(range(type.rank)))


def _window_position(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, combine, s = e.type(node.inputs[0]), node.attrs["combine"], e.scope
    parts = _parts(e, node, real(e, operands)[0], identity(combine[3:], type.dtype))
    stacked = s.op("Concat", *(s.op("Unsqueeze", part, s.ints(0)) for part in parts), axis=0)
    own = physical(type.dtype)
    stacked = stacked if own.name in (*_FLOATS, "int32") else s.cast(stacked, dtypes.float64)
    found = s.op("ArgMax" if combine == "argmax" else "ArgMin", stacked, axis=0, keepdims=0)
    return Placed(s.cast(found, dtypes.int32), tuple(range(type.rank)))


def _window_take(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    types, s = [e.type(ref) for ref in node.inputs], e.scope
    x, position = real(e, operands)
    parts = _parts(e, node, x, 0)
    at = e.whole(position, types[1])
    own = physical(types[0].dtype)
    found = s.number(0, own)
    for number, part in enumerate(parts):
        found = choose(s, s.op("Equal", at, s.number(number, dtypes.int32)), part, found, own)
    return Placed(found, tuple(range(types[0].rank)))


WINDOWS = MappingProxyType(
    {"window_reduce": _window_reduce, "window_position": _window_position, "window_take": _window_take}
)

__all__ = ["WINDOWS", "can_average", "pooled_mean"]
