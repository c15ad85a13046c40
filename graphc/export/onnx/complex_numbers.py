"""Complex numbers, by their parts, and Fourier transforms, as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from graphc import dtypes
from graphc.export.onnx.emitter import Emitter, Rule
from graphc.export.onnx.placed import Axes, Parts, Placed, Stored
from graphc.export.onnx.pointwise import POINTWISE, real
from graphc.graph.types import Node

# Emits an operation from the names of the parts of its operands; returns those of the parts of the result.
_Build = Callable[[Emitter, Sequence[str]], Sequence[str]]


def _by_parts(build: _Build) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        names, axes = _names(e, node, operands)
        found = [Placed(name, axes) for name in build(e, names)]
        return found[0] if len(found) == 1 else Parts(*found)

    return rule


def _names(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[list[str], Axes]:
    """The tensors of all parts, which have the same axes, and these axes."""
    parts = [x for operand in operands if isinstance(operand, Parts) for x in (operand.real, operand.imag)]
    order, axes = e.together(parts, node.outs[0].rank)
    if all(x.present == parts[0].present for x in parts):
        return [e.aligned(x, order) for x in parts], axes
    return [e.whole(x, node.outs[0], order) for x in parts], order


def _or_real(op: str, build: _Build) -> Rule:
    """The rule for complex operands, or that for others."""
    complex_rule, other = _by_parts(build), POINTWISE[op]

    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored | tuple[Stored, ...]:
        return (complex_rule if any(isinstance(x, Parts) for x in operands) else other)(e, node, operands)

    return rule


def _each(op: str) -> _Build:
    return lambda e, x: (e.scope.op(op, x[0], x[2]), e.scope.op(op, x[1], x[3]))


def _mul(e: Emitter, x: Sequence[str]) -> Sequence[str]:
    (a, b, c, d), s = x, e.scope
    return (
        s.op("Sub", s.op("Mul", a, c), s.op("Mul", b, d)),
        s.op("Add", s.op("Mul", a, d), s.op("Mul", b, c)),
    )


def _div(e: Emitter, x: Sequence[str]) -> Sequence[str]:
    (a, b, c, d), s = x, e.scope
    size = s.op("Add", s.op("Mul", c, c), s.op("Mul", d, d))
    up, across = _mul(e, (a, b, c, s.op("Neg", d)))
    return s.op("Div", up, size), s.op("Div", across, size)


def _abs(e: Emitter, x: Sequence[str]) -> Sequence[str]:
    s = e.scope
    return (s.op("Sqrt", s.op("Add", s.op("Mul", x[0], x[0]), s.op("Mul", x[1], x[1]))),)


def _exp(e: Emitter, x: Sequence[str]) -> Sequence[str]:
    s = e.scope
    size = s.op("Exp", x[0])
    return s.op("Mul", size, s.op("Cos", x[1])), s.op("Mul", size, s.op("Sin", x[1]))


def _eq(e: Emitter, x: Sequence[str]) -> Sequence[str]:
    s = e.scope
    return (s.op("And", s.op("Equal", x[0], x[2]), s.op("Equal", x[1], x[3])),)


def _part(name: str) -> Rule:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
        found: Placed = getattr(operands[0], name)
        return found

    return rule


def _complex(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    return Parts(*real(e, operands))


def _fft(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    """The transform along the last axis, without a factor; the inverse is that of the conjugate, conjugated."""
    (x,), type, s = operands, e.type(node.inputs[0]), e.scope
    assert isinstance(x, Parts)
    real_part, imag_part = (e.whole(part, type) for part in (x.real, x.imag))
    inverse = node.attrs["inverse"]
    imag_part = s.op("Neg", imag_part) if inverse else imag_part
    joined = s.op("Concat", *(s.op("Unsqueeze", part, s.ints(-1)) for part in (real_part, imag_part)), axis=-1)
    if s.opset < 20:
        found = s.op("DFT", joined, axis=type.rank - 1)
    else:
        found = s.op("DFT", joined, "", s.number(type.rank - 1, dtypes.int64))
    up, across = (s.op("Gather", found, s.number(i, dtypes.int64), axis=type.rank) for i in (0, 1))
    across = s.op("Neg", across) if inverse else across
    return Parts(*(Placed(name, tuple(range(type.rank))) for name in (up, across)))


COMPLEX = MappingProxyType(
    {
        "add": _or_real("add", _each("Add")),
        "sub": _or_real("sub", _each("Sub")),
        "mul": _or_real("mul", _mul),
        "div": _or_real("div", _div),
        "neg": _or_real("neg", lambda e, x: (e.scope.op("Neg", x[0]), e.scope.op("Neg", x[1]))),
        "abs": _or_real("abs", _abs),
        "exp": _or_real("exp", _exp),
        "eq": _or_real("eq", _eq),
        "ne": _or_real("ne", lambda e, x: (e.scope.op("Not", _eq(e, x)[0]),)),
        "real": _part("real"),
        "imag": _part("imag"),
        "conj": _by_parts(lambda e, x: (x[0], e.scope.op("Neg", x[1]))),
        "complex": _complex,
        "fft": _fft,
    }
)
