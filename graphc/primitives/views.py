"""Views: operations that move elements; each element of the result is one element of an operand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.exprs import TRUE, Expr, both, compare, const, select
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, Primitive, Reader, ViewTraits, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import ANY, Array, check_axes, check_rank, together, view
from graphc.primitives.batching import over_axes, shifted
from graphc.primitives.rewrites import first_operand, operand_if_single, producer, without_ones

Grads = Sequence[Value | None]
Operands = tuple[Value, ...]
Points = tuple[Dim, ...]

# ---- broadcast


def _broadcast_infer(x: TensorType, shape: Shape, axes: tuple[int, ...]) -> TensorType:
    check_axes("broadcast", axes, len(shape))
    if len(axes) != x.rank or any(shape[axis] != dim for axis, dim in zip(axes, x.shape, strict=True)):
        raise ShapeError("an operand cannot be broadcast", got=str(x), expected=f"{shape} without new axes, at {axes}")
    return TensorType(shape, x.dtype)


@lru_cache(maxsize=1024)
def _sources(rank: int, axes: tuple[int, ...]) -> tuple[int | None, ...]:
    """For each axis of a result of so many the axis of the operand that it is; None for a new one."""
    return tuple(axes.index(axis) if axis in axes else None for axis in range(rank))


def _broadcast_eval(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    sources = _sources(len(shape), axes)
    if x.size and x.dtype.isbuiltin == 1 and x.flags.c_contiguous:
        # A view by strides, which NumPy's functions take ten times as long to make.
        strides = [0 if source is None else x.strides[source] for source in sources]
        spread: Array = np.ndarray(shape, x.dtype, x, 0, strides)
        spread.flags.writeable = False
        return spread
    order = [source for source in sources if source is not None]
    sizes = [1 if source is None else x.shape[source] for source in sources]
    return np.broadcast_to(x.transpose(order).reshape(sizes), shape)


def _broadcast_vjp(g: Value, n: Applied) -> Grads:
    axes = n.attrs["axes"]
    added = tuple(axis for axis in range(g.rank) if axis not in axes)
    total = g.builder.apply("sum", g, axes=added) if added else g
    order = sorted(axes)
    return (_transposed(total, tuple(order.index(axis) for axis in axes)),)


def _transposed(value: Value, order: tuple[int, ...]) -> Value:
    return value if order == tuple(range(len(order))) else value.builder.apply("transpose", value, order=order)


def _broadcast_cases() -> Iterable[Case]:
    yield Case(((3,),), {"shape": (2, 3), "axes": (1,)})
    yield Case(((),), {"shape": (2, 3), "axes": ()})
    yield Case(((2, 3),), {"shape": (3, 4, 2), "axes": (2, 0)})


def _broadcast_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.broadcast(operands[0].value, (length, *attrs["shape"]), (0, *shifted(attrs["axes"])))


def _broadcast_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    x, axes = operands[0], attrs["axes"]
    if attrs["shape"] == x.shape and axes == tuple(range(x.rank)):
        return x
    node = producer(x)
    if node.op == "broadcast":
        inner = tuple(axes[axis] for axis in node.attrs["axes"])
        return builder.apply("broadcast", first_operand(x), shape=attrs["shape"], axes=inner)
    source = first_operand(x) if node.op == "reshape" else x
    if source.rank < x.rank and without_ones(source.shape) == source.shape:
        remaining = [axis for axis, dim in enumerate(x.shape) if dim != 1]
        if without_ones(x.shape) == source.shape:
            return builder.broadcast(source, attrs["shape"], tuple(axes[axis] for axis in remaining))
    return None


broadcast = view(
    "broadcast",
    _broadcast_infer,
    _broadcast_eval,
    lambda reader, index, shape, axes: reader.read(0, tuple(index[axis] for axis in axes)),
    _broadcast_vjp,
    _broadcast_cases,
    view=ViewTraits(affine=True, ordered=True, whole=True, axes=lambda x, attrs: attrs["axes"]),
    linear=together,
    batch=_broadcast_batch,
    simplify=_broadcast_simpler,
)

# ---- reshape


def _reshape_infer(x: TensorType, shape: Shape) -> TensorType:
    if x.elements != dims.product(shape):
        raise ShapeError("`reshape` cannot change the number of elements", got=str(x), expected=f"{shape}")
    return TensorType(shape, x.dtype)


def ravel(index: Points, shape: Shape) -> Dim:
    """The position of an index in row-major order."""
    position: Dim = 0
    for i, extent in zip(index, shape, strict=True):
        position = position * extent + i
    return position


def unravel(position: Dim, shape: Shape) -> Points:
    """The index at a position in row-major order."""
    index: list[Dim] = []
    for extent in reversed(shape[1:]):
        extent = extent if extent != 0 else 1  # a tensor without elements is never read
        index.append(dims.mod(position, extent))
        position = dims.floordiv(position, extent)
    return (*((position,) if shape else ()), *reversed(index))


def _reshape_lower(reader: Reader, index: Points, shape: Shape) -> Expr:
    source = reader.types[0].shape
    if dims.product(source) == 1:
        return reader.read(0, (0,) * len(source))
    return reader.read(0, unravel(ravel(index, shape), source))


def _reshape_vjp(g: Value, n: Applied) -> Grads:
    return (g.builder.apply("reshape", g, shape=n.operands[0].shape),)


def _reshape_cases() -> Iterable[Case]:
    yield Case(((2, 6),), {"shape": (3, 4)})
    yield Case(((2, 3, 4),), {"shape": (2, 12)})
    yield Case(((1, 1),), {"shape": ()})


def _reshape_axes(x: TensorType, attrs: Attrs) -> Sequence[int | None]:
    """The result's axis for each axis of the operand, if the reshape only adds or drops axes of size one."""
    before = [axis for axis, extent in enumerate(x.shape) if extent != 1]
    after = [axis for axis, extent in enumerate(attrs["shape"]) if extent != 1]
    if without_ones(x.shape) != without_ones(attrs["shape"]):
        return (None,) * x.rank
    places = dict(zip(before, after, strict=True))
    return tuple(places.get(axis) for axis in range(x.rank))


