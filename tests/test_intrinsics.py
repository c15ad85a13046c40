"""Intrinsics: a record is enough for a new one, on every backend."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from graphc import dtypes
from graphc.errors import VerificationError
from graphc.exprs import call
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType
from graphc.intrinsics import INTRINSICS, Intrinsic, intrinsic, own, register
from graphc.primitives.base import pointwise
from tests.support.backends import COMPILED, Run
from tests.support.loop_interpreter import run_loops
from tests.support.rules import run_rules

SMOOTH = """
GC_FN float gc_smoothstep_float32(float x) { return x < 0 ? 0 : x > 1 ? 1 : x * x * (3 - 2 * x); }
GC_FN double gc_smoothstep_float64(double x) { return x < 0 ? 0 : x > 1 ? 1 : x * x * (3 - 2 * x); }
"""


def smoothstep(x: np.ndarray) -> np.ndarray:
    inside = np.clip(x, 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside))


@pytest.fixture
def known() -> Iterator[None]:
    """All that it takes: a record of the function, and one of the operation."""
    register(Intrinsic("smoothstep", 1, smoothstep, own("smoothstep"), cost=6, definition=SMOOTH))
    pointwise("smoothstep", smoothstep, partial(call, "smoothstep"), None)
    yield
    del REGISTRY["smoothstep"], INTRINSICS["smoothstep"]


def graph() -> Graph:
    b = Builder()
    outs = []
    for dtype in (dtypes.float32, dtypes.float64, dtypes.float16):
        x = b.input(dtype.name, TensorType((1000,), dtype))
        outs += [b.apply("smoothstep", x), b.apply("mul", b.apply("smoothstep", b.apply("exp", x)), x)]
    return b.finish(outs)


@pytest.mark.parametrize("run", [*COMPILED, run_rules, run_loops])
def test_a_new_intrinsic_is_a_record(run: Run, known: None) -> None:
    x = np.linspace(-2, 2, 1000)
    inputs = {name: x.astype(name) for name in ("float32", "float64", "float16")}
    found = run(graph(), inputs, {})
    for (name, given), first, second in zip(inputs.items(), found[::2], found[1::2], strict=True):
        bound = {"float64": 1e-12, "float32": 1e-5, "float16": 4e-3}[name]
        wide = given.astype("float64")
        np.testing.assert_allclose(first, smoothstep(wide), bound, bound)
        np.testing.assert_allclose(second, smoothstep(np.exp(wide)) * wide, bound, bound)


def test_names_are_taken_once() -> None:
    with pytest.raises(VerificationError, match="already"):
        register(intrinsic("exp"))
    with pytest.raises(VerificationError, match="no such"):
        intrinsic("no_such")
