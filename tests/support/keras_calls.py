"""How tables of `tests/ops/test_beside_keras.py` say which operations are called, and on what."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

HALVES = ("float16", "bfloat16")
FLOATS = ("float32", *HALVES)
INTEGERS = ("int32", "uint8", "int8")
ALL = (*FLOATS, *INTEGERS, "bool")
NUMBERS = (*FLOATS, *INTEGERS)
NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Of:
    """An operand of random numbers in the dtype that is tried, or in one of its own.

    Args:
        shape: Its shape.
        low: The least number; booleans and unsigned integers have none below 0.
        high: The largest.
        dtype: Its own dtype. None: that which is tried.
        special: Floats that are among the numbers.
        order: Whether the numbers are sorted.
    """

    shape: tuple[int, ...] = (3, 4)
    low: float = -3
    high: float = 3
    dtype: str | None = None
    special: tuple[float, ...] = ()
    order: bool = False

    def array(self, name: str, position: int, tried: str) -> np.ndarray[Any, Any]:
        """The numbers, the same ones each time."""
        rng = np.random.default_rng(zlib.crc32(f"{name} {position}".encode()))
        dtype = self.dtype or tried
        kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
        if dtype == "bool":
            return rng.uniform(size=self.shape) < 0.6
        if "int" in dtype:
            low = max(self.low, 0) if dtype.startswith("u") else self.low
            values: Any = rng.integers(int(np.ceil(low)), max(int(self.high), int(np.ceil(low))) + 1, self.shape)
        else:
            values = rng.uniform(self.low, self.high, self.shape)
            flat = values.reshape(-1)
            places = rng.permutation(flat.size)[: len(self.special)]
            flat[places] = self.special[: len(places)]
        return np.asarray(np.sort(values) if self.order else values).astype(kind)


@dataclass(frozen=True)
class Call:
    """A call of an operation.

    Args:
        run: The operations (`graphc.ops`, or Keras's) and the operands to the results.
        operands: What the operands are.
        dtypes: The dtypes that are tried.
        slopes: Whether its gradients are compared.
    """

    run: Callable[..., Any]
    operands: tuple[Of, ...] = (Of(),)
    dtypes: tuple[str, ...] = ALL
    slopes: bool = True


def named(names: str, *operands: Of, **fields: Any) -> dict[str, Call]:
    """Operations that are called on the operands alone."""
    return {
        name: Call(lambda o, *xs, name=name: getattr(o, name)(*xs), operands or (Of(),), **fields)
        for name in names.split()
    }


def with_(name: str, *variants: dict[str, Any], on: tuple[Of, ...] = (Of(),), **fields: Any) -> dict[str, Call]:
    """An operation with keyword arguments, once for each variant of them."""
    shapes = " ".join(str(of.shape).replace(" ", "") for of in on)
    return {
        f"{name} of {shapes} {', '.join(f'{k}={v}' for k, v in given.items())}": Call(
            lambda o, *xs, given=given: getattr(o, name)(*xs, **given), on, **fields
        )
        for given in variants
    }
