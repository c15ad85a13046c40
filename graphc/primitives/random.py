"""Random bits: a pure function of seed, stream, step and position, the same on every backend.

Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). No bits
are stored: the backward pass recomputes the masks that it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.errors import ShapeError
from graphc.exprs import Call, Expr, Index, const
from graphc.graph.registry import Case, Kind, Primitive, Reader, register
from graphc.graph.types import TensorType
from graphc.primitives.base import Array
from graphc.primitives.batching import over_elements
from graphc.special_functions import BLOCK, philox, philox_words


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
    count = math.prod(shape)
    if step.ndim == 0 or count > BLOCK:
        words = np.empty((*step.shape, count), np.uint32)
        for draw in np.ndindex(step.shape):
            words[draw] = philox_words(count, int(step[draw]), stream, (int(seed[draw][0]), int(seed[draw][1])))
        return words.reshape(*step.shape, *shape)
    position = np.arange(count, dtype=np.uint32).reshape(shape)
    step, first, second = (
        np.asarray(word).reshape(*step.shape, *(1 for _ in shape)) for word in (step, seed[..., 0], seed[..., 1])
    )
    return philox((position, 0, step, stream), (first, second))


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
