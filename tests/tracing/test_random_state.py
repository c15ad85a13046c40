"""Random numbers and state in compiled functions and models: they count on; what is nested is part of its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops, random
from graphc.compiler import absent

BACKENDS = [name for name in ("numpy", "cpu") if not absent(name)]
X = np.zeros((4, 3), "float32")
DRAWS: dict[str, Callable[..., Any]] = {
    "normal": random.normal,
    "uniform": random.uniform,
    "truncated_normal": random.truncated_normal,
    "randint": lambda shape, seed=None: random.randint(shape, 0, 2**30, seed=seed),
    "dropout": lambda shape, seed=None: random.dropout(ops.ones(shape), 0.5, seed=seed),
    "categorical": lambda shape, seed=None: random.categorical(ops.zeros((shape[0], 1000)), shape[1], seed=seed),
    "shuffle": lambda shape, seed=None: random.shuffle(ops.arange(64), seed=seed),
}


@pytest.fixture(autouse=True, params=BACKENDS)
def chosen(request: pytest.FixtureRequest) -> Iterator[None]:
    with graphc.backend(request.param):
        yield


def different(arrays: list[Any]) -> bool:
    return len({np.asarray(array).tobytes() for array in arrays}) == len(arrays)


@pytest.mark.parametrize("name", DRAWS)
def test_unseeded_draws_differ_from_call_to_call(name: str) -> None:
    draw = graphc.function(lambda: [DRAWS[name]((8, 8)), DRAWS[name]((8, 8))])
    graphc.utils.set_random_seed(5)
    first = [draw(), draw(), [DRAWS[name]((8, 8))]]
    assert different([part.numpy() for parts in first for part in parts])
    graphc.utils.set_random_seed(5)
    again = [draw(), draw(), [DRAWS[name]((8, 8))]]
    for a, b in zip([p for parts in first for p in parts], [p for parts in again for p in parts], strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name: str) -> None:
    """A number is the same draw each time, as in Keras; a generator goes on."""
    fixed = graphc.function(lambda: DRAWS[name]((8, 8), seed=3))
    np.testing.assert_array_equal(fixed().numpy(), fixed().numpy())
    np.testing.assert_allclose(fixed().numpy(), DRAWS[name]((8, 8), seed=3).numpy(), rtol=1e-4, atol=1e-5)
    generator = random.SeedGenerator(3)
    drawn = graphc.function(lambda: DRAWS[name]((8, 8), seed=generator))
    assert different([drawn().numpy(), drawn().numpy(), DRAWS[name]((8, 8), seed=generator).numpy()])


class Noise(layers.Layer):
    """Notes what it drew."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__()
        self.seed, self.drawn = seed, self.add_weight(shape=(3,), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        numbers = random.normal((3,), seed=self.seed)
        self.drawn.assign(numbers)
        return x + numbers


def noisy(seed: Any = None) -> tuple[Any, Any]:
    noise = Noise(seed)
    model = graphc.Sequential([graphc.Input((3,)), noise, layers.Dense(1)])
    model.compile("sgd", "mse")
    return model, noise


def test_unseeded_draws_in_models() -> None:
    model, noise = noisy()
    seen: list[Any] = []
    for use in (
        lambda: model.predict(X, verbose=0),
        lambda: model.predict_on_batch(X),
        lambda: model.train_on_batch(X, X[:, :1]),
        lambda: model.evaluate(X, X[:, :1], verbose=0),
        lambda: model(X),
    ):
        for _ in range(2):
            use()
            seen.append(noise.drawn.numpy())
    assert different(seen), seen
    fixed, noise = noisy(seed=7)
    for _ in range(2):
        fixed.train_on_batch(X, X[:, :1])
        np.testing.assert_allclose(noise.drawn.numpy(), random.normal((3,), seed=7).numpy(), rtol=1e-4)


def test_batches_of_one_prediction_differ() -> None:
    x = inputs = graphc.Input((3,))
    model = graphc.Model(inputs, layers.Lambda(lambda x: x + random.normal(ops.shape(x)))(x))
    results = model.predict(np.zeros((12, 3), "float32"), batch_size=4, verbose=0)
    assert different(list(results))


def test_a_function_within_a_function_is_a_part_of_it() -> None:
    count = graphc.Variable(0.0, name="count")

    @graphc.function
    def add() -> Any:
        return count.assign_add(1.0)

    @graphc.function
    def twice(x: Any) -> Any:
        return add() + add() + x

    assert float(count) == 0
    assert [float(twice(0.0)) for _ in range(3)] == [3.0, 7.0, 11.0] and float(count) == 6
    scaled = graphc.function(lambda x: [x * 2, {"a": 3.0}])
    outer = graphc.function(lambda x: scaled(x)[0] + scaled(x)[1]["a"])
    assert float(outer(1.0)) == 5.0

    class Counting(layers.Layer):
        def call(self, x: Any) -> Any:
            add()
            return x

    model = graphc.Sequential([graphc.Input((3,)), Counting(), layers.Dense(1)])
    before = float(count)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], batch_size=2, epochs=2, verbose=0)
    assert float(count) == before + 4


def test_settings_are_part_of_what_a_compiled_function_depends_on() -> None:
    ones = graphc.function(lambda: ops.ones((2,)))
    assert ones().dtype == "float32"
    with graphc.config.override(floatx="float64"):
        assert ones().dtype == "float64"
    assert ones().dtype == "float32"
    epsilon = graphc.function(lambda x: x * graphc.config.epsilon())
    with graphc.config.override(epsilon=1e-3):
        assert float(epsilon(1.0)) == pytest.approx(1e-3)
    assert float(epsilon(1.0)) == pytest.approx(1e-7)
