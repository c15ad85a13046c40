"""Operations that one operator of ONNX computes together: what is fast in its implementations.

A pattern is found from the node that computes its result. What else reads the values within it has them computed
beside it; products and convolutions within a pattern are read by nothing else, so that none is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from graphc import dims
from graphc.export.onnx.activations import elu, gelu, hard_sigmoid, leaky_relu, limited_relu, softplus
from graphc.export.onnx.contractions import contracted_axes, convolution, matrix_product
from graphc.export.onnx.emitter import Emitter, Pattern, known
from graphc.export.onnx.matcher import Matcher
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.pointwise import real
from graphc.export.onnx.recurrences import recurrence
from graphc.export.onnx.reductions import mean_over, places_of
from graphc.export.onnx.windows import can_average, pooled_mean
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref

Finder = Callable[[Matcher, Node], "Pattern | None"]
# Scale, offset, mean and variance.
_Vectors: TypeAlias = "tuple[Ref | None, Ref | None, Ref, Ref]"
_FLOATS = ("float32", "float64")


def _kept(rank: int, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis for axis in range(rank) if axis not in axes)


# ---- means


def _mean_of(m: Matcher, ref: Ref) -> tuple[Ref, tuple[int, ...]] | None:
    """The value and the axes of which another is the mean; None if it is none."""
    found = m.operands(ref, "div") or m.operands(ref, "mul")
    if found is None:
        return None
    total = m.node(found[0])
    if total.op != "sum":
        return None
    type, axes = m.graph.type(total.inputs[0]), total.attrs["axes"]
    count = dims.product(type.shape[axis] for axis in axes)
    if isinstance(count, int):
        wanted = float(count) if m.node(ref).op == "div" else 1 / count
        fits = m.is_number(found[1], wanted)
    else:
        size = m.node(m.under(found[1]))
        fits = m.node(ref).op == "div" and size.op == "size" and size.attrs["dim"] == count
    return (total.inputs[0], axes) if fits and type.dtype.name in _FLOATS else None


def _mean(m: Matcher, node: Node) -> Pattern | None:
    found = _mean_of(m, Ref(node.id))
    if found is None:
        return None
    x, axes = found
    type = m.graph.type(x)
    return Pattern([x], lambda e, node, operands: mean_over(e, real(e, operands)[0], type, axes))


def _average_pool(m: Matcher, node: Node) -> Pattern | None:
    """The sum over windows times numbers: the mean, times what these are more than the mean's factor."""
    pooled = m.node(node.inputs[0])
    factor = m.node(m.under(node.inputs[1]))
    if pooled.op != "window_reduce" or pooled.attrs["combine"] != "sum" or factor.op != "constant":
        return None
    if not can_average(pooled, m.graph.type(pooled.inputs[0])):
        return None
    count = float(np.prod(pooled.attrs["window"]))
    array = factor.attrs["value"].numpy()
    more = (array * array.dtype.type(count)).astype(array.dtype)
    spread = m.node(node.inputs[1])
    axes = spread.attrs["axes"] if spread.op == "broadcast" else tuple(range(array.ndim))

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        mean = pooled_mean(e, pooled, real(e, operands)[0])
        if np.allclose(more, 1, rtol=2e-7, atol=0):
            return mean
        share = Placed("share", axes, more)
        order, result = e.together([mean, share], node.outs[0].rank)
        return Placed(e.scope.op("Mul", e.aligned(mean, order), e.aligned(share, order)), result)

    return Pattern([pooled.inputs[0]], rule)


# ---- softmax


