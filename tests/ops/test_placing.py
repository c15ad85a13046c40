"""`slice`, `slice_update`, `scatter` and `scatter_update` as Keras on JAX has them, with gradients; and bad calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, layers, ops
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.tracing import KerasTensor, Tensor
from tests.tapes import gradients_of

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

X = np.arange(20, dtype="float32").reshape(5, 4)
ROW = np.arange(5, dtype="float32")
VALUES = np.array([1, 2, 3, 4, 5], "float32")
# Repeated, from the end, and out of bounds.
PLACES = np.array([[0], [2], [7], [-1], [0]], "int32")
PAIRS = np.array([[0, 1], [2, 3], [0, 1], [-1, -4], [9, 0]], "int32")
Case = Callable[[Any, Any, Any, Any], Any]
# Of the package, two tensors and a start.
CASES: dict[str, Case] = {
    "slice": lambda o, x, v, i: o.slice(x, (i, i), (2, 3)),
    "slice, a vector of starts": lambda o, x, v, i: o.slice(x, o.stack([i, i - 1]), (2, 3)),
    "slice, some starts known": lambda o, x, v, i: o.slice(x, [0, i], (5, 2)),
    "slice_update": lambda o, x, v, i: o.slice_update(x, [i, 0], o.reshape(v[:4], (2, 2))),
    "slice_update, a vector": lambda o, x, v, i: o.slice_update(v, o.stack([i]), v[:2] * 2),
    "scatter": lambda o, x, v, i: o.scatter(PLACES, v, (4,)),
    "scatter of rows": lambda o, x, v, i: o.scatter(PLACES, x, (3, 4)),
    "scatter in two axes": lambda o, x, v, i: o.scatter(PAIRS, v, (3, 4)),
    "scatter at a computed place": lambda o, x, v, i: o.scatter(o.reshape(i, (1, 1)), v[:1], (4,)),
    **{
        f"scatter_update, {how}": lambda o, x, v, i, how=how: o.scatter_update(v * 2, PLACES, v, reduction=how)
        for how in (None, "add", "max", "min", "mul", "ADD")
    },
    "scatter_update of rows": lambda o, x, v, i: o.scatter_update(x * 2, PLACES, x),
    "scatter_update of rows, add": lambda o, x, v, i: o.scatter_update(x * 2, PLACES, x, reduction="add"),
    "scatter_update of rows, max": lambda o, x, v, i: o.scatter_update(x, PLACES, x * 2, reduction="max"),
    "scatter_update in two axes": lambda o, x, v, i: o.scatter_update(x, PAIRS, v),
    "scatter_update in two axes, min": lambda o, x, v, i: o.scatter_update(x, PAIRS, -v, reduction="min"),
    "scatter_update, equal ones": lambda o, x, v, i: o.scatter_update(
        v, PLACES, o.ones_like(v) * v[0], reduction="max"
    ),
}


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_as_keras_has_it(backend: str) -> None:
    x, v = Variable(X), Variable(VALUES)

    def run(i: Tensor) -> list[Any]:
        found = []
        for case in CASES.values():

            def result(case: Case = case) -> Any:
                return case(ops, x.value, v.value, i)

            slopes = gradients_of(lambda f=result: ops.sum(ops.square(f())), [x, v])
            found.append((result(), slopes))
        return found

    with graphc.backend(backend):
        compiled = graphc.function(run)
        results = {i: compiled(np.int32(i)) for i in (1, -2, 9, -9)}
    for i, found in results.items():
        for (name, case), (result, slopes) in zip(CASES.items(), found, strict=True):
            if i != 1 and "scatter" in name and "computed" not in name:
                continue
            message = f"{name}, {i}"
            expected = np.asarray(case(keras.ops, jax.numpy.asarray(X), jax.numpy.asarray(VALUES), jax.numpy.int32(i)))
            np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6, err_msg=message)
            eager = case(ops, ops.convert_to_tensor(X), ops.convert_to_tensor(VALUES), ops.convert_to_tensor(i))
            np.testing.assert_allclose(eager.numpy(), expected, rtol=1e-6, err_msg=f"{message}, eager")
            if "mul" in name:
                continue  # JAX has no gradient; differences are in tests/tracing/test_updates.py
            theirs = jax.grad(lambda *xv, case=case, i=i: (case(keras.ops, *xv, jax.numpy.int32(i)) ** 2).sum(), (0, 1))
            for slope, wanted in zip(slopes, theirs(X, VALUES), strict=True):
                np.testing.assert_allclose(slope.numpy(), wanted, rtol=1e-5, atol=1e-6, err_msg=f"{message}, gradient")


def test_known_starts_sizes_and_lists() -> None:
    np.testing.assert_array_equal(ops.slice(X, [1, -2], [2, -1]).numpy(), X[1:3, -2:])
    np.testing.assert_array_equal(ops.slice(X, np.array([4, 3]), np.array([2, 2])).numpy(), X[3:, 2:])  # moved inside
    np.testing.assert_array_equal(graphc.function(lambda x: ops.slice(x, [4, 3], [2, 2]))(X).numpy(), X[3:, 2:])
    assert ops.slice([1, 2, 3], [1], [2]).numpy().tolist() == [2, 3]
    assert ops.slice_update([1, 2, 3], [1], [7, 8]).numpy().tolist() == [1, 7, 8]
    assert ops.scatter([[0], [2]], [1, 2], (3,)).numpy().tolist() == [1, 0, 2]
    assert ops.scatter([[0], [2], [0]], [True, True, False], (3,)).numpy().tolist() == [True, False, True]
    assert ops.scatter_update([1, 2, 3], [[0]], 5).numpy().tolist() == [5, 2, 3]
    assert ops.scatter_update([1, 2, 3], [[0]], [5.7]).numpy().tolist() == [5, 2, 3]  # cast, as in Keras
    assert ops.scatter_update(X, [[[0, 1]], [[2, 3]]], [[7.0], [8.0]]).numpy()[[0, 2], [1, 3]].tolist() == [7, 8]
    assert [part.numpy().tolist() for part in ops.nonzero([[0, 3], [5, 0]])] == [[0, 1], [1, 0]]
    assert [part.numpy().tolist() for part in ops.nonzero([0.0, 2.0])] == [[1]]


def test_on_symbolic_tensors() -> None:
    inputs = graphc.Input((5, 4)), graphc.Input((4,))
    x, v = inputs
    assert ops.slice(x, (0, 1, 1), (1, 2, 3)).shape == (1, 2, 3)
    assert ops.slice_update(x, (0, 1, 1), ops.zeros((1, 2, 2))).shape == (None, 5, 4)
    outputs = ops.scatter_update(x, [[0, 1], [0, 2]], ops.zeros((2, 4))), ops.scatter([[0]], v[:1], (3, 4))
    assert [output.shape for output in outputs] == [(None, 5, 4), (3, 4)]
    model = graphc.Model(inputs, outputs)
    first, second = model([X[None], VALUES[None, :4]])
    assert first.numpy()[0, 1:3].sum() == 0
    assert second.numpy().tolist() == [[1, 2, 3, 4], [0] * 4, [0] * 4]
    assert ops.scatter_update(KerasTensor((3,)), KerasTensor((2, 1), "int32"), KerasTensor((2,))).shape == (3,)


def test_sizes_that_are_not_known_are_assumed_to_fit() -> None:
    x, i = KerasTensor((None, None, 2)), KerasTensor((), "int32")
    assert ops.slice(x, (0, i, 0), (1, 3, -1)).shape == (1, 3, 2)
    assert ops.slice(KerasTensor((3, 3)), KerasTensor((2,), "int32"), (-1, -1)).shape == (None, None)
    assert ops.slice_update(x, (0, i, 0), KerasTensor((2, 3, 2))).shape == (None, None, 2)
    assert ops.scatter_update(KerasTensor((4, None)), KerasTensor((5, 2), "int32"), KerasTensor((5,))).shape == (
        4,
        None,
    )
    assert x.at[:, 2:5].set(0).shape == (None, None, 2)
    assert [part.shape for part in ops.nonzero(KerasTensor((2, 3)))] == [(None,), (None,)]
    inputs = graphc.Input((None, 2))
    keys = [np.s_[:, 1:], np.s_[:, :-1], np.s_[:, :3], np.s_[:, -3:], np.s_[:, 2], np.s_[:, ::2], np.s_[:, 3:0:-1]]
    model = graphc.Model(inputs, [*(inputs[key] for key in keys), inputs[:, 1:] - inputs[:, :-1]])
    assert [output.shape[1:] for output in model.outputs] == [*[(None, 2)] * 4, (2,), *[(None, 2)] * 3]
    for length in (7, 4, 3):
        values = np.random.default_rng(length).normal(size=(2, length, 2)).astype("float32")
        *found, steps = model(values)
        for key, part in zip(keys, found, strict=True):
            np.testing.assert_array_equal(part.numpy(), values[key])
        np.testing.assert_array_equal(steps.numpy(), np.diff(values, axis=1))
        np.testing.assert_array_equal(model.predict(values, verbose=0)[0], values[:, 1:])


Bad = tuple[Callable[[], Any], type[Exception], str]
BAD: dict[str, Bad] = {
    "too few starts": (lambda: ops.slice(X, [1], [2, 2]), ShapeError, "`start_indices` must match"),
    "too few sizes": (lambda: ops.slice(X, [1, 1], [2]), ShapeError, "`inputs` must match"),
    "too large": (lambda: ops.slice(X, [0, 0], [6, 1]), ShapeError, "larger than the tensor"),
    "a start of floats": (lambda: ops.slice(X, [0.5, 0], [1, 1]), DTypeError, "starts of `slice` are integers"),
    "an unknown size": (
        lambda: graphc.function(lambda x, i: ops.slice(x, [i, 0], [-1, 1]))(X, np.int32(1)),
        ShapeError,
        "size of a slice is not known",
    ),
    "a block too large": (lambda: ops.slice_update(X, [0, 0], np.zeros((6, 1), "float32")), ShapeError, "does not fit"),
    "a block of another rank": (lambda: ops.slice_update(X, [0, 0], VALUES), ShapeError, "does not fit"),
    "a block of floats": (lambda: ops.slice_update([1, 2], [0], [0.5]), DTypeError, r'cast\(updates, "int32"\)'),
    "indices of floats": (lambda: ops.scatter_update(ROW, [[0.5]], [1.0]), DTypeError, "indices of `scatter_update`"),
    "too many indices": (lambda: ops.scatter_update(ROW, [[0, 1]], [1.0]), ShapeError, r"\(updates, k\)"),
    "a scalar as indices": (lambda: ops.scatter(0, [1.0], (3,)), ShapeError, r"\(updates, k\)"),
    "values too many": (lambda: ops.scatter([[0]], [1.0, 2.0], (3,)), ShapeError, "values do not fit"),
    "no such reduction": (lambda: ops.scatter_update(ROW, [[0]], [1.0], "mean"), ArgumentError, "'mul'"),
    "an unknown number": (lambda: graphc.function(ops.nonzero)(X), ShapeError, r"ops\.where"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error, match=words) as caught:
        call()
    assert "test_placing.py" in str(caught.value)


def test_a_cache_of_keys_is_updated_in_a_loop() -> None:
    """A block at a place that a loop counts: what decoders write."""

    class Decoder(layers.Layer):
        def call(self, x: Any) -> Any:
            def step(carry: Any, row: Any) -> Any:
                cache, i = carry
                cache = ops.slice_update(cache, [i, 0], ops.reshape(row, (1, 4)) * 2)
                return (cache, i + 1), ops.sum(cache[i])

            return ops.scan(step, (ops.zeros((5, 4)), 0), x)

    for found in (Decoder()(X), graphc.function(Decoder())(X)):
        (cache, count), sums = found
        np.testing.assert_array_equal(cache.numpy(), X * 2)
        assert count.numpy() == 5
        np.testing.assert_array_equal(sums.numpy(), (X * 2).sum(1))
