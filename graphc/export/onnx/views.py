"""Sources, and operations that move elements, as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.export.onnx.emitter import Emitter, Rule, physical
from graphc.export.onnx.placed import Parts, Placed, Stored, common_order, each_part
from graphc.export.onnx.pointwise import real
from graphc.graph.types import Node, TensorType

# What moves the elements of one value.
Move = Callable[[Emitter, Node, Placed, TensorType], Placed]

# The dtypes that `Pad` takes; those of other elements are cast.
_PADDED = ("float32", "float64", "int32", "int64", "bool", "int8", "uint8")


def _view(move: Move) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        return each_part(lambda parts: move(e, node, parts[0], e.type(node.inputs[0])), operands)

    return rule


# ---- sources


def _constant(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    array = node.attrs["value"].numpy()
    axes, name = tuple(range(array.ndim)), f"{e.scope.shared.label}/constant"
    if array.dtype.kind == "c":
        return Parts(*(Placed(name, axes, np.asarray(part, order="C")) for part in (array.real, array.imag)))
    return Placed(name, axes, array)


def _size(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    dtype = node.attrs["dtype"]
    name = e.scope.size(node.attrs["dim"])
    wide = physical(dtype)
    return Placed(name if wide is dtypes.int64 else e.rounded(e.scope.cast(name, wide), dtype), (None,))


def counting(e: Emitter, count: Dim, dtype: DType) -> Placed:
    """The numbers below a size, along axis 0."""
    if isinstance(count, int):
        return Placed("count", (0,), np.arange(count).astype(dtype.numpy))
    s = e.scope
    end = s.op("Squeeze", s.size(count), s.ints(0))
    numbers = s.op("Range", s.number(0, dtypes.int64), end, s.number(1, dtypes.int64))
    wide = physical(dtype)
    return Placed(numbers if wide is dtypes.int64 else e.rounded(s.cast(numbers, wide), dtype), (0,))


def _iota(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    axis = node.attrs["axis"]
    return counting(e, node.attrs["shape"][axis], node.attrs["dtype"]).moved({0: axis})


# ---- what only names axes anew


def _transpose(e: Emitter, node: Node, x: Placed, type: TensorType) -> Placed:
    order = node.attrs["order"]
    return x.moved({axis: place for place, axis in enumerate(order)})


def _broadcast(e: Emitter, node: Node, x: Placed, type: TensorType) -> Placed:
    return x.moved(dict(enumerate(node.attrs["axes"])))


def _reshape(e: Emitter, node: Node, x: Placed, type: TensorType) -> Placed:
    before, after = type.shape, node.attrs["shape"]
    places = [axis for axis, size in enumerate(after) if size != 1]
    kept = [axis for axis, size in enumerate(before) if size != 1]
    if [before[axis] for axis in kept] == [after[axis] for axis in places]:
        return x.moved({**dict.fromkeys(range(type.rank)), **dict(zip(kept, places, strict=True))})
    return Placed(e.scope.reshape(e.whole(x, type), before, after), tuple(range(len(after))))


# ---- slices


def sliced(
    e: Emitter, x: Placed, starts: Sequence[Dim], stops: Sequence[Dim], axes: Sequence[int], steps: Sequence[int] = ()
) -> Placed:
    """A part of a value along some of its axes; axes that its tensor does not have stay as they are."""
    there = [i for i, axis in enumerate(axes) if axis in x.present]
    if not there:
        return x
    s = e.scope
    places = s.ints(*(x.axes.index(axes[i]) for i in there))
    begin, end = (s.shape([bounds[i] for i in there]) for bounds in (starts, stops))
    given = [steps[i] for i in there] if steps else []
    by = [s.ints(*given)] if any(step != 1 for step in given) else []
    return Placed(s.op("Slice", e.named(x), begin, end, places, *by), x.axes)


def _slice(e: Emitter, node: Node, x: Placed, type: TensorType) -> Placed:
    starts, stops, steps = (node.attrs[name] for name in ("start", "stop", "step"))
    changed = [
        axis for axis, size in enumerate(type.shape) if starts[axis] != 0 or stops[axis] != size or steps[axis] != 1
    ]
    begins, ends = ([bounds[axis] for axis in changed] for bounds in (starts, stops))
    return sliced(e, x, begins, ends, changed, [steps[axis] for axis in changed])


def _reverse(e: Emitter, node: Node, x: Placed, type: TensorType) -> Placed:
    axes = node.attrs["axes"]
    end = -(2**63) + 1
    return sliced(e, x, [-1] * len(axes), [end] * len(axes), axes, [-1] * len(axes))


# ---- padding


def padded(
    e: Emitter, x: Placed, type: TensorType, low: Sequence[Dim], high: Sequence[Dim], axes: Sequence[int], value: Any
) -> tuple[Placed, TensorType]:
    """A value with others before and after it along some axes, which may also be cropped, and its type."""
    x = e.spread(x, type, axes)
    lows, highs = (dict(zip(axes, amounts, strict=True)) for amounts in (low, high))
    s, own = e.scope, physical(type.dtype.real)
    dtype = own if own.name in _PADDED else dtypes.int64 if own.bits > 16 else dtypes.int32
    pads = s.shape([amounts.get(-1 if a is None else a, 0) for amounts in (lows, highs) for a in x.axes])
    shape = [size + lows.get(axis, 0) + highs.get(axis, 0) for axis, size in enumerate(type.shape)]
    name = e.named(x)
    name = name if dtype is own else s.cast(name, dtype)
    name = s.op("Pad", name, pads, s.constant(np.asarray(value, own.numpy).astype(dtype.numpy)))
    return Placed(name if dtype is own else s.cast(name, own), x.axes), TensorType(tuple(shape), type.dtype)


def _pad(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    x, type, value = operands[0], e.type(node.inputs[0]), node.attrs["value"]
    if isinstance(x, Parts):
        return Parts(
            *(_widened(e, node, part, type, end) for part, end in ((x.real, value.real), (x.imag, value.imag)))
        )
    return _widened(e, node, x, type, value)


def _widened(e: Emitter, node: Node, x: Placed, type: TensorType, value: Any) -> Placed:
    low, high, interior = (node.attrs[name] for name in ("low", "high", "interior"))
    for axis, between in enumerate(interior):
        if between:
            x, type = spread_apart(e, x, type, axis, between, value)
    axes = [axis for axis in range(type.rank) if low[axis] != 0 or high[axis] != 0]
    if not axes:
        return x
    return padded(e, x, type, [low[axis] for axis in axes], [high[axis] for axis in axes], axes, value)[0]


def spread_apart(
    e: Emitter, x: Placed, type: TensorType, axis: int, between: int, value: Any
) -> tuple[Placed, TensorType]:
    """A value with others between its elements along an axis."""
    shape, size = type.shape, type.shape[axis]
    step = between + 1
    # Each element gets a row of its own, which the others fill up.
    rows = TensorType((*shape[: axis + 1], 1, *shape[axis + 1 :]), type.dtype)
    single = Placed(e.scope.reshape(e.whole(x, type), shape, rows.shape), tuple(range(rows.rank)))
    filled, _ = padded(e, single, rows, [0], [between], [axis + 1], value)
    wide: Shape = (*shape[:axis], size * step, *shape[axis + 1 :])
    before: Shape = (*shape[: axis + 1], step, *shape[axis + 1 :])
    joined = Placed(e.scope.reshape(filled.name, before, wide), tuple(range(type.rank)))
    whole: Shape = (*shape[:axis], size * step - between, *shape[axis + 1 :])
    return sliced(e, joined, [0], [size * step - between], [axis]), TensorType(whole, type.dtype)


# ---- joining


def _concatenate(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    axis, types = node.attrs["axis"], [e.type(ref) for ref in node.inputs]

    def joined(parts: Sequence[Placed]) -> Placed:
        order = common_order(parts, types[0].rank)
        names = [e.whole(x, type, order) for x, type in zip(parts, types, strict=True)]
        return Placed(e.scope.op("Concat", *names, axis=order.index(axis)), order)

    return each_part(joined, operands)


# ---- indices


def clamped(e: Emitter, x: Placed, type: TensorType, size: Dim) -> str:
    """Indices, from 0 below a size: a tensor of int64, or of int32, with all their axes."""
    if x.array is not None and isinstance(size, int):
        x = Placed(x.name, x.axes, np.clip(x.array.astype(np.int64), 0, size - 1))
        return e.whole(x, TensorType(type.shape, dtypes.int64))
    s, name = e.scope, e.whole(x, type)
    dtype = type.dtype if type.dtype.name in ("int32", "int64") else dtypes.int64
    name = name if dtype is type.dtype else s.cast(name, dtype)
    if isinstance(size, int):
        return s.op("Clip", name, s.number(0, dtype), s.number(size - 1, dtype))
    name = name if dtype is dtypes.int64 else s.cast(name, dtypes.int64)
    most = s.op("Squeeze", s.size(size - 1), s.ints(0))
    return s.op("Max", s.op("Min", name, most), s.number(0, dtypes.int64))


def _gather(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    axis, (type, indices) = node.attrs["axis"], (e.type(ref) for ref in node.inputs)
    places = operands[1]
    assert isinstance(places, Placed)
    at = clamped(e, places, indices, type.shape[axis])

    def taken(parts: Sequence[Placed]) -> Placed:
        x = e.spread(parts[0], type, [axis])
        place = x.axes.index(axis)
        moved = x.moved({a: a if a < axis else a + indices.rank - 1 for a in range(type.rank)}).axes
        axes = (*moved[:place], *range(axis, axis + indices.rank), *moved[place + 1 :])
        return Placed(e.scope.op("Gather", e.named(x), at, axis=place), axes)

    return each_part(taken, operands[:1])


def start_of(e: Emitter, x: Placed, type: TensorType, room: Dim) -> str:
    """The start of a block as a list of one int64, from 0 to `room`."""
    at = clamped(e, x, type, room + 1)
    s = e.scope
    at = (
        at
        if type.dtype is dtypes.int64 or x.array is not None or not isinstance(room, int)
        else s.cast(at, dtypes.int64)
    )
    return s.op("Reshape", at, s.ints(1))


def _dynamic_slice(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    type, axes, sizes = e.type(node.inputs[0]), node.attrs["axes"], node.attrs["sizes"]
    starts = [
        start_of(e, x, e.type(ref), type.shape[axis] - size)
        for x, ref, axis, size in zip(real(e, operands[1:]), node.inputs[1:], axes, sizes, strict=True)
    ]

    def block(parts: Sequence[Placed]) -> Placed:
        x, s = e.spread(parts[0], type, axes), e.scope
        begin = starts[0] if len(starts) == 1 else s.op("Concat", *starts, axis=0)
        end = s.op("Add", begin, s.shape(sizes))
        places = s.ints(*(x.axes.index(axis) for axis in axes))
        return Placed(s.op("Slice", e.named(x), begin, end, places), x.axes)

    return each_part(block, operands[:1]) if axes else operands[0]


def _dynamic_update_slice(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    types, axes = [e.type(ref) for ref in node.inputs], node.attrs["axes"]
    starts = [
        (axis, start_of(e, x, t, types[0].shape[axis] - types[1].shape[axis]), types[1].shape[axis])
        for x, t, axis in zip(real(e, operands[2:]), types[2:], axes, strict=True)
    ]

    def replaced(parts: Sequence[Placed]) -> Placed:
        x, update = (e.whole(part, type) for part, type in zip(parts, types, strict=False))
        return Placed(_with_block(e, x, update, starts), tuple(range(types[0].rank)))

    return each_part(replaced, operands[:2])


def _with_block(e: Emitter, x: str, update: str, starts: Sequence[tuple[int, str, Dim]]) -> str:
    """A tensor with a block in place of what was there: before it, within it and after it along each axis in turn."""
    if not starts:
        return update
    (axis, start, size), s = starts[0], e.scope
    place, end = s.ints(axis), s.op("Add", start, s.size(size))
    first = s.op("Slice", x, s.ints(0), start, place)
    middle = _with_block(e, s.op("Slice", x, start, end, place), update, starts[1:])
    return s.op("Concat", first, middle, s.op("Slice", x, end, s.ints(2**63 - 1), place), axis=axis)


# ---- scattering


def _scatter(reduction: str, identity: Callable[[DType], Any], opset: int) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        e.needs_opset(f"`{node.op}`", opset)
        size, out = node.attrs["size"], node.outs[0]
        indices, updates = (e.type(ref) for ref in node.inputs)
        at = clamped(e, real(e, operands[:1])[0], indices, size)
        at = at if indices.dtype is dtypes.int64 else e.scope.cast(at, dtypes.int64)
        s, axes = e.scope, tuple(range(out.rank))

        def scattered(parts: Sequence[Placed]) -> Placed:
            own = physical(out.dtype.real)
            start = Placed("identity", (), np.asarray(identity(own), own.numpy))
            begin = e.whole(start, TensorType(out.shape, own))
            rows = e.whole(parts[0], updates)
            places = s.op("Unsqueeze", at, s.ints(-1))
            return Placed(s.op("ScatterND", begin, places, rows, reduction=reduction), axes)

        return each_part(scattered, operands[1:])

    return rule


def _least(dtype: DType) -> Any:
    return -np.inf if dtype.is_float else np.iinfo(dtype.numpy).min


def _most(dtype: DType) -> Any:
    return np.inf if dtype.is_float else np.iinfo(dtype.numpy).max


VIEWS = MappingProxyType(
    {
        "constant": _constant,
        "size": _size,
        "iota": _iota,
        "transpose": _view(_transpose),
        "broadcast": _view(_broadcast),
        "reshape": _view(_reshape),
        "slice": _view(_slice),
        "reverse": _view(_reverse),
        "pad": _pad,
        "concatenate": _concatenate,
        "gather": _gather,
        "dynamic_slice": _dynamic_slice,
        "dynamic_update_slice": _dynamic_update_slice,
        "scatter_add": _scatter("add", lambda dtype: 0, 16),
        "scatter_mul": _scatter("mul", lambda dtype: 1, 16),
        "scatter_max": _scatter("max", _least, 18),
        "scatter_min": _scatter("min", _most, 18),
    }
)

__all__ = ["VIEWS", "clamped", "counting", "dims", "padded", "sliced", "spread_apart"]
