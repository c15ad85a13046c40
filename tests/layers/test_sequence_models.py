"""Whole models of sequences against Keras 3 on JAX: from equal weights, equal curves and weights."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config
from tests.support.sessions import fresh_names

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

WORDS, STEPS = 30, 12


def classifier(api: Any) -> Any:
    """Words to one probability, through an LSTM."""
    return api.Sequential(
        [
            api.Input((STEPS,), dtype="int32"),
            api.layers.Embedding(WORDS, 6),
            api.layers.LSTM(7),
            api.layers.Dense(1, activation="sigmoid"),
        ]
    )


def position_layer(api: Any) -> Any:
    """A layer of the user with a layer in it, as programs for Keras write it."""

    class PosEmb(api.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, steps: int, size: int) -> None:
            super().__init__()
            self.steps = steps
            self.e = api.layers.Embedding(steps, size)

        def build(self, shape: Any) -> None:
            self.e.build((None,))
            super().build(shape)

        def call(self, x: Any) -> Any:
            return x + self.e(api.ops.arange(self.steps))

    return PosEmb(STEPS, 8)


def language_model(api: Any) -> Any:
    """Words to the next words, through causal attention."""
    layers = api.layers
    inputs = layers.Input((STEPS,), dtype="int32")
    h = position_layer(api)(layers.Embedding(WORDS, 8)(inputs))
    z = layers.LayerNormalization(epsilon=1e-5)(h)
    h = layers.Add()([h, layers.MultiHeadAttention(2, 4)(z, z, use_causal_mask=True)])
    z = layers.LayerNormalization(epsilon=1e-5)(h)
    h = layers.Add()([h, layers.Dense(8)(layers.Dense(16, activation="gelu")(z))])
    return api.Model(inputs, layers.Dense(WORDS)(layers.LayerNormalization(epsilon=1e-5)(h)))


def compiled(api: Any, model: Any, name: str) -> Any:
    if name == "classifier":
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    else:
        loss = api.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(api.optimizers.AdamW(1e-3, weight_decay=0.01), loss, metrics=["accuracy"])
    return model


def batches(name: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, WORDS, (40, STEPS + 1)).astype("int32")
    return (x[:, :-1], x[:, 1:]) if name == "model" else (x[:, 1:], (x[:, 0] % 2).astype("float32"))


@pytest.mark.parametrize("backend", ["cpu", pytest.param("numpy", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "make"), [("classifier", classifier), ("model", language_model)])
def test_training(name: str, make: Any, backend: str) -> None:
    fresh_names()
    mine, other = make(graphc), make(keras)
    assert [w.path for w in mine.weights] == [w.path for w in other.weights]
    assert [w.shape for w in mine.weights] == [tuple(w.shape) for w in other.weights]
    mine.set_weights(other.get_weights())
    x, y = batches(name)
    histories = []
    with config.override(backend=backend):
        for api, model in ((graphc, mine), (keras, other)):
            fitted = compiled(api, model, name).fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0)
            histories.append(fitted.history)
        np.testing.assert_allclose(mine.predict(x, verbose=0), other.predict(x, verbose=0), rtol=2e-3, atol=2e-4)
    for key, values in histories[1].items():
        np.testing.assert_allclose(histories[0][key], values, rtol=2e-4, err_msg=key)
    for a, b in zip(mine.weights, other.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=5e-3, atol=5e-4, err_msg=a.path)
