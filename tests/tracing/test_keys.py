"""Indexing against NumPy: random keys, eager and traced, with gradients; slices with computed bounds; bad keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, layers, ops
from graphc.errors import DTypeError, ShapeError
from graphc.tracing import KerasTensor, Tensor
from graphc.tracing.symbolic import infer_outputs
from tests.support.keys import is_places, random_keys, random_shape, with_places
from tests.tapes import gradients_of

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_keys_as_numpy_has_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = rng.normal(size=shape).astype("float32")
    keys = [key for key, _ in random_keys(rng, shape, 25)]
    places = [part for key in keys for part in key if is_places(part)]

    def known(x: Tensor) -> list[Tensor]:
        return [x[key] for key in keys]

    def given(x: Tensor, *places: Tensor) -> list[Tensor]:
        return [x[key] for key in with_places(keys, places)]

    tensor, variable = ops.convert_to_tensor(x), Variable(x)
    with graphc.backend("numpy"):
        runs = {
            "eager": known(tensor),
            "eager, tensors as indices": given(tensor, *map(ops.convert_to_tensor, places)),
            "traced": graphc.function(known)(x),
            "traced, computed indices": graphc.function(given)(x, *places),
            "of a variable": graphc.function(lambda: known(variable))(),
        }
    for how, results in runs.items():
        for key, result in zip(keys, results, strict=True):
            np.testing.assert_array_equal(result.numpy(), x[key], err_msg=f"{how}: {key} of {shape}")


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_gradients_of_random_keys(backend: str) -> None:
    rng = np.random.default_rng(3)
    shape = (4, 3, 5)
    variable = Variable(rng.normal(size=shape).astype("float32"))
    keys = [key for key, part in random_keys(rng, shape, 30) if part.size]
    places = [part for key in keys for part in key if is_places(part)]
    weights = [rng.normal(size=np.zeros(shape)[key].shape).astype("float32") for key in keys]

    def run(*places: Tensor) -> list[Tensor]:
        pairs = zip(with_places(keys, places), weights, strict=True)
        return [gradients_of(lambda k=key, w=w: ops.sum(variable.value[k] * w), [variable])[0] for key, w in pairs]

    with graphc.backend(backend):
        found = graphc.function(run)(*places)
    for key, w, slope in zip(keys, weights, found, strict=True):
        expected = np.zeros(shape, "float32")
        np.add.at(expected, key, w)
        np.testing.assert_allclose(slope.numpy(), expected, rtol=1e-6, atol=1e-6, err_msg=str(key))


X = np.arange(40, dtype="float32").reshape(10, 4)
# A key with a computed integer, and what NumPy gives for it; the sizes of all of them are known.
COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "an integer": lambda x, i: x[i],
    "an integer of the last axis": lambda x, i: x[..., i - 1],
    "two integers": lambda x, i: x[i, i - 1],
    "an integer and a slice": lambda x, i: x[i, 1:3],
    "an integer after None": lambda x, i: x[None, i],
    "an integer and an array": lambda x, i: x[i, [0, 2]],
    "a sum": lambda x, i: x[i + i + 1],
    "in a list": lambda x, i: x[[i, 0]],
    "a block": lambda x, i: x[i : i + 3],
    "a block that ends there": lambda x, i: x[i - 1 : i + 1],
    "a block of the second axis": lambda x, i: x[:, i : i + 2],
    "of two axes": lambda x, i: x[i : i + 3, i - 1 : i + 1],
    "of multiples": lambda x, i: x[2 * i : 2 * i + 2],
    "of multiples of sums": lambda x, i: x[2 * i : 2 * (i + 1)],
    "with a step": lambda x, i: x[i : i + 6 : 4],
    "backwards": lambda x, i: x[i + 6 : i : -1],
    "backwards with a step": lambda x, i: x[i + 5 : i : -3],
    "from the end": lambda x, i: x[i - 10 : i - 6],
    "a block and an array": lambda x, i: x[i : i + 2, [3, 0]],
    "a block and an integer": lambda x, i: x[i : i + 2, -1],
}


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_computed_integers_and_slices(backend: str) -> None:
    def run(x: Any, i: Any) -> list[Any]:
        return [key(x, i) for key in COMPUTED.values()]

    with graphc.backend(backend):
        compiled = graphc.function(run)
        found = {i: compiled(X, np.int32(i)) for i in (1, 2)}
    for i, results in found.items():
        eager = run(ops.convert_to_tensor(X), ops.convert_to_tensor(i))
        for (name, key), result, other in zip(COMPUTED.items(), results, eager, strict=True):
            np.testing.assert_array_equal(result.numpy(), key(X, i), err_msg=f"{name}, {i}")
            np.testing.assert_array_equal(other.numpy(), key(X, i), err_msg=f"{name}, {i}, eager")


def test_computed_integers_outside_are_clamped_and_blocks_moved_inside() -> None:
    variable = Variable(X)

    def run(i: Tensor) -> list[Tensor]:
        parts = [lambda: variable[i, 0], lambda: variable[i : i + 3, 0]]
        slopes = [gradients_of(lambda part=part: ops.sum(part()), [variable])[0] for part in parts]
        return [*(part() for part in parts), *(slope[:, 0] for slope in slopes)]

    compiled = graphc.function(run)
    for i, row, start in ((12, 9, 7), (9, 9, 7), (-1, 9, 7), (-4, 6, 6), (-30, 0, 0)):
        one, block, slope, slopes = (result.numpy() for result in compiled(np.int32(i)))
        assert one == X[row, 0]
        np.testing.assert_array_equal(block, X[start : start + 3, 0])
        np.testing.assert_array_equal(slope, np.arange(10) == row)  # as of Keras on JAX
        np.testing.assert_array_equal(slopes, np.isin(np.arange(10), range(start, start + 3)))


def test_a_block_of_a_symbolic_size() -> None:
    """The size of a slice may be an expression of sizes."""

    class Last(layers.Layer):
        def call(self, x: Any, i: Any) -> Any:
            half = x.shape[1] // 2
            return x[:, i : i + half]

    inputs = graphc.Input((None, 2)), graphc.Input(batch_shape=(), dtype="int32")
    assert Last()(*inputs).shape == (None, None, 2)
    x = np.arange(24, dtype="float32").reshape(2, 6, 2)
    np.testing.assert_array_equal(Last()(x, ops.convert_to_tensor(2)).numpy(), x[:, 2:5])


Bad = tuple[Callable[[Any, Any], Any], type[Exception], str]
BAD: dict[str, Bad] = {
    "no end": (lambda x, i: x[i:], ShapeError, r"ops\.slice"),
    "no start": (lambda x, i: x[:i], ShapeError, r"ops\.where"),
    "an unknown difference": (lambda x, i: x[i : 2 * i], ShapeError, r"size of a slice is not known"),
    "a computed step": (lambda x, i: x[::i], ShapeError, r"ops\.arange"),
    "a step of zero": (lambda x, i: x[::0], ShapeError, "not 0"),
    "floats": (lambda x, i: x[i * 0.5 : 3], DTypeError, "bounds of a slice are integers"),
    "a vector as a bound": (lambda x, i: x[x[0] : 3], DTypeError, "bounds of a slice are integers"),
    "a mask": (lambda x, i: x[x > 3], DTypeError, r"ops\.where(.|\n)*ops\.nonzero"),
    "a single condition": (lambda x, i: x[i > 3], DTypeError, r"ops\.where"),
    "too many": (lambda x, i: x[i, i, i], ShapeError, "more indices than axes"),
    "dots twice": (lambda x, i: x[..., i, ...], ShapeError, "more than once"),
}


@pytest.mark.parametrize("name", BAD)
def test_computed_keys_that_cannot_be(name: str) -> None:
    use, error, words = BAD[name]
    with pytest.raises(error, match=words) as caught:
        graphc.function(use)(X, np.int32(2))
    assert "test_keys.py" in str(caught.value)


def test_rows_of_a_traced_tensor_are_unrolled_and_unknown_ones_refused() -> None:
    assert (
        graphc.function(lambda x: sum(row[0] * n for n, row in enumerate(x)))(X).numpy() == (X[:, 0] * range(10)).sum()
    )
    assert graphc.function(lambda x: x * len(x))(X).numpy()[0, 1] == 10

    class Rows(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.stack([row * 2 for row in x])

    class Length(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * len(x)

    with pytest.raises(ShapeError, match=r"ops\.scan(.|\n)*ops\.map") as caught:
        Rows()(KerasTensor((None, 3)))
    assert "test_keys.py" in str(caught.value)
    inputs = graphc.Input((3,))
    model = graphc.Model(inputs, Length()(inputs))  # converted: the size is that of the data
    np.testing.assert_array_equal(model.predict(X[:4, :3], verbose=0), 4 * X[:4, :3])
    with pytest.raises(ShapeError, match=r"ops\.shape\(x\)\[0\]"):
        infer_outputs(len, (KerasTensor((None, 3)),), {})
    assert [row.numpy().tolist() for row in Variable(X[:2, :2])] == [[0, 1], [4, 5]]


def test_sizes_beside_tensors() -> None:
    class Last(layers.Layer):
        def call(self, x: Any, i: Any) -> Any:
            n = x.shape[1]
            return ops.stack([n - i, n * i, i - n, n + i, n % i, n // i, ops.cast(n == i, "int32")])

    inputs = graphc.Input((None,)), graphc.Input(batch_shape=(), dtype="int32")
    assert Last()(*inputs).shape == (7,)
    model = graphc.Model(inputs, Last()(*inputs))
    found = model((np.zeros((2, 5), "float32"), ops.convert_to_tensor(3))).numpy()
    assert found.tolist() == [2, 15, -2, 8, 2, 1, 0]
