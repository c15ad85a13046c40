"""Loops that are recurrent layers of ONNX: their bodies are compared with those of the cells that it has.

The products of all inputs stand before such a loop (`graphc.passes.loops`). A body is one of a cell if its results are
computed alike, whatever the order of its operations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.export.onnx.emitter import Emitter, Pattern, known
from graphc.export.onnx.matcher import Matcher
from graphc.export.onnx.placed import Placed, Stored
from graphc.export.onnx.pointwise import real
from graphc.export.onnx.scope import Scope
from graphc.graph.builder import Builder, Value, build_like
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref, TensorType
from graphc.primitives.control import signature_of

_COMMUTATIVE = ("add", "mul")
_PRODUCT = {"lhs_batch": (), "lhs_contract": (1,), "rhs_batch": (), "rhs_contract": (0,)}


@dataclass(frozen=True)
class _Cell:
    """A cell of ONNX.

    Args:
        op: The operator.
        gates: The number of gates.
        states: The number of states.
        order: For each gate of ONNX the number of ours.
        step: A function of the row of products, the states, the matrix of the recurrence and its bias (None: no bias)
            that returns the next states, of which the first is the output.
        has_bias: Whether there is a bias of the recurrence, the second row of that of the cell.
        attrs: Attributes of the operator.
    """

    op: str
    gates: int
    states: int
    order: tuple[int, ...]
    step: Callable[[Value, Sequence[Value], Value, Value | None], tuple[Value, ...]]
    has_bias: bool = False
    attrs: tuple[tuple[str, Any], ...] = ()


def _op(name: str, *operands: Value, **attrs: Any) -> Value:
    return operands[0].builder.apply(name, *operands, **attrs)


def _parts(x: Value, count: int) -> list[Value]:
    """The parts of the last axis."""
    size = known(x.shape[-1]) // count
    front = x.rank - 1
    return [
        _op(
            "slice",
            x,
            start=(*(0,) * front, size * i),
            stop=(*x.shape[:-1], size * (i + 1)),
            step=(1,) * x.rank,
        )
        for i in range(count)
    ]


def _lstm(x: Value, states: Sequence[Value], matrix: Value, bias: Value | None) -> tuple[Value, ...]:
    total = _op("add", x, _op("contract", states[0], matrix, **_PRODUCT))
    i, f, g, o = _parts(total, 4)
    kept, new = _op("mul", _op("sigmoid", f), states[1]), _op("mul", _op("sigmoid", i), _op("tanh", g))
    cell = _op("add", kept, new)
    return _op("mul", _op("sigmoid", o), _op("tanh", cell)), cell


def _mixed(update: Value, state: Value, candidate: Value) -> Value:
    one = update.builder.full(1.0, update.shape, update.dtype)
    rest = _op("mul", _op("sub", one, update), candidate)
    return _op("add", _op("mul", update, state), rest)


def _gru_after(x: Value, states: Sequence[Value], matrix: Value, bias: Value | None) -> tuple[Value, ...]:
    inner = _op("contract", states[0], matrix, **_PRODUCT)
    if bias is not None:
        second = _op("slice", bias, start=(1, 0), stop=bias.shape, step=(1, 1))
        row = _op("reshape", second, shape=bias.shape[1:])
        inner = _op("add", inner, inner.builder.broadcast(row, inner.shape, (1,)))
    (xz, xr, xh), (z, r, h) = _parts(x, 3), _parts(inner, 3)
    update, reset = _op("sigmoid", _op("add", xz, z)), _op("sigmoid", _op("add", xr, r))
    return (_mixed(update, states[0], _op("tanh", _op("add", xh, _op("mul", reset, h)))),)


def _gru_before(x: Value, states: Sequence[Value], matrix: Value, bias: Value | None) -> tuple[Value, ...]:
    (xz, xr, xh), (mz, mr, mh) = _parts(x, 3), _parts(matrix, 3)
    update, reset = (
        _op("sigmoid", _op("add", part, _op("contract", states[0], m, **_PRODUCT))) for part, m in ((xz, mz), (xr, mr))
    )
    inner = _op("contract", _op("mul", reset, states[0]), mh, **_PRODUCT)
    return (_mixed(update, states[0], _op("tanh", _op("add", xh, inner))),)


def _simple(activation: str) -> Callable[..., tuple[Value, ...]]:
    def step(x: Value, states: Sequence[Value], matrix: Value, bias: Value | None) -> tuple[Value, ...]:
        return (_op(activation, _op("add", x, _op("contract", states[0], matrix, **_PRODUCT))),)

    return step


_CELLS = (
    _Cell("LSTM", 4, 2, (0, 3, 1, 2), _lstm),
    _Cell("GRU", 3, 1, (0, 1, 2), _gru_after, True, (("linear_before_reset", 1),)),
    _Cell("GRU", 3, 1, (0, 1, 2), _gru_after, False, (("linear_before_reset", 1),)),
    _Cell("GRU", 3, 1, (0, 1, 2), _gru_before),
    _Cell("RNN", 1, 1, (0,), _simple("tanh"), False, (("activations", ["Tanh"]),)),
    _Cell("RNN", 1, 1, (0,), _simple("relu"), False, (("activations", ["Relu"]),)),
)


# ---- comparing bodies


def _keys(nodes: Sequence[Node], table: dict[Any, int]) -> dict[Ref, int]:
    """A number for each value, equal for values that are computed alike from inputs of equal names.

    Args:
        nodes: The nodes of a graph.
        table: The numbers of what was computed so far, in this graph and in others.
    """
    keys: dict[Ref, int] = {}
    for node in nodes:
        operands = [keys[ref] for ref in node.inputs]
        if node.op in _COMMUTATIVE:
            operands.sort()
        for out in range(len(node.outs)):
            keys[Ref(node.id, out)] = table.setdefault((node.op, node.attrs, tuple(operands), out), len(table))
    return keys


@dataclass(frozen=True)
class _Names:
    """Which inputs of a body are the matrix and the bias of the recurrence, the row of a step, and its mask."""

    matrix: str
    bias: str | None
    row: str
    mask: str | None


def _body_like(body: Graph, cell: _Cell, names: _Names) -> bool:
    """Whether a body's results are those of a cell, whose states stay where a step is masked."""
    builder: Builder = build_like(body)
    values = {name: builder.input(name, node.outs[0]) for name, node in body.inputs.items()}
    states = [values[f"s{i}"] for i in range(cell.states)]
    bias = None if names.bias is None else values[names.bias]
    new = cell.step(values[names.row], states, values[names.matrix], bias)
    if names.mask is not None:
        kept = _op("reshape", values[names.mask], shape=states[0].shape[:1])
        goes_on = builder.broadcast(kept, states[0].shape, (0,))
        new = tuple(_op("select", goes_on, x, state) for x, state in zip(new, states, strict=True))
    table: dict[Any, int] = {}
    wanted, found = _keys(builder.nodes, table), _keys(list(body.table.values()), table)
    expected = [wanted[value.ref] for value in new]
    outputs = [found[ref] for ref in body.outputs]
    return outputs[: cell.states] == expected and all(key == expected[0] for key in outputs[cell.states :])


