"""Random keys of `x[key]`: every kind of part that NumPy takes, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    """A shape of one to four axes."""
    return tuple(map(int, rng.integers(1, 6, rng.integers(1, 5))))


def random_keys(
    rng: np.random.Generator, shape: tuple[int, ...], count: int
) -> Iterator[tuple[tuple[Any, ...], Array]]:
    """Keys that NumPy takes for a shape, with the part of the numbers from 0 that each picks."""
    x = np.arange(np.prod(shape)).reshape(shape)
    while count:
        key = random_key(rng, shape)
        try:
            part = x[key]
        except IndexError:  # arrays that do not broadcast
            continue
        count -= 1
        yield key, part


def random_key(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A key for a shape; arrays in it may fail to broadcast."""
    common = tuple(rng.integers(1, 3, rng.integers(0, 3)))
    parts: list[Any] = []
    kept = int(rng.integers(0, len(shape) + 1))
    dots = int(rng.integers(0, kept + 1)) if rng.random() < 0.4 else -1
    axis = 0
    for number in range(kept):
        if number == dots:
            parts.append(...)
            axis = len(shape) - (kept - number)
        if rng.random() < 0.15:
            parts.append(None)
        parts.append(_part(rng, shape[axis], common))
        axis += 1
    return tuple(parts)


def _part(rng: np.random.Generator, size: int, common: tuple[int, ...]) -> Any:
    match rng.integers(0, 7):
        case 0:
            return int(rng.integers(-size, size))
        case 1 | 2:
            start, stop = (int(rng.integers(-size - 2, size + 3)) if rng.random() < 0.7 else None for _ in range(2))
            return slice(start, stop, int(rng.choice([-3, -2, -1, 1, 1, 2, 3])))
        case 3:
            return rng.integers(-size, size, common)
        case 4:
            return rng.random(size) < 0.6
        case 5:
            return np.asarray(rng.integers(-size, size))
        case _:
            return slice(None)


def is_places(part: Any) -> bool:
    """Whether a part of a key is an array of integers."""
    return isinstance(part, np.ndarray) and part.dtype != np.bool_


def with_places(keys: list[tuple[Any, ...]], places: Any) -> list[tuple[Any, ...]]:
    """Keys with other values in the places of their arrays of integers, in order."""
    rest = iter(places)
    return [tuple(next(rest) if is_places(part) else part for part in key) for key in keys]
