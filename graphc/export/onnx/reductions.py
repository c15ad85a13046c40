"""Reductions, partial results along an axis, and sorting, as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dtypes import DType
from graphc.export.onnx.emitter import Emitter, Rule, physical
from graphc.export.onnx.placed import Axes, Parts, Placed, Stored, each_part
from graphc.export.onnx.pointwise import real
from graphc.export.onnx.protobuf import OnnxNode, Subgraph, Typed
from graphc.export.onnx.scope import Scope
from graphc.graph.types import Node, TensorType

# The dtypes in which ONNX Runtime reduces; others are cast.
_REDUCED = ("float32", "float64", "int32", "int64")


def _wide(dtype: DType) -> DType:
    if dtype.name in _REDUCED:
        return dtype
    return dtypes.int64 if dtype.bits >= 32 else dtypes.int32


def reduced(s: Scope, op: str, name: str, axes: Sequence[int], keepdims: bool = False) -> str:
    """A reduction over axes of a tensor."""
    if op != "ReduceSum" and s.opset < 18:
        return s.op(op, name, axes=list(axes), keepdims=int(keepdims))
    return s.op(op, name, s.ints(*axes), keepdims=int(keepdims))


def left_axes(x: Placed, axes: Sequence[int]) -> Axes:
    """The axes of a tensor after a reduction over some axes of the value."""
    kept = [axis for axis in x.axes if axis is None or axis not in axes]
    return tuple(None if axis is None else axis - sum(gone < axis for gone in axes) for axis in kept)


def places_of(x: Placed, axes: Sequence[int]) -> list[int]:
    """Which axes of the tensor are axes of the value."""
    return [x.axes.index(axis) for axis in axes]


def _reduction(op: str) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        type, axes = e.type(node.inputs[0]), node.attrs["axes"]
        if not axes:
            return operands[0]
        own = physical(type.dtype.real)
        wide = _wide(own)

        def total(parts: Sequence[Placed]) -> Placed:
            x = e.spread(parts[0], type, axes)
            name = e.named(x)
            into, back = _conversions(e.scope, op)
            name = reduced(e.scope, op, into(name, own, wide), places_of(x, axes))
            name = back(name, own, wide)
            return Placed(e.rounded(name, type.dtype.real), left_axes(x, axes))

        if isinstance(operands[0], Parts) and op != "ReduceSum":
            raise e.no_complex()
        return each_part(total, operands)

    return rule


def _conversions(s: Scope, op: str) -> tuple[Callable[[str, DType, DType], str], Callable[[str, DType, DType], str]]:
    """What casts to a wider dtype and back: for extrema so that the order stays."""
    if op in ("ReduceMax", "ReduceMin", "Max", "Min"):
        return s.in_order, s.from_order
    return (
        lambda name, dtype, wide: name if wide is dtype else s.cast(name, wide),
        lambda name, dtype, wide: name if wide is dtype else s.cast(name, dtype),
    )


def _position(op: str) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        type, axes = e.type(node.inputs[0]), node.attrs["axes"]
        x, s = real(e, operands)[0], e.scope
        kept = [axis for axis in range(type.rank) if axis not in axes]
        own = physical(type.dtype)
        wide = _wide(own)
        name = s.in_order(e.whole(x, type, (*kept, *axes)), own, wide)
        shape = [type.shape[axis] for axis in kept]
        count = dims.product(type.shape[axis] for axis in axes)
        name = s.reshape(name, [*shape, *(type.shape[axis] for axis in axes)], [*shape, count])
        if wide is dtypes.int64:  # ONNX Runtime finds the place among them by sorting
            first = s.ops("TopK", 2, name, s.ints(1), axis=len(kept), largest=int(op == "ArgMax"))[1]
            found = s.op("Squeeze", first, s.ints(len(kept)))
        else:
            found = s.op(op, name, axis=len(kept), keepdims=0)
        return Placed(s.cast(found, dtypes.int32), tuple(range(len(kept))))

    return rule


def _logsumexp(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, axes, s = e.type(node.inputs[0]), node.attrs["axes"], e.scope
    x = e.spread(real(e, operands)[0], type, axes)
    own, places, name = physical(type.dtype), places_of(x, axes), e.named(x)
    zero = s.number(0, own)

    def finite(most: str) -> str:
        return s.op("Where", s.op("Or", s.op("IsInf", most), s.op("IsNaN", most)), zero, most)

    shift = finite(reduced(s, "ReduceMax", name, places, keepdims=True))
    total = reduced(s, "ReduceSum", s.op("Exp", s.op("Sub", name, shift)), places)
    shift = finite(reduced(s, "ReduceMax", name, places))
    return Placed(e.rounded(s.op("Add", s.op("Log", total), shift), type.dtype), left_axes(x, axes))


def _variance(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, axes, s = e.type(node.inputs[0]), node.attrs["axes"], e.scope
    x = e.spread(real(e, operands)[0], type, axes)
    places, name = places_of(x, axes), e.named(x)
    away = s.op("Sub", name, reduced(s, "ReduceMean", name, places, keepdims=True))
    mean = reduced(s, "ReduceMean", s.op("Mul", away, away), places)
    return Placed(e.rounded(mean, type.dtype), left_axes(x, axes))


# ---- partial results


def _cumsum(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, axis, s = e.type(node.inputs[0]), node.attrs["axis"], e.scope
    own = physical(type.dtype.real)
    wide = _wide(own)

    def summed(parts: Sequence[Placed]) -> Placed:
        x = e.spread(parts[0], type, [axis])
        name = e.named(x)
        name = name if wide is own else s.cast(name, wide)
        place = s.constant(np.asarray(x.axes.index(axis), np.int64))
        total = s.op("CumSum", name, place, reverse=int(node.attrs["reverse"]))
        total = total if wide is own else s.cast(total, own)
        return Placed(e.rounded(total, type.dtype.real), x.axes)

    return each_part(summed, operands)


def _cumulative(op: str) -> Rule:
    """A loop over an axis, which keeps what it found so far."""

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        type, axis, s = e.type(node.inputs[0]), node.attrs["axis"], e.scope
        x = real(e, operands)[0]
        own = physical(type.dtype)
        wide = _wide(own)
        into, back = _conversions(s, op)
        name = into(e.whole(x, type), own, wide)
        last = type.shape[axis] - 1
        bounds = (last, last + 1) if node.attrs["reverse"] else (0, 1)
        first = s.op("Slice", name, s.shape(bounds[:1]), s.shape(bounds[1:]), s.ints(axis))
        first = s.op("Squeeze", first, s.ints(axis))
        if op == "Mul":
            first = s.op("ConstantOfShape", s.op("Shape", first), value=np.ones(1, wide.numpy))
        state, row, result, out = (s.shared.unique(f"{s.shared.label}/{part}") for part in ("so_far", "x", op, "row"))
        nodes = (
            OnnxNode(op, result, (state, row), (result,)),
            OnnxNode("Identity", out, (result,), (out,)),
        )
        body = Subgraph(
            f"{result}_body",
            nodes,
            *(tuple(Typed(n, wide, None) for n in names) for names in ((state, row), (result, out))),
        )
        way = [int(node.attrs["reverse"])]
        ends: dict[str, Any] = {"scan_input_axes": [axis], "scan_output_axes": [axis]}
        directions: dict[str, Any] = {"scan_input_directions": way, "scan_output_directions": way}
        _, found = s.ops("Scan", 2, first, name, body=body, num_scan_inputs=1, **ends, **directions)
        return Placed(e.rounded(back(found, own, wide), type.dtype), tuple(range(type.rank)))

    return rule


def _sort(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[Stored, ...]:
    type, s = e.type(node.inputs[0]), e.scope
    own = physical(type.dtype)
    wide = _wide(own)
    name = s.in_order(e.whole(real(e, operands)[0], type), own, wide)
    values, places = s.ops("TopK", 2, name, s.size(type.shape[-1]), axis=-1, largest=0, sorted=1)
    axes = tuple(range(type.rank))
    return Placed(s.from_order(values, own, wide), axes), Placed(s.cast(places, dtypes.int32), axes)


def mean_over(e: Emitter, x: Placed, type: TensorType, axes: Sequence[int]) -> Placed:
    """The mean over axes."""
    x = e.spread(x, type, axes)
    places, left = places_of(x, axes), left_axes(x, axes)
    if len(x.axes) > 3 and sorted(places) == list(range(2, len(x.axes))) and type.dtype is dtypes.float32:
        # Behind convolutions it is computed in their own layout.
        pooled = e.scope.op("GlobalAveragePool", e.named(x))
        return Placed(e.scope.op("Squeeze", pooled, e.scope.ints(*sorted(places))), left)
    return Placed(reduced(e.scope, "ReduceMean", e.named(x), places), left)


REDUCTIONS = MappingProxyType(
    {
        "sum": _reduction("ReduceSum"),
        "prod": _reduction("ReduceProd"),
        "max": _reduction("ReduceMax"),
        "min": _reduction("ReduceMin"),
        "any": _reduction("ReduceMax"),
        "all": _reduction("ReduceMin"),
        "argmax": _position("ArgMax"),
        "argmin": _position("ArgMin"),
        "logsumexp": _logsumexp,
        "variance": _variance,
        "cumsum": _cumsum,
        "cumprod": _cumulative("Mul"),
        "cummax": _cumulative("Max"),
        "cummin": _cumulative("Min"),
        "sort": _sort,
    }
)

__all__ = ["REDUCTIONS", "left_axes", "mean_over", "places_of", "reduced"]
