"""Activations that are operators of ONNX, as patterns: operators of their own are fused into those before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.export.onnx.emitter import Emitter, Pattern, Rule
from graphc.export.onnx.matcher import Matcher
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.pointwise import real
from graphc.graph.types import Node, Ref

_FLOATS = ("float32", "float64")


def _unary(op: str, **attrs: Any) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        (x,) = real(e, operands)
        return Placed(e.scope.op(op, e.named(x), **attrs), x.axes)

    return rule


def _is_float(node: Node) -> bool:
    return node.outs[0].dtype.name in _FLOATS


def gelu(m: Matcher, node: Node) -> Pattern | None:
    """`0.5 x (1 + erf(x sqrt(1/2)))`: an operator of newer versions, else in the form that implementations know."""
    if not _is_float(node):
        return None
    for half, rest in m.either(Ref(node.id), "mul"):
        for one, curve in m.either(rest, "add"):
            inner = m.operands(curve, "erf")
            if inner is None or not m.is_number(one, 1.0):
                continue
            for x, factor in m.either(inner[0], "mul"):
                halves = any(m.is_number(a, 0.5) and b == x for a, b in m.either(half, "mul"))
                if halves and m.is_number(factor, 0.5**0.5):
                    return Pattern([x], _unary("Gelu") if m.opset >= 20 else _written_gelu)
    return None


def _written_gelu(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
    (x,) = real(e, operands)
    s, name, dtype = e.scope, e.named(x), node.outs[0].dtype
    curve = s.op("Erf", s.op("Div", name, s.number(2**0.5, dtype)))
    product = s.op("Mul", name, s.op("Add", curve, s.number(1, dtype)))
    return Placed(s.op("Mul", product, s.number(0.5, dtype)), x.axes)


def softplus(m: Matcher, node: Node) -> Pattern | None:
    """`log1p(exp(x))`."""
    inner = m.operands(node.inputs[0], "exp")
    return Pattern(inner, _unary("Softplus")) if inner is not None and _is_float(node) else None


def _limit(m: Matcher, node: Node) -> tuple[Ref, float] | None:
    """`x` and `c` of `c if x >= c else relu(x)`."""
    condition, then, otherwise = node.inputs
    x, limit = m.operands(otherwise, "relu"), m.number(then)
    compared = m.operands(condition, "ge") or m.operands(condition, "gt")
    if x is None or limit is None or limit < 0 or compared is None or not _is_float(node):
        return None
    return (x[0], limit) if compared[0] == x[0] and m.number(compared[1]) == limit else None


def limited_relu(m: Matcher, node: Node) -> Pattern | None:
    """`min(max(x, 0), c)`, as a choice."""
    found = _limit(m, node)
    if found is None:
        return None
    dtype = node.outs[0].dtype

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Placed:
        (x,), s = real(e, operands), e.scope
        return Placed(s.op("Clip", e.named(x), s.number(0, dtype), s.number(found[1], dtype)), x.axes)

    return Pattern([found[0]], rule)


def hard_sigmoid(m: Matcher, node: Node) -> Pattern | None:
    """`relu6(x + 3) / 6`."""
    chosen = m.node(node.inputs[0])
    found = _limit(m, chosen) if chosen.op == "select" and m.is_number(node.inputs[1], 6.0) else None
    if found is None or found[1] != 6:
        return None
    for x, three in m.either(found[0], "add"):
        if m.is_number(three, 3.0):
            return Pattern([x], _unary("HardSigmoid", alpha=float(np.float32(1 / 6)), beta=0.5))
    return None


def leaky_relu(m: Matcher, node: Node) -> Pattern | None:
    """`x` where it is positive, else `c x`."""
    condition, x, otherwise = node.inputs
    compared = m.operands(condition, "ge") or m.operands(condition, "gt")
    if compared is None or compared[0] != x or m.number(compared[1]) != 0 or not _is_float(node):
        return None
    for one, slope in m.either(otherwise, "mul"):
        number = m.number(slope)
        if one == x and number is not None:
            return Pattern([x], _unary("LeakyRelu", alpha=number))
    return None


def elu(m: Matcher, node: Node) -> Pattern | None:
    """`x` where it is positive, else `c (exp(x) - 1)`, of which only that is computed for what is not positive."""
    condition, x, otherwise = node.inputs
    compared = m.operands(condition, "gt")
    if compared is None or compared[0] != x or m.number(compared[1]) != 0 or not _is_float(node):
        return None
    for curve, factor in [*m.either(otherwise, "mul"), (otherwise, None)]:
        inner = m.operands(curve, "expm1")
        alpha = 1.0 if factor is None else m.number(factor)
        guarded = None if inner is None else m.operands(inner[0], "select")
        if guarded is None or alpha is None or guarded[0] != condition or guarded[2] != x:
            continue
        if m.number(guarded[1]) == 0:
            return Pattern([x], _unary("Elu", alpha=alpha))
    return None
