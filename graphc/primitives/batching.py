"""Vectorization over an axis (vmap): an operation on all elements of a batch, as nodes of the same graph.

The batch lies along a new first axis of the operands that vary; the others are the same for all of its elements, and
lack that axis. Each primitive's record has its own batching rule; this module applies them to nodes and graphs, and
defines the rules that many primitives share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc import dims
from graphc.dims import Dim
from graphc.errors import ArgumentError
from graphc.graph.builder import Builder, Value, build_like
from graphc.graph.core import Graph
from graphc.graph.registry import Batch, Batched, primitive
from graphc.graph.types import Attrs, Node, Ref, TensorType, at_origin


def has_rule(node: Node) -> bool:
    """Whether an operation and all operations of its regions have batching rules."""
    rule = primitive(node.op)
    return rule.batch is not None and all(
        not inner.inputs or has_rule(inner) for body in rule.graphs(node.attrs) for inner in body.table.values()
    )


def vectorized(
    builder: Builder, op: str, attrs: Attrs, operands: Sequence[Batched], length: Dim
) -> tuple[Batched, ...]:
    """Adds an operation on all elements of a batch; where no operand varies, it is computed once.

    Args:
        builder: The graph to which it is added.
        op: The operation, which has a batching rule.
        attrs: Its attributes for one element.
        operands: Its operands.
        length: The number of elements of the batch.

    Returns:
        Its results.

    Raises:
        ArgumentError: if it has no batching rule.
    """
    if not any(operand.varies for operand in operands):
        return tuple(Batched(value, False) for value in builder.apply_many(op, *(x.value for x in operands), **attrs))
    rule = primitive(op).batch
    if rule is None:
        hint = "run one row after the other, with `ops.map` or `ops.scan`"
        raise at_origin(ArgumentError(f"`{op}` cannot be vectorized", hint=hint), builder.loc)
    results = rule(builder, attrs, operands, length)
    return results if isinstance(results, tuple) else (Batched(results, True),)


def vectorized_graph(
    graph: Graph, varies: Mapping[str, bool], length: Dim, spread: Sequence[bool]
) -> tuple[Graph, list[bool]]:
    """Vectorizes a closed graph over a batch.

    Args:
        graph: A graph without states, whose operations have batching rules.
        varies: By name of the input: whether it has the batch's axis.
        length: The number of elements of the batch.
        spread: For each output: whether it must have that axis.

    Returns:
        The graph, and for each of its outputs whether it has the axis.
    """
    builder = build_like(graph)
    known: dict[Ref, Batched] = {}
    # Inputs come first, in their order: operations that run the graph rely on it.
    for name, node in graph.inputs.items():
        type = node.outs[0]
        if varies[name]:
            type = TensorType((length, *type.shape), type.dtype)
        known[Ref(node.id)] = Batched(builder.input(name, type), varies[name])
    for node in graph.table.values():
        if Ref(node.id) in known:
            continue
        with builder.located(node.loc):
            results = vectorized(builder, node.op, node.attrs, [known[ref] for ref in node.inputs], length)
        known.update({Ref(node.id, out): value for out, value in enumerate(results)})
    outputs = [known[ref] for ref in graph.outputs]
    values = [x.spread(length) if wide else x.value for x, wide in zip(outputs, spread, strict=True)]
    return builder.finish(values), [x.varies or wide for x, wide in zip(outputs, spread, strict=True)]


# ---- rules shared by many primitives


def shifted(axes: Sequence[int]) -> tuple[int, ...]:
    """The numbers of axes after a new axis in front."""
    return tuple(axis + 1 for axis in axes)


def over_elements(op: str) -> Batch:
    """The batching rule of operations that compute each element from the operands' elements at the same index."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        return builder.apply(op, *(operand.spread(length) for operand in operands), **attrs)

    return rule


def over_axes(op: str) -> Batch:
    """The batching rule of operations with one operand and an attribute `axes` or `axis`."""

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
    """Merges the batch's axis, the first, into another axis, which consists of `outer` groups of elements.

    The axis is then `[outer, batch, elements]`, flattened; without the batch's axis in front it is number `axis`.
    """
    length, rest = value.shape[0], value.shape[1:]
    each = dims.floordiv(rest[axis], outer)
    split = value.builder.apply("reshape", value, shape=(length, *rest[:axis], outer, each, *rest[axis + 1 :]))
    moved = move_axis(split, 0, axis + 1)
    shape = (*rest[:axis], outer * length * each, *rest[axis + 1 :])
    return value.builder.apply("reshape", moved, shape=shape)


def parted(value: Value, axis: int, outer: Dim, length: Dim, each: Dim) -> Value:
    """Undoes `merged`: moves the batch out of an axis `[outer, length, each]`, flattened, to an axis in front."""
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    split = value.builder.apply("reshape", value, shape=(*before, outer, length, each, *after))
    moved = move_axis(split, axis + 1, 0)
    return value.builder.apply("reshape", moved, shape=(length, *before, outer * each, *after))


def looped(builder: Builder, op: str, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    """A loop that applies an operation with one result to one element of the batch after the other."""
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
