"""Operations beside those of Keras on JAX: values, dtypes, shapes and gradients, eagerly and compiled.

`tests/support/keras_tables.py` has the calls.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops, tree
from graphc.tracing import Tensor
from tests.support import keras_cases
from tests.support.keras_calls import ALL, Call
from tests.support.keras_tables import TABLES

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

# Relative and absolute tolerance by the dtype of the result; all other results are equal.
TOLERANCES = {"float32": (2e-5, 5e-6), "float16": (4e-3, 4e-3), "bfloat16": (2e-2, 3e-2), "complex64": (2e-5, 5e-6)}


def slowly(cases: Iterable[Any], quick: Iterable[Any]) -> list[Any]:
    """The cases, of which all but the quick ones are for the slow tests."""
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=() if case in quick else pytest.mark.slow))
    return found


def weights(shape: tuple[int, ...]) -> Any:
    """The cotangent of a result."""
    return np.cos(np.arange(int(np.prod(shape)), dtype="float32") * 1.7 + 0.3).reshape(shape)


def arrays(name: str, call: Call, dtype: str) -> list[Any]:
    return [of.array(name, i, dtype) for i, of in enumerate(call.operands)]


def dtype_name(x: Any) -> str:
    return str(keras.backend.standardize_dtype(x.dtype))


def sloped(call: Call, dtype: str) -> list[int]:
    """The operands by which gradients are compared."""
    wanted = call.slopes and dtype == "float32"
    return [i for i, of in enumerate(call.operands) if wanted and (of.dtype or dtype) == "float32"]


def calls(table: str, dtype: str) -> dict[str, Call]:
    """The calls that Keras takes with a dtype."""
    found = {}
    for name, call in TABLES[table].items():
        if dtype not in call.dtypes:
            continue
        try:
            jax.eval_shape(lambda *xs, call=call: call.run(keras.ops, *xs), *arrays(name, call, dtype))
        except (TypeError, ValueError, jax.errors.JAXTypeError):
            continue
        found[name] = call
    return found


def _of_keras(call: Call, xs: list[Any], by: list[int]) -> tuple[list[Any], list[Any]]:
    """The results, and the gradients of the sum of all weighted results by some of the operands."""

    def run(*some: Any) -> list[Any]:
        operands = list(xs)
        for i, x in zip(by, some, strict=True):
            operands[i] = x
        return list(jax.tree_util.tree_leaves(call.run(keras.ops, *map(jax.numpy.asarray, operands))))

    if not by:
        return run(), []
    results, back = jax.vjp(run, *(xs[i] for i in by))
    cotangents = [
        jax.numpy.asarray(weights(r.shape), r.dtype)
        if jax.numpy.issubdtype(r.dtype, jax.numpy.floating)
        else np.zeros(r.shape, jax.dtypes.float0)
        for r in results
    ]
    return results, list(back(cotangents))


@functools.cache
def expected(table: str, dtype: str) -> dict[str, tuple[list[Any], list[Any]]]:
    """What Keras has for the calls of a table."""
    chosen = calls(table, dtype)
    operands = {name: arrays(name, call, dtype) for name, call in chosen.items()}

    def run(operands: dict[str, list[Any]]) -> Any:
        return {name: _of_keras(call, operands[name], sloped(call, dtype)) for name, call in chosen.items()}

    # The programs are small: optimizing them takes longer than running them.
    quick = {"xla_backend_optimization_level": 0}
    return dict(jax.jit(run).lower(operands).compile(compiler_options=quick)(operands))


def _ours(call: Call, xs: list[Any], by: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    operands = [ops.convert_to_tensor(x) if i in by else x for i, x in enumerate(xs)]
    watched = [operands[i] for i in by]
    with graphc.GradientTape() as tape:
        tape.watch(watched)
        results = list(tree.flatten(call.run(ops, *operands)))
        parts = [ops.sum(r * weights(r.shape)) for r in results if "float" in r.dtype]
        total = sum(parts[1:], parts[0]) if parts else None
    if not by or total is None:
        return results, [ops.zeros_like(x) for x in watched]
    try:
        return results, list(tape.gradient(total, watched, unconnected_gradients="zero"))
    except graphc.errors.ArgumentError:  # a function without a gradient
        return results, [ops.zeros_like(x) for x in watched]


def check(found: dict[str, tuple[list[Any], list[Any]]], wanted: dict[str, tuple[list[Any], list[Any]]]) -> None:
    """Compares all calls, and reports all that differ at once."""
    wrong = []
    for name, (results, slopes) in wanted.items():
        ours, gradients = found[name]
        pairs = [*zip(ours, results, strict=False)]
        if len(ours) != len(results):
            wrong.append(f"{name}: {len(ours)} results, not {len(results)}")
        wrong += [f"{name}: {line}" for a, b in pairs if (line := difference(a, b))]
        wrong += [f"{name}, slope: {line}" for a, b in zip(gradients, slopes, strict=True) if (line := slope(a, b))]
    assert not wrong, "\n".join(wrong)


def difference(found: Any, wanted: Any) -> str:
    dtype = dtype_name(wanted)
    if str(found.dtype) != dtype or tuple(found.shape) != tuple(wanted.shape):
        return f"{found.dtype} {tuple(found.shape)}, not {dtype} {tuple(wanted.shape)}"
    a, b = (np.asarray(x) for x in (found.numpy(), wanted))
    if dtype not in TOLERANCES:
        return "" if np.array_equal(a, b) else f"{a.tolist()}, not {b.tolist()}"
    rtol, atol = TOLERANCES[dtype]
    wide = "complex64" if dtype == "complex64" else "float64"
    a, b = a.astype(wide), b.astype(wide)
    close = np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    return "" if close else f"{a.tolist()}, not {b.tolist()}"


def slope(found: Any, wanted: Any) -> str:
    """What differs in a gradient; where Keras has no number, any is right."""
    a, b = np.asarray(found.numpy()), np.asarray(wanted)
    close = np.isclose(a, b, rtol=1e-4, atol=1e-5) | ~np.isfinite(b)
    return "" if close.all() else f"{a.tolist()}, not {b.tolist()}"


EAGER = [(table, dtype) for table in TABLES for dtype in ALL]
QUICK = [(table, d) for table, d in EAGER if d == "float32" or (d == "int32" and table in keras_cases.TABLES)]


@pytest.mark.parametrize(("table", "dtype"), slowly(EAGER, QUICK))
def test_eager(table: str, dtype: str) -> None:
    wanted = expected(table, dtype)
    found: dict[str, Any] = {}
    for name in wanted:
        call = TABLES[table][name]
        xs = arrays(name, call, dtype)
        try:
            found[name] = _ours(call, xs, sloped(call, dtype))
        except graphc.errors.GraphcError as error:
            raise AssertionError(name) from error
    check(found, wanted)


GROUPS = {"further": keras_cases.TABLES, "all": TABLES}
# Each kind of dtype is in one program; eager calls have all dtypes.
COMPILED = ("float32", "bfloat16", "int32", "bool")
PROGRAMS = [(b, d, "all") for b in ("numpy", "cpu") for d in COMPILED] + [
    (b, "float32", "further") for b in ("numpy", "cpu")
]
# The others have tests in programs elsewhere.
QUICK_PROGRAMS = [("cpu", "float32", "further")]


@pytest.mark.parametrize(("backend", "dtype", "group"), slowly(PROGRAMS, QUICK_PROGRAMS))
def test_compiled(backend: str, dtype: str, group: str) -> None:
    """All calls with a dtype in one program."""
    chosen = GROUPS[group]
    wanted = {f"{table} {name}": both for table in chosen for name, both in expected(table, dtype).items()}
    named = {f"{table} {name}": (name, call) for table, rows in chosen.items() for name, call in rows.items()}
    operands = {key: arrays(*named[key], dtype) for key in wanted}

    def run(operands: Any) -> Any:
        return {key: _ours(named[key][1], xs, sloped(named[key][1], dtype)) for key, xs in operands.items()}

    with graphc.backend(backend):
        check(graphc.function(run)(operands), wanted)


# What needs to know the size of the first axis: components, how many results there are, whether it is squeezed.
KNOWN = ("cross of two and three", "cross along axes", "vectorize", "vectorize of rows")
KNOWN += ("squeeze of (1,3,1) ", "unstack of (2,3,4) ")


@pytest.mark.parametrize("table", TABLES)
def test_symbolic(table: str) -> None:
    """Symbolic tensors, of known shapes and with an unknown first axis, tell the shapes and dtypes of the results."""
    wrong = []
    for name, call in TABLES[table].items():
        dtype = call.dtypes[0]
        concrete = list(tree.flatten(call.run(ops, *arrays(name, call, dtype))))
        for unknown in (False, True) if call.operands and name not in KNOWN else ():
            shapes = [
                (None, *of.shape[1:]) if unknown and of.shape and not i else of.shape
                for i, of in enumerate(call.operands)
            ]
            inputs = [graphc.KerasTensor(s, of.dtype or dtype) for s, of in zip(shapes, call.operands, strict=True)]
            results = list(tree.flatten(call.run(ops, *inputs)))
            for found, wanted in zip(results, concrete, strict=not unknown):
                sizes = zip(found.shape, wanted.shape, strict=True)
                if found.dtype != wanted.dtype or not all(a == b or (unknown and a is None) for a, b in sizes):
                    wrong.append(f"{name}: {found.dtype} {found.shape}, not {wanted.dtype} {wanted.shape}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sparsemax(axis: int) -> None:
    """The projection onto the simplex: Keras's is right only where one element is not 0."""
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    result = ops.sparsemax(x, axis=axis).numpy()
    np.testing.assert_allclose(result.sum(axis), 1, rtol=1e-6)
    # What is not 0 is moved by the same amount, and what is 0 would be negative.
    rows, moved = np.moveaxis(result, axis, -1), np.moveaxis(x - result, axis, -1)
    for row, away in zip(rows, moved, strict=True):
        tau = away[row > 0][0]
        np.testing.assert_allclose(away[row > 0], tau, atol=1e-6)
        assert (away[row == 0] <= tau + 1e-6).all()
