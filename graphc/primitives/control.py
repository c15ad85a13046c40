"""Loops: operations that hold a closed graph, their body, and run it several times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value, build_like, inline
from graphc.graph.core import Graph
from graphc.graph.registry import Case, Kind, Primitive, register
from graphc.graph.types import TensorType
from graphc.primitives.base import FLOATS, Array

Grads = Sequence[Value | None]
Body = Callable[[Mapping[str, Array]], list[Array]]


@dataclass(frozen=True, slots=True)
class ScanSignature:
    """How many operands of each sort a scan has.

    The operands of a scan are its constants, its initial carries and its sequences, in this order. Its body has the
    inputs `c0, ..`, `s0, ..` and `x0, ..`: the constants, the carries so far, and an element of each sequence. It
    returns the new carries, then an element for each stacked result.
    """

    constants: int
    carries: int
    xs: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the body's inputs, in the order of the operands."""
        counts = (("c", self.constants), ("s", self.carries), ("x", self.xs))
        return tuple(f"{letter}{i}" for letter, count in counts for i in range(count))

    @property
    def first_x(self) -> int:
        """The position of the first sequence among the operands."""
        return self.constants + self.carries

    def parts(self, operands: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Constants, carries and sequences."""
        return operands[: self.constants], operands[self.constants : self.first_x], operands[self.first_x :]


def signature_of(attrs: Mapping[str, Any]) -> ScanSignature:
    """The counts among the attributes of a scan."""
    return ScanSignature(attrs["constants"], attrs["carries"], attrs["xs"])


# ---- types


def _infer(
    *operands: TensorType, body: Graph, constants: int, carries: int, xs: int, length: Dim, reverse: bool
) -> tuple[TensorType, ...]:
    signature = ScanSignature(constants, carries, xs)
    if len(operands) != len(signature.names):
        raise ShapeError("`scan` has another number of operands", got=len(operands), expected=len(signature.names))
    given, initial, sequences = signature.parts(operands)
    for position, sequence in enumerate(sequences):
        if not sequence.shape or sequence.shape[0] != length:
            raise ShapeError(f"sequence {position} of `scan` has another length", got=str(sequence), expected=length)
    elements = [TensorType(sequence.shape[1:], sequence.dtype) for sequence in sequences]
    _check_body(body, dict(zip(signature.names, (*given, *initial, *elements), strict=True)))
    results = [body.type(ref) for ref in body.outputs]
    if len(results) < carries:
        raise ShapeError("the body of `scan` returns too few values", got=len(results), expected=f"{carries} or more")
    for position, (before, after) in enumerate(zip(initial, results, strict=False)):
        if before != after:
            raise ShapeError(f"carry {position} of `scan` changes its type", got=str(after), expected=str(before))
    return (*initial, *(TensorType((length, *y.shape), y.dtype) for y in results[carries:]))


def _check_body(body: Graph, expected: Mapping[str, TensorType]) -> None:
    """Raises where the body's inputs are not the ones expected, or it is not closed."""
    found = {name: node.outs[0] for name, node in body.inputs.items()}
    if body.states or body.updates:
        raise ShapeError("the body of `scan` has states of its own", got=sorted(body.states), hint="carry them")
    if found.keys() != expected.keys():
        raise ShapeError("the body of `scan` has other inputs", got=sorted(found), expected=sorted(expected))
    for name, type in expected.items():
        if found[name] != type:
            raise ShapeError(
                f"input {name} of the body of `scan` does not fit", got=str(found[name]), expected=str(type)
            )


# ---- NumPy


def _eval(
    *operands: Array, body: Body, constants: int, carries: int, xs: int, length: int, reverse: bool
) -> tuple[Array, ...]:
    signature = ScanSignature(constants, carries, xs)
    given, state, sequences = signature.parts(operands)
    rows: list[list[Array]] = []
    for step in range(length - 1, -1, -1) if reverse else range(length):
        elements = [sequence[step] for sequence in sequences]
        results = body(dict(zip(signature.names, (*given, *state, *elements), strict=True)))
        state = results[:carries]
        rows.append(results[carries:])
    if reverse:
        rows.reverse()
    return (*(np.asarray(value) for value in state), *(np.stack(column) for column in zip(*rows, strict=True)))


# ---- gradient: a scan in the other direction over what each step started from


def with_saved_carries(body: Graph, signature: ScanSignature) -> Graph:
    """The body with the carries that each step starts from as further results."""
    builder = build_like(body)
    arguments = {name: builder.input(name, body.inputs[name].outs[0]) for name in signature.names}
    results = inline(builder, body, arguments)
    _, saved, _ = signature.parts([arguments[name] for name in signature.names])
    return builder.finish([*results, *saved])


def _vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Grads:
    cotangents = given if isinstance(given, tuple) else (given,)
    signature, body = signature_of(n.attrs), n.attrs["body"]
    count, length, reverse = signature.carries, n.attrs["length"], n.attrs["reverse"]
    builder, (constants, initial, sequences) = n.builder, signature.parts(n.operands)
    forward = builder.apply_many("scan", *n.operands, **{**n.attrs, "body": with_saved_carries(body, signature)})
    saved = forward[len(n.node.outs) :] if initial else ()
    ys = {place: g for place, g in enumerate(cotangents) if place >= count and g is not None}
    back = _Backward(signature, body, tuple(ys), n)
    operands = [
        *constants,
        *(cotangents[i] or _zeros(initial[i]) for i in back.moving),
        *(_zeros(constants[i]) for i in back.summed),
        *sequences,
        *saved,
        *ys.values(),
    ]
    counts = {"constants": len(constants), "carries": len(back.moving) + len(back.summed)}
    counts["xs"] = len(operands) - sum(counts.values())
    found = builder.apply_many("scan", *operands, body=back.graph(), length=length, reverse=not reverse, **counts)
    return back.arranged(found)


def _zeros(value: Value) -> Value:
    return value.builder.full(0, value.shape, value.dtype)


class _Backward:
    """The body of the reverse scan.

    Its constants are the forward scan's; its carries are the cotangents of the forward carries, then the sums of those
    of the constants; its sequences are those of the forward scan, the saved carries and the cotangents of stacked
    results.
    """

    def __init__(self, signature: ScanSignature, body: Graph, ys: tuple[int, ...], applied: Applied) -> None:
        self.signature = signature
        self.body = body
        self.ys = ys
        self.applied = applied
        constants, initial, sequences = signature.parts(applied.operands)
        self.summed = [i for i, value in enumerate(constants) if value.dtype.is_float]
        self.moving = [i for i, value in enumerate(initial) if value.dtype.is_float]
        self.stacked = [i for i, value in enumerate(sequences) if value.dtype.is_float]

    def graph(self) -> Graph:
        """The body as a graph."""
        builder, body = build_like(self.body), self.body
        types = [body.inputs[name].outs[0] for name in self.signature.names]
        constant_types, carry_types, x_types = self.signature.parts(types)
        constants = [builder.input(f"c{i}", type) for i, type in enumerate(constant_types)]
        moving_types = [*(carry_types[i] for i in self.moving), *(constant_types[i] for i in self.summed)]
        moving = [builder.input(f"s{i}", type) for i, type in enumerate(moving_types)]
        y_types = [body.type(body.outputs[place]) for place in self.ys]
        xs = [builder.input(f"x{i}", type) for i, type in enumerate([*x_types, *carry_types, *y_types])]
        sequences, rest = xs[: len(x_types)], xs[len(x_types) :]
        carries, arrived = rest[: len(carry_types)], rest[len(carry_types) :]
        wrt = [*constants, *carries, *sequences]
        results = inline(builder, body, dict(zip(self.signature.names, wrt, strict=True)))
        pairs = [(results[place], g) for place, g in zip(self.moving, moving, strict=False)]
        pairs += [(results[place], g) for place, g in zip(self.ys, arrived, strict=True)]
        found = self.applied.differentiate(builder, _summed(pairs), wrt)
        d_constants, d_carries, d_xs = self.signature.parts(found)
        totals = zip(moving[len(self.moving) :], self.summed, strict=True)
        return builder.finish(
            [
                *(d_carries[i] or _zeros(carries[i]) for i in self.moving),
                *(_plus(total, d_constants[i]) for total, i in totals),
                *(d_xs[i] or _zeros(sequences[i]) for i in self.stacked),
            ]
        )

    def arranged(self, found: Sequence[Value]) -> Grads:
        """The results of the reverse scan, as cotangents of the forward scan's operands."""
        signature = self.signature
        grads: list[Value | None] = [None] * len(signature.names)
        places = [
            *(signature.constants + i for i in self.moving),
            *self.summed,
            *(signature.first_x + i for i in self.stacked),
        ]
        for place, value in zip(places, found, strict=True):
            grads[place] = value
        return grads


def _summed(pairs: Iterable[tuple[Value, Value]]) -> dict[Any, Value]:
    """Cotangents by value; one that the body returns twice gets the sum."""
    sums: dict[Any, Value] = {}
    for value, cotangent in pairs:
        sums[value.ref] = _plus(cotangent, sums.get(value.ref))
    return sums


def _plus(total: Value, part: Value | None) -> Value:
    return total if part is None else total.builder.apply("add", total, part)


# ---- cases


def _recurrence(dtype: DType, with_sequence: bool) -> Graph:
    """`s0' = tanh(s0 @ c0 + x0)`, with a second carry that adds up; every new `s0` is stacked."""
    builder = Builder()
    weights = builder.input("c0", TensorType((3, 3), dtype))
    hidden = builder.input("s0", TensorType((2, 3), dtype))
    total = builder.input("s1", TensorType((2, 3), dtype))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    product = builder.apply("contract", hidden, weights, **axes)
    if with_sequence:
        product = builder.apply("add", product, builder.input("x0", TensorType((2, 3), dtype)))
    new = builder.apply("tanh", product)
    return builder.finish([new, builder.apply("add", total, new), *([new] if with_sequence else [])])


def _cases() -> Iterable[Case]:
    carries = ((3, 3), (2, 3), (2, 3))
    for reverse in (False, True):
        counts = {"constants": 1, "carries": 2, "xs": 1, "length": 4, "reverse": reverse}
        yield Case((*carries, (4, 2, 3)), counts, -1, 1, typed=lambda dtype: {"body": _recurrence(dtype, True)})
    counts = {"constants": 1, "carries": 2, "xs": 0, "length": 3, "reverse": False}
    yield Case(carries, counts, -1, 1, typed=lambda dtype: {"body": _recurrence(dtype, False)})


scan = register(Primitive("scan", Kind.SCAN, _infer, _eval, None, _vjp, _cases, FLOATS))