def _softmax(m: Matcher, node: Node) -> Pattern | None:
    """`exp(x - max(x)) * (1 / sum(exp(x - max(x))))` along one axis."""
    rank = node.outs[0].rank
    for powers, share in m.either(Ref(node.id), "mul"):
        inverse = m.operands(m.under(share), "div")
        total = m.node(inverse[1]) if inverse is not None and m.is_number(inverse[0], 1.0) else None
        if total is None or total.op != "sum" or total.inputs[0] != powers or len(total.attrs["axes"]) != 1:
            continue
        axes = total.attrs["axes"]
        x = None if m.spread_along(share, _kept(rank, axes)) is None else _scores(m, powers, axes)
        if x is not None:
            return _along_axis("Softmax", m, x, axes[0])
    return None


def _attention(m: Matcher, node: Node) -> Pattern | None:
    """The softmax of scores times values, where sums are divided by after the product, which may be transposed."""
    for found, spread in m.either(Ref(node.id), "mul"):
        product, order, inverse = m.node(found), tuple(range(node.outs[0].rank)), m.operands(m.under(spread), "div")
        if product.op == "transpose" and m.is_alone(found):
            found, order = product.inputs[0], product.attrs["order"]
            product = m.node(found)
        if product.op != "contract" or inverse is None or not m.is_alone(found) or not m.is_number(inverse[0], 1.0):
            continue
        powers, values = product.inputs
        total, types = m.node(inverse[1]), [m.graph.type(ref) for ref in product.inputs]
        roles = contracted_axes(product, *types)[0]
        axes, kept = roles.contract, roles.batch + roles.free
        if total.op != "sum" or total.inputs != (powers,) or total.attrs["axes"] != axes or len(axes) != 1:
            continue
        # Each sum is spread along the axes of the product that are those of the scores.
        along = tuple(order.index(kept.index(axis)) for axis in sorted(kept))
        scores = None if m.spread_along(spread, along) is None else _scores(m, powers, axes)
        if scores is not None:
            return _attention_pattern(m, product, order, scores, values, axes[0])
    return None


def _scores(m: Matcher, powers: Ref, axes: tuple[int, ...]) -> Ref | None:
    """`x` of `exp(x - max(x))` along axes."""
    exponent = m.operands(powers, "exp")
    difference = None if exponent is None else m.operands(exponent[0], "sub")
    if difference is None:
        return None
    x, top = difference
    largest = m.spread_along(top, _kept(m.graph.type(x).rank, axes))
    if largest is None or m.node(largest).op != "max" or m.node(largest).inputs != (x,):
        return None
    return x if m.node(largest).attrs["axes"] == axes and m.graph.type(x).dtype.name in _FLOATS else None


def _attention_pattern(m: Matcher, product: Node, order: Sequence[int], scores: Ref, values: Ref, axis: int) -> Pattern:
    softmax = _along_axis("Softmax", m, scores, axis)

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        weights, others = softmax.rule(e, node, operands[:1]), real(e, operands[1:])[0]
        assert isinstance(weights, Placed)
        return matrix_product(e, product, weights, others).moved({axis: i for i, axis in enumerate(order)})

    return Pattern([scores, values], rule)


def _log_softmax(m: Matcher, node: Node) -> Pattern | None:
    """`y - log(sum(exp(y)))` along one axis, where `y` may be `x - max(x)`."""
    y, spread = node.inputs
    log = m.operands(m.under(spread), "log")
    total = m.node(m.under(spread) if log is None else log[0])
    axes = total.attrs.get("axes", ())
    if len(axes) != 1 or m.spread_along(spread, _kept(node.outs[0].rank, axes)) is None:
        return None
    if log is None:
        fits, x = total.op == "logsumexp" and total.inputs == (y,), y
    else:
        fits = total.op == "sum" and m.operands(total.inputs[0], "exp") == (y,)
        x = (_scores(m, total.inputs[0], axes) or y) if fits else y
    return _along_axis("LogSoftmax", m, x, axes[0]) if fits and node.outs[0].dtype.name in _FLOATS else None


def _along_axis(op: str, m: Matcher, x: Ref, axis: int) -> Pattern:
    type = m.graph.type(x)

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        placed = e.spread(real(e, operands)[0], type, [axis])
        (place,) = places_of(placed, [axis])
        return Placed(e.scope.op(op, e.named(placed), axis=place), placed.axes)

    return Pattern([x], rule)


