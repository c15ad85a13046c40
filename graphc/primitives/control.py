"""Counted loops (`scan`): an operation that runs a closed graph, its body, several times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value, build_like, copy_node, inline
from graphc.graph.core import Graph
from graphc.graph.registry import Batched, Case, Kind, Primitive, RegionRule, primitive, register
from graphc.graph.types import Attrs, Ref, TensorType
from graphc.primitives.base import INEXACT, Array
from graphc.primitives.batching import move_axis, vectorized_graph

Grads = Sequence[Value | None]
Body = Callable[[Mapping[str, Array]], list[Array]]


@dataclass(frozen=True, slots=True)
class ScanSignature:
    """The number of operands of each sort that a scan has.

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
    """The signature of a scan, from its attributes."""
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
    check_region("the body of `scan`", body, dict(zip(signature.names, (*given, *initial, *elements), strict=True)))
    results = [body.type(ref) for ref in body.outputs]
    if len(results) < carries:
        raise ShapeError("the body of `scan` returns too few values", got=len(results), expected=f"{carries} or more")
    check_carries("`scan`", initial, results)
    return (*initial, *(TensorType((length, *y.shape), y.dtype) for y in results[carries:]))


def check_region(what: str, graph: Graph, expected: Mapping[str, TensorType]) -> None:
    """Raises where a region (a graph that an operation runs) has other inputs than expected, or is not closed."""
    actual = {name: node.outs[0] for name, node in graph.inputs.items()}
    if graph.states or graph.updates:
        raise ShapeError(f"{what} has states of its own", got=sorted(graph.states), hint="carry them")
    if actual.keys() != expected.keys():
        raise ShapeError(f"{what} has other inputs", got=sorted(actual), expected=sorted(expected))
    for name, type in expected.items():
        if actual[name] != type:
            raise ShapeError(f"input {name} of {what} does not fit", got=str(actual[name]), expected=str(type))


def check_carries(what: str, before: Sequence[TensorType], after: Sequence[TensorType]) -> None:
    """Raises where an iteration returns carries of other types than it takes."""
    for position, (given, returned) in enumerate(zip(before, after, strict=False)):
        if given != returned:
            raise ShapeError(f"carry {position} of {what} changes its type", got=str(returned), expected=str(given))


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


# ---- gradient: a scan in the other direction


def _vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Grads:
    cotangents = given if isinstance(given, tuple) else (given,)
    signature = signature_of(n.attrs)
    ys = {place: g for place, g in enumerate(cotangents) if place >= signature.carries and g is not None}
    back = _Backward(signature, n.attrs["body"], tuple(ys), n)
    builder, (constants, initial, sequences) = n.builder, signature.parts(n.operands)
    forward = builder.apply_many("scan", *n.operands, **{**n.attrs, "body": back.forward()})
    operands = [
        *constants,
        *(cotangents[i] or _zeros(initial[i]) for i in back.moving),
        *(_zeros(constants[i]) for i in back.summed),
        *sequences,
        *forward[len(n.node.outs) :],
        *ys.values(),
    ]
    counts = {"constants": len(constants), "carries": len(back.moving) + len(back.summed)}
    counts["xs"] = len(operands) - sum(counts.values())
    direction = {"length": n.attrs["length"], "reverse": not n.attrs["reverse"]}
    return back.arranged(builder.apply_many("scan", *operands, body=back.graph(), **direction, **counts))


def _zeros(value: Value) -> Value:
    return value.builder.full(0, value.shape, value.dtype)


