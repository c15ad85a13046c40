"""Convolution over any number of spatial axes, and its two gradients.

Channels come last: `x` is `[batch, *spatial, in]`, the filter `w` is `[*kernel, in / groups, out]`. As in every
machine-learning library, the filter is not flipped. Convolution is linear in `x` and in `w`, hence the three operations
are each other's gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import DTypeError, ShapeError
from graphc.exprs import TRUE, Expr, both, compare, const, select
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batch, Batched, Case, ContractRule, Kind, Primitive, Reader, primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.numpy_blas import matmul
from graphc.primitives.base import REALS, Array, check_dtype, separately, zeros_of_empty
from graphc.primitives.batching import looped, merged, parted

Grads = Sequence[Value | None]
Points = tuple[Dim, ...]
Padding = tuple[tuple[Dim, Dim], ...]


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window of `kernel` elements, `dilation` apart, that slides along an axis of `extent` elements, `spread` apart.

    It moves by `stride`, over `low` elements of padding before the axis and `high` after it; negative padding crops.
    Window `o` has its element `k` at position `o * stride + k * dilation - low` of the spread axis.
    """

    extent: Dim
    kernel: Dim
    stride: int = 1
    low: Dim = 0
    high: Dim = 0
    spread: int = 1
    dilation: int = 1

    @property
    def wide(self) -> Dim:
        """The size of the spread axis."""
        return (self.extent - 1) * self.spread + 1

    @property
    def padded(self) -> Dim:
        """The size of the spread and padded axis."""
        return self.wide + self.low + self.high

    @property
    def out(self) -> Dim:
        """The number of windows along the axis."""
        return dims.floordiv(self.padded - (self.kernel - 1) * self.dilation - 1, self.stride) + 1

    def source(self, o: Dim, k: Dim) -> tuple[Dim, Expr]:
        """The element under element `k` of window `o`, and the condition that there is one."""
        place = o * self.stride + k * self.dilation - self.low
        inside: Expr = TRUE
        if not (dims.nonnegative(-self.low) or dims.nonnegative(place)):
            inside = both(inside, compare("ge", place, 0))
        if not (dims.nonnegative(-self.high) or _below(place, self.wide)):
            inside = both(inside, compare("lt", place, self.wide))
        if self.spread == 1:
            return place, inside
        inside = both(inside, compare("eq", dims.mod(place, self.spread), 0))
        return dims.floordiv(place, self.spread), inside

    def target(self, i: Dim, k: Dim) -> tuple[Dim, Expr]:
        """The window whose element `k` lies over element `i`, and the condition that there is one."""
        place = i * self.spread + self.low - k * self.dilation
        inside: Expr = TRUE
        if not dims.nonnegative(place):
            inside = both(inside, compare("ge", place, 0))
        if not _below(place, self.out * self.stride):
            inside = both(inside, compare("lt", place, self.out * self.stride))
        if self.stride == 1:
            return place, inside
        inside = both(inside, compare("eq", dims.mod(place, self.stride), 0))
        return dims.floordiv(place, self.stride), inside


def _below(place: Dim, end: Dim) -> bool:
    """Whether a place is known to lie before the end."""
    high = dims.upper_bound(place)
    return high is not None and dims.nonnegative(end - 1 - high)


def places(windows: Sequence[Sliding], index: Points, k: Points, forward: bool) -> tuple[Points, Expr]:
    """`Sliding.source` (or `target`, unless `forward`) of several axes at once."""
    point: list[Dim] = []
    inside: Expr = TRUE
    for window, i, offset in zip(windows, index, k, strict=True):
        place, condition = window.source(i, offset) if forward else window.target(i, offset)
        point.append(place)
        inside = both(inside, condition)
    return tuple(point), inside


def read_inside(reader: Reader, operand: int, index: Points, inside: Expr, outside: float = 0) -> Expr:
    """The element at an index, or a number where the condition does not hold."""
    if inside == TRUE:
        return reader.read(operand, index)
    with reader.guarded(inside):
        element = reader.read(operand, index)
    return select(inside, element, const(outside, element.dtype))


# ---- NumPy: the padded operand, and slices of it under one element of all windows


