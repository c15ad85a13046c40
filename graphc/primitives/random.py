"""Random bits: a pure function of seed and position, the same on every backend.

Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). No bits
are stored: the backward pass recomputes the masks that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.exprs import Call, Expr, Index, const
from graphc.graph.registry import Case, Kind, Primitive, Reader, register
from graphc.graph.types import TensorType
from graphc.intrinsics import philox
from graphc.primitives.base import Array
from graphc.primitives.batching import over_elements


def _infer(seed: TensorType, shape: Shape) -> TensorType:
    if seed.dtype is not dtypes.uint32 or seed.shape[-1:] != (2,):
        raise ShapeError(
            "`random_bits` takes a seed uint32[2]",
            got=str(seed),
            expected="two words, or an array of such pairs for a draw from each",
        )
    return TensorType((*seed.shape[:-1], *shape), dtypes.uint32)


def _eval(seed: Array, shape: tuple[int, ...]) -> Array:
    position = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    low, high = position.astype(np.uint32), (position >> np.uint64(32)).astype(np.uint32)
    first, second = (
        np.asarray(word).reshape((*seed.shape[:-1], *(1 for _ in shape))) for word in (seed[..., 0], seed[..., 1])
    )
    return philox((low, high, np.uint32(0), np.uint32(0)), (first, second))


def _lower(reader: Reader, index: tuple[Dim, ...], shape: Shape) -> Expr:
    many = reader.types[0].rank - 1
    draw, index = index[:many], index[many:]
    position: Dim = 0
    for i, extent in zip(index, shape, strict=True):
        position = position * extent + i
    words = (
        Index(position, dtypes.uint32),
        Index(dims.floordiv(position, 1 << 32), dtypes.uint32),
        const(0, dtypes.uint32),
        const(0, dtypes.uint32),
        reader.read(0, (*draw, 0)),
        reader.read(0, (*draw, 1)),
    )
    return Call("philox", words, dtypes.uint32)


def _cases() -> Iterable[Case]:
    yield Case(((2,),), {"shape": (3, 50)}, 0, 1000, differentiable=False)
    yield Case(((4, 2),), {"shape": (3, 5)}, 0, 1000, differentiable=False)


random_bits = register(
    Primitive(
        "random_bits", Kind.RANDOM, _infer, _eval, _lower, None, _cases, ("uint32",), batch=over_elements("random_bits")
    )
)
