"""Complex numbers in generated code: functions over the plane and on both sides of their cuts, products, loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType
from graphc.interpret import run as interpret
from tests.support.backends import COMPILED, Run, run_interpreter
from tests.support.loop_interpreter import run_loops

Array = np.ndarray[Any, Any]

SIZES = (0.0, 1e-3, 0.3, 0.7, 0.999, 1.0, 1.001, 2.5, 18.0, 60.0)
PARTS = (*SIZES, *(-size for size in SIZES))  # -0.0 among them: the lower side of cuts along the real axis
PLANE = np.array([complex(a, b) for a, b in product(PARTS, PARTS)])

FUNCTIONS = sorted(
    name
    for name, rule in REGISTRY.items()
    if rule.kind.value == "pointwise" and len(next(iter(rule.cases())).shapes) == 1 and "complex64" in rule.dtypes
    if rule.code is None and name not in ("cast", "copy", "stop_gradient", "read", "identity")
)


def functions(dtype: dtypes.DType) -> Graph:
    builder = Builder()
    x = builder.input("x", TensorType(PLANE.shape, dtype))
    return builder.finish([builder.apply(name, x) for name in FUNCTIONS])


@pytest.mark.parametrize("run", [*COMPILED, pytest.param(run_interpreter, id="numpy")])
@pytest.mark.parametrize(("dtype", "bound"), [(dtypes.complex128, 1e-13), (dtypes.complex64, 1e-5)], ids=str)
def test_functions_over_the_plane(run: Run, dtype: dtypes.DType, bound: float) -> None:
    """Against NumPy in double precision, by the distance relative to the size."""
    x = PLANE.astype(dtype.numpy)
    found = run(functions(dtype), {"x": x}, {})
    for name, got in zip(FUNCTIONS, found, strict=True):
        with np.errstate(all="ignore"):
            wanted = REGISTRY[name].eval(x.astype("complex128"))
        inside = np.isfinite(wanted) & (np.abs(wanted) < 1e30)
        np.testing.assert_allclose(got[inside], wanted[inside], rtol=bound, atol=bound, err_msg=name)


SPECIAL = np.array([complex(a, b) for a, b in product((0.0, 1.0, -np.inf, np.inf, np.nan), repeat=2)])
TESTS: dict[str, Callable[..., Array]] = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "abs": np.abs}


@pytest.mark.parametrize("run", COMPILED)
def test_what_is_no_number(run: Run) -> None:
    builder = Builder()
    x, y = (builder.input(name, TensorType((25, 25), dtypes.complex64)) for name in "xy")
    results = [builder.apply(name, x) for name in TESTS] + [builder.apply(name, x, y) for name in ("eq", "ne")]
    left, right = np.broadcast_arrays(SPECIAL[:, None].astype("complex64"), SPECIAL[None].astype("complex64"))
    found = run(builder.finish(results), {"x": left.copy(), "y": right.copy()}, {})
    wanted = [*(test(left) for test in TESTS.values()), left == right, left != right]
    for got, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("run", COMPILED)
def test_quotients_are_those_of_numpy(run: Run) -> None:
    """Of numbers of very different sizes, and by zero."""
    parts = np.array([0.0, -0.0, 1.0, -3.0, 1e-20, 1e19, -1e30], "float32")
    all_of_them = np.array([complex(a, b) for a, b in product(parts, repeat=2)], "complex64")
    x, y = (part.copy() for part in np.broadcast_arrays(all_of_them[:, None], all_of_them[None]))
    builder = Builder()
    operands = [builder.input(name, TensorType(x.shape, dtypes.complex64)) for name in "xy"]
    (found,) = run(builder.finish([builder.apply("div", *operands)]), {"x": x, "y": y}, {})
    with np.errstate(all="ignore"):
        wanted = x / y
        exact = (x.astype("complex128") / y.astype("complex128")).astype("complex64")
    inside = np.isfinite(wanted) & np.isfinite(exact)
    np.testing.assert_allclose(found[inside], exact[inside], rtol=1e-6, atol=1e-37)
    by_zero = y == 0
    np.testing.assert_array_equal(found[by_zero], wanted[by_zero])


def numbers(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


def products(dtype: dtypes.DType) -> tuple[Graph, dict[str, Array]]:
    """Products of matrices of several layouts with what fuses around them, sums by rows and columns, and scatters."""
    rng, batch = np.random.default_rng(1), dims.size("B")
    b = Builder({"B": (1, 1 << 20)})
    x = b.input("x", TensorType((batch, 70), dtype))
    w, v = (b.input(name, TensorType(shape, dtype)) for name, shape in (("w", (70, 45)), ("v", (45, 70))))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,)}
    first = b.apply("contract", x, w, rhs_contract=(0,), **axes)
    second = b.apply("contract", b.apply("conj", x), v, rhs_contract=(1,), **axes)
    both = b.apply("sin", b.apply("add", first, b.apply("mul", second, b.full(0.1j, second.shape, dtype))))
    gram = b.apply("contract", x, x, lhs_batch=(), rhs_batch=(), lhs_contract=(0,), rhs_contract=(0,))
    rows = b.apply("iota", shape=(batch,), axis=0, dtype=dtypes.int32)
    outs = [both, gram, b.apply("sum", x, axes=(0,)), b.apply("sum", x, axes=(1,)), b.apply("sum", x, axes=(0, 1))]
    outs += [b.apply("sum", b.apply("abs", both), axes=(1,)), b.apply("scatter_add", rows, x, size=3)]
    outs += [b.apply("cumsum", x, axis=1, reverse=False), b.apply("prod", x, axes=(1,))]
    inputs = {"x": numbers(rng, 130, 70), "w": numbers(rng, 70, 45) / 8, "v": numbers(rng, 45, 70) / 8}
    return b.finish(outs), {name: array.astype(dtype.numpy) for name, array in inputs.items()}


@pytest.mark.parametrize("run", [*COMPILED, pytest.param(run_loops, id="loops")])
@pytest.mark.parametrize(("dtype", "bound"), [(dtypes.complex128, 1e-12), (dtypes.complex64, 3e-5)], ids=str)
def test_products_and_sums(run: Run, dtype: dtypes.DType, bound: float) -> None:
    graph, inputs = products(dtype)
    expected = run_interpreter(graph, inputs, {"B": 130})
    for got, wanted in zip(run(graph, inputs, {"B": 130}), expected, strict=True):
        assert got.dtype == wanted.dtype
        size = np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, rtol=bound, atol=bound * size)


def doubling() -> Graph:
    """`while abs(z) < 100: z = 2i * z`, and `z` where the last step led."""
    row = TensorType((), dtypes.complex64)
    test = Builder()
    small = test.apply("lt", test.apply("abs", test.input("s0", row)), test.constant(100, dtypes.float32))
    body = Builder()
    doubled = body.apply("mul", body.input("s0", row), body.constant(2j, dtypes.complex64))
    b = Builder()
    parts = {"test": test.finish([small]), "body": body.finish([doubled]), "constants": 0, "limit": None}
    return b.finish(b.apply_many("while", b.input("z", row), **parts))


@pytest.mark.parametrize("run", COMPILED)
def test_loops_carry_complex_numbers(run: Run) -> None:
    inputs: Mapping[str, Array] = {"z": np.asarray(1 + 1j, "complex64")}
    (found,) = run(doubling(), inputs, {})
    assert found == interpret(doubling(), inputs)[0][0] == (1 + 1j) * (2j) ** 7
