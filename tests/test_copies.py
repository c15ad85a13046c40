"""Copies and pickles: what is copied has memory of its own, and lives on when the original is gone."""

from __future__ import annotations

import copy
import gc
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, losses, metrics, ops, optimizers
from graphc.compiler import absent

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
Y = X[:, :2]
BACKEND = "numpy" if absent("cpu") else "cpu"  # the one that has addresses of memory


@pytest.fixture(autouse=True)
def chosen() -> Iterator[None]:
    with graphc.backend(BACKEND):
        yield


def pickled(thing: Any) -> Any:
    stream = io.BytesIO()
    pickle.Pickler(stream, protocol=5).dump(thing)
    stream.seek(0)
    return pickle.load(stream)


WAYS: dict[str, Callable[[Any], Any]] = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": pickled}
DEEP = {name: way for name, way in WAYS.items() if name != "copy"}


def overwritten() -> None:
    """Memory that was freed is used again."""
    gc.collect()
    _ = [np.full(size, 7.0, "float32") for size in (4, 8, 16, 32, 64) for _ in range(200)]


def sequential() -> Any:
    return graphc.Sequential(
        [graphc.Input((4,)), layers.Dense(3, "relu"), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    )


def functional() -> Any:
    inputs = graphc.Input((4,))
    shared = layers.Dense(4)
    x = ops.relu(shared(ops.exp(shared(inputs)) * 2 - 1))[:, :3]
    return graphc.Model(inputs, layers.Dense(2)(graphc.Sequential([layers.Dense(3)])(x)))


class Subclassed(graphc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.base, self.heads = functional(), {"a": layers.Dense(2)}

    def call(self, x: Any) -> Any:
        return self.heads["a"](self.base(x))


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [sequential, functional, Subclassed])
def test_models(make: Callable[[], Any], way: str, used: bool) -> None:
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    model(X)
    if used:
        model.fit(X, Y, verbose=0)
        model.predict(X, verbose=0)
    copied = WAYS[way](model)
    want, config = model.predict(X, verbose=0), [w.shape for w in model.weights]
    if way != "copy":
        before = copied.get_weights()
        model.fit(X, Y, verbose=0)
        assert all(np.array_equal(a, b) for a, b in zip(before, copied.get_weights(), strict=True))
    del model
    overwritten()
    np.testing.assert_array_equal(copied.predict(X, verbose=0), want)
    assert [w.shape for w in copied.weights] == config
    losses_after = copied.fit(X, Y, epochs=3, verbose=0).history["loss"]
    assert np.all(np.isfinite(losses_after))
    copied.summary(print_fn=lambda text: None)


@pytest.mark.parametrize("way", DEEP)
def test_copies_of_models_train_as_their_originals(way: str) -> None:
    model = sequential()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0, shuffle=False)
    copied = DEEP[way](model)
    for each in (model, copied):
        each.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), copied.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("way", DEEP)
def test_models_of_many_layers(way: str) -> None:
    shared = layers.Dense(4)
    x = inputs = graphc.Input((4,))
    for _ in range(300):
        x = layers.Activation("relu")(x)
    model = graphc.Model(inputs, shared(shared(inputs) + x))
    copied = DEEP[way](model)
    assert len(copied.layers) == len(model.layers) and copied.layers[-1] is not model.layers[-1]
    np.testing.assert_array_equal(copied(X).numpy(), model(X).numpy())


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_variables(way: str, used: bool) -> None:
    variable = graphc.Variable(np.arange(5, dtype="float32"), name="v")
    add = graphc.function(variable.assign_add)
    if used:
        add(np.ones(5, "float32"))
    copied = WAYS[way](variable)
    want = variable.numpy()
    add(np.ones(5, "float32"))
    np.testing.assert_array_equal(copied.numpy(), want)
    copied.assign(want + 10)
    np.testing.assert_array_equal(variable.numpy(), want + 1)
    del variable, add
    overwritten()
    np.testing.assert_array_equal(graphc.function(lambda: copied + 0.0)().numpy(), want + 10)


@pytest.mark.parametrize("way", DEEP)
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(3),
        lambda: layers.LSTM(3, return_sequences=True),
        lambda: layers.Bidirectional(layers.GRU(2, recurrent_dropout=0.1)),
        lambda: layers.MultiHeadAttention(2, 3),
        lambda: layers.BatchNormalization(),
        lambda: layers.Embedding(5, 2),
    ],
)
def test_layers(make: Callable[[], Any], way: str) -> None:
    layer = make()
    ids = np.arange(5).reshape(1, 5)
    x = ids if isinstance(layer, layers.Embedding) else np.ones((1, 5, 4), "float32")
    args = (x, x) if isinstance(layer, layers.MultiHeadAttention) else (x,)
    assert type(DEEP[way](layer)) is type(layer)  # without weights
    want = layer(*args).numpy()
    copied = DEEP[way](layer)
    for weight in layer.weights:
        weight.assign(weight * 0 + 9)
    del layer
    overwritten()
    np.testing.assert_array_equal(copied(*args).numpy(), want)


@pytest.mark.parametrize("way", DEEP)
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("make", [optimizers.SGD, optimizers.Adam, lambda: optimizers.RMSprop(momentum=0.9)])
def test_optimizers(make: Callable[[], Any], used: bool, way: str) -> None:
    optimizer, weight = make(), graphc.Variable(np.ones(3, "float32"))
    gradient = np.full(3, 0.5, "float32")
    optimizer.build([weight])
    if used:
        optimizer.apply([gradient])
    both, again = DEEP[way]((optimizer, weight))
    optimizer.apply([gradient])
    want = weight.numpy()
    del optimizer, weight
    overwritten()
    both.apply([gradient])
    np.testing.assert_array_equal(again.numpy(), want)


@pytest.mark.parametrize("way", DEEP)
@pytest.mark.parametrize("make", [metrics.MeanSquaredError, metrics.Mean])
def test_metrics(make: Callable[[], Any], way: str) -> None:
    metric = make()
    args = (Y[:, 0],) if type(metric) is metrics.Mean else (Y * 0, Y)
    metric.update_state(*args)
    copied = DEEP[way](metric)
    want = float(metric.result())
    metric.reset_state()
    assert float(copied.result()) == want
    assert float(DEEP[way](make()).result()) == 0


@pytest.mark.parametrize("way", WAYS)
def test_losses_and_histories(way: str) -> None:
    loss = WAYS[way](losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(float(loss(np.array([0, 1]), np.eye(2, dtype="float32"))))
    model = sequential()
    model.compile("sgd", losses.Huber())
    history = model.fit(X, Y, epochs=2, verbose=0)
    assert WAYS[way](history).history == history.history


def double(x: Any) -> Any:
    return x * 2


double = graphc.function(double)


@pytest.mark.parametrize("way", WAYS)
def test_compiled_functions_are_found_by_name(way: str) -> None:
    double(X)
    assert WAYS[way](double) is double
