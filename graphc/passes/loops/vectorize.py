"""Operations on all steps of a loop at once: each as it is for one step, with an axis of steps in front.

A rule gives the operation on operands that have the axis, or have it not where they are the same in every step. The
result always has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from graphc.dims import Dim
from graphc.graph.builder import Builder, Value
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Attrs


@dataclass(frozen=True, slots=True)
class Steps:
    """A value of every step: with an axis of steps in front, or without it where it is the same in all of them."""

    value: Value
    varies: bool

    def spread(self, length: Dim) -> Value:
        """The value with the axis."""
        if self.varies:
            return self.value
        axes = tuple(range(1, self.value.rank + 1))
        return self.value.builder.broadcast(self.value, (length, *self.value.shape), axes)


Operands = Sequence[Steps]
Rule = Callable[[Builder, Attrs, Operands, Dim], Value]


def has_rule(op: str) -> bool:
    """Whether an operation can be done for all steps at once."""
    return op in _RULES or primitive(op).kind is Kind.POINTWISE


def for_all_steps(builder: Builder, op: str, attrs: Attrs, operands: Operands, length: Dim) -> Steps:
    """An operation on all steps; where no operand varies, it is done once.

    Args:
        builder: Where it is added.
        op: The operation, which has a rule.
        attrs: As for one step.
        operands: Its operands.
        length: How many steps.
    """
    if not any(operand.varies for operand in operands):
        return Steps(builder.apply(op, *(operand.value for operand in operands), **attrs), False)
    if op in _RULES:
        return Steps(_RULES[op](builder, attrs, operands, length), True)
    return Steps(builder.apply(op, *(operand.spread(length) for operand in operands), **attrs), True)


def _shifted(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)


def _broadcast(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    axes = (0, *_shifted(attrs["axes"]))
    return builder.broadcast(operands[0].value, (length, *attrs["shape"]), axes)


def _reshape(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    return builder.apply("reshape", operands[0].value, shape=(length, *attrs["shape"]))


def _transpose(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    return builder.apply("transpose", operands[0].value, order=(0, *_shifted(attrs["order"])))


def _slice(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    start, stop, step = (0, *attrs["start"]), (length, *attrs["stop"]), (1, *attrs["step"])
    return builder.apply("slice", operands[0].value, start=start, stop=stop, step=step)


def _pad(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    around = {name: (0, *attrs[name]) for name in ("low", "high", "interior")}
    return builder.apply("pad", operands[0].value, **{**attrs, **around})


def _on_axes(op: str) -> Rule:
    def rule(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
        return builder.apply(op, operands[0].value, axes=_shifted(attrs["axes"]))

    return rule


def _concatenate(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    return builder.apply("concatenate", *(x.spread(length) for x in operands), axis=attrs["axis"] + 1)


def _contract(builder: Builder, attrs: Attrs, operands: Operands, length: Dim) -> Value:
    lhs, rhs = operands
    batch = len(attrs["lhs_batch"])
    axes = {
        name: _shifted(attrs[name]) if operands[name.startswith("rhs")].varies else attrs[name]
        for name in ("lhs_batch", "lhs_contract", "rhs_batch", "rhs_contract")
    }
    if lhs.varies and rhs.varies:
        axes = {**axes, "lhs_batch": (0, *axes["lhs_batch"]), "rhs_batch": (0, *axes["rhs_batch"])}
        return builder.apply("contract", lhs.value, rhs.value, **axes)
    # The steps are a free axis of one operand: its first.
    product = builder.apply("contract", lhs.value, rhs.value, **axes)
    place = batch if lhs.varies else batch + lhs.value.rank - batch - len(axes["lhs_contract"])
    order = (place, *(axis for axis in range(product.rank) if axis != place))
    return product if place == 0 else builder.apply("transpose", product, order=order)


_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "broadcast": _broadcast,
        "reshape": _reshape,
        "transpose": _transpose,
        "slice": _slice,
        "pad": _pad,
        "reverse": _on_axes("reverse"),
        "concatenate": _concatenate,
        "contract": _contract,
        **{name: _on_axes(name) for name in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")},
    }
)
