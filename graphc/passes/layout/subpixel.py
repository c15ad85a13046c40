"""Sub-pixel convolution: convolutions of dilated operands without multiplications by the zeros between elements.

Where the elements of an operand are `s` apart, each position of the result multiplies every `s`-th element of the
filter; which ones depends on the position modulo `s`, its sub-pixel. All sub-pixels are computed as channels of one
convolution of the undilated operand, and are then interleaved (Shi et al., "Is the deconvolution layer the same as a
convolutional layer?", 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc import dims
from graphc.graph.builder import Builder, Value
from graphc.primitives.convolution import Sliding


@dataclass(frozen=True, slots=True)
class _Subpixels:
    """How the sub-pixels of one axis are computed.

    Sub-pixel `r` of position `q` is the sum over `u < taps` of `x[q + u - low] * w[count * u + offset - r]`: of the
    reversed filter, after `front` zeros, every `spread` consecutive elements have one for each sub-pixel.

    Args:
        size: The size of the result.
        spread: The distance of the operand's elements, which is the number of sub-pixels.
        dilation: The distance of the filter's elements.
        taps: The number of elements that a position multiplies.
        front: Zeros before the reversed filter.
        back: Zeros after it.
        low: Padding of the operand in front.
        high: Padding at its end.
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
    def positions(self) -> int:
        """The number of positions of each sub-pixel."""
        return -(-self.size // self.spread)

    @property
    def count(self) -> int:
        """The number of sub-pixels that are computed: with a single tap, those that it reaches."""
        return self.spread if self.taps > 1 else self.spread - self.front - self.back


def _subpixels(window: Sliding) -> _Subpixels | None:
    """The sub-pixels of an axis; None where the rule does not apply to it."""
    if window.stride != 1 or not all(
        isinstance(n, int) for n in (window.extent, window.kernel, window.low, window.out)
    ):
        return None
    extent, kernel, low, out = (dims.evaluate(n, {}) for n in (window.extent, window.kernel, window.low, window.out))
    s, high = window.spread, dims.evaluate(window.high, {})
    if s == 1:
        return _Subpixels(out, 1, window.dilation, kernel, 0, 0, low, high)
    if window.dilation != 1 and kernel != 1:
        return None
    before, rest = divmod(low, s)
    taps = (kernel - rest + s - 2) // s + 1
    front = s * (taps - 1) - (kernel - 1 - rest)
    after = -(-out // s) + taps - 1 - before - extent
    return _Subpixels(out, s, 1, taps, front, s - 1 - rest, before, after)


def subpixel_convolution(builder: Builder, x: Value, w: Value, windows: Sequence[Sliding]) -> Value | None:
    """The convolution, in one group, of an operand that is dilated along some axes; None where the rule does not apply.

    Args:
        builder: The graph to which it is added.
        x: The operand, neither dilated nor padded.
        w: The filter.
        windows: For each spatial axis, how the filter slides.
    """
    candidates = [_subpixels(window) for window in windows]
    axes = [subpixels for subpixels in candidates if subpixels is not None]
    if len(axes) < len(candidates) or all(a.spread == 1 for a in axes) or any(a.low < 0 or a.high < 0 for a in axes):
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
    return _interleaved(builder, parts, axes, w.shape[-1])


def _filter(builder: Builder, w: Value, axes: Sequence[_Subpixels]) -> Value:
    """The filter of all sub-pixels: `[*taps, in, *subpixels * out]`."""
    rank, channels = len(axes), w.shape[-2:]
    spatial = tuple(range(rank))
    reversed_filter = builder.apply("reverse", w, axes=spatial)
    padded = [axis for axis in axes if axis.taps > 1]
    if padded:
        low = (*(a.front if a.taps > 1 else 0 for a in axes), 0, 0)
        high = (*(a.back if a.taps > 1 else 0 for a in axes), 0, 0)
        reversed_filter = builder.apply(
            "pad", reversed_filter, low=low, high=high, interior=(0,) * (rank + 2), value=0.0
        )
    split = tuple(n for a in axes for n in (a.taps, a.count))
    parts = builder.apply("reshape", reversed_filter, shape=(*split, *channels))
    parts = builder.apply("reverse", parts, axes=tuple(range(0, 2 * rank, 2)))
    order = (*range(0, 2 * rank, 2), 2 * rank, *range(1, 2 * rank, 2), 2 * rank + 1)
    parts = builder.apply("transpose", parts, order=order)
    shape = (*(a.taps for a in axes), channels[0], prod(a.count for a in axes) * channels[1])
    return builder.apply("reshape", parts, shape=shape)


def _interleaved(builder: Builder, parts: Value, axes: Sequence[_Subpixels], channels: dims.Dim) -> Value:
    """The result, from its sub-pixels as channels."""
    rank, batch = len(axes), parts.shape[0]
    positions = tuple(a.positions for a in axes)
    x = builder.apply("reshape", parts, shape=(batch, *positions, *(a.count for a in axes), channels))
    if any(a.count < a.spread for a in axes):
        front = (0,) * (rank + 1)
        low = (*front, *(a.front if a.count < a.spread else 0 for a in axes), 0)
        high = (*front, *(a.back if a.count < a.spread else 0 for a in axes), 0)
        x = builder.apply("pad", x, low=low, high=high, interior=(0,) * (2 * rank + 2), value=0.0)
    order = (0, *(axis for i in range(rank) for axis in (1 + i, 1 + rank + i)), 2 * rank + 1)
    x = builder.apply("transpose", x, order=order)
    x = builder.apply("reshape", x, shape=(batch, *(a.positions * a.spread for a in axes), channels))
    stop = (batch, *(a.size for a in axes), channels)
    return builder.apply("slice", x, start=(0,) * (rank + 2), stop=stop, step=(1,) * (rank + 2))
