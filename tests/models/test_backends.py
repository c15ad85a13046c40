"""Models on every backend: the same results, the same bits each time, the same dropout masks everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers

BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
OTHERS = BACKENDS[1:]


def trained(backend: str) -> tuple[list[np.ndarray[Any, Any]], list[float], np.ndarray[Any, Any]]:
    """The weights, the losses and a prediction after two epochs of a small network with all sorts of layers."""
    graphc.utils.set_random_seed(7)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(21, 8, 8, 2)).astype("float32"), rng.integers(0, 3, 21)
    with graphc.backend(backend):
        model = graphc.Sequential(
            [
                graphc.Input((8, 8, 2)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dropout(0.4),
                layers.LayerNormalization(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        return model.get_weights(), history.history["loss"], model.predict(x, verbose=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_gives_the_same_bits(backend: str) -> None:
    first, second = trained(backend), trained(backend)
    assert first[1] == second[1]
    for a, b in zip([*first[0], first[2]], [*second[0], second[2]], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", OTHERS)
def test_backends_agree(backend: str) -> None:
    reference, other = trained("numpy"), trained(backend)
    np.testing.assert_allclose(other[1], reference[1], rtol=1e-4)
    for a, b in zip([*other[0], other[2]], [*reference[0], reference[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


def masks(backend: str) -> np.ndarray[Any, Any]:
    """What two steps of training let through: the moving sums of a layer that adds up what it gets."""

    class Collect(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.seen = self.add_weight(shape=(50,), initializer="zeros", trainable=False, name="seen")

        def call(self, x: Any) -> Any:
            kept = graphc.ops.sum(graphc.ops.cast(x > 0, "float32"), axis=0)
            self.seen.assign(self.seen * 2 + kept)
            return graphc.ops.sum(x, axis=-1, keepdims=True)

    graphc.utils.set_random_seed(11)
    with graphc.backend(backend):
        collect = Collect()
        model = graphc.Sequential([graphc.Input((50,)), layers.Dropout(0.5), collect, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((2, 50), "float32"), np.zeros((2, 1), "float32"), batch_size=1, verbose=0, shuffle=False)
        return np.asarray(collect.seen.numpy())


@pytest.mark.parametrize("backend", OTHERS)
def test_dropout_masks_are_the_same_bits(backend: str) -> None:
    reference = masks("numpy")
    assert len(np.unique(reference)) == 4  # kept in both steps, in one, in the other, in none
    np.testing.assert_array_equal(masks(backend), reference)


def interrupted(backend: str) -> list[np.ndarray[Any, Any]]:
    """The weights after an epoch in whose first step a callback trains, evaluates and predicts as well."""
    x = np.random.default_rng(5).normal(size=(11, 3)).astype("float32")
    with graphc.backend(backend):
        model = graphc.Sequential([graphc.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
        model.compile("sgd", "mse")

        def act(step: int, logs: Any) -> None:
            if step == 1:
                model.train_on_batch(x[:4], x[:4, :2])
                model.evaluate(x, x[:, :2], batch_size=4, verbose=0)
                model.predict(x, batch_size=4, verbose=0)

        hook = graphc.callbacks.LambdaCallback(on_train_batch_end=act)
        model.fit(x, x[:, :2], batch_size=3, shuffle=False, verbose=0, callbacks=[hook])
        return list(model.get_weights())


@pytest.mark.parametrize("backend", OTHERS)
def test_a_callback_may_use_the_model_between_two_steps(backend: str) -> None:
    for a, b in zip(interrupted(backend), interrupted("numpy"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
