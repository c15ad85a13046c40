"""Training curves over 100 steps beside Keras 3 on JAX: six kinds of models, all optimizers, same weights and batches.

No convolution before a normalization has a bias: its gradient is 0 but for rounding, which Adam and its kin make as
large as any other gradient, so that these weights differ, while losses do not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import graphc

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

STEPS, BATCH = 100, 16
COUNT = STEPS * BATCH


def _images() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(COUNT, 8, 8, 1)).astype("float32")
    return x, np.argmax(x[:, 2:6, 2:6, 0].reshape(COUNT, 4, 4).mean(axis=2), axis=1)


def _sequences() -> tuple[Any, Any]:
    x = np.random.default_rng(1).integers(0, 20, (COUNT, 6))
    return x, np.clip(x.mean(axis=1) - 7, 0, 4.9).astype("int64")


def _series() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    t = rng.uniform(0, 6, (COUNT, 1)) + np.arange(7) * 0.4
    values = (np.sin(t) + 0.1 * rng.normal(size=t.shape)).astype("float32")[..., None]
    return values[:, :-1], values[:, -1]


def _points() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(COUNT, 4)) @ rng.normal(size=(4, 20))
    x = (1 / (1 + np.exp(-x))).astype("float32")
    return x, x


def convnet(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((8, 8, 1)),
            layers.Conv2D(6, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(8, 2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("swish"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def resnet(api: Any) -> Any:
    layers = api.layers
    x = inputs = api.Input((8, 8, 1))
    for filters, strides in ((8, 1), (12, 2)):
        y = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        y = layers.Activation("gelu")(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        x = layers.Add()([layers.Conv2D(filters, 1, strides)(x), y])
        x = layers.Activation("softplus")(x)
    return api.Model(inputs, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def lstm(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((6,), dtype="int32"),
            layers.Embedding(20, 6),
            layers.LSTM(10),
            layers.Dense(5, activation="softmax"),
        ]
    )


def gru(api: Any) -> Any:
    layers = api.layers
    return api.Sequential([api.Input((6, 1)), layers.GRU(8, return_sequences=True), layers.GRU(6), layers.Dense(1)])


def transformer(api: Any) -> Any:
    layers = api.layers
    inputs = api.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8)(inputs)
    y = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    y = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    return api.Model(inputs, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def autoencoder(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((20,)),
            layers.Dense(12, activation="tanh"),
            layers.Dense(4, activation="linear"),
            layers.Dense(12, activation="elu"),
            layers.Dense(20, activation="sigmoid"),
        ]
    )


MODELS: dict[str, tuple[Callable[[Any], Any], Callable[[], tuple[Any, Any]], str]] = {
    "convnet": (convnet, _images, "sparse_categorical_crossentropy"),
    "resnet": (resnet, _images, "sparse_categorical_crossentropy"),
    "lstm": (lstm, _sequences, "sparse_categorical_crossentropy"),
    "gru": (gru, _series, "mse"),
    "transformer": (transformer, _sequences, "sparse_categorical_crossentropy"),
    "autoencoder": (autoencoder, _points, "binary_crossentropy"),
}


def _several(o: Any) -> Any:
    return o.MultiOptimizer(o.OptimizerMap(o.Adam(0.01), {".*kernel": o.SGD(0.05, momentum=0.9)}))


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda o: o.SGD(o.schedules.CosineDecay(0.05, 90), momentum=0.9, nesterov=True),
    "RMSprop": lambda o: o.RMSprop(0.002, momentum=0.5, centered=True, epsilon=1e-4),
    "Adam": lambda o: o.Adam(0.01, amsgrad=True, global_clipnorm=0.5),
    "AdamW": lambda o: o.AdamW(o.schedules.ExponentialDecay(0.01, 20, 0.7), weight_decay=0.05, use_ema=True),
    "Adagrad": lambda o: o.Adagrad(0.05, clipnorm=1.0),
    "Adadelta": lambda o: o.Adadelta(1.0),
    "Adamax": lambda o: o.Adamax(0.01, weight_decay=0.01),
    "Nadam": lambda o: o.Nadam(0.005),
    "Lion": lambda o: o.Lion(0.001),
    "Lamb": lambda o: o.Lamb(0.01),
    "Adafactor": lambda o: o.Adafactor(0.02),
    "Ftrl": lambda o: o.Ftrl(0.05, l2_regularization_strength=0.01),
    "Muon": lambda o: o.Muon(0.01),
    "ScheduleFreeAdamW": lambda o: o.ScheduleFreeAdamW(0.01, warmup_steps=10),
    "accumulating": lambda o: o.Adam(0.01, gradient_accumulation_steps=3, use_ema=True, ema_overwrite_frequency=5),
    "MultiOptimizer": _several,
}
CASES = [(name, optimizer) for name in MODELS for optimizer in OPTIMIZERS]


@cache
def _models(name: str) -> tuple[Any, Any, list[Any], tuple[Any, Any]]:
    """The model of both libraries, its first weights, and its data."""
    make, data, _ = MODELS[name]
    keras.utils.set_random_seed(1)
    mine, other = make(graphc), make(keras)
    return mine, other, other.get_weights(), data()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "optimizer"), CASES)
def test_curves(name: str, optimizer: str) -> None:
    mine, other, weights, (x, y) = _models(name)
    curves = []
    for library, model in ((graphc, mine), (keras, other)):
        model.set_weights(weights)
        model.compile(OPTIMIZERS[optimizer](library.optimizers), MODELS[name][2])
        curve = []
        for start in range(0, COUNT, BATCH):
            model.reset_metrics()
            curve.append(float(model.train_on_batch(x[start : start + BATCH], y[start : start + BATCH])))
        curves.append(curve)
    assert min(curves[1][-10:]) < curves[1][0]  # it learns, so that the comparison means something
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)
    # The last weights, too: those that no loss shows, such as moving statistics. Attention does not depend on the bias
    # of keys, whose gradient is zero but for roundings, of which Lion takes the sign.
    for weight, a, b in zip(mine.weights, mine.get_weights(), other.get_weights(), strict=True):
        if not weight.path.endswith("key/bias"):
            np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3)
