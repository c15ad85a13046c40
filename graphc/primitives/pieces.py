"""Tensors that are zero but for a piece: sums of such are joined end to end.

The gradient of cutting a tensor apart is a sum of pieces, each padded with zeros to the whole. Where the pieces do not
meet, that is one concatenation.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.graph.builder import Value


@dataclass(frozen=True, slots=True)
class _Piece:
    """A value that lies at a place along an axis, with zeros before and behind."""

    axis: int
    start: int
    stop: int
    parts: tuple[Value, ...]


def joined_pieces(x: Value, y: Value) -> Value | None:
    """The sum of two padded pieces that are neighbours along an axis; None where they are not."""
    a, b = _piece(x), _piece(y)
    if a is None or b is None or a.axis != b.axis:
        return None
    first, second = (a, b) if a.start < b.start else (b, a)
    if first.stop != second.start:
        return None
    axis, total = a.axis, x.shape[a.axis]
    whole = x.builder.apply("concatenate", *first.parts, *second.parts, axis=axis)
    if whole.shape == x.shape:
        return whole
    none = (0,) * x.rank
    assert isinstance(total, int)
    low = tuple(first.start if i == axis else 0 for i in range(x.rank))
    high = tuple(total - second.stop if i == axis else 0 for i in range(x.rank))
    return x.builder.apply("pad", whole, low=low, high=high, interior=none, value=0)


def _piece(x: Value) -> _Piece | None:
    node = x.builder.node(x.ref)
    if node.op != "pad" or node.attrs["value"] != 0 or any(node.attrs["interior"]):
        return None
    axes = [i for i in range(x.rank) if node.attrs["low"][i] != 0 or node.attrs["high"][i] != 0]
    if len(axes) != 1:
        return None
    axis, inner = axes[0], x.builder.value(node.inputs[0])
    start, size = node.attrs["low"][axis], inner.shape[axis]
    if not isinstance(start, int) or not isinstance(size, int) or not isinstance(x.shape[axis], int) or start < 0:
        return None
    source = x.builder.node(inner.ref)
    joined = source.op == "concatenate" and source.attrs["axis"] == axis
    parts = tuple(x.builder.value(ref) for ref in source.inputs) if joined else (inner,)
    return _Piece(axis, start, start + size, parts)
