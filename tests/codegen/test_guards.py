"""A load under a guard that does not hold accesses no memory, and is 0 of its dtype, whatever runs or prints it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import dtypes
from graphc.codegen.cstyle.unswitch import invariant_guard, split_at_changes
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, Kernel, Let, Param, Reduce, Stmt, Store
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.exprs import Expr, Load, Var, compare
from graphc.graph.types import Ref
from tests.support.kernels import compiled, interpreted
from tests.support.loop_interpreter import schedule

Array = np.ndarray[Any, Any]

ROWS, COLUMNS, MORE = 18, 40, 33
ROW, COLUMN, RIGHT = Axis("p0", ROWS), Axis("p1", COLUMNS), Axis("p1", MORE)
ALONG, DOWN, DEEP = Axis("r0", COLUMNS), Axis("r0", ROWS), Axis("k0", COLUMNS)


def _param(name: str, dtype: DType, *shape: int, written: bool = False) -> Param:
    return Param(name, Ref(0), dtype, shape, written, not written)


def _x(dtype: DType, i: Dim, j: Dim, guard: Expr) -> Load:
    return Load(f"x_{dtype}", (i, j), dtype, guard)


def _plain(name: str, dtype: DType, *body: Stmt, more: tuple[Param, ...] = ()) -> Kernel:
    """A kernel that stores the scalar `v` at each point."""
    x = _param(f"x_{dtype}", dtype, ROWS, COLUMNS)
    y = _param(f"{name}_{dtype}", dtype, ROWS, COLUMNS, written=True)
    store = Store(y.name, (ROW.index, COLUMN.index), Var("v", dtype))
    return Kernel(f"k_{name}_{dtype}", (x, *more, y), (ROW, COLUMN), (*body, store))


def _flag(name: str, extent: int, at: Dim) -> tuple[Let, Param]:
    return Let("g", Load(name, (at,), dtypes.bool_)), _param(name, dtypes.bool_, extent)


def kernels_of(dtype: DType) -> dict[str, Kernel]:
    """Loads that a guard leaves out: at known columns, in whole rows, and where memory says so."""
    g = Var("g", dtypes.bool_)
    (of_row, row), (of_column, column) = _flag("row", ROWS, ROW.index), _flag("column", COLUMNS, COLUMN.index)
    known = Let("v", _x(dtype, ROW.index, COLUMN.index - 2, compare("ge", COLUMN.index, 2)))
    return {
        "known": _plain("known", dtype, known),
        "row": _plain(
            "row", dtype, Let("g", compare("ge", ROW.index, 1)), Let("v", _x(dtype, ROW.index - 1, COLUMN.index, g))
        ),
        "asked_row": _plain("asked_row", dtype, of_row, Let("v", _x(dtype, ROW.index, COLUMN.index, g)), more=(row,)),
        "asked": _plain("asked", dtype, of_column, Let("v", _x(dtype, ROW.index, COLUMN.index, g)), more=(column,)),
    }


def sums_of(dtype: DType) -> dict[str, Kernel]:
    """The same in reductions, by rows and by columns, and in a factor of a product of matrices."""
    x = _param(f"x_{dtype}", dtype, ROWS, COLUMNS)
    w = _param(f"w_{dtype}", dtype, COLUMNS, MORE)
    v, by_row = Var("v", dtype), _param(f"by_row_{dtype}", dtype, ROWS, written=True)
    by_column = _param(f"by_column_{dtype}", dtype, COLUMNS, written=True)
    product = _param(f"product_{dtype}", dtype, ROWS, MORE, written=True)
    along = Let("v", _x(dtype, ROW.index, ALONG.index - 3, compare("ge", ALONG.index, 3)))
    down = Let("v", _x(dtype, DOWN.index - 3, COLUMN.index, compare("ge", DOWN.index, 3)))
    left = _x(dtype, ROW.index, DEEP.index - 3, compare("ge", DEEP.index, 3))
    right = Load(w.name, (DEEP.index, RIGHT.index), dtype)
    total = (Accumulator("t", "sum", v, dtype),)
    return {
        "by_row": Kernel(
            f"k_by_row_{dtype}",
            (x, by_row),
            (ROW,),
            (Reduce((ALONG,), (along,), total), Store(by_row.name, (ROW.index,), Var("t", dtype))),
        ),
        "by_column": Kernel(
            f"k_by_column_{dtype}",
            (x, by_column),
            (COLUMN,),
            (Reduce((DOWN,), (down,), total), Store(by_column.name, (COLUMN.index,), Var("t", dtype))),
        ),
        "product": Kernel(
            f"k_product_{dtype}",
            (x, w, product),
            (ROW, RIGHT),
            (
                Contract("t", (DEEP,), (Let("v", left), Let("u", right)), v, Var("u", dtype), dtype),
                Store(product.name, (ROW.index, RIGHT.index), Var("t", dtype)),
            ),
        ),
    }


SUMMED = (dtypes.int32, dtypes.float32, dtypes.float64)
KERNELS = [k for dtype in dtypes.ALL for k in kernels_of(dtype).values()] + [
    k for dtype in SUMMED for k in sums_of(dtype).values()
]


def _inputs() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    inputs = {f"x_{d}": rng.integers(1, 9, (ROWS, COLUMNS)).astype(d.numpy) for d in dtypes.ALL}
    inputs |= {f"w_{d}": rng.integers(1, 9, (COLUMNS, MORE)).astype(d.numpy) for d in SUMMED}
    return inputs | {"row": rng.random(ROWS) < 0.5, "column": rng.random(COLUMNS) < 0.5}


def _expected(inputs: dict[str, Array]) -> dict[str, Array]:
    found = {}
    for d in dtypes.ALL:
        x = inputs[f"x_{d}"]
        shifted, lower = np.zeros_like(x), np.zeros_like(x)
        shifted[:, 2:], lower[1:] = x[:, :-2], x[:-1]
        none = np.zeros((), x.dtype)
        found |= {f"known_{d}": shifted, f"row_{d}": lower}
        found |= {f"asked_row_{d}": np.where(inputs["row"][:, None], x, none)}
        found |= {f"asked_{d}": np.where(inputs["column"], x, none)}
    for d in SUMMED:
        x, w = inputs[f"x_{d}"], inputs[f"w_{d}"]
        found |= {f"by_row_{d}": x[:, :-3].sum(1), f"by_column_{d}": x[:-3].sum(0)}
        found |= {f"product_{d}": x[:, :-3] @ w[3:]}
    return found


def _assert_zero_elsewhere(found: dict[str, Array], inputs: dict[str, Array]) -> None:
    expected = _expected(inputs)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


@pytest.mark.parametrize("scheduled", [False, True], ids=["lowered", "scheduled"])
def test_interpreted(scheduled: bool) -> None:
    _assert_zero_elsewhere(interpreted(KERNELS, _inputs(), scheduled), _inputs())


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_compiled(backend: str) -> None:
    _assert_zero_elsewhere(compiled(KERNELS, _inputs(), backend), _inputs())


def test_all_ways_to_print_a_guard_are_tried() -> None:
    """Loops that are cut, loops that are printed twice, and loops that ask at each element."""
    kernels = {name: schedule(kernel) for name, kernel in kernels_of(dtypes.float32).items()}
    assert split_at_changes(kernels["known"].body, kernels["known"].axes[-1])
    for name in ("row", "asked_row"):
        assert invariant_guard(kernels[name].body, kernels[name].axes[-1].name) is not None
    assert invariant_guard(kernels["asked"].body, kernels["asked"].axes[-1].name) is None
    assert not split_at_changes(kernels["asked"].body, kernels["asked"].axes[-1])
