"""Products of tensors and convolutions as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import UnsupportedError
from graphc.export.onnx.emitter import Emitter, known, physical
from graphc.export.onnx.placed import Parts, Placed, Stored
from graphc.export.onnx.pointwise import real
from graphc.export.onnx.views import padded, sliced, spread_apart
from graphc.graph.types import Node, TensorType
from graphc.primitives.contraction import Operand
from graphc.primitives.convolution import Sliding

# The dtypes in which ONNX Runtime multiplies matrices.
_MATRICES = ("float32", "float64", "int32", "int64", "uint32", "uint64")


def contracted_axes(node: Node, lhs: TensorType, rhs: TensorType) -> tuple[Operand, Operand]:
    """The roles of the operands' axes."""
    attrs = node.attrs
    return (
        Operand(lhs.rank, attrs["lhs_batch"], attrs["lhs_contract"]),
        Operand(rhs.rank, attrs["rhs_batch"], attrs["rhs_contract"]),
    )


def _contract(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    if not any(isinstance(x, Parts) for x in operands):
        return matrix_product(e, node, *real(e, operands))
    x, y = operands
    assert isinstance(x, Parts) and isinstance(y, Parts)
    a, b, c, d = x.real, x.imag, y.real, y.imag
    (ac, bd, ad, bc), s = (matrix_product(e, node, *pair) for pair in ((a, c), (b, d), (a, d), (b, c))), e.scope
    return Parts(Placed(s.op("Sub", ac.name, bd.name), ac.axes), Placed(s.op("Add", ad.name, bc.name), ac.axes))


def matrix_product(e: Emitter, node: Node, lhs: Placed, rhs: Placed) -> Placed:
    """The product of two tensors: of stacks of matrices, without the axes of size one that are not contracted."""
    left, right = (e.type(ref) for ref in node.inputs)
    a, b = contracted_axes(node, left, right)
    s, out = e.scope, node.outs[0]
    own = physical(out.dtype.real)
    dtype = own if own.name in _MATRICES else dtypes.int32
    free, others = ([axis for axis in x.free if t.shape[axis] != 1] for t, x in ((left, a), (right, b)))
    batch = [left.shape[axis] for axis in a.batch]
    rows, columns = [left.shape[axis] for axis in free], [right.shape[axis] for axis in others]
    depth = dims.product(left.shape[axis] for axis in a.contract)
    # Without a batch, the rows of a stack of matrices may have any number of axes.
    merged_rows = rows if rows and not batch and len(a.contract) == 1 else [dims.product(rows)]
    x = _merged(e, lhs, left, (*a.batch, *free, *a.contract), [*batch, *merged_rows, depth])
    y = _merged(e, rhs, right, (*b.batch, *b.contract, *others), [*batch, depth, dims.product(columns)])
    x, y = (name if dtype is own else s.cast(name, dtype) for name in (x, y))
    found = s.op("MatMul", x, y)
    found = found if dtype is own else s.cast(found, own)
    found = s.reshape(found, [*batch, *merged_rows, dims.product(columns)], [*batch, *rows, *columns])
    places = [*range(len(batch)), *(len(batch) + a.free.index(axis) for axis in free)]
    places += [len(batch) + len(a.free) + b.free.index(axis) for axis in others]
    return Placed(e.rounded(found, out.dtype.real), tuple(places))


def _merged(e: Emitter, x: Placed, type: TensorType, order: Sequence[int], shape: Sequence[Dim]) -> str:
    """An operand as a stack of matrices, from its axes in an order; axes that are left out have size one."""
    sizes = [type.shape[axis] for axis in order]
    x = x.moved({axis: axis if axis in order else None for axis in range(type.rank)})
    if x.array is not None and sizes != list(shape) and all(isinstance(size, int) for size in (*sizes, *shape)):
        whole = e.elements(x, order)
        if whole is not None and list(whole.shape) == sizes:
            array = whole.reshape([known(size) for size in shape])
            return e.named(Placed(x.name, tuple(range(array.ndim)), array))
    return e.scope.reshape(e.whole(x, type, order), sizes, shape)


# ---- convolutions


def _channels_first(rank: int) -> tuple[int, ...]:
    return (0, rank - 1, *range(1, rank - 1))


def _windows(x: TensorType, w: TensorType, node: Node) -> list[Sliding]:
    attrs = node.attrs
    return [
        Sliding(extent, kernel, stride, low, high, spread, dilation)
        for extent, kernel, stride, (low, high), spread, dilation in zip(
            x.shape[1:-1],
            w.shape[:-2],
            attrs["strides"],
            attrs["padding"],
            attrs["lhs_dilation"],
            attrs["rhs_dilation"],
            strict=True,
        )
    ]


def convolution(e: Emitter, node: Node, operands: Sequence[Stored], bias: Placed | None = None) -> Placed:
    """A convolution, with a number that is added to each channel."""
    x, w = real(e, operands)[:2]
    left, right = (e.type(ref) for ref in node.inputs)
    rank = left.rank
    _check_convolution(left, right)
    if _is_transposed(node, right):
        return _transposed_convolution(e, node, x, w, bias)
    for axis, spread in enumerate(node.attrs["lhs_dilation"], 1):
        if spread > 1:
            x, left = spread_apart(e, x, left, axis, spread - 1, 0)
    x, left, pads = _padded(e, x, left, node.attrs["padding"])
    s, order = e.scope, _channels_first(rank)
    names = [e.whole(x, left, order), e.whole(w, right, (rank - 1, rank - 2, *range(rank - 2)))]
    names += [] if bias is None else [e.named(bias)]
    found = s.op(
        "Conv",
        *names,
        kernel_shape=[known(size) for size in right.shape[:-2]],
        strides=list(node.attrs["strides"]),
        dilations=list(node.attrs["rhs_dilation"]),
        pads=pads,
        group=node.attrs["groups"],
    )
    return Placed(e.rounded(found, left.dtype), order)


def _is_transposed(node: Node, filters: TensorType) -> bool:
    """Whether a convolution of elements that are apart is a transposed convolution of ONNX."""
    attrs = node.attrs
    plain = all(
        isinstance(size, int) and isinstance(n, int) and 0 <= n <= dilation * (size - 1)
        for size, pair, dilation in zip(filters.shape[:-2], attrs["padding"], attrs["rhs_dilation"], strict=True)
        for n in pair
    )
    apart = any(spread > 1 for spread in attrs["lhs_dilation"]) and all(step == 1 for step in attrs["strides"])
    return apart and plain and isinstance(filters.shape[-1], int)


def _transposed_convolution(e: Emitter, node: Node, x: Placed, w: Placed, bias: Placed | None) -> Placed:
    """The transposed convolution with the mirrored filter: what it spreads is what the convolution gathers."""
    left, right = (e.type(ref) for ref in node.inputs)
    attrs, rank, s, groups = node.attrs, left.rank, e.scope, node.attrs["groups"]
    spatial = list(range(rank - 2))
    mirrored = _mirrored(e, w, right, spatial)
    order = _channels_first(rank)
    if groups == 1:
        filters = e.whole(mirrored, right, (rank - 2, rank - 1, *spatial))
    else:
        # The channels of the result are those of the groups, one after the other.
        inside, out = right.shape[-2], dims.floordiv(right.shape[-1], groups)
        parted = TensorType((*right.shape[:-1], groups, out), right.dtype)
        name = s.reshape(e.whole(mirrored, right), right.shape, parted.shape)
        turned = s.op("Transpose", name, perm=[rank - 1, rank - 2, rank, *spatial])
        filters = s.reshape(turned, [groups, inside, out, *right.shape[:-2]], [groups * inside, out, *right.shape[:-2]])
    reach = [dilation * (known(size) - 1) for size, dilation in zip(right.shape, attrs["rhs_dilation"], strict=False)]
    found = s.op(
        "ConvTranspose",
        e.whole(x, left, order),
        filters,
        *([] if bias is None else [e.named(bias)]),
        kernel_shape=[known(size) for size in right.shape[:-2]],
        strides=list(attrs["lhs_dilation"]),
        dilations=list(attrs["rhs_dilation"]),
        pads=[far - known(pair[side]) for side in (0, 1) for far, pair in zip(reach, attrs["padding"], strict=True)],
        group=groups,
    )
    return Placed(e.rounded(found, left.dtype), order)


def _mirrored(e: Emitter, w: Placed, type: TensorType, axes: Sequence[int]) -> Placed:
    array = e.elements(w, range(type.rank))
    if array is not None:
        return Placed(w.name, tuple(range(type.rank)), np.flip(array, tuple(axes)))
    return sliced(e, w, [-1] * len(axes), [1 - 2**63] * len(axes), axes, [-1] * len(axes))


def _check_convolution(left: TensorType, right: TensorType) -> None:
    if left.rank == 2 or not left.dtype.is_float:
        raise UnsupportedError(
            "ONNX has only convolutions of floats with spatial axes", got=f"{left} and {right}", hint="cast to float32"
        )


def _padded(
    e: Emitter, x: Placed, type: TensorType, padding: Sequence[tuple[Dim, Dim]]
) -> tuple[Placed, TensorType, list[int]]:
    """The operand, padded if the operator cannot, as amounts are not known or crop; and the padding that is left."""
    lows, highs = ([pair[side] for pair in padding] for side in (0, 1))
    if all(isinstance(n, int) and n >= 0 for n in lows + highs):
        return x, type, [known(n) for n in lows + highs]
    x, type = padded(e, x, type, lows, highs, list(range(1, type.rank - 1)), 0)
    return x, type, [0] * (2 * len(padding))


def _conv(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    return convolution(e, node, operands)


def _conv_input_grad(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    """A transposed convolution. Padding that is negative, or more than the operator takes, crops the result."""
    g, w = real(e, operands)
    left, right = (e.type(ref) for ref in node.inputs)
    attrs, rank, s = node.attrs, left.rank, e.scope
    _check_convolution(left, right)
    order = _channels_first(rank)
    names = [e.whole(g, left, order), e.whole(w, right, (rank - 1, rank - 2, *range(rank - 2)))]
    type = TensorType((left.shape[0], *attrs["sizes"], right.shape[-2] * attrs["groups"]), left.dtype)
    windows = _windows(type, right, node)
    wide = TensorType((type.shape[0], *(win.wide for win in windows), type.shape[-1]), type.dtype)
    # The sizes of what the operator computes without padding, and how much of it is too much, or missing, at the end.
    full = [
        (size - 1) * win.stride + (win.kernel - 1) * win.dilation + 1
        for size, win in zip(left.shape[1:-1], windows, strict=True)
    ]
    lows = [win.low for win in windows]
    highs = [whole - win.low - win.wide for whole, win in zip(full, windows, strict=True)]
    fits = all(isinstance(n, int) and n >= 0 for n in lows + highs)
    found = s.op(
        "ConvTranspose",
        *names,
        kernel_shape=[known(size) for size in right.shape[:-2]],
        strides=list(attrs["strides"]),
        dilations=list(attrs["rhs_dilation"]),
        pads=[known(n) for n in lows + highs] if fits else [0] * (2 * len(lows)),
        group=attrs["groups"],
    )
    result = Placed(e.rounded(found, left.dtype), order)
    result = result if fits else _fitted(e, result, wide, full, lows)
    steps = [win.spread for win in windows]
    if any(step > 1 for step in steps):
        result = sliced(e, result, [0] * len(steps), wide.shape[1:-1], list(range(1, rank - 1)), steps)
    return result


def _fitted(e: Emitter, x: Placed, type: TensorType, full: Sequence[Dim], lows: Sequence[Dim]) -> Placed:
    """The part of a whole transposed convolution that is wanted, with zeros behind it where it ends too early."""
    axes = list(range(1, type.rank - 1))
    sizes = type.shape[1:-1]
    short = [low + size - whole for low, size, whole in zip(lows, sizes, full, strict=True)]
    whole = TensorType((type.shape[0], *full, type.shape[-1]), type.dtype)
    before = [-low if dims.nonnegative(-low) else 0 for low in lows]
    after = [amount if dims.nonnegative(amount) else 0 for amount in short]
    if any(amount != 0 for amount in (*before, *after)):
        x, _ = padded(e, x, whole, before, after, axes, 0)
    starts = [low + extra for low, extra in zip(lows, before, strict=True)]
    return sliced(e, x, starts, [start + size for start, size in zip(starts, sizes, strict=True)], axes)


CONTRACTIONS = MappingProxyType({"contract": _contract, "conv": _conv, "conv_input_grad": _conv_input_grad})

__all__ = ["CONTRACTIONS", "contracted_axes", "convolution", "matrix_product"]