def _cells_of(node: Node) -> Iterator[tuple[_Cell, _Names]]:
    """The cells that a loop may be."""
    signature, body = signature_of(node.attrs), node.attrs["body"]
    types = {name: input.outs[0] for name, input in body.inputs.items()}
    rows = [f"x{i}" for i in range(signature.xs) if not types[f"x{i}"].dtype.is_bool]
    masks = [f"x{i}" for i in range(signature.xs) if types[f"x{i}"].dtype.is_bool]
    if len(rows) != 1 or len(masks) > 1:
        return
    for cell in _CELLS:
        if signature.carries != cell.states or signature.constants != 1 + cell.has_bias:
            continue
        size = types["s0"].shape
        if any(types[f"s{i}"].shape != size for i in range(cell.states)):
            continue
        if len(size) != 2 or not isinstance(size[1], int) or any(types[name].shape != (size[0], 1) for name in masks):
            continue
        wide = cell.gates * size[1]
        for order in itertools.permutations(f"c{i}" for i in range(signature.constants)):
            shapes = [types[name].shape for name in order]
            fits = shapes == [(size[1], wide), (2, wide)][: len(order)]
            if fits and types[rows[0]].shape == (size[0], wide):
                yield cell, _Names(order[0], order[1] if cell.has_bias else None, rows[0], masks[0] if masks else None)