def _reshape_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.apply("reshape", operands[0].value, shape=(length, *attrs["shape"]))


def _reshape_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    x = operands[0]
    if x.shape == attrs["shape"]:
        return x
    node = producer(x)
    if node.op == "reshape":
        return builder.apply("reshape", first_operand(x), shape=attrs["shape"])
    if node.op == "broadcast" and not node.attrs["axes"]:
        return builder.broadcast(first_operand(x), attrs["shape"], ())
    # A reshape of a broadcast that only adds or drops axes of size one is a broadcast itself.
    if without_ones(x.shape) == without_ones(attrs["shape"]) and node.op == "broadcast":
        return _rebroadcast(x, attrs["shape"])
    return None


def _rebroadcast(x: Value, shape: Shape) -> Value | None:
    node = producer(x)
    if any(x.shape[axis] == 1 for axis in node.attrs["axes"]):
        return None
    long = [axis for axis, dim in enumerate(x.shape) if dim != 1]
    longer = [axis for axis, dim in enumerate(shape) if dim != 1]
    axes = tuple(longer[long.index(axis)] for axis in node.attrs["axes"])
    return x.builder.broadcast(first_operand(x), shape, axes)


reshape = view(
    "reshape",
    _reshape_infer,
    lambda x, shape: np.reshape(x, shape),
    _reshape_lower,
    _reshape_vjp,
    _reshape_cases,
    view=ViewTraits(affine=True, ordered=True, once=True, whole=True, axes=_reshape_axes),
    linear=together,
    batch=_reshape_batch,
    simplify=_reshape_simpler,
)

# ---- transpose


def _transpose_infer(x: TensorType, order: tuple[int, ...]) -> TensorType:
    check_rank("transpose", x, len(order))
    check_axes("transpose", order, x.rank)
    return TensorType(tuple(x.shape[axis] for axis in order), x.dtype)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(axis) for axis in range(len(order)))