class _Backward:
    """The gradient of a scan: the values that the forward scan saves in each step, and the body of the reverse scan.

    A step and its gradient are first one joint graph. Values of the step that the gradient reads are saved: the forward
    scan stacks them. Nodes that depend on constants only, and views of saved values, are recomputed, since that costs
    nothing.

    The constants of the reverse scan's body are the forward scan's; its carries are the cotangents of the forward
    carries, then the sums of the cotangents of constants; its sequences are those of the forward scan, the saved
    values, and the cotangents of stacked results.
    """

    def __init__(self, signature: ScanSignature, body: Graph, ys: tuple[int, ...], applied: Applied) -> None:
        self.signature, self.body, self.ys = signature, body, ys
        constants, initial, sequences = signature.parts(applied.operands)
        self.moving = [i for i, value in enumerate(initial) if value.dtype.is_inexact]
        self.joint, arguments, results = self._step()
        self.first = len(self.joint.nodes)  # where the gradient's nodes start
        arrived = [self.joint.input(f"d{place}", results[place].type) for place in (*self.moving, *ys)]
        pairs = zip((results[place] for place in (*self.moving, *ys)), arrived, strict=True)
        gradients = applied.differentiate(self.joint, _summed(pairs), arguments)
        d_constants, self.d_carries, d_xs = signature.parts(gradients)
        self.d_constants, self.d_xs = d_constants, d_xs
        self.summed = [i for i, v in enumerate(constants) if v.dtype.is_inexact and d_constants[i] is not None]
        self.stacked = [i for i, v in enumerate(sequences) if v.dtype.is_inexact and d_xs[i] is not None]
        self.needed = self._reverse_nodes()
        self.saved = self._saved()

    def _step(self) -> tuple[Builder, list[Value], list[Value]]:
        """A builder with the step's nodes, its inputs, and its results."""
        builder = build_like(self.body)
        arguments = [builder.input(name, self.body.inputs[name].outs[0]) for name in self.signature.names]
        return builder, arguments, inline(builder, self.body, dict(zip(self.signature.names, arguments, strict=True)))

    def _gradients(self) -> list[Value | None]:
        wanted = [self.d_carries[i] for i in self.moving]
        return [*wanted, *(self.d_constants[i] for i in self.summed), *(self.d_xs[i] for i in self.stacked)]

    def _reverse_nodes(self) -> set[int]:
        """The nodes of the reverse body: those of the gradient, and those that it recomputes."""
        invariant = self._invariant()
        needed: set[int] = set()
        stack = [value.ref.node for value in self._gradients() if value is not None]
        while stack:
            id = stack.pop()
            if id in needed:
                continue
            needed.add(id)
            if id >= self.first or id in invariant or self._is_view(id):
                stack.extend(ref.node for ref in self.joint.nodes[id].inputs)
        return needed

    def _is_view(self, id: int) -> bool:
        return primitive(self.joint.nodes[id].op).kind is Kind.VIEW

    def _invariant(self) -> set[int]:
        """The nodes of the step that depend on constants only."""
        invariant: set[int] = set()
        for node in self.joint.nodes[: self.first]:
            is_input = node.op == "input"
            own = is_input and node.attrs["name"].startswith("c")
            if own or (not is_input and all(ref.node in invariant for ref in node.inputs)):
                invariant.add(node.id)
        return invariant

    def _saved(self) -> list[Ref]:
        """The values of a step, or its carries, that the gradient reads and does not recompute."""
        invariant, saved = self._invariant(), dict[Ref, None]()
        read = [ref for id in sorted(self.needed) for ref in self._operands(id, invariant)]
        for ref in [*read, *(value.ref for value in self._gradients() if value is not None)]:
            node = self.joint.nodes[ref.node]
            is_sequence = node.op == "input" and node.attrs["name"].startswith("x")
            if ref.node < self.first and ref.node not in invariant and not is_sequence and not self._is_view(ref.node):
                saved[ref] = None
        return list(saved)

    def _operands(self, id: int, invariant: set[int]) -> tuple[Ref, ...]:
        """The operands of a node of the reverse body; none where its value is saved by the forward scan."""
        computed = id >= self.first or id in invariant or self._is_view(id)
        return self.joint.nodes[id].inputs if computed else ()

    def forward(self) -> Graph:
        """The body of the forward scan: the step, with the saved values as further results."""
        builder, _, results = self._step()  # the nodes have the numbers that they have in the joint graph
        return builder.finish([*results, *(builder.value(ref) for ref in self.saved)])

    def graph(self) -> Graph:
        """The body of the reverse scan."""
        builder, joint = build_like(self.body), self.joint
        inputs = {node.attrs["name"]: node for node in joint.nodes if node.op == "input"}
        types = {name: node.outs[0] for name, node in inputs.items()}
        constants, _, sequences = self.signature.parts(self.signature.names)
        mapping: dict[Ref, Ref] = {}

        def given(letter: str, sources: Iterable[tuple[Ref | None, TensorType]]) -> list[Value]:
            values = []
            for i, (source, type) in enumerate(sources):
                values.append(builder.input(f"{letter}{i}", type))
                if source is not None:
                    mapping[source] = values[-1].ref
            return values

        given("c", [(Ref(inputs[name].id), types[name]) for name in constants])
        arrived = [(Ref(inputs[f"d{place}"].id), types[f"d{place}"]) for place in self.moving]
        carries = given("s", [*arrived, *((None, types[f"c{i}"]) for i in self.summed)])
        rows = [(Ref(inputs[name].id), types[name]) for name in sequences]
        rows += [(ref, joint.type(ref)) for ref in self.saved]
        given("x", [*rows, *((Ref(inputs[f"d{place}"].id), types[f"d{place}"]) for place in self.ys)])
        for id in sorted(self.needed):
            node = joint.nodes[id]
            if Ref(id) in mapping or any(ref.node == id for ref in self.saved):
                continue
            copied = copy_node(builder, node, mapping)
            mapping.update({Ref(id, out): Ref(copied.id, out) for out in range(len(node.outs))})
        gradients = [None if value is None else builder.value(mapping[value.ref]) for value in self._gradients()]
        moved, rest = gradients[: len(self.moving)], gradients[len(self.moving) :]
        totals = zip(carries[len(self.moving) :], rest, strict=False)
        results: list[Value] = [d or _zeros(s) for d, s in zip(moved, carries, strict=False)]
        results += [_plus(total, part) for total, part in totals]
        return builder.finish([*results, *(d for d in rest[len(self.summed) :] if d is not None)])

    def arranged(self, results: Sequence[Value]) -> Grads:
        """The results of the reverse scan, as cotangents of the forward scan's operands."""
        signature = self.signature
        grads: list[Value | None] = [None] * len(signature.names)
        places = [
            *(signature.constants + i for i in self.moving),
            *self.summed,
            *(signature.first_x + i for i in self.stacked),
        ]
        for place, value in zip(places, results, strict=True):
            grads[place] = value
        return grads