# ---- the pattern


def recurrence(m: Matcher, node: Node) -> Pattern | None:
    """A loop that is a recurrent layer of ONNX, with the products of its inputs before it; None if it is none."""
    if node.outs[0].dtype is not dtypes.float32:
        return None
    signature, body = signature_of(node.attrs), node.attrs["body"]
    operand = dict(zip(signature.names, node.inputs, strict=True))
    for cell, names in _cells_of(node):
        constants = [operand[name] for name in (names.matrix, names.bias) if name is not None]
        if not all(map(m.is_constant, constants)) or not _body_like(body, cell, names):
            continue
        for x, kernel, row in _products(m, operand[names.row]):
            weights = [kernel, *constants, *([] if row is None else [row])]
            initial = [operand[f"s{i}"] for i in range(cell.states)]
            mask = [] if names.mask is None else [operand[names.mask]]
            return _pattern(cell, [x, *initial, *weights, *mask], names, row is not None)
    return None


def _products(m: Matcher, ref: Ref) -> Iterator[tuple[Ref, Ref, Ref | None]]:
    """The sequence, the matrix and the row of which the inputs of all steps are the products, and the sum."""
    for product, spread in [*m.either(ref, "add"), (ref, None)]:
        row = None if spread is None else m.spread_along(spread, (2,))
        node = m.node(product)
        if node.op != "contract" or (spread is not None and (row is None or not m.is_constant(row))):
            continue
        x, kernel = node.inputs
        plain = dict(node.attrs) == {**_PRODUCT, "lhs_contract": (2,)}
        if plain and m.graph.type(x).rank == 3 and m.is_constant(kernel):
            yield x, kernel, row


