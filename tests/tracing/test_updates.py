"""`x.at[key]` against JAX: random keys, all updates, indices out of bounds and repeated, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, ops
from graphc.errors import ArgumentError, DTypeError, ImmutableError, ShapeError
from graphc.tracing import KerasTensor, Tensor
from tests.support.keys import is_places, random_keys, random_shape, with_places
from tests.tapes import gradients_of

jax = pytest.importorskip("jax")
HOW = ("set", "add", "subtract", "multiply", "divide", "power", "min", "max")


def outside(rng: np.random.Generator, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """A key, some of whose arrays have indices out of bounds."""

    def moved(part: Any) -> Any:
        if not is_places(part) or rng.random() > 0.4:
            return part
        return np.asarray(part + rng.integers(-1, 2, part.shape) * 50)

    return tuple(map(moved, key))


@pytest.mark.parametrize("seed", range(3))
def test_random_updates_as_jax_has_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = rng.uniform(1, 4, shape).astype("float32")
    found = [(key, part.shape) for key, part in random_keys(rng, shape, 8)]
    keys = [outside(rng, key) for key, _ in found]
    values = [rng.uniform(1, 3, size if i % 2 else ()).astype("float32") for i, (_, size) in enumerate(found)]
    weights = [rng.normal(size=shape).astype("float32") for _ in keys]
    how = [str(rng.choice(HOW)) for _ in keys]
    places = [part for key in keys for part in key if is_places(part)]
    variable, given = Variable(x), [Variable(value) for value in values]

    def run(*places: Tensor) -> list[Tensor]:
        results = []
        for key, name, value, w in zip(with_places(keys, places), how, given, weights, strict=True):

            def changed(key: Any = key, name: str = name, value: Any = value) -> Any:
                return getattr(variable.at[key], name)(value.value)

            results += [changed(), *gradients_of(lambda w=w, f=changed: ops.sum(f() * w), [variable, value])]
        return results

    with graphc.backend("numpy"):
        results = iter(graphc.function(run)(*places))
    for key, name, value, w in zip(keys, how, values, weights, strict=True):
        theirs = tuple(jax.numpy.asarray(part) if is_places(part) else part for part in key)

        def update(x: Any, value: Any, theirs: Any = theirs, name: str = name) -> Any:
            return getattr(x.at[theirs], name)(value)

        message = f"{name} at {key} of {shape}"
        expected = np.asarray(update(jax.numpy.asarray(x), value))
        np.testing.assert_allclose(next(results).numpy(), expected, rtol=1e-5, err_msg=message)
        eager = getattr(ops.convert_to_tensor(x).at[key], name)(value)
        np.testing.assert_allclose(eager.numpy(), expected, rtol=1e-5, err_msg=f"{message}, eager")
        slopes = [next(results).numpy() for _ in range(2)]
        try:
            wanted = jax.grad(lambda *args, w=w, update=update: (update(*args) * w).sum(), (0, 1))(x, value)
        except NotImplementedError:  # of products, where indices may be equal
            continue
        for slope, other in zip(slopes, wanted, strict=True):
            np.testing.assert_allclose(slope, other, rtol=1e-4, atol=1e-5, err_msg=f"{message}, gradient")


def test_gradients_of_products_at_equal_indices_are_those_of_differences() -> None:
    x, values = np.array([2.0, 3.0, 0.5]), np.array([1.5, 0.0, 0.7, 0.0, 0.0])
    places, w = np.array([0, 0, 1, 2, 2]), np.array([1.0, -2.0, 3.0])

    def product(x: Any, values: Any) -> Any:
        x = x.copy()
        np.multiply.at(x, places, values)
        return (x * w).sum()

    with graphc.config.override(floatx="float64"):
        variables = Variable(x), Variable(values)

        def run() -> list[Tensor]:
            return gradients_of(lambda: ops.sum(variables[0].at[places].multiply(variables[1]) * w), variables)

        found = [slope.numpy() for slope in graphc.function(run)()]
    for number, slope in enumerate(found):
        for i in range(len(slope)):
            moved = [np.array(part) for part in (x, values)]
            moved[number][i] += 0.5
            assert slope[i] == pytest.approx(2 * (product(*moved) - product(x, values)))


X = np.arange(40, dtype="float32").reshape(10, 4)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_updates_of_computed_parts(backend: str) -> None:
    def run(x: Tensor, i: Tensor) -> list[Tensor]:
        return [
            x.at[i].set(-1),
            x.at[i, 1:3].add(100),
            x.at[i : i + 3].multiply(2),
            x.at[i : i + 6 : 4, 1].set(0),
            x.at[i + 2 : i : -1, 0].set(ops.convert_to_tensor([7.0, 8.0])),
            x.at[i : i + 2, [3, 0]].max(20),
            x.at[i].apply(ops.square),
            x.at[i].get(),
        ]

    with graphc.backend(backend):
        compiled = graphc.function(run)
        found = {i: [result.numpy() for result in compiled(X, np.int32(i))] for i in (1, 3, 12)}
    for i in (1, 3):
        expected = [X.copy() for _ in range(7)]
        expected[0][i] = -1
        expected[1][i, 1:3] += 100
        expected[2][i : i + 3] *= 2
        expected[3][i : i + 6 : 4, 1] = 0
        expected[4][i + 2 : i : -1, 0] = [7, 8]
        expected[5][i : i + 2, [3, 0]] = np.maximum(expected[5][i : i + 2, [3, 0]], 20)
        expected[6][i] **= 2
        for number, (result, wanted) in enumerate(zip(found[i], [*expected, X[i]], strict=True)):
            np.testing.assert_array_equal(result, wanted, err_msg=f"{number}, {i}")
    # An index out of bounds changes nothing.
    for number in (0, 1, 6):
        np.testing.assert_array_equal(found[12][number], X)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16", "bfloat16", "complex64"])
def test_updates_in_every_dtype(dtype: str) -> None:
    x, values, places = ops.cast(np.arange(5), dtype), ops.cast([1, 0, 3], dtype), np.array([1, 1, 4])
    theirs = jax.numpy.arange(5).astype(dtype), jax.numpy.asarray([1, 0, 3]).astype(dtype)
    for how in HOW:
        if dtype == "bool" and how not in ("set", "min", "max"):
            with pytest.raises(DTypeError, match=r"booleans have no(.|\n)*max"):
                getattr(x.at[places], how)(values)
        elif dtype != "complex64" or how in ("set", "add", "subtract", "multiply"):
            result = getattr(x.at[places], how)(values)
            assert result.dtype == dtype
            expected = np.asarray(getattr(theirs[0].at[places], how)(theirs[1]))
            if how == "divide" and dtype not in ("float16", "bfloat16", "complex64"):
                continue  # by zero
            np.testing.assert_array_equal(result.numpy(), expected, err_msg=how)


def test_what_cannot_be_updated() -> None:
    x = ops.convert_to_tensor(X)
    with pytest.raises(ShapeError, match="values do not fit"):
        x.at[1:3].set(np.zeros(3, "float32"))
    with pytest.raises(ShapeError, match="values do not fit"):
        x.at[[1, 2]].add(np.zeros((2, 2, 4), "float32"))
    with pytest.raises(ShapeError, match="outside of its axis"):
        x.at[12].set(1)
    with pytest.raises(DTypeError, match=r"ops\.where"):
        graphc.function(lambda x: x.at[x > 3].set(0))(X)
    with pytest.raises(DTypeError, match="does not fit int32"):
        ops.arange(3).at[0].set(2**40)
    with pytest.raises(ArgumentError, match='mode="drop"'):
        x.at[1].set(0, mode="clip")


@pytest.mark.parametrize(
    ("x", "instead"),
    [
        (ops.convert_to_tensor(X), r"x\.at\[key\]\.set(.|\n)*slice_update"),
        (KerasTensor((10, 4)), r"x\.at\[key\]\.set"),
        (Variable(X), r"v\.assign\(v\.at\[key\]\.set"),
    ],
)
def test_an_assignment_to_a_part_says_what_to_do(x: Any, instead: str) -> None:
    with pytest.raises(ImmutableError, match=instead) as caught:
        x[0] = 1
    assert isinstance(caught.value, TypeError)
    assert "test_updates.py" in str(caught.value)
    with pytest.raises(ImmutableError):
        x[0] += 1


def test_updates_of_variables_and_of_symbolic_tensors() -> None:
    variable = Variable(X)
    assert variable.at[0, 0].set(9).numpy()[0, 0] == 9
    assert variable.numpy()[0, 0] == 0
    inputs = graphc.Input((4,))
    model = graphc.Model(inputs, inputs.at[:, 1:3].add(10))
    np.testing.assert_array_equal(model(X).numpy(), X + [0, 10, 10, 0])