def _summed(pairs: Iterable[tuple[Value, Value]]) -> dict[Any, Value]:
    """Cotangents by value; a value that the body returns twice gets their sum."""
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


# ---- batching: one loop whose body does a step for all elements of the batch


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    signature, body = signature_of(attrs), attrs["body"]
    constants, carries, xs = signature.parts(operands)
    results = len(body.outputs)
    moving = [carry.varies for carry in carries]
    while True:  # a carry varies if its value after an iteration does
        given = [x.varies for x in constants] + moving + [x.varies for x in xs]
        wide = [*moving, *(False for _ in range(results - len(moving)))]
        batched_body, varies = vectorized_graph(body, dict(zip(signature.names, given, strict=True)), length, wide)
        if varies[: len(moving)] == moving:
            break
        moving = varies[: len(moving)]
    values = builder.apply_many(
        "scan",
        *(x.value for x in constants),
        *(carry.spread(length) if wide else carry.value for carry, wide in zip(carries, moving, strict=True)),
        *(move_axis(x.value, 0, 1) if x.varies else x.value for x in xs),
        **{**attrs, "body": batched_body},
    )
    return tuple(
        Batched(move_axis(y, 1, 0) if wide and place >= len(moving) else y, wide)
        for place, (y, wide) in enumerate(zip(values, varies, strict=True))
    )


def _lower(
    types: Sequence[TensorType], body: Graph, constants: int, carries: int, xs: int, length: Dim, reverse: bool
) -> RegionRule:
    return RegionRule("count", (body,), constants, carries, xs, length, reverse)


scan = register(
    Primitive("scan", Kind.REGION, _infer, _eval, _lower, _vjp, _cases, INEXACT, batch=_batch, regions=("body",))
)
