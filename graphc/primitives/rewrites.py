"""What the simplifications of many operations share: looking at what a value comes from."""

from __future__ import annotations

from graphc.dims import Dim, Shape
from graphc.graph.builder import Builder, Value
from graphc.graph.registry import primitive
from graphc.graph.types import Attrs, Node


def producer(value: Value) -> Node:
    """The node that a value comes from."""
    return value.builder.node(value.ref)


def behind(value: Value) -> Value:
    """The first operand of the node that a value comes from."""
    return value.builder.value(producer(value).inputs[0])


def literal(value: Value) -> bool | int | float | complex | None:
    """The number that a value is everywhere, where that is known; followed through views."""
    node = producer(value)
    while (rule := primitive(node.op)).view.affine:
        node = value.builder.node(node.inputs[0])
    if rule.literal and node.outs[0].elements == 1:
        number: bool | int | float | complex = node.attrs["value"].numpy().reshape(-1)[0].item()
        return number
    return None


def is_number(value: Value, number: float) -> bool:
    """Whether a value is known to be a number everywhere."""
    return literal(value) == number


def without_ones(shape: Shape) -> tuple[Dim, ...]:
    """The sizes of the axes that have more than one element."""
    return tuple(dim for dim in shape if dim != 1)


# ---- rules


def operand_itself(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value:
    """What an operation gives that changes nothing."""
    return operands[0]


def itself_if_alone(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    """The only operand of what joins any number of them."""
    return operands[0] if len(operands) == 1 else None


def moved_if_single(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    """A reduction over no axes, or over axes of size one, moves elements only."""
    x, axes = operands[0], attrs["axes"]
    if any(x.shape[axis] != 1 for axis in axes):
        return None
    return builder.apply("reshape", x, shape=tuple(dim for a, dim in enumerate(x.shape) if a not in axes))
