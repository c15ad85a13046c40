"""Integer scalars that a graph computes, as sums of others: whether two of them differ by a known number."""

from __future__ import annotations

from collections import Counter

from graphc.dims import Dim, IntExpr
from graphc.graph.builder import Builder
from graphc.graph.types import Ref
from graphc.tracing.tensor import Tensor, lift
from graphc.tracing.trace import current_trace

# Sums of more levels than this are not looked into.
_DEPTH = 32


def distance(start: Tensor | Dim, stop: Tensor | Dim) -> Dim | None:
    """`stop - start`, if that is the same in every run; None if it is not known to be.

    Example:

    >>> distance(2, 5)
    3
    """
    (terms, first), (others, last) = _sum_of(start), _sum_of(stop)
    others.subtract(terms)
    return last - first if not any(others.values()) else None


def _sum_of(x: Tensor | Dim) -> tuple[Counter[Ref], Dim]:
    trace = current_trace()
    if isinstance(x, int | IntExpr):
        return Counter(), x
    if trace is None:
        return Counter(), int(x)
    value = lift(x, trace)
    return _terms(value.builder, value.ref, _DEPTH)


def _terms(builder: Builder, ref: Ref, depth: int) -> tuple[Counter[Ref], Dim]:
    """A scalar as a sum: how often each value is a term, and a known number."""
    node = builder.node(ref)
    if node.op == "size":
        return Counter(), node.attrs["dim"]
    if node.op == "constant" and node.attrs["value"].numpy().size == 1:
        return Counter(), int(node.attrs["value"].numpy().reshape(-1)[0])
    whole = all(builder.type(part).dtype.is_integer for part in node.inputs)
    if depth and whole and node.op in ("cast", "reshape", "broadcast") and not builder.type(node.inputs[0]).shape:
        return _terms(builder, node.inputs[0], depth - 1)
    if depth and node.op in ("add", "sub", "mul", "neg"):
        (terms, number), *rest = (_terms(builder, part, depth - 1) for part in node.inputs)
        if node.op == "neg":
            return Counter({key: -times for key, times in terms.items()}), -number
        ((others, second),) = rest
        if node.op == "add":
            terms.update(others)
            return terms, number + second
        if node.op == "sub":
            terms.subtract(others)
            return terms, number - second
        # A multiple: one of the two is a number.
        if not terms and isinstance(number, int):
            return Counter({key: times * number for key, times in others.items()}), second * number
        if not others and isinstance(second, int):
            return Counter({key: times * second for key, times in terms.items()}), number * second
    return Counter({ref: 1}), 0
