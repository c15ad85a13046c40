"""Algebra on graphs: identities, chains of views, constants, and computing before broadcasting rather than after.

One sweep rebuilds the graph through a hash-consing builder, so that common subexpressions become one node as well.
Rules keep values, NaN and infinities included; sums may be formed in another order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc import dims
from graphc.graph.builder import Builder, Value, build_like
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Array, Attrs, Node, Ref
from graphc.passes.deviations import sum_of_deviations
from graphc.passes.pieces import joined_pieces, literal

# Constants of up to this many elements are computed at compile time.
FOLD_ELEMENTS = 1024

Operands = tuple[Value, ...]
Rule = Callable[[Attrs, Operands], Value | None]


def simplify(graph: Graph) -> Graph:
    """Rewrites a graph by the rules of this module.

    Returns:
        A graph that computes the same results.
    """
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        inputs = tuple([mapping[ref] for ref in node.inputs])
        builder.loc = node.loc
        refs = _emit(builder, node, inputs)
        for out, ref in enumerate(refs):
            mapping[Ref(node.id, out)] = ref
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _emit(builder: Builder, node: Node, inputs: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """Adds what a node becomes, whose inputs stand for the same values as before."""
    op, attrs = node.op, node.attrs
    rule = _RULES.get(op)
    produced = {builder.nodes[ref.node].op for ref in inputs}
    found: Value | None = None
    if rule is not None or op == "size" or produced == {"constant"} or produced == {"broadcast"}:
        operands = tuple([Value(builder, ref) for ref in inputs])
        found = _folded(builder, op, attrs, operands)
        if found is None and rule is not None:
            found = rule(attrs, operands)
        if found is None and primitive(op).kind is Kind.POINTWISE:
            found = _computed_before_broadcast(op, attrs, operands)
    if found is not None:
        return (found.ref,)
    added = builder.add(op, inputs, attrs, node.outs)
    return tuple([Ref(added.id, out) for out in range(len(added.outs))])


# ---- constants


def _folded(builder: Builder, op: str, attrs: Attrs, operands: Operands) -> Value | None:
    """The value of an operation on constants."""
    sources = [builder.node(operand.ref) for operand in operands]
    known_size = op == "size" and isinstance(attrs["dim"], int)
    if not known_size and (not sources or any(source.op != "constant" for source in sources)):
        return None
    rule = primitive(op)
    types = rule.infer(*(operand.type for operand in operands), **attrs)
    if isinstance(types, tuple) or any(isinstance(dim, dims.IntExpr) for dim in types.shape):
        return None
    if types.elements > FOLD_ELEMENTS or (op == "broadcast" and types.elements > 1):
        return None
    arrays = [source.attrs["value"].numpy() for source in sources]
    result = np.asarray(rule.eval(*arrays, **attrs))
    return builder.apply("constant", value=Array.of(result))


# ---- computing before broadcasting


def _computed_before_broadcast(op: str, attrs: Attrs, operands: Operands) -> Value | None:
    """`f(broadcast(x), broadcast(y)) = broadcast(f(x, y))` where both are broadcast alike, or are numbers."""
    if not operands or not operands[0].shape:
        return None
    builder = operands[0].builder
    nodes = [builder.node(operand.ref) for operand in operands]
    if any(node.op != "broadcast" for node in nodes):
        return None
    widest = max(nodes, key=lambda node: len(node.attrs["axes"]))
    inner: list[Value] = []
    for node in nodes:
        source = builder.value(node.inputs[0])
        if node.attrs["axes"] == widest.attrs["axes"]:
            inner.append(source)
        elif source.shape == ():
            inner.append(builder.broadcast(source, builder.type(widest.inputs[0]).shape, ()))
        else:
            return None
    small = builder.apply(op, *inner, **attrs)
    return builder.apply("broadcast", small, **widest.attrs)


# ---- identities


def _is(value: Value, number: float) -> bool:
    return literal(value) == number


def _add(attrs: Attrs, operands: Operands) -> Value | None:
    x, y = operands
    # x + 0 is x but for x = -0.0, which no program can tell from 0 except by dividing; -0.0 + 0.0 is 0.0.
    if _is(y, 0):
        return x
    return y if _is(x, 0) else joined_pieces(x, y)


def _sub(attrs: Attrs, operands: Operands) -> Value | None:
    x, y = operands
    if _is(y, 0):
        return x
    return x.builder.apply("neg", y) if _is(x, 0) and y.dtype.kind != "uint" else None


def _mul(attrs: Attrs, operands: Operands) -> Value | None:
    x, y = operands
    for one, other in ((x, y), (y, x)):
        if _is(one, 1):
            return other
        if _is(one, -1) and other.dtype.kind != "uint":
            return other.builder.apply("neg", other)
        if _is(one, 0) and not other.dtype.is_float:
            return one
    return None


def _div(attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0] if _is(operands[1], 1) else None


def _pow(attrs: Attrs, operands: Operands) -> Value | None:
    x, exponent = operands[0], literal(operands[1])
    if exponent == 1:
        return x
    if exponent == 2:
        return x.builder.apply("mul", x, x)
    if exponent == -1 and x.dtype.is_float:
        return x.builder.apply("div", x.builder.full(1, x.shape, x.dtype), x)
    return None


def _neg(attrs: Attrs, operands: Operands) -> Value | None:
    node = _producer(operands[0])
    return operands[0].builder.value(node.inputs[0]) if node.op == "neg" else None


def _select(attrs: Attrs, operands: Operands) -> Value | None:
    condition, then, otherwise = operands
    if then.ref == otherwise.ref:
        return then
    known = literal(condition)
    return None if known is None else then if known else otherwise


def _cast(attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0] if operands[0].dtype is attrs["dtype"] else None


def _same(attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0]


# ---- views


def _producer(value: Value) -> Node:
    return value.builder.node(value.ref)


def _behind(value: Value) -> Value:
    """The operand of the node that a value comes from."""
    return value.builder.value(_producer(value).inputs[0])


def _reshape(attrs: Attrs, operands: Operands) -> Value | None:
    x = operands[0]
    if x.shape == attrs["shape"]:
        return x
    node = _producer(x)
    if node.op == "reshape":
        return x.builder.apply("reshape", _behind(x), shape=attrs["shape"])
    if node.op == "broadcast" and not node.attrs["axes"]:
        return x.builder.broadcast(_behind(x), attrs["shape"], ())
    # A reshape that only adds axes of size one to a broadcast, or drops them, is a broadcast itself.
    if _without_ones(x.shape) == _without_ones(attrs["shape"]) and node.op == "broadcast":
        return _rebroadcast(x, attrs["shape"])
    return None


def _without_ones(shape: dims.Shape) -> tuple[dims.Dim, ...]:
    return tuple(dim for dim in shape if dim != 1)


def _rebroadcast(x: Value, shape: dims.Shape) -> Value | None:
    node = _producer(x)
    if any(x.shape[axis] == 1 for axis in node.attrs["axes"]):
        return None
    long = [axis for axis, dim in enumerate(x.shape) if dim != 1]
    longer = [axis for axis, dim in enumerate(shape) if dim != 1]
    axes = tuple(longer[long.index(axis)] for axis in node.attrs["axes"])
    return x.builder.broadcast(_behind(x), shape, axes)


def _transpose(attrs: Attrs, operands: Operands) -> Value | None:
    x, order = operands[0], attrs["order"]
    if order == tuple(range(len(order))):
        return x
    node = _producer(x)
    if node.op == "transpose":
        inner = node.attrs["order"]
        return x.builder.apply("transpose", _behind(x), order=tuple(inner[axis] for axis in order))
    if node.op == "broadcast":
        shape = tuple(x.shape[axis] for axis in order)
        return x.builder.broadcast(_behind(x), shape, tuple(order.index(axis) for axis in node.attrs["axes"]))
    return None


def _broadcast(attrs: Attrs, operands: Operands) -> Value | None:
    x, axes = operands[0], attrs["axes"]
    if attrs["shape"] == x.shape and axes == tuple(range(x.rank)):
        return x
    node = _producer(x)
    if node.op == "broadcast":
        inner = tuple(axes[axis] for axis in node.attrs["axes"])
        return x.builder.apply("broadcast", _behind(x), shape=attrs["shape"], axes=inner)
    if node.op == "reshape" and _behind(x).rank < x.rank and _without_ones(_behind(x).shape) == _behind(x).shape:
        kept = [axis for axis, dim in enumerate(x.shape) if dim != 1]
        if _without_ones(x.shape) == _behind(x).shape:
            return x.builder.broadcast(_behind(x), attrs["shape"], tuple(axes[axis] for axis in kept))
    return None


def _slice(attrs: Attrs, operands: Operands) -> Value | None:
    x = operands[0]
    whole = all(first == 0 for first in attrs["start"]) and all(step == 1 for step in attrs["step"])
    return x if whole and attrs["stop"] == x.shape else None


def _pad(attrs: Attrs, operands: Operands) -> Value | None:
    nothing = all(amount == 0 for amount in (*attrs["low"], *attrs["high"], *attrs["interior"]))
    return operands[0] if nothing else None


def _reverse(attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0] if all(operands[0].shape[axis] == 1 for axis in attrs["axes"]) else None


def _concatenate(attrs: Attrs, operands: Operands) -> Value | None:
    return operands[0] if len(operands) == 1 else None


def _reduction(attrs: Attrs, operands: Operands) -> Value | None:
    """A reduction over no axes, or over axes of size one, moves elements only."""
    x, axes = operands[0], attrs["axes"]
    if any(x.shape[axis] != 1 for axis in axes):
        return None
    return x.builder.apply("reshape", x, shape=tuple(dim for a, dim in enumerate(x.shape) if a not in axes))


def _sum(attrs: Attrs, operands: Operands) -> Value | None:
    found = _reduction(attrs, operands)
    x, axes = operands[0], attrs["axes"]
    node = _producer(x)
    if found is not None:
        return found
    if node.op != "broadcast" or any(axis in node.attrs["axes"] for axis in axes):
        return sum_of_deviations(x, axes) if x.dtype.is_float else None
    # All that is summed are copies: multiply by their number.
    builder, kept = x.builder, [axis for axis in range(x.rank) if axis not in axes]
    shape = tuple(x.shape[axis] for axis in kept)
    rest = builder.broadcast(_behind(x), shape, tuple(kept.index(axis) for axis in node.attrs["axes"]))
    count = builder.size(dims.product(x.shape[axis] for axis in axes), x.dtype)
    return builder.apply("mul", rest, builder.broadcast(count, shape, ()))


_RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": _neg,
    "select": _select,
    "cast": _cast,
    "stop_gradient": _same,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast": _broadcast,
    "slice": _slice,
    "pad": _pad,
    "reverse": _reverse,
    "concatenate": _concatenate,
    "sum": _sum,
    **dict.fromkeys(("prod", "max", "min", "any", "all"), _reduction),
}


def eliminate_dead(graph: Graph) -> Graph:
    """Keeps what the results are computed from, and every input, so that the caller's arguments stay the same."""
    kept = graph.ancestors(graph.roots) | {node.id for node in graph.of_op("input")} | set(graph.updates)
    if len(kept) == len(graph.table):
        return graph
    ids = {id: place for place, id in enumerate(sorted(kept))}

    def moved(ref: Ref) -> Ref:
        return Ref(ids[ref.node], ref.out)

    nodes = [
        Node(ids[node.id], node.op, node.attrs, tuple(map(moved, node.inputs)), node.outs, node.loc)
        for node in graph.table.values()
        if node.id in ids
    ]
    updates = {ids[id]: moved(ref) for id, ref in graph.updates.items()}
    return Graph(nodes, map(moved, graph.outputs), updates, graph.symbols)


def copy_sources(graph: Graph) -> Graph:
    """Puts a copy between a source and a result that is the source itself, so that every result is computed."""
    is_source = {ref: primitive(graph.node(ref.node).op).kind is Kind.SOURCE for ref in graph.roots}
    sources = [ref for ref, is_one in is_source.items() if is_one]
    if not sources:
        return graph
    first = max(graph.table) + 1
    copies = [Node(first + i, "copy", Attrs({}), (ref,), (graph.type(ref),)) for i, ref in enumerate(sources)]
    computed = {ref: ref for ref in graph.roots} | {node.inputs[0]: Ref(node.id) for node in copies}
    updates = {id: computed[ref] for id, ref in graph.updates.items()}
    return Graph([*graph.table.values(), *copies], [computed[ref] for ref in graph.outputs], updates, graph.symbols)
