"""The discrete Fourier transform of the last axis, by a library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, LibraryRule, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import COMPLEX, Array, check_dtype, linear_in
from graphc.primitives.portable import fourier

# About how many operations a transform takes for each element.
_WORK = 32


def _infer(x: TensorType, inverse: bool) -> TensorType:
    check_dtype("fft", x, COMPLEX)
    if x.rank == 0:
        raise ShapeError("`fft` takes an operand that has axes", got=str(x))
    return x


def _eval(x: Array, inverse: bool) -> Array:
    """`sum(x[j] * exp(-2 pi i j k / n))`, with the other sign where it is inverse; not divided by `n`."""
    if 0 in x.shape:
        return np.array(x)
    transformed = np.fft.ifft(x, norm="forward") if inverse else np.fft.fft(x)
    return np.asarray(transformed, x.dtype)


def _lower(types: Sequence[TensorType], inverse: bool) -> LibraryRule:
    return LibraryRule(types[0].elements * _WORK, portable=fourier(types[0], inverse))


def _vjp(g: Value, n: Applied) -> Sequence[Value | None]:
    # The matrix of the transform is symmetric.
    return (g.builder.apply("fft", g, inverse=n.attrs["inverse"]),)


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    return builder.apply("fft", operands[0].spread(length), **attrs)


def _cases() -> Iterable[Case]:
    for inverse in (False, True):
        for shape in ((5,), (2, 8), (2, 3, 1), (0, 4)):
            yield Case((shape,), {"inverse": inverse}, differentiable=0 not in shape)


fft = register(
    Primitive("fft", Kind.LIBRARY, _infer, _eval, _lower, _vjp, _cases, COMPLEX, linear=linear_in(0), batch=_batch)
)
