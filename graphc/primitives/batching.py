"""Vectorization over an axis (vmap): an operation on all elements of a batch, as nodes of the same graph.

The batch lies along a new first axis of the operands that vary; the others are the same for all of its elements, and
lack that axis. Each primitive's record has its own rule; here is what asks them, and the rules that many share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc import dims
from graphc.dims import Dim
from graphc.graph.builder import Builder, Value, build_like
from graphc.graph.core import Graph
from graphc.graph.registry import Batch, Batched, primitive
from graphc.graph.types import Attrs, Node, Ref, TensorType


def has_rule(node: Node) -> bool:
    """Whether an operation, with all that the graphs among its attributes do, can be vectorized."""
    rule = primitive(node.op)
    return rule.batch is not None and all(
        not inner.inputs or has_rule(inner) for body in rule.graphs(node.attrs) for inner in body.table.values()
    )


def vectorized(
    builder: Builder, op: str, attrs: Attrs, operands: Sequence[Batched], length: Dim
) -> tuple[Batched, ...]:
    """An operation on all elements of a batch; where no operand varies, it is done once.

    Args:
        builder: Where it is added.
        op: The operation, which has a rule.
        attrs: As for one element.
        operands: Its operands.
        length: How many elements the batch has.

    Returns:
        Its results.
    """
    rule = primitive(op).batch
    if rule is None or not any(operand.varies for operand in operands):
        return tuple(Batched(value, False) for value in builder.apply_many(op, *(x.value for x in operands), **attrs))
    found = rule(builder, attrs, operands, length)
    return found if isinstance(found, tuple) else (Batched(found, True),)


def vectorized_graph(
    graph: Graph, varies: Mapping[str, bool], length: Dim, spread: Sequence[bool]
) -> tuple[Graph, list[bool]]:
    """A closed graph on all elements of a batch.

    Args:
        graph: A graph without states, whose operations have rules.
        varies: Of each input, whether it has the batch's axis.
        length: How many elements the batch has.
        spread: Of each output, whether it must have that axis.

    Returns:
        The graph, and of each of its outputs whether it has the axis.
    """
    builder = build_like(graph)
    known: dict[Ref, Batched] = {}
    # Inputs first, in the order in which they are given: whoever runs the graph relies on it.
    for name, node in graph.inputs.items():
        type = node.outs[0]
        if varies[name]:
            type = TensorType((length, *type.shape), type.dtype)
        known[Ref(node.id)] = Batched(builder.input(name, type), varies[name])
    for node in graph.table.values():
        if Ref(node.id) in known:
            continue
        with builder.located(node.loc):
            found = vectorized(builder, node.op, node.attrs, [known[ref] for ref in node.inputs], length)
        known.update({Ref(node.id, out): value for out, value in enumerate(found)})
    outputs = [known[ref] for ref in graph.outputs]
    values = [x.spread(length) if wide else x.value for x, wide in zip(outputs, spread, strict=True)]
    return builder.finish(values), [x.varies or wide for x, wide in zip(outputs, spread, strict=True)]


# ---- rules that many share


def shifted(axes: Sequence[int]) -> tuple[int, ...]:
    """Axes behind a new first one."""
    return tuple(axis + 1 for axis in axes)


def over_elements(op: str) -> Batch:
    """The rule of what computes each element from those at the same index."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        return builder.apply(op, *(operand.spread(length) for operand in operands), **attrs)

    return rule


def over_axes(op: str) -> Batch:
    """The rule of what takes one operand and `axes`, or an `axis`, of it."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        moved: dict[str, object] = dict(attrs)
        if "axes" in attrs:
            moved["axes"] = shifted(attrs["axes"])
        if "axis" in attrs:
            moved["axis"] = attrs["axis"] + 1
        return builder.apply(op, operands[0].value, **moved)

    return rule


def move_axis(value: Value, source: int, target: int) -> Value:
    """A value with one of its axes moved."""
    order = [axis for axis in range(value.rank) if axis != source]
    order.insert(target, source)
    if order == sorted(order):
        return value
    return value.builder.apply("transpose", value, order=tuple(order))


def merged(value: Value, axis: int, outer: int = 1) -> Value:
    """A value whose first axis, the batch's, becomes a part of another, which consists of `outer` groups of elements.

    The axis is then `[outer, batch, elements]`, flattened; without the batch's axis in front it is number `axis`.
    """
    length, rest = value.shape[0], value.shape[1:]
    each = dims.floordiv(rest[axis], outer)
    cut = value.builder.apply("reshape", value, shape=(length, *rest[:axis], outer, each, *rest[axis + 1 :]))
    moved = move_axis(cut, 0, axis + 1)
    shape = (*rest[:axis], outer * length * each, *rest[axis + 1 :])
    return value.builder.apply("reshape", moved, shape=shape)


def parted(value: Value, axis: int, outer: Dim, length: Dim, each: Dim) -> Value:
    """Undoes `merged`: an axis that is `[outer, length, each]`, flattened, gives the batch an axis in front."""
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    cut = value.builder.apply("reshape", value, shape=(*before, outer, length, each, *after))
    moved = move_axis(cut, axis + 1, 0)
    return value.builder.apply("reshape", moved, shape=(length, *before, outer * each, *after))


def looped(builder: Builder, op: str, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    """An operation of one result on one element of the batch after the other."""
    order = sorted(range(len(operands)), key=lambda place: operands[place].varies)
    constants = sum(not operand.varies for operand in operands)
    body = Builder(builder.symbols)
    inner: dict[int, Value] = {}
    for number, place in enumerate(order):
        value, varies = operands[place].value, operands[place].varies
        name = f"x{number - constants}" if varies else f"c{number}"
        inner[place] = body.input(name, TensorType(value.shape[varies:], value.dtype))
    result = body.apply(op, *(inner[place] for place in range(len(operands))), **attrs)
    return builder.apply(
        "scan",
        *(operands[place].value for place in order),
        body=body.finish([result]),
        constants=constants,
        carries=0,
        xs=len(operands) - constants,
        length=length,
        reverse=False,
    )
