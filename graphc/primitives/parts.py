"""Complex numbers and their parts.

Gradients are JAX's: the cotangent `c` of `y` stands for the change `Re(c * dy)`, so the cotangent of an imaginary
part, which changes by `Re(-i * dz)`, is multiplied by `-i`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.exprs import call
from graphc.graph.builder import Applied, Value
from graphc.graph.registry import Case, Kind, Primitive, register
from graphc.graph.types import TensorType
from graphc.intrinsics import complex_of
from graphc.primitives.base import COMPLEX, check_dtype, check_same, full_like, pointwise
from graphc.primitives.batching import over_elements

Grads = Sequence[Value | None]

# The dtypes of parts.
_PARTS = ("float32", "float64")


def _real_vjp(g: Value, n: Applied) -> Grads:
    return (g.builder.apply("complex", g, full_like(g, 0)),)


def _imag_vjp(g: Value, n: Applied) -> Grads:
    return (g.builder.apply("complex", full_like(g, 0), g.builder.apply("neg", g)),)


def _conj_vjp(g: Value, n: Applied) -> Grads:
    return (g.builder.apply("conj", g),)


_TRAITS: dict[str, Any] = {"cheap": True, "keeps_zero": (0,)}
real = pointwise("real", np.real, partial(call, "real"), _real_vjp, COMPLEX, parts=True, **_TRAITS)
imag = pointwise("imag", np.imag, partial(call, "imag"), _imag_vjp, COMPLEX, parts=True, **_TRAITS)
conj = pointwise("conj", np.conjugate, partial(call, "conj"), _conj_vjp, COMPLEX, **_TRAITS)


def _complex_infer(*parts: TensorType) -> TensorType:
    if len(parts) != 2:
        raise ShapeError("`complex` takes two operands", got=" and ".join(map(str, parts)) or "none")
    for part in parts:
        check_dtype("complex", part, _PARTS)
    check_same("complex", *parts)
    return TensorType(parts[0].shape, parts[0].dtype.complex)


def _complex_vjp(g: Value, n: Applied) -> Grads:
    return g.builder.apply("real", g), g.builder.apply("neg", g.builder.apply("imag", g))


def _complex_cases() -> Iterable[Case]:
    for shape in ((3, 4), ()):
        yield Case((shape, shape), {})


complex_ = register(
    Primitive(
        "complex",
        Kind.POINTWISE,
        _complex_infer,
        complex_of,
        lambda real, imag, out: call("complex", real, imag),
        _complex_vjp,
        _complex_cases,
        _PARTS,
        cheap=True,
        batch=over_elements("complex"),
    )
)
