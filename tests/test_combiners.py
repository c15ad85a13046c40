"""Combiners: what they merge is the same in any grouping, on every backend; a record is enough for a new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.codegen.ir.kernel import Reduce
from graphc.combiners import COMBINERS, Combiner, Parts, combiner, register
from graphc.dtypes import DType
from graphc.errors import ShapeError, VerificationError
from graphc.exprs import Expr, Var, call, const, select
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType
from graphc.primitives import reductions
from tests.support.backends import COMPILED, Run
from tests.support.loop_interpreter import build_loops, run_loops
from tests.support.rules import evaluated, merged, run_rules

RUNS = [*COMPILED, run_rules, run_loops]
MERGED = sorted(name for name, record in COMBINERS.items() if not record.positional)
BOUNDS = {"float64": 1e-11, "float32": 2e-5, "float16": 2e-3, "bfloat16": 2e-2}


def total(record: Combiner, x: np.ndarray, dtype: DType) -> Any:
    """All elements, one set of accumulators after the other."""
    lifted = record.lift(Var("x", dtype))
    rows = [np.broadcast_to(evaluated(part, {"x": x}), x.shape) for part in lifted]
    parts = merged(record, rows, [part.dtype for part in lifted])
    names = tuple(Var(f"p{i}", part.dtype) for i, part in enumerate(lifted))
    return evaluated(record.finish(names), {f"p{i}": part for i, part in enumerate(parts)})


@pytest.mark.parametrize("name", MERGED)
def test_the_identity_changes_nothing_and_groupings_agree(name: str) -> None:
    record = combiner(name)
    dtype = dtypes.bool_ if name in ("any", "all") else dtypes.float64
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (50, 37)).astype(bool) if dtype.is_bool else rng.uniform(0.5, 1.5, (50, 37))
    whole = total(record, x, dtype)
    order = total(record, x[:, rng.permutation(37)], dtype)
    assert len(record.identity(dtype)) == len(record.wide) == len(record.lift(Var("x", dtype)))
    for i, value in enumerate(record.identity(dtype)):
        mine = record.lift(Var("x", dtype))
        none = tuple(Var(f"n{j}", dtype) for j in range(len(mine)))
        env = {"x": x, **{f"n{j}": np.full_like(x, each) for j, each in enumerate(record.identity(dtype))}}
        for pair in ((mine, none), (none, mine)):
            np.testing.assert_array_equal(evaluated(record.combine(*pair)[i], env), evaluated(mine[i], env), str(value))
    np.testing.assert_allclose(whole.astype(float), order.astype(float), 1e-12)


def test_names_are_taken_once() -> None:
    with pytest.raises(VerificationError, match="already"):
        register(combiner("sum"))
    with pytest.raises(VerificationError, match="no such"):
        combiner("no_such")


# ---- a new one


def second_merged(a: Parts, b: Parts) -> Parts:
    (first, second), (other, next_best) = a, b
    larger = call("gt", other, first)
    return call("max", first, other), select(larger, call("max", first, next_best), call("max", second, other))


def second_largest(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    kept = reductions.kept_axes(x.ndim, axes)
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), -1)
    return np.asarray(np.sort(rows, -1)[..., -2])


@pytest.fixture
def known() -> Iterator[None]:
    """All that it takes: a record of the combiner, and one of the operation."""

    def lift(x: Expr) -> Parts:
        return x, const(float("-inf"), x.dtype)

    register(
        Combiner("second", lambda dtype: (float("-inf"),) * 2, second_merged, (False,) * 2, lift=lift, finish=last)
    )
    reductions._reduction("second", second_largest, None, ("float32", "float64", "float16", "bfloat16"))
    yield
    del REGISTRY["second"], COMBINERS["second"]


def last(parts: Parts) -> Expr:
    return parts[-1]


# Rows, columns, axes on both sides, all of them; short ones, long ones, and such as no lane or block divides.
CASES = [
    ((7, 1000), (1,)),
    ((1000, 7), (0,)),
    ((300, 130), (0,)),
    ((5, 6, 33), (0, 2)),
    ((3, 4, 50), (1,)),
    ((40, 50), (0, 1)),
    ((9, 2), (1,)),
    ((2, 100_003), (1,)),
]


def graph(op: str, dtype: DType) -> Graph:
    """The operation, of what is computed on the way, and what is made of the result; and of two in one loop."""
    b = Builder()
    outs: list[Value] = []
    for i, (shape, axes) in enumerate(CASES):
        x = b.input(f"x{i}", TensorType(shape, dtype))
        found = b.apply(op, x, axes=axes)
        kept = reductions.kept_axes(len(shape), axes)
        away = b.apply("sub", x, b.broadcast(found, shape, kept))
        twice = b.apply("add", b.apply(op, b.apply("neg", x), axes=axes), b.apply("max", x, axes=axes))
        outs += [found, b.apply("max", away, axes=axes), twice]
    return b.finish(outs)


def check(op: str, run: Run, dtype: DType) -> None:
    rng = np.random.default_rng(1)
    inputs = {f"x{i}": rng.normal(3, 1, shape).astype(dtype.numpy) for i, (shape, _) in enumerate(CASES)}
    found = run(graph(op, dtype), inputs, {})
    reference = REGISTRY[op].eval
    for i, (shape, axes) in enumerate(CASES):
        x = inputs[f"x{i}"].astype(np.float64)
        bound = BOUNDS[dtype.name]
        first = reference(x, axes)
        most = x.max(axes)
        expected = (first, most - first, reference(-x, axes) + most)
        for got, wanted in zip(found[3 * i : 3 * i + 3], expected, strict=True):
            np.testing.assert_allclose(got.astype(float), wanted, bound, 4 * bound, err_msg=f"{shape} {axes}")


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.bfloat16], ids=str)
@pytest.mark.parametrize("op", ["logsumexp", "variance"])
def test_several_accumulators(op: str, dtype: DType, run: Run) -> None:
    check(op, run, dtype)


@pytest.mark.parametrize("run", RUNS)
def test_a_new_combiner_is_a_record(run: Run, known: None) -> None:
    check("second", run, dtypes.float32)


# ---- the first ones


@pytest.mark.parametrize("run", RUNS)
def test_logarithms_of_sums_at_the_ends_of_the_range(run: Run) -> None:
    inf, nan = np.inf, np.nan
    rows = [
        [1e4, 1e4 + 1, -1e4],
        [-1e4, -1e4, -1e4],
        [-inf, 2, 3],
        [-inf, -inf, -inf],
        [inf, 1, 2],
        [inf, -inf, inf],
        [nan, 1, -inf],
        [1, inf, nan],
    ]
    x = np.array(rows, np.float32)
    b = Builder()
    value, turned = b.input("x", TensorType(x.shape, dtypes.float32)), b.input("y", TensorType((3, 8), dtypes.float32))
    outs = [b.apply("logsumexp", value, axes=(1,)), b.apply("logsumexp", turned, axes=(0,))]
    with np.errstate(all="ignore"):
        expected = np.logaddexp.reduce(x.astype(np.float64), 1)
    for found in run(b.finish(outs), {"x": x, "y": np.ascontiguousarray(x.T)}, {}):
        np.testing.assert_allclose(found, expected, 1e-6)


@pytest.mark.parametrize("run", RUNS)
def test_variances_do_not_depend_on_the_mean(run: Run) -> None:
    """The mean of the squares less the square of the mean would be lost in rounding."""
    x = (np.random.default_rng(0).normal(size=(4, 60_000)) + 1e4).astype(np.float32)
    b = Builder()
    value = b.input("x", TensorType(x.shape, dtypes.float32))
    turned = b.apply("transpose", value, order=(1, 0))
    outs = [b.apply("variance", value, axes=(1,)), b.apply("variance", turned, axes=(0,))]
    for found in run(b.finish(outs), {"x": x}, {}):
        np.testing.assert_allclose(found, x.astype(np.float64).var(1), 1e-6)


def test_it_is_one_pass() -> None:
    for op in ("variance", "logsumexp"):
        b = Builder({"B": (1, 1 << 20)})
        x = b.input("x", TensorType((dims.size("B"), 100), dtypes.float32))
        program = build_loops(b.finish([b.apply(op, x, axes=(1,))]))
        [kernel] = program.lowered.values()
        assert [type(stmt).__name__ for stmt in kernel.body].count(Reduce.__name__) == 1


@pytest.mark.parametrize("run", RUNS)
def test_over_no_axes_each_element_is_by_itself(run: Run) -> None:
    x = np.array([1, -np.inf, np.inf, np.nan, 0], np.float32)
    b = Builder()
    value = b.input("x", TensorType((5,), dtypes.float32))
    alone, variance = run(b.finish([b.apply(op, value, axes=()) for op in ("logsumexp", "variance")]), {"x": x}, {})
    np.testing.assert_array_equal(alone, x)
    np.testing.assert_array_equal(variance, [0, np.nan, np.nan, np.nan, 0])


@pytest.mark.parametrize("op", ["logsumexp", "variance"])
def test_nothing_has_none(op: str) -> None:
    b = Builder()
    with pytest.raises(ShapeError, match="no elements"):
        b.apply(op, b.input("x", TensorType((3, 0), dtypes.float32)), axes=(1,))
