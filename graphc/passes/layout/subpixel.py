"""Convolutions of spread operands: only what meets an element is multiplied.

Of an operand whose elements are `s` apart, each place of the result meets every `s`-th element of the filter, and which
ones depends on the place modulo `s`, its phase. All phases are computed as channels of one convolution of the operand
as it is, and then laid side by side (Shi et al., "Is the deconvolution layer the same as a convolutional layer?",
2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc import dims
from graphc.graph.builder import Builder, Value
from graphc.primitives.convolution import Sliding


@dataclass(frozen=True, slots=True)
class _Phases:
    """How the phases of one axis are computed.

    Phase `r` of place `q` is the sum over `u < taps` of `x[q + u - low] * w[count * u + offset - r]`: of the turned
    filter, after `front` zeros, every run of `spread` elements has one for each phase.

    Args:
        size: The size of the result.
        spread: How far the operand's elements are apart, which is how many phases there are.
        dilation: How far the filter's elements are apart.
        taps: How many elements a place meets.
        front: Zeros before the turned filter.
        back: Zeros after it.
        low: What the operand is padded with in front.
        high: And at its end.
    """

    size: int
    spread: int
    dilation: int
    taps: int
    front: int
    back: int
    low: int
    high: int

    @property
    def places(self) -> int:
        """How many places each phase has."""
        return -(-self.size // self.spread)

    @property
    def count(self) -> int:
        """How many phases are computed: with a single tap, those that meet one."""
        return self.spread if self.taps > 1 else self.spread - self.front - self.back


def _phases(window: Sliding) -> _Phases | None:
    """The phases of an axis; None where the rule does not fit it."""
    if window.stride != 1 or not all(
        isinstance(n, int) for n in (window.extent, window.kernel, window.low, window.out)
    ):
        return None
    extent, kernel, low, out = (dims.evaluate(n, {}) for n in (window.extent, window.kernel, window.low, window.out))
    s, high = window.spread, dims.evaluate(window.high, {})
    if s == 1:
        return _Phases(out, 1, window.dilation, kernel, 0, 0, low, high)
    if window.dilation != 1 and kernel != 1:
        return None
    before, rest = divmod(low, s)
    taps = (kernel - rest + s - 2) // s + 1
    front = s * (taps - 1) - (kernel - 1 - rest)
    after = -(-out // s) + taps - 1 - before - extent
    return _Phases(out, s, 1, taps, front, s - 1 - rest, before, after)


def convolve_phases(builder: Builder, x: Value, w: Value, windows: Sequence[Sliding]) -> Value | None:
    """The convolution, in one group, of an operand that some axes spread; None where the rule does not fit.

    Args:
        builder: Where it is built.
        x: The operand, neither spread nor padded.
        w: The filter.
        windows: For each spatial axis, how the filter slides.
    """
    found = [_phases(window) for window in windows]
    axes = [phases for phases in found if phases is not None]
    if len(axes) < len(found) or all(a.spread == 1 for a in axes) or any(a.low < 0 or a.high < 0 for a in axes):
        return None
    rank = len(axes)
    low, high = (0, *(a.low for a in axes), 0), (0, *(a.high for a in axes), 0)
    wide = builder.apply("pad", x, low=low, high=high, interior=(0,) * (rank + 2), value=0.0)
    ones = (1,) * rank
    parts = builder.apply(
        "conv",
        wide,
        _filter(builder, w, axes),
        strides=ones,
        padding=((0, 0),) * rank,
        lhs_dilation=ones,
        rhs_dilation=tuple(a.dilation for a in axes),
        groups=1,
    )
    return _side_by_side(builder, parts, axes, w.shape[-1])


def _filter(builder: Builder, w: Value, axes: Sequence[_Phases]) -> Value:
    """The filter of all phases: `[*taps, in, *phases * out]`."""
    rank, channels = len(axes), w.shape[-2:]
    spatial = tuple(range(rank))
    turned = builder.apply("reverse", w, axes=spatial)
    padded = [axis for axis in axes if axis.taps > 1]
    if padded:
        low = (*(a.front if a.taps > 1 else 0 for a in axes), 0, 0)
        high = (*(a.back if a.taps > 1 else 0 for a in axes), 0, 0)
        turned = builder.apply("pad", turned, low=low, high=high, interior=(0,) * (rank + 2), value=0.0)
    split = tuple(n for a in axes for n in (a.taps, a.count))
    parts = builder.apply("reshape", turned, shape=(*split, *channels))
    parts = builder.apply("reverse", parts, axes=tuple(range(0, 2 * rank, 2)))
    order = (*range(0, 2 * rank, 2), 2 * rank, *range(1, 2 * rank, 2), 2 * rank + 1)
    parts = builder.apply("transpose", parts, order=order)
    shape = (*(a.taps for a in axes), channels[0], prod(a.count for a in axes) * channels[1])
    return builder.apply("reshape", parts, shape=shape)


def _side_by_side(builder: Builder, parts: Value, axes: Sequence[_Phases], channels: dims.Dim) -> Value:
    """The result, from its phases as channels."""
    rank, batch = len(axes), parts.shape[0]
    places = tuple(a.places for a in axes)
    x = builder.apply("reshape", parts, shape=(batch, *places, *(a.count for a in axes), channels))
    if any(a.count < a.spread for a in axes):
        front = (0,) * (rank + 1)
        low = (*front, *(a.front if a.count < a.spread else 0 for a in axes), 0)
        high = (*front, *(a.back if a.count < a.spread else 0 for a in axes), 0)
        x = builder.apply("pad", x, low=low, high=high, interior=(0,) * (2 * rank + 2), value=0.0)
    order = (0, *(axis for i in range(rank) for axis in (1 + i, 1 + rank + i)), 2 * rank + 1)
    x = builder.apply("transpose", x, order=order)
    x = builder.apply("reshape", x, shape=(batch, *(a.places * a.spread for a in axes), channels))
    stop = (batch, *(a.size for a in axes), channels)
    return builder.apply("slice", x, start=(0,) * (rank + 2), stop=stop, step=(1,) * (rank + 2))
