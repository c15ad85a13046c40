"""Integers that a graph computes: whether two differ by a known number, and shapes that are computed of sizes."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from types import MappingProxyType

from graphc import dims
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


# ---- shapes

_ARITHMETIC: MappingProxyType[str, Callable[[Dim, Dim], Dim]] = MappingProxyType(
    {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": dims.floordiv}
)


def sizes_of(x: Tensor) -> tuple[Dim, ...] | None:
    """The elements of a vector of integers, if it is put together of sizes and numbers; None if they are not known.

    Args:
        x: Tensor of integers, such as `ops.concatenate([ops.expand_dims(batch, 0), [1, 1]])`.
    """
    if x.traced is None:
        return tuple(int(number) for number in x.array.reshape(-1))
    return _elements(x.traced.builder, x.traced.ref, _DEPTH)


def _elements(builder: Builder, ref: Ref, depth: int) -> tuple[Dim, ...] | None:
    node, kind = builder.node(ref), builder.type(ref)
    if not kind.dtype.is_integer or kind.rank > 1 or not depth:
        return None
    if node.op == "size":
        return (node.attrs["dim"],)
    if node.op == "constant":
        return tuple(int(number) for number in node.attrs["value"].numpy().reshape(-1))
    parts = [_elements(builder, part, depth - 1) for part in node.inputs]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    if node.op == "concatenate":
        return tuple(size for part in known for size in part)
    first = known[0]
    if node.op in ("reshape", "cast"):
        return first
    if node.op == "broadcast" and len(first) == 1 and isinstance(kind.shape[-1], int):
        return first * kind.shape[-1]
    if node.op == "slice":
        (start,), (stop,), (step,) = node.attrs["start"], node.attrs["stop"], node.attrs["step"]
        return first[start:stop:step]
    if node.op in _ARITHMETIC:
        count = max(map(len, known))
        left, right = (part * count if len(part) == 1 else part for part in known)
        return tuple(map(_ARITHMETIC[node.op], left, right))
    return None