def padded(x: Array, windows: Sequence[Sliding], first: int, fill: Any = 0) -> Array:
    """The operand, dilated and padded along its axes from `first` on."""
    shape = list(x.shape)
    inner: list[slice] = [slice(None)] * x.ndim
    outer: list[slice] = [slice(None)] * x.ndim
    for axis, window in enumerate(windows, first):
        wide, low, high, size = (_number(v) for v in (window.wide, window.low, window.high, window.padded))
        shape[axis] = size
        # An element at place p of the spread axis comes to p + low, unless it is cropped.
        start = -(-max(-low, 0) // window.spread) * window.spread
        end = min(wide, wide + high)
        inner[axis] = slice(start // window.spread, max(-(-end // window.spread), 0))
        outer[axis] = slice(start + low, max(end + low, 0), window.spread)
    if list(x.shape) == shape and all(window.spread == 1 for window in windows):
        return x
    out = np.full(shape, fill, x.dtype)
    out[tuple(outer)] = x[tuple(inner)]
    return out


def unpadded(x: Array, windows: Sequence[Sliding], first: int) -> Array:
    """The transpose of `padded`: the elements at the places of the operand's elements; 0 for cropped ones."""
    shape = list(x.shape)
    inner: list[slice] = [slice(None)] * x.ndim
    outer: list[slice] = [slice(None)] * x.ndim
    for axis, window in enumerate(windows, first):
        wide, low, high = (_number(v) for v in (window.wide, window.low, window.high))
        shape[axis] = _number(window.extent)
        start = -(-max(-low, 0) // window.spread) * window.spread
        end = min(wide, wide + high)
        inner[axis] = slice(start // window.spread, max(-(-end // window.spread), 0))
        outer[axis] = slice(start + low, max(end + low, 0), window.spread)
    out = np.zeros(shape, x.dtype)
    out[tuple(inner)] = x[tuple(outer)]
    return out


def positions(windows: Sequence[Sliding], first: int) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each element of the window, and the slices of the padded operand that lie under it, over all windows."""
    for k in product(*(range(_number(window.kernel)) for window in windows)):
        under = [slice(None)] * first
        for offset, window in zip(k, windows, strict=True):
            start, count = offset * window.dilation, _number(window.out)
            # Without windows there is no last one.
            stop = start + (count - 1) * window.stride + 1 if count else start
            under.append(slice(start, stop, window.stride))
        yield k, tuple(under)


def _number(dim: Dim) -> int:
    return dims.evaluate(dim, {})


# ---- helpers shared by the three primitives


@dataclass(frozen=True, slots=True)
class _Geometry:
    """The windows of a convolution, and how its channels are grouped."""

    windows: tuple[Sliding, ...]
    groups: int
    group_in: Dim
    group_out: Dim

    def group_of(self, channel: Dim, each: Dim) -> Dim:
        return 0 if self.groups == 1 else dims.floordiv(channel, each)


def _geometry(
    x: Shape,
    w: Shape,
    strides: tuple[int, ...],
    padding: Padding,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    groups: int,
) -> _Geometry:
    parts = zip(x[1:-1], w[:-2], strides, padding, lhs_dilation, rhs_dilation, strict=True)
    windows = tuple(Sliding(e, k, s, low, high, spread, d) for e, k, s, (low, high), spread, d in parts)
    return _Geometry(windows, groups, w[-2], dims.floordiv(w[-1], groups))


def _check_attrs(op: str, rank: int, attrs: dict[str, Any]) -> None:
    for name in ("strides", "padding", "lhs_dilation", "rhs_dilation"):
        if len(attrs[name]) != rank - 2:
            raise ShapeError(f"`{op}` takes {name} for each spatial axis", got=attrs[name], expected=f"{rank - 2}")
        if name != "padding" and any(step < 1 for step in attrs[name]):
            raise ShapeError(f"the {name} of `{op}` are at least 1", got=attrs[name])


def _output_shape(op: str, x: Shape, w: Shape, attrs: dict[str, Any]) -> Shape:
    """The shape of `conv(x, w)`; raises where there is none."""
    groups = attrs["groups"]
    shown = f"input {_text(x)} and filter {_text(w)}"
    if len(x) < 2 or len(x) != len(w):
        raise ShapeError(f"`{op}` takes an input and a filter of equal rank", got=shown)
    _check_attrs(op, len(x), attrs)
    if groups < 1 or w[-2] * groups != x[-1] or (isinstance(w[-1], int) and w[-1] % groups):
        raise ShapeError(
            f"the channels of `{op}` do not fit",
            got=f"{shown}, {groups} group(s)",
            expected="a filter [*kernel, in / groups, out] for an input [batch, *spatial, in]",
        )
    windows = _geometry(x, w, **attrs).windows
    if any(dims.nonnegative(-window.out) for window in windows):
        raise ShapeError(
            f"the filter of `{op}` is larger than its padded input",
            got=shown,
            expected="a padded input at least as large as the dilated filter",
            hint='use padding="same", a smaller filter, or a larger input',
        )
    return (x[0], *(window.out for window in windows), w[-1])


def _text(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _check_dtypes(op: str, a: TensorType, b: TensorType) -> None:
    check_dtype(op, a, REALS)
    if a.dtype is not b.dtype:
        raise DTypeError(f"the operands of `{op}` have different dtypes", got=f"{a} and {b}", hint="cast one of them")


def _check_output(op: str, g: TensorType, expected: Shape) -> None:
    if g.shape != expected:
        raise ShapeError(f"the cotangent of `{op}` does not fit", got=str(g), expected=_text(expected))


def _grouped(x: Array, groups: int) -> Array:
    """`[.., groups * c]` as `[groups, n, c]`."""
    rows = x.reshape(math.prod(x.shape[:-1]), groups, x.shape[-1] // groups)
    return rows.transpose(1, 0, 2)


def _ungrouped(x: Array, shape: tuple[int, ...]) -> Array:
    """`[groups, n, c]` as `[.., groups * c]`."""
    return x.transpose(1, 0, 2).reshape(shape)


def _filters(w: Array, groups: int) -> Array:
    """`[c, groups * o]` as `[groups, c, o]`."""
    return w.reshape(w.shape[0], groups, w.shape[1] // groups).transpose(1, 0, 2)


def _widen(x: Array) -> Array:
    return x.astype(dtypes.as_dtype(x.dtype).accumulator.numpy, copy=False)


# ---- conv


def _conv_infer(x: TensorType, w: TensorType, **attrs: Any) -> TensorType:
    _check_dtypes("conv", x, w)
    return TensorType(_output_shape("conv", x.shape, w.shape, attrs), x.dtype)


def _conv_eval(x: Array, w: Array, **attrs: Any) -> Array:
    geometry = _geometry(x.shape, w.shape, **attrs)
    shape = tuple(_number(dim) for dim in (x.shape[0], *(window.out for window in geometry.windows), w.shape[-1]))
    wide, filters = padded(_widen(x), geometry.windows, 1), _widen(w)
    with np.errstate(all="ignore"):
        if geometry.groups > 1 and w.shape[-2] == 1:
            total = _by_channels(wide, filters, geometry, shape)
        else:
            total = _by_columns(wide, filters, geometry, shape)
    return total.astype(x.dtype, copy=False)


def _by_channels(x: Array, w: Array, geometry: _Geometry, shape: tuple[int, ...]) -> Array:
    """A convolution whose groups have one input channel each: one product of elements for each filter element."""
    groups = geometry.groups
    total = np.zeros((*shape[:-1], groups, shape[-1] // groups), x.dtype)
    for k, under in positions(geometry.windows, 1):
        total += x[under][..., None] * w[k].reshape(groups, -1)
    return total.reshape(shape)


# How many elements of windows are gathered at a time: so many of them fit the L2 cache.
_COLUMNS = 1 << 18


def _by_columns(x: Array, w: Array, geometry: _Geometry, shape: tuple[int, ...]) -> Array:
    """A convolution as matrix products: the elements under a window are a row, some samples' windows a matrix."""
    groups, each, spatial = geometry.groups, w.shape[-2], len(geometry.windows)
    filters = _filters(w.reshape(math.prod(w.shape[:-1]), w.shape[-1]), groups)
    steps = [window.stride for window in geometry.windows] + [window.dilation for window in geometry.windows]
    strides = [stride * step for stride, step in zip(x.strides[1:-1] * 2, steps, strict=True)]
    windows = np.lib.stride_tricks.as_strided(
        x,
        (x.shape[0], *shape[1:-1], *w.shape[:-2], groups, each),
        (x.strides[0], *strides, each * x.strides[-1], x.strides[-1]),
        writeable=False,
    )
    # Groups come first, then samples and places of windows, then what is summed.
    windows = np.moveaxis(windows, 1 + 2 * spatial, 0)
    rows, depth = math.prod(shape[1:-1]), filters.shape[1]
    total = np.empty((groups, shape[0] * rows, shape[-1] // groups), x.dtype)
    count = max(1, _COLUMNS // max(1, groups * rows * depth))
    for start in range(0, shape[0], count):
        part = total[:, start * rows : (start + count) * rows]
        columns = windows[:, start : start + count].reshape(groups, part.shape[1], depth)
        matmul(columns, filters, out=part)
    return _ungrouped(total, shape)


def _conv_lower(types: Sequence[TensorType], **attrs: Any) -> ContractRule:
    x, w = types
    geometry = _geometry(x.shape, w.shape, **attrs)

    def lhs(reader: Reader, index: Points, k: Points) -> Expr:
        spatial, inside = places(geometry.windows, index[1:-1], k[:-1], True)
        channel = geometry.group_of(index[-1], geometry.group_out) * geometry.group_in + k[-1]
        return read_inside(reader, 0, (index[0], *spatial, channel), inside)

    def rhs(reader: Reader, index: Points, k: Points) -> Expr:
        return reader.read(1, (*k, index[-1]))

    return ContractRule(w.shape[:-1], lhs, rhs)


def _conv_vjp(g: Value, n: Applied) -> Grads:
    x, w = n.operands
    return (
        g.builder.apply("conv_input_grad", g, w, sizes=x.shape[1:-1], **n.attrs),
        g.builder.apply("conv_filter_grad", x, g, kernel=w.shape[:-2], **n.attrs),
    )


# ---- conv_input_grad: the transpose of `conv(., w)`


def _input_grad_infer(g: TensorType, w: TensorType, sizes: Shape, **attrs: Any) -> TensorType:
    _check_dtypes("conv_input_grad", g, w)
    if g.rank < 2 or w.rank != g.rank or len(sizes) != g.rank - 2:
        raise ShapeError("the operands of `conv_input_grad` do not fit", got=f"{g} and {w} for sizes {_text(sizes)}")
    x = (g.shape[0], *sizes, w.shape[-2] * attrs["groups"])
    _check_output("conv_input_grad", g, _output_shape("conv_input_grad", x, w.shape, attrs))
    return TensorType(x, g.dtype)


def _input_grad_eval(g: Array, w: Array, sizes: tuple[int, ...], **attrs: Any) -> Array:
    x = (g.shape[0], *sizes, w.shape[-2] * attrs["groups"])
    geometry = _geometry(x, w.shape, **attrs)
    groups, windows, filters = geometry.groups, geometry.windows, _widen(w)
    rows = _grouped(_widen(g), groups)
    total = np.zeros((x[0], *(_number(window.padded) for window in windows), x[-1]), rows.dtype)
    with np.errstate(all="ignore"):
        for k, under in positions(windows, 1):
            part = matmul(rows, _filters(filters[k], groups).transpose(0, 2, 1))
            total[under] += _ungrouped(part, (*g.shape[:-1], x[-1]))
    return unpadded(total, windows, 1).astype(g.dtype, copy=False)


def _input_grad_lower(types: Sequence[TensorType], sizes: Shape, **attrs: Any) -> ContractRule:
    g, w = types
    x = (g.shape[0], *sizes, w.shape[-2] * attrs["groups"])
    geometry = _geometry(x, w.shape, **attrs)

    def channel(index: Points, k: Points) -> Dim:
        return geometry.group_of(index[-1], geometry.group_in) * geometry.group_out + k[-1]

    def lhs(reader: Reader, index: Points, k: Points) -> Expr:
        spatial, inside = places(geometry.windows, index[1:-1], k[:-1], False)
        return read_inside(reader, 0, (index[0], *spatial, channel(index, k)), inside)

    def rhs(reader: Reader, index: Points, k: Points) -> Expr:
        return reader.read(1, (*k[:-1], dims.mod(index[-1], geometry.group_in), channel(index, k)))

    return ContractRule((*w.shape[:-2], geometry.group_out), lhs, rhs)


def _input_grad_vjp(h: Value, n: Applied) -> Grads:
    g, w = n.operands
    attrs = {name: attr for name, attr in n.attrs.items() if name != "sizes"}
    return (
        h.builder.apply("conv", h, w, **attrs),
        h.builder.apply("conv_filter_grad", h, g, kernel=w.shape[:-2], **attrs),
    )


# ---- conv_filter_grad: the transpose of `conv(x, .)`


def _filter_shape(x: Shape, g: Shape, kernel: Shape, groups: int) -> Shape:
    return (*kernel, dims.floordiv(x[-1], groups), g[-1])


def _filter_grad_infer(x: TensorType, g: TensorType, kernel: Shape, **attrs: Any) -> TensorType:
    _check_dtypes("conv_filter_grad", x, g)
    if x.rank < 2 or x.rank != g.rank or len(kernel) != x.rank - 2:
        raise ShapeError(
            "the operands of `conv_filter_grad` do not fit", got=f"{x} and {g} for a kernel {_text(kernel)}"
        )
    w = _filter_shape(x.shape, g.shape, kernel, attrs["groups"])
    _check_output("conv_filter_grad", g, _output_shape("conv_filter_grad", x.shape, w, attrs))
    return TensorType(w, x.dtype)


def _filter_grad_eval(x: Array, g: Array, kernel: tuple[int, ...], **attrs: Any) -> Array:
    w = tuple(_number(dim) for dim in _filter_shape(x.shape, g.shape, kernel, attrs["groups"]))
    geometry = _geometry(x.shape, w, **attrs)
    groups = geometry.groups
    wide, rows = padded(_widen(x), geometry.windows, 1), _grouped(_widen(g), groups)
    out = np.empty(w, wide.dtype)
    with np.errstate(all="ignore"):
        for k, under in positions(geometry.windows, 1):
            part = matmul(_grouped(wide[under], groups).transpose(0, 2, 1), rows)
            out[k] = _ungrouped(part, w[-2:])
    return out.astype(x.dtype, copy=False)


def _filter_grad_lower(types: Sequence[TensorType], kernel: Shape, **attrs: Any) -> ContractRule:
    x, g = types
    w = _filter_shape(x.shape, g.shape, kernel, attrs["groups"])
    geometry = _geometry(x.shape, w, **attrs)

    def lhs(reader: Reader, index: Points, k: Points) -> Expr:
        spatial, inside = places(geometry.windows, k[1:], index[:-2], True)
        channel = geometry.group_of(index[-1], geometry.group_out) * geometry.group_in + index[-2]
        return read_inside(reader, 0, (k[0], *spatial, channel), inside)

    def rhs(reader: Reader, index: Points, k: Points) -> Expr:
        return reader.read(1, (*k, index[-1]))

    return ContractRule(g.shape[:-1], lhs, rhs)


def _filter_grad_vjp(h: Value, n: Applied) -> Grads:
    x, g = n.operands
    attrs = {name: attr for name, attr in n.attrs.items() if name != "kernel"}
    return (
        h.builder.apply("conv_input_grad", g, h, sizes=x.shape[1:-1], **attrs),
        h.builder.apply("conv", x, h, **attrs),
    )


# ---- batching: the batch is merged into samples or into one operand's channels; if both operands vary, into groups


@dataclass(frozen=True, slots=True)
class _Fold:
    """The axes into which the batch is merged if only one operand varies: one of the operand, one of the result.

    Args:
        source: The axis of the operand, from the last, or 0 for the samples.
        target: The axis of the result, likewise.
        source_groups: Whether that axis of the operand holds the channels of all groups.
        target_groups: Whether that axis of the result holds the channels of all groups.
    """

    source: int
    target: int
    source_groups: bool = False
    target_groups: bool = False


_SAMPLES = _Fold(0, 0)
_FOLDS: dict[str, tuple[_Fold, _Fold]] = {
    "conv": (_SAMPLES, _Fold(-1, -1, True, True)),
    "conv_input_grad": (_SAMPLES, _Fold(-2, -1, False, True)),
    "conv_filter_grad": (_Fold(-1, -2, True, False), _Fold(-1, -1, True, True)),
}


def _batch(op: str) -> Batch:
    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        groups = attrs["groups"]
        values = [operand.value for operand in operands]
        if all(operand.varies for operand in operands):
            if not isinstance(length, int):  # the number of groups is a number, not a symbolic size
                return looped(builder, op, attrs, operands, length)
            fold, groups = _Fold(-1, -1), length * groups
            values = [merged(value, value.rank - 2) for value in values]
        else:
            place = int(operands[1].varies)
            fold, value = _FOLDS[op][place], values[place]
            values[place] = merged(value, fold.source % (value.rank - 1), groups if fold.source_groups else 1)
        result = builder.apply(op, *values, **{**attrs, "groups": groups})
        axis, outer = fold.target % result.rank, attrs["groups"] if fold.target_groups else 1
        single = _one_of(op, attrs, operands).shape[axis]
        return parted(result, axis, outer, length, dims.floordiv(single, outer))

    return rule


def _one_of(op: str, attrs: Attrs, operands: Sequence[Batched]) -> TensorType:
    """The type of the result for one element of the batch."""
    types = [TensorType(x.value.shape[1:] if x.varies else x.value.shape, x.value.dtype) for x in operands]
    type: TensorType = primitive(op).infer(*types, **attrs)
    return type


def _filter_grad_sum(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    """Merges the batch into the samples; an operand that is the same for all of its elements is a common factor."""
    if all(operand.varies for operand in operands):
        parts = [merged(operand.value, 0) for operand in operands]
    else:
        parts = [builder.apply("sum", x.value, axes=(0,)) if x.varies else x.value for x in operands]
    return builder.apply("conv_filter_grad", *parts, **attrs)


# ---- cases


def _samples() -> Iterator[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """Shapes of input and filter, and attributes."""

    def attrs(padding: Padding, strides: Any = None, lhs: Any = None, rhs: Any = None, groups: int = 1) -> Any:
        ones = (1,) * len(padding)
        names = ("strides", "padding", "lhs_dilation", "rhs_dilation", "groups")
        return dict(zip(names, (strides or ones, padding, lhs or ones, rhs or ones, groups), strict=True))

    yield (2, 6, 3), (3, 3, 4), attrs(((0, 0),))
    yield (2, 5, 6, 2), (3, 2, 2, 3), attrs(((1, 1), (0, 1)))
    yield (1, 7, 6, 2), (3, 3, 2, 3), attrs(((1, 1), (0, 1)), strides=(2, 3))
    yield (1, 7, 8, 2), (2, 3, 2, 2), attrs(((0, 0), (1, 2)), rhs=(2, 2))
    yield (1, 3, 4, 2), (3, 2, 2, 2), attrs(((2, 2), (1, 1)), strides=(1, 2), lhs=(2, 3))
    yield (2, 5, 5, 4), (3, 3, 2, 6), attrs(((1, 1), (1, 1)), groups=2)
    yield (1, 5, 5, 3), (2, 2, 1, 6), attrs(((0, 0), (0, 0)), strides=(2, 2), groups=3)
    yield (1, 4, 3, 3, 2), (2, 2, 2, 2, 2), attrs(((0, 1), (0, 0), (1, 0)))
    yield (1, 7, 6, 1), (3, 3, 1, 2), attrs(((-1, -2), (1, -1)), lhs=(2, 1))
    yield (3, 4), (4, 2), attrs(())


def _cases(op: str) -> Iterable[Case]:
    for x, w, attrs in _samples():
        out = tuple(_number(dim) for dim in _output_shape(op, x, w, attrs))
        if op == "conv":
            yield Case((x, w), attrs, -1, 1)
        elif op == "conv_input_grad":
            yield Case((out, w), attrs | {"sizes": x[1:-1]}, -1, 1)
        else:
            yield Case((x, out), attrs | {"kernel": w[:-2]}, -1, 1)


def _contraction(name: str, infer: Any, eval: Any, lower: Any, vjp: Any, **traits: Any) -> Primitive:
    rules = (infer, eval, lower, vjp, lambda: _cases(name))
    traits = {"linear": separately, "batch": _batch(name), "of_empty": zeros_of_empty, **traits}
    return register(Primitive(name, Kind.CONTRACT, *rules, REALS, **traits))


conv = _contraction("conv", _conv_infer, _conv_eval, _conv_lower, _conv_vjp)
conv_input_grad = _contraction(
    "conv_input_grad", _input_grad_infer, _input_grad_eval, _input_grad_lower, _input_grad_vjp
)
conv_filter_grad = _contraction(
    "conv_filter_grad",
    _filter_grad_infer,
    _filter_grad_eval,
    _filter_grad_lower,
    _filter_grad_vjp,
    batch_sum=_filter_grad_sum,
)