def _transpose_lower(reader: Reader, index: Points, order: tuple[int, ...]) -> Expr:
    return reader.read(0, tuple(index[axis] for axis in _inverse(order)))


def _transpose_vjp(g: Value, n: Applied) -> Grads:
    return (g.builder.apply("transpose", g, order=_inverse(n.attrs["order"])),)


def _transpose_cases() -> Iterable[Case]:
    yield Case(((2, 3, 4),), {"order": (2, 0, 1)})


def _transpose_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.apply("transpose", operands[0].value, order=(0, *shifted(attrs["order"])))


def _transpose_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    x, order = operands[0], attrs["order"]
    if order == tuple(range(len(order))):
        return x
    node = producer(x)
    if node.op == "transpose":
        inner = node.attrs["order"]
        return builder.apply("transpose", first_operand(x), order=tuple(inner[axis] for axis in order))
    if node.op == "broadcast":
        shape = tuple(x.shape[axis] for axis in order)
        return builder.broadcast(first_operand(x), shape, tuple(order.index(axis) for axis in node.attrs["axes"]))
    return None


transpose = view(
    "transpose",
    _transpose_infer,
    lambda x, order: np.transpose(x, order),
    _transpose_lower,
    _transpose_vjp,
    _transpose_cases,
    view=ViewTraits(affine=True, once=True, whole=True, axes=lambda x, attrs: _inverse(attrs["order"])),
    linear=together,
    batch=_transpose_batch,
    simplify=_transpose_simpler,
)

# ---- slice: `x[start:stop:step]` in every axis


def _slice_infer(x: TensorType, start: Points, stop: Points, step: tuple[int, ...]) -> TensorType:
    check_rank("slice", x, len(start))
    shape: list[Dim] = []
    for extent, first, last, stride in zip(x.shape, start, stop, step, strict=True):
        if not (dims.nonnegative(first) and dims.nonnegative(extent - last) and stride > 0):
            raise ShapeError("a slice reaches outside its operand", got=f"{first}:{last}:{stride}", expected=str(x))
        count = dims.floordiv(last - first + (stride - 1), stride)
        if not dims.nonnegative(count - 1) and count != 0:
            raise ShapeError("a slice is empty", got=f"{first}:{last}:{stride}", expected="at least one element")
        shape.append(count)
    return TensorType(tuple(shape), x.dtype)


