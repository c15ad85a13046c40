"""Products of tensors and convolutions as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

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
        return _product(e, node, *real(e, operands))
    x, y = operands
    assert isinstance(x, Parts) and isinstance(y, Parts)
    a, b, c, d = x.real, x.imag, y.real, y.imag
    (ac, bd, ad, bc), s = (_product(e, node, *pair) for pair in ((a, c), (b, d), (a, d), (b, c))), e.scope
    return Parts(Placed(s.op("Sub", ac.name, bd.name), ac.axes), Placed(s.op("Add", ad.name, bc.name), ac.axes))


def _product(e: Emitter, node: Node, lhs: Placed, rhs: Placed) -> Placed:
    left, right = (e.type(ref) for ref in node.inputs)
    a, b = contracted_axes(node, left, right)
    s, out = e.scope, node.outs[0]
    own = physical(out.dtype.real)
    dtype = own if own.name in _MATRICES else dtypes.int32
    batch = [left.shape[axis] for axis in a.batch]
    rows, columns = ([t.shape[axis] for axis in x.free] for t, x in ((left, a), (right, b)))
    depth = [left.shape[axis] for axis in a.contract]
    # Without a batch, the rows of a stack of matrices may have any number of axes.
    stacked = bool(rows) and len(depth) == 1 and not batch
    merged_rows = rows if stacked else [dims.product(rows)]
    x = _merged(e, lhs, left, (*a.batch, *a.free, *a.contract), [*batch, *merged_rows, dims.product(depth)])
    y = _merged(e, rhs, right, (*b.batch, *b.contract, *b.free), [*batch, dims.product(depth), dims.product(columns)])
    x, y = (name if dtype is own else s.cast(name, dtype) for name in (x, y))
    found = s.op("MatMul", x, y)
    found = found if dtype is own else s.cast(found, own)
    found = s.reshape(found, [*batch, *merged_rows, dims.product(columns)], out.shape)
    return Placed(e.rounded(found, out.dtype.real), tuple(range(out.rank)))


def _merged(e: Emitter, x: Placed, type: TensorType, order: Sequence[int], shape: Sequence[Dim]) -> str:
    """An operand as a stack of matrices."""
    sizes = [type.shape[axis] for axis in order]
    if x.array is not None and list(sizes) != list(shape) and all(isinstance(size, int) for size in shape):
        whole = x.array if x.array.ndim == type.rank and x.axes == tuple(range(type.rank)) else None
        if whole is not None:
            array = whole.transpose(tuple(order)).reshape([known(size) for size in shape])
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

__all__ = ["CONTRACTIONS", "contracted_axes", "convolution"]
