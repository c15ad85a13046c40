"""What is picked by indices: as NumPy has it inside of axes, as Keras on JAX has it outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, ops
from graphc.errors import DTypeError, ShapeError
from graphc.tracing import Tensor

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "cpu"])
X = np.arange(60, dtype="float32").reshape(3, 4, 5)
I, J = np.array([2, 0]), np.array([[1], [2]])  # noqa: E741
MASK = X > 20
ALL = slice(None)
KEYS: dict[str, Any] = {
    "integer": 1,
    "from the end": -1,
    "of NumPy": np.int64(2),
    "a list": [0, 2],
    "two lists": ([0, 1], [1, 0]),
    "two arrays": (I, I),
    "that broadcast": (I, J),
    "three arrays": (I, I, I),
    "after a slice": (ALL, I, I),
    "apart": (I, ALL, I),
    "with an integer": (1, I),
    "before an integer": (I, 1),
    "an integer apart": (0, ALL, I),
    "before an integer apart": (I, ALL, 1),
    "after None": (None, I),
    "None between": (I, None, I),
    "None after an integer": (0, None, I),
    "after dots": (..., I),
    "dots between": (I, ..., I),
    "after steps": (slice(None, None, 2), I),
    "turned around": (slice(None, None, -1), I, slice(1, 4)),
    "an array of one": (np.array(1),),
    "of two axes": (J,),
    "negative": (np.array([-1, -2]),),
    "narrow": (np.array([2, 1], "uint8"), np.array([-1, 3], "int8")),
    "a mask": MASK,
    "a mask of an axis": MASK[:, 0, 0],
    "a mask of the last axes": (ALL, MASK[1]),
    "a mask and an integer": (MASK[:, :, 0], 2),
    "a boolean": True,
    "a boolean that is false": (ALL, False),
    "a boolean and an array": (np.array(True), I),
    "a boolean after an array": (I, np.array(True)),
    "dots of no axes between": (I, 0, ..., I),
}


def is_places(part: Any) -> bool:
    return isinstance(part, np.ndarray | list) and np.asarray(part).dtype != np.bool_


@BACKENDS
def test_as_numpy_has_it(backend: str) -> None:
    keys = [key if isinstance(key, tuple) else (key,) for key in KEYS.values()]
    places = [np.asarray(part) for key in keys for part in key if is_places(part)]

    def known(x: Tensor) -> list[Tensor]:
        return [x[key] for key in KEYS.values()]

    def traced(x: Tensor, *places: Tensor) -> list[Tensor]:
        rest = iter(places)
        return [x[tuple(next(rest) if is_places(part) else part for part in key)] for key in keys]

    with graphc.backend(backend):
        found = [known(ops.convert_to_tensor(X)), graphc.function(known)(X), graphc.function(traced)(X, *places)]
    for results in found:
        for (name, key), result in zip(KEYS.items(), results, strict=True):
            np.testing.assert_array_equal(result.numpy(), X[key], err_msg=name)


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (7, ShapeError, "outside of its axis"),
        ((0, -5), ShapeError, "outside of its axis"),
        ((0, 0, 0, 0), ShapeError, "more indices than axes"),
        (np.ones(2, bool), ShapeError, "mask does not fit"),
        (1.5, DTypeError, "indices are integers"),
        ("a", DTypeError, "indices are integers"),
    ],
)
def test_a_key_that_does_not_fit(key: Any, error: type[Exception], words: str) -> None:
    for function in (lambda x: x[key], graphc.function(lambda x: x[key])):
        with pytest.raises(error, match=words):
            function(ops.convert_to_tensor(X))


def test_a_mask_that_is_computed_is_refused_with_a_hint() -> None:
    with pytest.raises(DTypeError, match=r"ops\.where"):
        graphc.function(lambda x: x[x > 3])(X)


ROW = np.arange(1, 6, dtype="float32")
OUTSIDE = np.array([10, -7, -1, 5, 4, -5, -6, 2**31 - 1, -(2**31)], "int32")
TAKEN: dict[str, Callable[[Any, Any, Any], Any]] = {
    "take": lambda o, x, i: o.take(x, i),
    "take of rows": lambda o, x, i: o.take(o.stack([x, x * 2], 1), i, axis=0),
    "take of columns": lambda o, x, i: o.take(o.stack([x, x * 2]), o.stack([i, i]), axis=1),
    "take_along_axis": lambda o, x, i: o.take_along_axis(x, i, axis=0),
    "take_along_axis of rows": lambda o, x, i: o.take_along_axis(o.stack([x, x * 2]), o.stack([i, -i]), axis=1),
    "get_item": lambda o, x, i: o.get_item(x, i),
    **{f"take of {d}": (lambda o, x, i, d=d: o.take(o.cast(x, d), i)) for d in ("int32", "int8", "uint8", "bool")},
    "take of float16": lambda o, x, i: o.take(o.cast(x, "float16"), i),
    "one_hot": lambda o, x, i: o.one_hot(i, 5),
    "one_hot first": lambda o, x, i: o.one_hot(i, 5, axis=0),
    "multi_hot": lambda o, x, i: o.multi_hot(i, 5),
}


@BACKENDS
def test_outside_as_keras_has_it(backend: str) -> None:
    variable = Variable(ROW)

    def run(places: Tensor) -> list[Tensor]:
        found = []
        for case in TAKEN.values():
            with graphc.GradientTape() as tape:
                value = case(ops, variable.value, places)
                slope = ops.where(ops.isnan(ops.cast(value, "float32")), 0.0, ops.cast(value, "float32"))
                total = ops.sum(slope)
            same = ops.zeros_like(variable.value)
            found += [
                value,
                tape.gradient(total, variable, unconnected_gradients="zero") if value.dtype == "float32" else same,
            ]
        return found

    with graphc.backend(backend):
        found = iter(graphc.function(run)(OUTSIDE))
    for name, case in TAKEN.items():
        expected = np.asarray(case(keras.ops, jax.numpy.asarray(ROW), OUTSIDE))
        np.testing.assert_array_equal(next(found).numpy(), expected, err_msg=name)
        np.testing.assert_array_equal(case(ops, ROW, OUTSIDE).numpy(), expected, err_msg=f"{name}, eager")
        slope = next(found).numpy()
        if expected.dtype == np.float32:
            theirs = jax.grad(lambda x, case=case: jax.numpy.nansum(case(keras.ops, x, OUTSIDE)))(ROW)
            np.testing.assert_array_equal(slope, theirs, err_msg=name)


def test_narrow_integers_do_not_wrap_around() -> None:
    assert ops.take(np.arange(400), np.array([200, -100], "int16")).numpy().tolist() == [200, 300]
    assert ops.take(np.arange(400), np.array([200], "uint8")).numpy().tolist() == [200]
    assert ops.take(np.arange(400), np.array([-1], "int8")).numpy().tolist() == [399]
    assert ops.one_hot(np.array([44], "uint8"), 301).numpy().sum() == 1
    table = np.arange(600).reshape(2, 300)
    assert ops.take_along_axis(table, np.array([[200], [250]], "uint8"), 1).numpy().tolist() == [[200], [550]]


SHIFTS = [-(2**31), -33, -1, 0, 1, 7, 8, 15, 31, 32, 33, 64]


@BACKENDS
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint32"])
def test_shifts_by_any_count(backend: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    counts = np.array([s for s in SHIFTS if limits.min <= s <= limits.max], dtype)
    x, y = (part.ravel() for part in np.meshgrid(np.array([1, 5, 100, limits.max, limits.min], dtype), counts))
    with graphc.backend(backend):
        left, right = graphc.function(lambda x, y: [ops.left_shift(x, y), ops.right_shift(x, y)])(x, y)
    np.testing.assert_array_equal(left.numpy(), np.asarray(keras.ops.left_shift(x, y)))
    np.testing.assert_array_equal(right.numpy(), np.asarray(keras.ops.right_shift(x, y)))
    assert ops.left_shift(np.int32(1), 32).numpy() == 0