def _slice_eval(x: Array, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> Array:
    return x[tuple(slice(*bounds) for bounds in zip(start, stop, step, strict=True))]


def _slice_lower(reader: Reader, index: Points, start: Points, stop: Points, step: tuple[int, ...]) -> Expr:
    return reader.read(0, tuple(first + i * stride for i, first, stride in zip(index, start, step, strict=True)))


def _ends(start: Points, counts: Shape, step: tuple[int, ...]) -> Points:
    """One after the last of so many elements at equal distances; the start, if there are none."""
    return tuple(
        first if count == 0 else first + (count - 1) * stride + 1
        for first, count, stride in zip(start, counts, step, strict=True)
    )


def _slice_vjp(g: Value, n: Applied) -> Grads:
    start, step = n.attrs["start"], n.attrs["step"]
    ends = _ends(start, g.shape, step)
    high = tuple(extent - end for extent, end in zip(n.operands[0].shape, ends, strict=True))
    interior = tuple(stride - 1 for stride in step)
    return (g.builder.apply("pad", g, low=start, high=high, interior=interior, value=0),)


def _slice_cases() -> Iterable[Case]:
    yield Case(((5, 6),), {"start": (1, 0), "stop": (4, 6), "step": (1, 1)})
    yield Case(((5, 7),), {"start": (0, 1), "stop": (5, 7), "step": (2, 3)})
    yield Case(((5, 7),), {"start": (1, 2), "stop": (1, 7), "step": (3, 2)}, differentiable=False)


def _slice_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    start, stop, step = (0, *attrs["start"]), (length, *attrs["stop"]), (1, *attrs["step"])
    return builder.apply("slice", operands[0].value, start=start, stop=stop, step=step)


def _slice_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    x = operands[0]
    whole = all(first == 0 for first in attrs["start"]) and all(step == 1 for step in attrs["step"])
    return x if whole and attrs["stop"] == x.shape else None


slice_ = view(
    "slice",
    _slice_infer,
    _slice_eval,
    _slice_lower,
    _slice_vjp,
    _slice_cases,
    view=ViewTraits(affine=True, ordered=True, once=True),
    linear=together,
    batch=_slice_batch,
    simplify=_slice_simpler,
)

# ---- pad: a value before, after and between the elements


def _pad_infer(x: TensorType, low: Points, high: Points, interior: tuple[int, ...], value: float) -> TensorType:
    check_rank("pad", x, len(low))
    if not all(dims.nonnegative(amount) for amount in (*low, *high, *interior)):
        raise ShapeError("`pad` cannot remove elements", got=f"{low}, {high}, {interior}", hint="slice instead")
    shape = tuple(
        before + after + extent + (extent - 1 if extent != 0 else 0) * between
        for extent, before, after, between in zip(x.shape, low, high, interior, strict=True)
    )
    return TensorType(shape, x.dtype)


def _pad_eval(x: Array, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...], value: float) -> Array:
    steps = [between + 1 for between in interior]
    widened = [(extent - 1) * step + 1 if extent else 0 for extent, step in zip(x.shape, steps, strict=True)]
    out = np.full([a + w + b for a, w, b in zip(low, widened, high, strict=True)], value, x.dtype)
    out[tuple(slice(a, a + w, s) for a, w, s in zip(low, widened, steps, strict=True))] = x
    return out


def _pad_lower(
    reader: Reader, index: Points, low: Points, high: Points, interior: tuple[int, ...], value: float
) -> Expr:
    source = reader.types[0]
    condition: Expr = TRUE
    place: list[Dim] = []
    for i, extent, before, after, between in zip(index, source.shape, low, high, interior, strict=True):
        offset, step = i - before, between + 1
        if before != 0:
            condition = both(condition, compare("ge", offset, 0))
        if between:
            condition = both(condition, compare("eq", dims.mod(offset, step), 0))
        if after != 0:
            condition = both(condition, compare("lt", dims.floordiv(offset, step), extent))
        place.append(dims.floordiv(offset, step))
    with reader.guarded(condition):
        inside = reader.read(0, tuple(place))
    # Elements may be computed in a wider dtype than they are stored in.
    return inside if condition == TRUE else select(condition, inside, const(value, inside.dtype))


def _pad_vjp(g: Value, n: Applied) -> Grads:
    x, low, interior = n.operands[0], n.attrs["low"], n.attrs["interior"]
    step = tuple(between + 1 for between in interior)
    return (g.builder.apply("slice", g, start=low, stop=_ends(low, x.shape, step), step=step),)


def _pad_cases() -> Iterable[Case]:
    yield Case(((3, 4),), {"low": (1, 0), "high": (2, 1), "interior": (0, 0), "value": 0})
    yield Case(((3, 2),), {"low": (0, 1), "high": (1, 0), "interior": (2, 1), "value": 1})


def _pad_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    around = {name: (0, *attrs[name]) for name in ("low", "high", "interior")}
    return builder.apply("pad", operands[0].value, **{**attrs, **around})


def _pad_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    nothing = all(amount == 0 for amount in (*attrs["low"], *attrs["high"], *attrs["interior"]))
    return operands[0] if nothing else None


def _pad_of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
    return builder.full(attrs["value"], out.shape, out.dtype)


pad = view(
    "pad",
    _pad_infer,
    _pad_eval,
    _pad_lower,
    _pad_vjp,
    _pad_cases,
    view=ViewTraits(once=True, whole=True),
    linear=lambda count, attrs: together(count, attrs) if attrs["value"] == 0 else (),
    batch=_pad_batch,
    simplify=_pad_simpler,
    of_empty=_pad_of_empty,
)

