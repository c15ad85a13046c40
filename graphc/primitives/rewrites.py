"""Helpers shared by the simplifications of operations: queries of a value's producer, and common rules."""

from __future__ import annotations

from graphc.dims import Dim, Shape
from graphc.graph.builder import Builder, Value
from graphc.graph.registry import primitive
from graphc.graph.types import Attrs, Node


def producer(value: Value) -> Node:
    """The node that computes a value."""
    return value.builder.node(value.ref)


def first_operand(value: Value) -> Value:
    """The first operand of the node that computes a value."""
    return value.builder.value(producer(value).inputs[0])


def literal(value: Value) -> bool | int | float | complex | None:
    """The number that all elements of a value are, through views of a literal; None where it is not known."""
    node = producer(value)
    while (rule := primitive(node.op)).view.affine:
        node = value.builder.node(node.inputs[0])
    if rule.literal and node.outs[0].elements == 1:
        number: bool | int | float | complex = node.attrs["value"].numpy().reshape(-1)[0].item()
        return number
    return None


def is_number(value: Value, number: float) -> bool:
    """Whether all elements of a value are known to be a number."""
    return literal(value) == number


def without_ones(shape: Shape) -> tuple[Dim, ...]:
    """The sizes of the axes that have more than one element."""
    return tuple(dim for dim in shape if dim != 1)


# ---- rules


def operand_itself(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value:
    """The operand of an operation that is the identity."""
    return operands[0]


def operand_if_single(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    """The single operand of a concatenation or sum of any number of operands; None where there are several."""
    return operands[0] if len(operands) == 1 else None


def reshaped_if_single(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    """A reduction over no axes, or over axes of size one, as a reshape; None for other reductions."""
    x, axes = operands[0], attrs["axes"]
    if any(x.shape[axis] != 1 for axis in axes):
        return None
    return builder.apply("reshape", x, shape=tuple(dim for a, dim in enumerate(x.shape) if a not in axes))
