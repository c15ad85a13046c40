"""Tensors, variables, traces, compiled functions, symbolic tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import dims, function, ops, random
from graphc.dtypes import float32
from graphc.errors import ArgumentError, DTypeError, ShapeError, StateError
from graphc.graph.types import TensorType
from graphc.tracing import KerasTensor, Tensor, Trace, Variable, as_tensor, scope, trace

BATCH = TensorType((dims.size("B"), 3), float32)


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def test_eager_tensors_behave_like_arrays() -> None:
    x = as_tensor([[1.0, -2.0], [3.0, 4.0]])
    assert (x + 1).dtype == "float32" and (x > 0).dtype == "bool"
    np.testing.assert_array_equal(np.asarray(2 * x - 1), [[1, -5], [5, 7]])
    np.testing.assert_array_equal(np.ones((2, 2), "float32") * x, x)
    np.testing.assert_array_equal((x @ x).numpy(), x.numpy() @ x.numpy())
    assert float(x[0, 1]) == -2 and x[:, None].shape == (2, 1, 2) and len(list(x)) == 2
    assert f"{x[0, 0]:.2f}" == "1.00"
    with pytest.raises(ShapeError, match="do not broadcast"):
        x + np.ones(3)
    with pytest.raises(DTypeError):
        as_tensor(["a"])


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ("int32", 1.5, "float32"),
        ("float16", 1.5, "float16"),
        ("bool", 1, "int32"),
        ("uint8", 1, "uint8"),
        ("int64", "float16", "float16"),
        ("bfloat16", "float16", "float32"),
        ("uint8", "int8", "int16"),
    ],
)
def test_promotion_is_keras_s(x: str, y: Any, expected: str) -> None:
    other = ops.ones((2,), y) if isinstance(y, str) else y
    assert (ops.ones((2,), x) + other).dtype == expected


@pytest.mark.parametrize(
    "key",
    [0, -1, slice(1, 3), slice(None, None, 2), slice(None, None, -1), (slice(None), 1), (..., 0), (None, 1), [2, 0]],
)
def test_indexing_is_numpy_s_traced_and_not(key: Any) -> None:
    array = np.arange(12.0, dtype="float32").reshape(4, 3)
    found = function(lambda x: x[np.array(key) if isinstance(key, list) else key])(array)
    np.testing.assert_array_equal(found.numpy(), array[key])
    np.testing.assert_array_equal(as_tensor(array)[key].numpy(), array[key])


def test_variables_read_and_write_in_program_order() -> None:
    counter, seen = Variable(np.float32(1)), Variable(np.float32(0))

    @function
    def step(x: Any) -> Any:
        counter.assign_add(x)
        seen.assign(counter.value * 10)
        counter.assign_add(1.0)
        return counter.value

    assert float(step(np.float32(2))) == 4
    assert float(counter) == 4 and float(seen) == 30
    assert float(step(np.float32(0))) == 5
    with pytest.raises(ShapeError):
        counter.assign([1.0, 2.0])


def test_a_function_is_traced_once_per_kind_of_argument() -> None:
    runs: list[Any] = []

    @function
    def double(x: Any, extra: Any = None) -> Any:
        runs.append(x)
        return {"a": x * 2, "b": None if extra is None else extra["c"]}

    double(np.ones(3))
    double(np.zeros(3))
    assert len(runs) == 1
    out = double(np.ones(4), extra={"c": np.arange(2)})
    assert len(runs) == 2 and out["b"].numpy().tolist() == [0, 1]


def test_gradients() -> None:
    w = Variable(np.array([1.0, 2.0, 3.0], "float32"))
    out = Variable(np.zeros(3, "float32"))

    @function
    def step(x: Any) -> Any:
        with graphc.GradientTape() as tape:
            loss = ops.sum(ops.square(w * x))
        out.assign(tape.gradient(loss, w))
        return loss

    assert float(step(np.array([1.0, 1.0, 2.0], "float32"))) == 41
    np.testing.assert_allclose(out.numpy(), [2, 4, 24])


def test_traced_tensors_have_symbolic_sizes_and_no_values() -> None:
    def body(x: Any) -> Any:
        with pytest.raises(StateError, match="no values yet"):
            float(x[0, 0])
        assert ops.shape(x)[0] == dims.size("B")
        return ops.reshape(x, (-1,)) / ops.cast(ops.shape(x)[0], "float32")

    traced = trace(body, [BATCH], {"B": (1, 100)})
    assert traced.graph.type(traced.graph.outputs[0]).shape == (3 * dims.size("B"),)


def test_tensors_of_another_trace_are_refused() -> None:
    kept: list[Any] = []
    trace(lambda x: kept.append(x) or x, [BATCH], {"B": (1, 9)})
    with pytest.raises(StateError, match="another graph"), Trace().active():
        kept[0] + 1


def test_nodes_know_layer_and_line() -> None:
    def body(x: Any) -> Any:
        with scope("outer"), scope("inner"):
            return x * 3.0  # the line

    traced = trace(body, [BATCH], {"B": (1, 9)})
    origin = traced.graph.of_op("mul")[0].loc[0]
    assert origin.layer == "outer/inner"
    with open(origin.file) as source:
        assert "the line" in source.read().splitlines()[origin.line - 1]


def test_equal_scalars_are_one_node() -> None:
    def body(x: Any) -> Any:
        return sum(x * ops.power(0.9, ops.cast(ops.shape(x)[0], "float32")) for _ in range(3))

    graph = trace(body, [BATCH], {"B": (1, 9)}).graph
    assert [len(graph.of_op(op)) for op in ("pow", "mul")] == [1, 1]


def test_symbolic_tensors() -> None:
    x = KerasTensor((None, 3), name="x")
    y = ops.sum(x * 2.0 + np.ones(3, "float32"), axis=-1)
    assert isinstance(y, KerasTensor) and y.shape == (None,) and y.dtype == "float32"
    assert (x > 0).dtype == "bool"
    with pytest.raises(StateError):
        np.asarray(x)


def test_random_tensors() -> None:
    a, b = random.uniform((1000,), seed=3).numpy(), random.uniform((1000,), seed=3).numpy()
    np.testing.assert_array_equal(a, b)
    assert a.min() >= 0 and a.max() < 1 and abs(a.mean() - 0.5) < 0.03
    n = random.normal((4000,), 1.0, 2.0, seed=1).numpy()
    assert abs(n.mean() - 1) < 0.15 and abs(n.std() - 2) < 0.1
    t = random.truncated_normal((4000,), seed=1).numpy()
    assert abs(t).max() <= 2 and abs(t.std() - 0.8796) < 0.03
    assert set(random.randint((200,), -1, 2, seed=1).numpy().tolist()) == {-1, 0, 1}
    assert sorted(random.shuffle(np.arange(9), seed=1).numpy().tolist()) == list(range(9))
    labels = random.categorical(np.log([[0.9, 0.1]]).astype("float32"), 500, seed=1).numpy()
    assert labels.shape == (1, 500) and abs(labels.mean() - 0.1) < 0.05
    generator = random.SeedGenerator(5)
    assert not np.array_equal(random.uniform((4,), seed=generator), random.uniform((4,), seed=generator))
    with pytest.raises(ArgumentError):
        random.SeedGenerator(-1)


def test_tensor_is_what_layers_return() -> None:
    assert isinstance(graphc.layers.Dense(2)(np.ones((1, 3))), Tensor)
