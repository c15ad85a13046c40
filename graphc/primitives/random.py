"""Random bits: a pure function of seed, stream, step and position, the same on every backend.

Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Nothing is
stored: a mask that the backward pass needs again is computed again.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.exprs import Call, Expr, Index, const
from graphc.graph.registry import Case, Kind, Primitive, Reader, register
from graphc.graph.types import TensorType
from graphc.primitives.base import Array
from graphc.primitives.batching import over_elements

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox(counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[ArrayLike, ArrayLike]) -> Array:
    """The first word of Philox 4x32-10 at each counter; all words are uint32."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint32) for word in counter)
    k0, k1 = (np.asarray(word, np.uint32) for word in key)
    with np.errstate(over="ignore"):
        for _ in range(_ROUNDS):
            first = c0.astype(np.uint64) * np.uint64(_MULTIPLIERS[0])
            second = c2.astype(np.uint64) * np.uint64(_MULTIPLIERS[1])
            high0, low0 = (first >> np.uint64(32)).astype(np.uint32), first.astype(np.uint32)
            high1, low1 = (second >> np.uint64(32)).astype(np.uint32), second.astype(np.uint32)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + np.uint32(_WEYL[0]), k1 + np.uint32(_WEYL[1])
    return c0


def _infer(seed: TensorType, step: TensorType, shape: Shape, stream: int) -> TensorType:
    many = step.shape
    if seed != TensorType((*many, 2), dtypes.uint32) or step != TensorType(many, dtypes.uint32):
        raise ShapeError(
            "`random_bits` takes a seed uint32[2] and a step uint32[]",
            got=f"{seed} and {step}",
            expected="these, or both with the same axes in front, for a draw from each",
        )
    return TensorType((*many, *shape), dtypes.uint32)


def _eval(seed: Array, step: Array, shape: tuple[int, ...], stream: int) -> Array:
    position = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    low, high = position.astype(np.uint32), (position >> np.uint64(32)).astype(np.uint32)
    step, first, second = (
        np.asarray(word).reshape(*step.shape, *(1 for _ in shape)) for word in (step, seed[..., 0], seed[..., 1])
    )
    return philox((low, high, step, np.uint32(stream)), (first, second))


def _lower(reader: Reader, index: tuple[Dim, ...], shape: Shape, stream: int) -> Expr:
    many = reader.types[1].rank
    draw, index = index[:many], index[many:]
    position: Dim = 0
    for i, extent in zip(index, shape, strict=True):
        position = position * extent + i
    words = (
        Index(position, dtypes.uint32),
        Index(dims.floordiv(position, 1 << 32), dtypes.uint32),
        reader.read(1, draw),
        const(stream, dtypes.uint32),
        reader.read(0, (*draw, 0)),
        reader.read(0, (*draw, 1)),
    )
    return Call("philox", words, dtypes.uint32)


def _cases() -> Iterable[Case]:
    yield Case(((2,), ()), {"shape": (3, 50), "stream": 7}, 0, 1000, differentiable=False)
    yield Case(((4, 2), (4,)), {"shape": (3, 5), "stream": 7}, 0, 1000, differentiable=False)


random_bits = register(
    Primitive(
        "random_bits", Kind.RANDOM, _infer, _eval, _lower, None, _cases, ("uint32",), batch=over_elements("random_bits")
    )
)