def _pattern(cell: _Cell, inputs: Sequence[Ref], names: _Names, has_row: bool) -> Pattern:
    def rule(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[Stored, ...]:
        placed, s = real(e, operands), e.scope
        types = [e.type(ref) for ref in inputs]
        mask = None if names.mask is None else _mask(e, placed.pop(), types.pop())
        x = e.whole(placed[0], types[0])
        states = [_initial(e, v, t) for v, t in zip(placed[1 : 1 + cell.states], types[1:], strict=False)]
        weights = placed[1 + cell.states :]
        arrays = [e.all_elements(v, t) for v, t in zip(weights, types[1 + cell.states :], strict=True)]
        hidden = known(node.outs[0].shape[-1])
        matrices = [_by_gates(e, w.name, array, cell) for w, array in zip(weights, arrays[:2], strict=False)]
        rows = [arrays[-1].reshape(-1) if has_row else np.zeros(cell.gates * hidden, np.float32)]
        rows.append(arrays[2][1] if names.bias is not None else np.zeros_like(rows[0]))
        bias = s.constant(np.concatenate([_sorted(row, cell) for row in rows])[None].astype(np.float32))
        given = [x if mask is None else mask.packed(x), *matrices, bias, "" if mask is None else mask.lengths, *states]
        while given[-1] == "":
            given.pop()
        direction = "reverse" if node.attrs["reverse"] else "forward"
        found = s.ops(cell.op, 1 + cell.states, *given, hidden_size=hidden, direction=direction, **dict(cell.attrs))
        last = [Placed(name, (None, 0, 1)) for name in found[1:]]
        stacked = Placed(found[0], (0, None, 1, 2))
        if mask is not None:
            last = [mask.last(name, state) for name, state in zip(found[1:], states, strict=True)]
            stacked = (
                mask.unpacked(found[0], states[0], node.attrs["reverse"]) if len(node.outs) > len(last) else stacked
            )
        return (*last, *(stacked for _ in node.outs[cell.states :]))

    return Pattern(inputs, rule)


def _mask(e: Emitter, x: Placed, type: TensorType) -> _Mask:
    steps = TensorType(type.shape[:2], type.dtype)
    return _Mask(e.scope, e.whole(x.moved({0: 0, 1: 1, 2: None}), steps), type)


class _Mask:
    """A mask of steps, of which ONNX has only that of the last ones: the others are packed to the front.

    Args:
        scope: Where the nodes go.
        steps: The tensor of the mask: for each step, and each sample, whether it counts.
        type: The type of the mask.
    """

    def __init__(self, scope: Scope, steps: str, type: TensorType) -> None:
        self.scope, self.steps = scope, steps
        self.counted = scope.cast(steps, dtypes.int32)
        self.counts = scope.op("ReduceSum", self.counted, scope.ints(0), keepdims=0)
        self.length = scope.size(type.shape[0])
        # ONNX Runtime refuses sequences of no steps; what it returns for them is not used.
        self.lengths = scope.op("Max", self.counts, scope.number(1, dtypes.int32))

    def packed(self, x: str) -> str:
        """The steps that count, in their order, and then the others."""
        s = self.scope
        order = s.ops("TopK", 2, s.cast(self.steps, dtypes.float32), self.length, axis=0, largest=1, sorted=1)[1]
        return self._taken(x, order)

    def _taken(self, x: str, order: str) -> str:
        s = self.scope
        places = s.op("Expand", s.op("Unsqueeze", order, s.ints(2)), s.op("Shape", x))
        return s.op("GatherElements", x, places, axis=0)

    def last(self, found: str, initial: str) -> Placed:
        """The states after the last step; the initial ones where no step counts."""
        s = self.scope
        none = s.op("Unsqueeze", s.op("Equal", self.counts, s.number(0, dtypes.int32)), s.ints(1))
        chosen = s.op("Where", none, initial or s.number(0, dtypes.float32), found)
        return Placed(chosen, (None, 0, 1))

    def unpacked(self, found: str, initial: str, reverse: bool) -> Placed:
        """The states after each step: where it does not count, those of the one before in the direction of the loop."""
        s, one = self.scope, _int32(self.scope, 1)
        before = s.op("CumSum", self.counted, s.constant(np.asarray(0, np.int64)))
        place = s.op("Sub", before, self.counted if reverse else one)
        none = s.op("GreaterOrEqual", place, self.counts) if reverse else s.op("Less", place, _int32(s, 0))
        place = s.cast(s.op("Where", none, _int32(s, 0), place), dtypes.int64)
        taken = self._taken(s.op("Squeeze", found, s.ints(1)), place)
        chosen = s.op("Where", s.op("Unsqueeze", none, s.ints(2)), initial or s.number(0, dtypes.float32), taken)
        return Placed(chosen, (0, 1, 2))


def _int32(scope: Scope, number: int) -> str:
    """A number of int32."""
    return scope.number(number, dtypes.int32)


def _initial(e: Emitter, x: Placed, type: TensorType) -> str:
    """The states before the first step; nothing if they are zeros."""
    if x.array is not None and not x.array.any():
        return ""
    return e.scope.op("Unsqueeze", e.whole(x, type), e.scope.ints(0))


def _sorted(array: Any, cell: _Cell) -> Any:
    """The parts of the last axis in the order of ONNX's gates."""
    parts = np.split(array, cell.gates, -1)
    return np.concatenate([parts[gate] for gate in cell.order], -1)


def _by_gates(e: Emitter, name: str, array: Any, cell: _Cell) -> str:
    """A matrix as ONNX has it: a row for each element of each gate."""
    return e.scope.constant(np.ascontiguousarray(_sorted(array, cell).T[None].astype(np.float32)), name)
