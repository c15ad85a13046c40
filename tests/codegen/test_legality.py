"""Kernels stay legal through every pass over them, and what is not legal is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc
from benchmarks.workloads import WORKLOADS
from graphc import dims, dtypes
from graphc.codegen.compilation import Compilation
from graphc.codegen.cstyle.unswitch import decided, invariant_guard, split_at_changes
from graphc.codegen.cstyle.unswitch import given as known_of
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, For, Kernel, Let, Param, Reduce, Stmt, Store
from graphc.codegen.ir.legality import check_lowered, check_scheduled, owners
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.lower.dedupe import deduplicate
from graphc.codegen.schedule.accumulators import widen_sums
from graphc.codegen.schedule.contractions import as_reductions
from graphc.codegen.schedule.flatten import flatten
from graphc.codegen.target import Target
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Call, Expr, Index, Load, Var, call, cast, compare, const, select
from graphc.graph.types import Ref
from graphc.models.data import arrays_of
from graphc.plan import Branch, Launch, Loop, Plan, Step, While
from tests.support.loop_interpreter import always_fused_loops, build_loops, schedule
from tests.support.random_graphs import Sample, graphs

FIXED = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
FLOAT, INT, BOOL = dtypes.float32, dtypes.int32, dtypes.bool_
BATCH = dims.size("B")
SIZES = {"B": 3}
ROW, COLUMN, INNER = Axis("p0", BATCH), Axis("p1", 4), Axis("r0", 4)


# ---- through every pass


def _launches(plan: Plan, sizes: Mapping[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    """Each kernel of a plan, with sizes and the counters of the first and the last pass of loops around it."""
    yield from _launched(plan.steps, dict(sizes))


def _launched(steps: tuple[Step, ...], sizes: dict[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    for step in steps:
        if isinstance(step, Launch):
            yield step.kernel, sizes
        elif isinstance(step, Loop) and (last := dims.evaluate(step.count, sizes)) > 0:
            for count in {1, last}:
                yield from _launched(step.steps, {**sizes, step.symbol: count})
        elif isinstance(step, While | Branch):
            for block in step.blocks:
                yield from _launched(block, sizes)


def _check_loops(kernel: Kernel, sizes: Mapping[str, int]) -> None:
    """What becomes of a scheduled kernel while C is printed: sums, loops that are cut, loops without a guard."""
    check_scheduled(widen_sums(as_reductions(kernel)), kernel, sizes)
    if not kernel.axes:
        return
    *outer, last = kernel.axes
    cut = [replace(kernel, axes=(*outer, axis), body=body) for axis, body in split_at_changes(kernel.body, last)]
    for part in cut:
        check_lowered(part, sizes)
    for name, whole in owners(kernel, sizes).items() if cut else ():
        stored = sum((owners(part, sizes)[name] >= 0).astype(int) for part in cut)
        np.testing.assert_array_equal(stored, whole >= 0)  # each element by one of them
    guard = invariant_guard(kernel.body, last.name)
    if guard is not None:
        check_scheduled(replace(kernel, body=decided(kernel.body, known_of(guard, False))), kernel, sizes)
        check(replace(kernel, body=decided(kernel.body, known_of(guard, True))))


def _check_all(plan: Plan, lowered: Mapping[str, Kernel], sizes: Mapping[str, int]) -> None:
    shared = deduplicate(Assembly(plan, dict(lowered)))
    for name, known in _launches(shared.plan, sizes):
        kernel = shared.kernels[name]
        check_lowered(kernel, known)
        check_scheduled(flatten(kernel), kernel, known)
        check_scheduled(schedule(kernel), kernel, known)
        _check_loops(schedule(kernel), known)


@pytest.mark.parametrize("loops", [False, True], ids=["kernels", "fused loops"])
@settings(FIXED, max_examples=60)
@given(graphs(most=20), st.booleans())
def test_random_graphs(loops: bool, sample: Sample, fused: bool) -> None:
    with always_fused_loops():
        program = build_loops(sample.graph, fused=fused, loops=loops)
    for batch in (1, 3):
        _check_all(program.plan, program.lowered, {"B": batch})


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads(name: str, backend: str) -> None:
    graphc.utils.clear_session()
    workload = WORKLOADS[name]
    model = workload.build(graphc)
    workload.compile(graphc, model)
    with graphc.backend("numpy"):
        program = model.program("train", arrays_of(*workload.data(workload.batch)).spec)
    compilation = Compilation(program.executable.compilation.stages["initial"], Target(backend))
    assembly = compilation.stage("sample_loops" if backend == "cpu" else "lower")
    _check_all(assembly.plan, assembly.kernels, dict.fromkeys(assembly.plan.symbols, 2))


# ---- what is refused


def _kernel(*body: Stmt, axes: tuple[Axis, ...] = (ROW, COLUMN), dtype: DType = FLOAT, update: bool = False) -> Kernel:
    """A kernel from `x` to `y`, both B x 4, with integers `i` and conditions `c` for each row."""
    params = (
        Param("x", Ref(0), dtype, (BATCH, 4)),
        Param("i", Ref(1), INT, (BATCH,)),
        Param("c", Ref(2), BOOL, (BATCH,)),
        Param("y", Ref(3), dtype, (BATCH, 4), written=True, read=update),
    )
    return Kernel("k0", params, axes, body)


def _x(i: Dim, j: Dim, guard: Expr | None = None, buffer: str = "x") -> Load:
    return Load(buffer, (i, j), FLOAT, guard)


def _put(value: Expr, i: Dim = ROW.index, j: Dim = COLUMN.index, combine: str = "") -> Store:
    return Store("y", (i, j), value, combine)


def _row(value: Expr, j: Dim = INNER.index) -> For:
    return For((INNER,), (_put(value, ROW.index, j),))


_NUMBER = Let("n", Load("i", (ROW.index,), INT))
_PLACE = dims.value("n")


def _clamped(row: Dim) -> Let:
    """A row that memory tells, moved into the buffer."""
    return Let("n", call("max", call("min", Load("i", (row,), INT), Index(BATCH - 1, INT)), const(0, INT)))


_CLAMPED = _clamped(ROW.index)
_ASKED = Let("g", Load("c", (ROW.index,), BOOL))
_ONE = const(1.0, FLOAT)
_TOTAL = Accumulator("t", "sum", _ONE, FLOAT)

LEGAL = {
    "a copy": _kernel(_put(_x(ROW.index, COLUMN.index))),
    "a guarded read": _kernel(_put(_x(ROW.index, COLUMN.index - 1, compare("ge", COLUMN.index, 1)))),
    "a choice": _kernel(_put(select(compare("lt", COLUMN.index, 3), _x(ROW.index, COLUMN.index + 1), _ONE))),
    "a choice of the other": _kernel(
        _put(select(compare("ge", COLUMN.index, 3), _ONE, _x(ROW.index, COLUMN.index + 1)))
    ),
    "a row that memory tells": _kernel(_CLAMPED, _put(_x(_PLACE, COLUMN.index))),
    "a row that a condition limits": _kernel(
        _NUMBER,
        Let(
            "g",
            call("and", call("ge", Var("n", INT), const(0, INT)), call("lt", Var("n", INT), Index(BATCH, INT))),
        ),
        _put(_x(_PLACE, COLUMN.index, Var("g", BOOL))),
    ),
    "sums at places that memory tells": _kernel(
        For((Axis("z0", BATCH),), (_put(const(0.0, FLOAT), dims.axis("z0", BATCH)),)),
        For(
            (Axis("s0", BATCH),),
            (
                Let(
                    "n",
                    call(
                        "max",
                        call("min", Load("i", (dims.axis("s0", BATCH),), INT), Index(BATCH - 1, INT)),
                        const(0, INT),
                    ),
                ),
                _put(_ONE, _PLACE, COLUMN.index, combine="sum"),
            ),
        ),
        axes=(COLUMN,),
    ),
    "an update": _kernel(_put(call("add", _x(ROW.index, COLUMN.index, buffer="y"), _ONE)), update=True),
}

ILLEGAL = {
    "a read beyond the last column": (_kernel(_put(_x(ROW.index, COLUMN.index + 1))), "out of bounds"),
    "a read beyond the last row": (_kernel(_put(_x(ROW.index + 1, COLUMN.index))), "out of bounds"),
    "a read before the first": (_kernel(_put(_x(ROW.index, COLUMN.index - 1))), "out of bounds"),
    "a guard that leaves one out": (
        _kernel(_put(_x(ROW.index, COLUMN.index - 2, compare("ge", COLUMN.index, 1)))),
        "out of bounds",
    ),
    "a guard that says nothing of the place": (
        _kernel(_ASKED, _put(_x(ROW.index, COLUMN.index - 1, Var("g", BOOL)))),
        "out of bounds",
    ),
    "a choice of the wrong side": (
        _kernel(_put(select(compare("lt", COLUMN.index, 3), _ONE, _x(ROW.index, COLUMN.index + 1)))),
        "out of bounds",
    ),
    "a store beyond the last": (_kernel(_put(_ONE, ROW.index, COLUMN.index + 1)), "out of bounds"),
    "a place that memory tells": (_kernel(_NUMBER, _put(_x(_PLACE, COLUMN.index))), "out of bounds"),
    "a place that is limited on one side": (
        _kernel(Let("n", call("max", Load("i", (ROW.index,), INT), const(0, INT))), _put(_x(_PLACE, COLUMN.index))),
        "out of bounds",
    ),
    "two points at one element": (_kernel(_put(_ONE, ROW.index, 0)), "at two points"),
    "neighbours at one element": (_kernel(_put(_ONE, ROW.index, COLUMN.index // 2)), "at two points"),
    "two stores at one element": (
        _kernel(_put(_ONE), _put(_ONE, ROW.index, 3 - COLUMN.index)),
        "at two points",
    ),
    "two passes of a loop at one element": (_kernel(_row(_ONE, 0), axes=(ROW,)), "at two points"),
    "sums of several points": (
        _kernel(_CLAMPED, _put(_ONE, _PLACE, COLUMN.index, combine="sum")),
        "at two points",
    ),
    "a read of what another point stores": (
        _kernel(_put(_x(ROW.index, 3 - COLUMN.index, buffer="y")), update=True),
        "what another stores",
    ),
    "a read of what another row stores": (
        _kernel(
            Let("v", _x(ROW.index - 1, COLUMN.index, compare("ge", ROW.index, 1), "y")),
            _put(Var("v", FLOAT)),
            update=True,
        ),
        "what another stores",
    ),
    "a read of what another pass stores": (
        _kernel(_row(_x(ROW.index, 3 - INNER.index, buffer="y")), axes=(ROW,), update=True),
        "in one pass",
    ),
    "an axis twice": (
        _kernel(For((Axis("p0", 4),), (_put(_ONE, dims.axis("p0", BATCH), dims.axis("p0", 4)),)), axes=(ROW,)),
        "an axis twice",
    ),
    "a name before it is bound": (_kernel(_put(Var("v", FLOAT)), Let("v", _ONE)), "not bound"),
    "a name bound twice": (_kernel(Let("v", _ONE), Let("v", _ONE), _put(_ONE)), "twice"),
    "a rank that does not fit": (_kernel(Store("y", (ROW.index,), _ONE)), "rank"),
    "a buffer that is not there": (_kernel(_put(Load("z", (ROW.index,), FLOAT))), "has not"),
    "a store of another dtype": (_kernel(_put(const(1, INT))), "dtype"),
    "operands of two dtypes": (
        _kernel(_put(Call("add", (_ONE, const(1, INT)), FLOAT))),
        "operands of dtypes",
    ),
    "a condition that is none": (_kernel(_put(Call("select", (_ONE, _ONE, _ONE), FLOAT))), "operands of dtypes"),
    "a guard that is none": (_kernel(_put(_x(ROW.index, COLUMN.index, const(1, INT)))), "operands of dtypes"),
    "a comparison that is a number": (
        _kernel(_put(Call("lt", (_ONE, _ONE), FLOAT))),
        "operands of dtypes",
    ),
    "a name of another dtype": (
        _kernel(Let("v", const(1, INT)), _put(Var("v", FLOAT))),
        "operands of dtypes",
    ),
    "a sum of another dtype": (
        _kernel(
            Reduce((INNER,), (), (replace(_TOTAL, dtype=dtypes.float64),)),
            _put(cast(Var("t", dtypes.float64), FLOAT)),
        ),
        "values of another dtype",
    ),
    "factors of another dtype": (
        _kernel(Contract("t", (INNER,), (), _ONE, _ONE, dtypes.float64), _put(cast(Var("t", dtypes.float64), FLOAT))),
        "factors of other dtypes",
    ),
}


@pytest.mark.parametrize("kernel", LEGAL.values(), ids=LEGAL)
def test_legal_kernels_stay_legal(kernel: Kernel) -> None:
    check_lowered(kernel, SIZES)
    check_scheduled(schedule(kernel), kernel, SIZES)


@pytest.mark.parametrize(("kernel", "problem"), ILLEGAL.values(), ids=ILLEGAL)
def test_illegal_kernels_are_refused(kernel: Kernel, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        check_lowered(kernel, SIZES)


_ROW_AT_ONCE = For((INNER,), (Store("y", (4 * ROW.index + INNER.index,), _ONE),))
_IN_LANES = replace(_ROW_AT_ONCE, axes=(replace(INNER, bind="vector"),))

BEFORE = LEGAL["a copy"]
FLAT = flatten(BEFORE)
_VECTOR = replace(COLUMN, bind="vector")


def _flat(offset: Dim, *axes: Axis, value: Expr = _ONE) -> Kernel:
    return replace(FLAT, axes=axes, body=(Store("y", (offset,), value),))


_PLAIN, _TURNED = 4 * ROW.index + COLUMN.index, ROW.index + BATCH * COLUMN.index

SCHEDULES = {
    "as it was": _flat(_PLAIN, ROW, COLUMN),
    "vectors of columns": _flat(_PLAIN, ROW, _VECTOR),
    "vectors of rows": _flat(_PLAIN, COLUMN, replace(ROW, bind="vector")),
    "rows apart": _flat(_PLAIN, replace(ROW, bind="block"), replace(COLUMN, bind="thread")),
    "one axis": _flat(dims.axis("p0", 4 * BATCH), Axis("p0", 4 * BATCH)),
}
BROKEN = {
    "an index that is no offset": (BEFORE, "no offset"),
    "vectors outside": (_flat(_PLAIN, replace(ROW, bind="vector"), COLUMN), "in an order"),
    "two axes of vectors": (_flat(_PLAIN, replace(ROW, bind="vector"), _VECTOR), "in an order"),
    "threads inside": (_flat(_PLAIN, ROW, replace(COLUMN, bind="thread")), "in an order"),
    "a loop in lanes": (replace(FLAT, axes=(ROW,), body=(_IN_LANES,)), "inside a point"),
    "an offset beyond the buffer": (_flat(_PLAIN + 1, ROW, COLUMN), "out of bounds"),
    "a step that is too small": (_flat(3 * ROW.index + COLUMN.index, ROW, COLUMN), "at two points"),
    "half of the columns": (
        _flat(4 * ROW.index + dims.axis("p1", 2), ROW, Axis("p1", 2)),
        "other elements",
    ),
    "points that became passes of a loop": (replace(FLAT, axes=(ROW,), body=(_ROW_AT_ONCE,)), "at other points"),
    "a buffer that is forgotten": (
        replace(FLAT, params=tuple(replace(p, written=False, read=True) for p in FLAT.params), body=()),
        "other elements",
    ),
}


@pytest.mark.parametrize("kernel", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_may_order_and_join_axes(kernel: Kernel) -> None:
    check_scheduled(kernel, BEFORE, SIZES)


@pytest.mark.parametrize(("kernel", "problem"), BROKEN.values(), ids=BROKEN)
def test_broken_schedules_are_refused(kernel: Kernel, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        check_scheduled(kernel, BEFORE, SIZES)


def test_a_contraction_stands_alone() -> None:
    product = Contract("t", (INNER,), (), _ONE, _ONE, FLOAT)
    twice = (product, replace(product, name="u"), Store("y", (_PLAIN,), Var("t", FLOAT)))
    inside = (For((Axis("r1", 1),), (product, Store("y", (_PLAIN,), Var("t", FLOAT)))),)
    for body, problem in ((twice, "two contractions"), (inside, "inside a loop")):
        with pytest.raises(VerificationError, match=problem):
            check_scheduled(replace(FLAT, body=body), BEFORE, SIZES)