# ---- normalization


def _layer_norm(m: Matcher, node: Node) -> Pattern | None:
    """`(x - mean) * rsqrt(variance + epsilon) * gamma + beta` along the last axis."""
    rank = node.outs[0].rank
    last = (rank - 1,)
    for scaled, beta in m.either(Ref(node.id), "add"):
        offset = m.spread_along(beta, last)
        if offset is None:
            continue
        for plain, gamma in m.either(scaled, "mul"):
            scale = m.spread_along(gamma, last)
            found = None if scale is None else _normalized(m, plain, last)
            if found is not None and scale is not None:
                return _layer_norm_pattern(found[0], scale, offset, found[1])
    return None


def _normalized(m: Matcher, ref: Ref, axes: tuple[int, ...]) -> tuple[Ref, float] | None:
    """The value that another is with mean 0 and variance 1 over axes, and epsilon; None if it is none."""
    rank = m.graph.type(ref).rank
    for away, factor in m.either(ref, "mul"):
        difference, root = m.operands(away, "sub"), m.operands(m.under(factor), "rsqrt")
        if difference is None or root is None or m.spread_along(factor, _kept(rank, axes)) is None:
            continue
        x, center = difference
        mean = m.spread_along(center, _kept(rank, axes))
        if mean is None or _mean_of(m, mean) != (x, axes):
            continue
        for variance, epsilon in m.either(root[0], "add"):
            number, square = m.number(epsilon), _mean_of(m, variance)
            squares = None if square is None or square[1] != axes else m.operands(square[0], "mul")
            if number is not None and squares == (away, away):
                return x, number
    return None


def _layer_norm_pattern(x: Ref, scale: Ref, offset: Ref, epsilon: float) -> Pattern:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        rank = node.outs[0].rank
        given, gamma, beta = real(e, operands)
        name = e.whole(given, node.outs[0])
        vectors = [e.whole(v, e.type(ref)) for v, ref in ((gamma, scale), (beta, offset))]
        found = e.scope.op("LayerNormalization", name, *vectors, axis=-1, epsilon=epsilon)
        return Placed(found, tuple(range(rank)))

    return Pattern([x, scale, offset], rule)


def _batch_norm(m: Matcher, node: Node) -> Pattern | None:
    """`x * (gamma * rsqrt(variance + epsilon)) + (beta - mean * ...)` along one axis: a layer in inference."""
    for scaled, spread in m.either(Ref(node.id), "add"):
        shift = m.node(spread)
        if shift.op != "broadcast" or len(shift.attrs["axes"]) != 1:
            continue
        axes = shift.attrs["axes"]
        for x, by in m.either(scaled, "mul"):
            factor = m.spread_along(by, axes)
            parts = None if factor is None else _batch_norm_parts(m, factor, shift.inputs[0])
            if parts is not None and node.outs[0].dtype.name == "float32" and axes[0] > 0:
                vectors, epsilon = parts
                return _batch_norm_pattern(m, x, vectors, epsilon, axes[0])
    return None


def _batch_norm_parts(m: Matcher, factor: Ref, shift: Ref) -> tuple[_Vectors, float] | None:
    """Scale, offset, mean and variance, all of them states or missing, and epsilon."""
    for root, scale in [*m.either(factor, "mul"), (factor, None)]:
        inner = m.operands(root, "rsqrt")
        if inner is None:
            continue
        for moved, offset in [*m.either(shift, "add"), (shift, None)]:
            negative = m.operands(moved, "neg")
            for mean, again in m.either(negative[0], "mul") if negative is not None else ():
                for variance, epsilon in m.either(inner[0], "add"):
                    vectors, number = (scale, offset, mean, variance), m.number(epsilon)
                    states = all(v is None or m.node(v).op == "state" for v in vectors)
                    if again == factor and number is not None and states:
                        return vectors, number
    return None


