"""Sums of zero-padded slices, rewritten to concatenations.

The gradient of splitting a tensor is a sum of slices, each padded with zeros to the shape of the tensor. The sum of
slices that are neighbours along an axis is their concatenation.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.graph.builder import Value


@dataclass(frozen=True, slots=True)
class _PaddedSlice:
    """A slice `start:stop` of a tensor along an axis, zero elsewhere; the slice is the concatenation of `parts`."""

    axis: int
    start: int
    stop: int
    parts: tuple[Value, ...]


def concatenate_padded(x: Value, y: Value) -> Value | None:
    """The sum of two padded slices as a concatenation; None where they are not neighbours along an axis."""
    a, b = _padded_slice(x), _padded_slice(y)
    if a is None or b is None or a.axis != b.axis:
        return None
    first, second = (a, b) if a.start < b.start else (b, a)
    if first.stop != second.start:
        return None
    axis, total = a.axis, x.shape[a.axis]
    joined = x.builder.apply("concatenate", *first.parts, *second.parts, axis=axis)
    if joined.shape == x.shape:
        return joined
    none = (0,) * x.rank
    assert isinstance(total, int)
    low = tuple(first.start if i == axis else 0 for i in range(x.rank))
    high = tuple(total - second.stop if i == axis else 0 for i in range(x.rank))
    return x.builder.apply("pad", joined, low=low, high=high, interior=none, value=0)


def _padded_slice(x: Value) -> _PaddedSlice | None:
    """The slice that a value is, padded with zeros along one axis; None where it is no such slice."""
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
    is_concatenation = source.op == "concatenate" and source.attrs["axis"] == axis
    parts = tuple(x.builder.value(ref) for ref in source.inputs) if is_concatenation else (inner,)
    return _PaddedSlice(axis, start, start + size, parts)