# ---- reverse


def _reverse_infer(x: TensorType, axes: tuple[int, ...]) -> TensorType:
    check_axes("reverse", axes, x.rank)
    return x


def _reverse_lower(reader: Reader, index: Points, axes: tuple[int, ...]) -> Expr:
    shape = reader.types[0].shape
    return reader.read(0, tuple(shape[a] - 1 - i if a in axes else i for a, i in enumerate(index)))


def _reverse_cases() -> Iterable[Case]:
    yield Case(((3, 4),), {"axes": (1,)})
    yield Case(((3, 4),), {"axes": (0, 1)})


def _reverse_simpler(builder: Builder, attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0] if all(operands[0].shape[axis] == 1 for axis in attrs["axes"]) else None


reverse = view(
    "reverse",
    _reverse_infer,
    lambda x, axes: np.flip(x, axes),
    _reverse_lower,
    lambda g, n: (g.builder.apply("reverse", g, axes=n.attrs["axes"]),),
    _reverse_cases,
    view=ViewTraits(affine=True, once=True, whole=True),
    linear=together,
    batch=over_axes("reverse"),
    simplify=_reverse_simpler,
)

# ---- concatenate


def _concatenate_infer(*operands: TensorType, axis: int) -> TensorType:
    first = operands[0]
    check_axes("concatenate", (axis,), first.rank)
    total: Dim = 0
    for type in operands:
        check_rank("concatenate", type, first.rank)
        rest = [a for a in range(first.rank) if a != axis and type.shape[a] != first.shape[a]]
        if rest or type.dtype is not first.dtype:
            raise ShapeError(
                "the operands of `concatenate` do not fit",
                got=" and ".join(str(operand) for operand in operands),
                expected=f"equal dtypes, and equal shapes but for axis {axis}",
            )
        total = total + type.shape[axis]
    return TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype)


def _concatenate_lower(reader: Reader, index: Points, axis: int) -> Expr:
    result: Expr | None = None
    end: Dim = reader.out.shape[axis]
    for operand in reversed(range(len(reader.types))):
        start = end - reader.types[operand].shape[axis]
        place = (*index[:axis], index[axis] - start, *index[axis + 1 :])
        inside = both(compare("ge", index[axis], start), compare("lt", index[axis], end))
        with reader.guarded(inside):
            element = reader.read(operand, place)
        result = element if result is None else select(compare("lt", index[axis], end), element, result)
        end = start
    assert result is not None
    return result


def _concatenate_vjp(g: Value, n: Applied) -> Grads:
    axis = n.attrs["axis"]
    grads: list[Value | None] = []
    position: Dim = 0
    for operand in n.operands:
        start = tuple(position if a == axis else 0 for a in range(g.rank))
        position = position + operand.shape[axis]
        stop = tuple(position if a == axis else extent for a, extent in enumerate(g.shape))
        grads.append(g.builder.apply("slice", g, start=start, stop=stop, step=(1,) * g.rank))
    return grads


def _concatenate_cases() -> Iterable[Case]:
    yield Case(((2, 3), (2, 1), (2, 4)), {"axis": 1})
    yield Case(((2, 3), (1, 3)), {"axis": 0})


def _concatenate_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.apply("concatenate", *(x.spread(length) for x in operands), axis=attrs["axis"] + 1)


def _concatenate_of_empty(builder: Builder, attrs: Attrs, operands: Sequence[Value], out: TensorType) -> Value:
    return builder.apply("concatenate", *(x for x in operands if 0 not in x.shape), axis=attrs["axis"])


concatenate = register(
    Primitive(
        "concatenate",
        Kind.VIEW,
        _concatenate_infer,
        lambda *arrays, axis: np.concatenate(arrays, axis),
        _concatenate_lower,
        _concatenate_vjp,
        _concatenate_cases,
        ANY,
        view=ViewTraits(joined=True),
        linear=together,
        batch=_concatenate_batch,
        simplify=operand_if_single,
        of_empty=_concatenate_of_empty,
    )
)