def _batch_norm_pattern(m: Matcher, x: Ref, vectors: _Vectors, epsilon: float, axis: int) -> Pattern:
    count = m.graph.type(x).shape[axis]

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        given, *others = real(e, operands)
        rank, rest = node.outs[0].rank, iter(others)
        order = (0, axis, *(a for a in range(1, rank) if a != axis))
        # Without a scale it is 1, without an offset 0.
        defaults = [e.scope.constant(np.full(known(count), number, np.float32)) for number in (1, 0)]
        names = [defaults[i] if v is None else e.named(next(rest)) for i, v in enumerate(vectors)]
        name = e.whole(given, node.outs[0], order)
        return Placed(e.scope.op("BatchNormalization", name, *names, epsilon=epsilon), order)

    return Pattern([x, *(v for v in vectors if v is not None)], rule)


# ---- products with biases


def _gemm(m: Matcher, node: Node) -> Pattern | None:
    """A product of matrices, and a vector that is added to each row."""
    if node.outs[0].rank != 2 or node.outs[0].dtype.name not in _FLOATS:
        return None
    for found, spread in m.either(Ref(node.id), "add"):
        product, bias = m.node(found), m.spread_along(spread, (1,))
        if product.op != "contract" or bias is None or not m.is_alone(found) or m.graph.type(bias).rank != 1:
            continue
        left, right = (m.graph.type(ref) for ref in product.inputs)
        a, b = contracted_axes(product, left, right)
        if left.rank == right.rank == 2 and not a.batch and len(a.contract) == 1:
            return _gemm_pattern(product, bias, (a.contract[0], b.contract[0]))
    return None


def _gemm_pattern(product: Node, bias: Ref, contracted: tuple[int, int]) -> Pattern:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        types = [e.type(ref) for ref in (*product.inputs, bias)]
        orders = [(1 - contracted[0], contracted[0]), (contracted[1], 1 - contracted[1]), (0,)]
        names = [e.whole(x, t, order) for x, t, order in zip(real(e, operands), types, orders, strict=True)]
        return Placed(e.scope.op("Gemm", *names), (0, 1))

    return Pattern([*product.inputs, bias], rule)


def _conv_bias(m: Matcher, node: Node) -> Pattern | None:
    """A convolution, and a number that is added to each channel."""
    for found, spread in m.either(Ref(node.id), "add"):
        conv = m.node(found)
        bias = m.spread_along(spread, (node.outs[0].rank - 1,))
        if conv.op != "conv" or bias is None or not m.is_alone(found) or node.outs[0].dtype.name not in _FLOATS:
            continue
        if m.graph.type(bias).rank == 1 and node.outs[0].rank > 2:
            return _conv_pattern(conv, bias)
    return None


def _conv_pattern(conv: Node, bias: Ref) -> Pattern:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        x, w, b = real(e, operands)
        whole = Placed(e.whole(b, e.type(bias)), (0,))
        return convolution(e, conv, [x, w], whole)

    return Pattern([*conv.inputs, bias], rule)


_FINDERS: Mapping[str, tuple[Finder, ...]] = {
    "mul": (_softmax, _attention, gelu, _average_pool, _mean),
    "div": (_mean, hard_sigmoid),
    "sub": (_log_softmax,),
    "add": (_layer_norm, _batch_norm, _conv_bias, _gemm),
    "log1p": (softplus,),
    "scan": (recurrence,),
    "select": (limited_relu, leaky_relu, elu),
}


def find_patterns(graph: Graph, opset: int) -> dict[int, Pattern]:
    """The patterns of a graph, by the id of the node that computes the result."""
    matcher, found = Matcher(graph, opset), {}
    for node in graph.table.values():
        for finder in _FINDERS.get(node.op, ()):
            pattern = finder(matcher, node)
            if pattern is not None:
                found[node.id] = pattern
                break
    return found
