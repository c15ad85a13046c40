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
    parts = [x for operand in operands if isinstance(operand, Parts) for x in (operand.real, operand.imag)]
    order, axes = e.together(parts, node.outs[0].rank)
    return [e.aligned(x, order) for x in parts], axes


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


def _complex(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    return Parts(*real(e, operands))


def _fft(e: Emitter, node: Node, operands: Sequence[Stored]) -> Stored:
    """The transform along the last axis, without a factor: the inverse of ONNX divides by the number of elements."""
    (x,), type, s = operands, e.type(node.inputs[0]), e.scope
    assert isinstance(x, Parts)
    inverse = node.attrs["inverse"]
    parts = [s.op("Unsqueeze", e.whole(part, type), s.ints(-1)) for part in (x.real, x.imag)]
    joined = s.op("Concat", *parts, axis=-1)
    count, sign = type.shape[-1], int(inverse)
    # ONNX Runtime takes tensors of one axis of samples, one of the signal, and one of parts.
    if s.opset < 20:
        found = s.op("DFT", joined, axis=type.rank - 1, inverse=sign)
    else:
        found = s.op("DFT", joined, "", s.op("Squeeze", s.ints(type.rank - 1), s.ints(0)), inverse=sign)
    names = [s.op("Gather", found, s.number(i, dtypes.int64), axis=type.rank) for i in (0, 1)]
    if inverse:
        factor = s.cast(s.size(count), type.dtype.real)
        names = [s.op("Mul", name, factor) for name in names]
    axes = tuple(range(type.rank))
    return Parts(*(Placed(name, axes) for name in names))


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
        "real": _by_parts(lambda e, x: x[:1]),
        "imag": _by_parts(lambda e, x: x[1:]),
        "conj": _by_parts(lambda e, x: (x[0], e.scope.op("Neg", x[1]))),
        "complex": _complex,
        "fft": _fft,
    }
)
