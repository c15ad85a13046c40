"""The elementary functions of generated C against double precision: the errors that `prelude/math.h` states."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.compiler import compile
from graphc.graph.builder import Builder
from graphc.graph.types import Array, TensorType

SAMPLES = 200_000
SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, 2, 1e-40, -1e-40, 1e-20, 3e38, -3e38, 88.7, 88.8, -87.4, -103.9]
    + [-105, -0.99999994, 16, -16],
    np.float32,
)
_erf: Callable[[Array], Array] = np.vectorize(math.erf)
# The function in double precision, where its arguments come from, and the largest error in units in the last place.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], str, float]] = {
    "exp": (np.exp, "wide", 1.1),
    "expm1": (np.expm1, "wide", 2.0),
    "log": (np.log, "positive", 1.0),
    "log1p": (np.log1p, "above -1", 2.5),
    "tanh": (np.tanh, "near 0", 3.0),
    "erf": (_erf, "near 0", 3.0),
}


def arguments(kind: str) -> Array:
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.uniform(-6, 1, SAMPLES)
    match kind:
        case "wide":
            drawn = np.concatenate([rng.uniform(-104, 88.7, SAMPLES), rng.normal(size=SAMPLES) * scales / 10])
        case "positive":
            drawn = np.concatenate([10.0 ** rng.uniform(-44, 38, SAMPLES), rng.uniform(0.5, 2, SAMPLES)])
        case "above -1":
            drawn = np.concatenate([rng.uniform(-1, 3, SAMPLES), 10.0 ** rng.uniform(-30, 38, SAMPLES)])
        case _:
            drawn = rng.normal(size=SAMPLES) * scales
    return np.concatenate([drawn.astype(np.float32), SPECIAL])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_as_small_as_stated(name: str) -> None:
    exact, kind, limit = FUNCTIONS[name]
    x = arguments(kind)
    builder, size = Builder({"N": (1, 1 << 30)}), dims.size("N")
    result = builder.apply(name, builder.input("x", TensorType((size,), dtypes.float32)))
    (got,) = compile(builder.finish([result]), "cpu").run({"x": x}, {}, {"N": len(x)})
    with np.errstate(all="ignore"):
        wanted = exact(x.astype(np.float64))
        rounded = wanted.astype(np.float32)
    finite = np.isfinite(rounded)
    unit = np.spacing(np.maximum(np.abs(rounded[finite]), np.finfo(np.float32).tiny)).astype(np.float64)
    assert np.max(np.abs(got[finite] - wanted[finite]) / unit) <= limit
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    zeros = x == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(rounded[zeros]))
