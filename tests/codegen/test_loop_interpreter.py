"""The interpreter of the loop IR finds what a kernel may not do; what it computes is shown by the tests that use it."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dtypes
from graphc.codegen.ir.kernel import Accumulator, Axis, For, Kernel, Let, Param, Reduce, Stmt, Store
from graphc.dims import Dim
from graphc.exprs import Const, Load, Var, compare, const, select
from graphc.graph.types import Ref
from tests.support.loop_interpreter import Cells, IllegalKernel, run_kernel, schedule

FLOAT = dtypes.float32
ROW, COLUMN = Axis("p0", 3), Axis("p1", 4)
INNER = Axis("r0", 4)


def _kernel(*body: Stmt, axes: tuple[Axis, ...] = (ROW, COLUMN), updates: bool = False) -> Kernel:
    """A kernel from `x` to `y`, both 3 x 4; where it updates, `y` is read, too."""
    params = (
        Param("x", Ref(0), FLOAT, (3, 4)),
        Param("y", Ref(1), FLOAT, (3, 4), written=True, read=updates),
    )
    return Kernel("k0", params, axes, body)


def _run(kernel: Kernel, y: Cells | None = None) -> Cells:
    x = Cells.holding(np.arange(12, dtype=np.float32))
    y = Cells.empty(12, FLOAT) if y is None else y
    run_kernel(kernel, {"x": x, "y": y}, {})
    return y


def _x(*index: Dim, buffer: str = "x") -> Load:
    return Load(buffer, index, FLOAT)


def _put(value: Load | Var | Const, *index: Dim) -> Store:
    return Store("y", index, value)


def test_a_copy_copies() -> None:
    y = _run(_kernel(_put(_x(ROW.index, COLUMN.index), ROW.index, COLUMN.index)))
    np.testing.assert_array_equal(y.array, np.arange(12))
    assert y.defined.all()


def test_what_is_not_stored_is_not_there() -> None:
    y = _run(_kernel(_put(_x(ROW.index, 0), ROW.index, 0), axes=(ROW,)))
    np.testing.assert_array_equal(y.defined.reshape(3, 4), [[True, False, False, False]] * 3)
    with pytest.raises(IllegalKernel, match="before anything wrote it"):
        run_kernel(
            _kernel(_put(_x(ROW.index, COLUMN.index), ROW.index, COLUMN.index)),
            {"x": y, "y": Cells.empty(12, FLOAT)},
            {},
        )


@pytest.mark.parametrize("shift", [1, -1])
def test_a_load_out_of_bounds_is_found(shift: int) -> None:
    """Also where the element exists, in the next row: each axis has its own bounds."""
    with pytest.raises(IllegalKernel, match="out of bounds"):
        _run(_kernel(_put(_x(0, COLUMN.index + shift), 0, COLUMN.index), axes=(COLUMN,)))


def test_a_store_out_of_bounds_is_found() -> None:
    with pytest.raises(IllegalKernel, match="out of bounds"):
        _run(_kernel(_put(_x(ROW.index, COLUMN.index), ROW.index + 1, COLUMN.index)))


def test_a_guarded_load_may_be_anywhere_where_it_is_not_done() -> None:
    place = COLUMN.index - 1
    guard = compare("ge", place, 0)
    value = select(guard, Load("x", (ROW.index, place), FLOAT, guard), const(7, FLOAT))
    y = _run(_kernel(Let("v1", value), _put(Var("v1", FLOAT), ROW.index, COLUMN.index)))
    np.testing.assert_array_equal(y.array.reshape(3, 4)[0], [7, 0, 1, 2])


def test_what_a_guarded_load_gives_where_it_is_not_done_is_zero() -> None:
    place = COLUMN.index - 1
    load = Load("x", (ROW.index, place), FLOAT, compare("ge", place, 0))
    y = _run(_kernel(Let("v1", load), _put(Var("v1", FLOAT), ROW.index, COLUMN.index)))
    np.testing.assert_array_equal(y.array.reshape(3, 4)[:, 0], 0)


def test_two_points_that_write_one_element_are_found() -> None:
    with pytest.raises(IllegalKernel, match="at two points"):
        _run(_kernel(_put(_x(ROW.index, COLUMN.index), ROW.index, 0)))


def test_two_passes_of_a_loop_that_write_one_element_are_found() -> None:
    with pytest.raises(IllegalKernel, match="at two points"):
        _run(_kernel(For((INNER,), (_put(_x(ROW.index, INNER.index), ROW.index, 0),)), axes=(ROW,)))


def _full() -> Cells:
    return Cells.holding(np.arange(12, dtype=np.float32))


def test_an_update_of_its_own_element_is_legal() -> None:
    place = (ROW.index, COLUMN.index)
    y = _run(_kernel(Let("v1", _x(*place, buffer="y")), _put(Var("v1", FLOAT), *place), updates=True), _full())
    np.testing.assert_array_equal(y.array, np.arange(12))


def test_an_update_that_reads_what_another_point_replaces_is_found() -> None:
    body = (Let("v1", _x(ROW.index, 3 - COLUMN.index, buffer="y")), _put(Var("v1", FLOAT), ROW.index, COLUMN.index))
    with pytest.raises(IllegalKernel, match="replaces it at another"):
        _run(_kernel(*body, updates=True), _full())


def test_an_update_that_reads_what_another_pass_of_its_loop_replaces_is_found() -> None:
    body = (Let("v1", _x(ROW.index, 3 - INNER.index, buffer="y")), _put(Var("v1", FLOAT), ROW.index, INNER.index))
    with pytest.raises(IllegalKernel, match="replaces it in another"):
        _run(_kernel(For((INNER,), body), axes=(ROW,), updates=True), _full())


def test_an_update_that_reads_what_it_has_replaced_is_found() -> None:
    place = (ROW.index, COLUMN.index)
    body = (_put(const(1, FLOAT), *place), Let("v1", _x(*place, buffer="y")))
    with pytest.raises(IllegalKernel, match="has replaced"):
        _run(_kernel(*body, updates=True), _full())


def test_sums_of_rows_and_running_sums() -> None:
    load = Let("v1", _x(ROW.index, INNER.index))
    total = Accumulator("v2", "sum", Var("v1", FLOAT), FLOAT)
    store = _put(Var("v2", FLOAT), ROW.index, INNER.index)
    after = _run(_kernel(Reduce((INNER,), (load,), (total,), (store,)), axes=(ROW,)))
    np.testing.assert_array_equal(after.array.reshape(3, 4), np.arange(12).reshape(3, 4).cumsum(1))
    row = _run(_kernel(Reduce((INNER,), (load,), (total,)), For((INNER,), (store,)), axes=(ROW,)))
    np.testing.assert_array_equal(row.array.reshape(3, 4)[:, 2], [6, 22, 38])


def test_a_schedule_computes_the_same() -> None:
    kernel = _kernel(_put(_x(ROW.index, 3 - COLUMN.index), ROW.index, COLUMN.index))
    before, after = _run(kernel), _run(schedule(kernel))
    np.testing.assert_array_equal(before.array, after.array)
