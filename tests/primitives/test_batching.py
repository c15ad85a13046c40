"""Every batching rule against the operation done on one element of the batch after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.graph.builder import Builder
from graphc.graph.registry import REGISTRY, Batched, Case, primitive
from graphc.graph.types import Attrs, Node, TensorType
from graphc.interpret import run
from graphc.primitives.batching import has_rule, vectorized

Array = np.ndarray[Any, Any]

LENGTH = 3
# What has no operands never varies, so that there is nothing to vectorize.
WITHOUT_OPERANDS = ("constant", "input", "iota", "size", "state")
SHIPPED = tuple(name for name, rule in REGISTRY.items() if rule.code is None)


def sample(case: Case, op: str, rng: np.random.Generator) -> tuple[list[Array], dict[str, Any]]:
    """Operands of a case for every element of a batch, stacked."""
    allowed = primitive(op).dtypes
    dtype = dtypes.as_dtype(
        next(name for name in ("float32", "int32", "bool", "uint32", "complex64") if name in allowed)
    )
    arrays: list[Array] = []
    for place, shape in enumerate(case.shapes):
        values = rng.uniform(case.low, case.high, (LENGTH, *shape))
        if place in case.boolean_operands or dtype.is_bool:
            arrays.append(values > (case.low + case.high) / 2)
        elif place in case.integer_operands:
            arrays.append(np.round(values).astype("int32"))
        elif dtype.is_complex:
            arrays.append((values + 1j * rng.uniform(case.low, case.high, values.shape)).astype(dtype.numpy))
        else:
            arrays.append(values.astype(dtype.numpy))
    attrs = {**case.attrs, **(case.typed(dtype) if case.typed else {})}
    return arrays, attrs


def typed(array: Array) -> TensorType:
    return TensorType(array.shape, dtypes.as_dtype(array.dtype))


def single(op: str, attrs: dict[str, Any], operands: list[Array]) -> list[Array]:
    builder = Builder()
    values = [builder.input(f"x{i}", typed(array)) for i, array in enumerate(operands)]
    graph = builder.finish(builder.apply_many(op, *values, **attrs))
    return run(graph, {f"x{i}": array for i, array in enumerate(operands)})[0]


def batched(op: str, attrs: dict[str, Any], operands: list[Array], varies: set[int], length: Dim) -> list[Array]:
    builder = Builder({"L": (1, 100)})
    values = []
    for i, array in enumerate(operands):
        shape: dims.Shape = (length, *array.shape[1:]) if i in varies else array.shape
        values.append(Batched(builder.input(f"x{i}", TensorType(shape, dtypes.as_dtype(array.dtype))), i in varies))
    found = vectorized(builder, op, Attrs(attrs), values, length)
    graph = builder.finish(x.spread(length) for x in found)
    inputs = {f"x{i}": array for i, array in enumerate(operands)}
    results = run(graph, inputs, sizes={"L": LENGTH})[0]
    for type, result in zip((graph.type(ref) for ref in graph.outputs), results, strict=True):
        assert tuple(dims.evaluate(size, {"L": LENGTH}) for size in type.shape) == result.shape
        assert type.dtype.numpy == result.dtype
    return results


def subsets(count: int) -> Iterator[set[int]]:
    for size in range(1, count + 1):
        yield from map(set, combinations(range(count), size))


@pytest.mark.parametrize("op", [name for name in SHIPPED if name not in WITHOUT_OPERANDS])
def test_a_batch_gives_what_its_elements_give(op: str) -> None:
    rng = np.random.default_rng(5)
    for case in primitive(op).cases():
        stacked, attrs = sample(case, op, rng)
        for varies in subsets(len(stacked)):
            operands = [array if i in varies else array[0] for i, array in enumerate(stacked)]
            rows = [
                single(op, attrs, [array[n] if i in varies else array for i, array in enumerate(operands)])
                for n in range(LENGTH)
            ]
            expected = [np.stack(column) for column in zip(*rows, strict=True)]
            for length in (LENGTH, dims.size("L")):
                found = batched(op, attrs, operands, varies, length)
                assert len(found) == len(expected)
                for got, wanted in zip(found, expected, strict=True):
                    assert got.dtype == wanted.dtype
                    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5, err_msg=f"{case} {varies} {length}")


def test_all_that_has_operands_has_a_rule() -> None:
    lacking = [op for op in SHIPPED if primitive(op).batch is None]
    assert sorted(lacking) == sorted(WITHOUT_OPERANDS)


@pytest.mark.parametrize("op", [name for name in SHIPPED if primitive(name).batch_sum is not None])
def test_the_sum_of_a_batch_is_that_of_its_elements(op: str) -> None:
    rng = np.random.default_rng(6)
    rule = primitive(op).batch_sum
    assert rule is not None
    for case in primitive(op).cases():
        stacked, attrs = sample(case, op, rng)
        for varies in subsets(len(stacked)):
            operands = [array if i in varies else array[0] for i, array in enumerate(stacked)]
            builder = Builder()
            values = [builder.input(f"x{i}", typed(array)) for i, array in enumerate(operands)]
            batch = [Batched(value, i in varies) for i, value in enumerate(values)]
            total = rule(builder, Attrs(attrs), batch, LENGTH)
            graph = builder.finish([total])
            (found,) = run(graph, {f"x{i}": array for i, array in enumerate(operands)})[0]
            expected = sum(batched(op, attrs, operands, varies, LENGTH)[0].astype("float64"))
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def body_of(op: str) -> Node:
    """A loop whose body does nothing but one operation."""
    inner = Builder()
    x = inner.input("x0", TensorType((2,), dtypes.float32))
    body = inner.finish([inner.apply(op, x)])
    outer = Builder()
    xs = outer.input("xs", TensorType((4, 2), dtypes.float32))
    attrs = {"constants": 0, "carries": 0, "xs": 1, "length": 4, "reverse": False}
    return outer.node(outer.apply("scan", xs, body=body, **attrs).ref)


def test_a_loop_can_be_vectorized_if_its_body_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_rule(body_of("exp"))
    monkeypatch.setitem(REGISTRY, "exp", replace(primitive("exp"), batch=None))
    assert not has_rule(body_of("exp"))
