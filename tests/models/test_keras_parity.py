"""Training curves against Keras 3 on JAX: same weights, same batches, same losses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, optimizers
from graphc.codegen.cpu.winograd import tiling
from tests.support.sessions import fresh_names

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

STEPS = 50


def mlp(api: Any) -> Any:
    return api.Sequential(
        [
            api.Input((8, 8)),
            api.layers.Rescaling(1 / 16),
            api.layers.Flatten(),
            api.layers.Dense(32, activation="relu"),
            api.layers.Dense(10, activation="softmax"),
        ]
    )


def convnet(api: Any) -> Any:
    return api.Sequential(
        [
            api.Input((12, 12, 1)),
            api.layers.Rescaling(1 / 16),
            api.layers.Conv2D(4, 3, activation="relu"),
            api.layers.MaxPooling2D(2),
            api.layers.Conv2D(8, 3, activation="relu", padding="same"),
            api.layers.MaxPooling2D(2),
            api.layers.Flatten(),
            api.layers.Dense(10, activation="softmax"),
        ]
    )


def residual_net(api: Any) -> Any:
    """Enough channels for convolutions with fewer multiplications, and sides that tiles of 2 do and do not divide."""
    inputs = api.Input((12, 12, 1))
    x = api.layers.Conv2D(16, 3, activation="relu")(api.layers.Rescaling(1 / 16)(inputs))
    y = api.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    y = api.layers.Conv2D(16, 3, padding="same")(y)
    x = api.layers.Activation("relu")(api.layers.Add()([x, y]))
    x = api.layers.Conv2D(20, 2, activation="relu")(x)
    x = api.layers.Conv2D(32, 3, activation="relu")(x)
    x = api.layers.Dense(10, activation="softmax")(api.layers.GlobalAveragePooling2D()(x))
    return api.Model(inputs, x)


def data(shape: tuple[int, ...], count: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 17, (count, *shape)).astype(np.uint8), rng.integers(0, 10, count)


def curves(make: Any, shape: tuple[int, ...], ours: Any, theirs: Any, batch: int = 16) -> tuple[Any, Any]:
    """The loss of each step in both libraries."""
    mine, other = make(graphc), make(keras)
    mine.set_weights(other.get_weights())
    x, y = data(shape, STEPS * batch)
    # A shift of some classes, so that there is something to learn.
    y = (y // 3 + x.reshape(len(x), -1)[:, 0] // 6) % 10
    results = []
    for model, optimizer in ((mine, ours), (other, theirs)):
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        losses = []
        for start in range(0, len(x), batch):
            model.reset_metrics()
            losses.append(model.train_on_batch(x[start : start + batch], y[start : start + batch]))
        results.append(np.array(losses))
    for a, b in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    return results[0], results[1]


OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.05}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    ("Adam", {}),
    ("AdamW", {"weight_decay": 0.01}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=lambda x: x if isinstance(x, str) else "")
def test_mlp(name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(optimizers, name)(**options), getattr(keras.optimizers, name)(**options)
    mine, other = curves(mlp, (8, 8), ours, theirs)
    np.testing.assert_allclose(mine[:, 0], other[:, 0], rtol=1e-4)
    np.testing.assert_allclose(mine[:, 1], other[:, 1], atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_convnet(name: str) -> None:
    mine, other = curves(convnet, (12, 12, 1), getattr(optimizers, name)(), getattr(keras.optimizers, name)())
    np.testing.assert_allclose(mine[:, 0], other[:, 0], rtol=1e-4)


@pytest.mark.parametrize(
    "fewest_tiles",
    [
        pytest.param(tiling.FEWEST_TILES, id="winograd", marks=pytest.mark.slow),
        pytest.param(1 << 30, id="direct"),
    ],
)
def test_residual_net(fewest_tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "FEWEST_TILES", fewest_tiles)
    with graphc.config.override(cache_dir=tmp_path):
        mine, other = curves(residual_net, (12, 12, 1), optimizers.SGD(), keras.optimizers.SGD())
    np.testing.assert_allclose(mine[:, 0], other[:, 0], rtol=1e-4)


def test_fit_without_shuffle() -> None:
    mine, other = mlp(graphc), mlp(keras)
    mine.set_weights(other.get_weights())
    x, y = data((8, 8), 100)
    weights = np.random.default_rng(1).uniform(0.5, 2, 80).astype("float32")
    histories = []
    for model in (mine, other):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["acc"])
        history = model.fit(
            x[:80],
            y[:80],
            batch_size=32,
            epochs=3,
            shuffle=False,
            verbose=0,
            validation_data=(x[80:], y[80:]),
            sample_weight=weights,
        )
        histories.append(history.history)
    assert list(histories[0]) == list(histories[1])
    for key, values in histories[1].items():
        np.testing.assert_allclose(histories[0][key], values, rtol=1e-4, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(mine.predict(x[:7], verbose=0), other.predict(x[:7], verbose=0), rtol=1e-4, atol=1e-6)
    ours, theirs = (model.evaluate(x, y, verbose=0) for model in (mine, other))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_several_outputs() -> None:
    def make(api: Any) -> Any:
        a, b = api.Input((4,), name="a"), api.Input((4,), name="b")
        shared = api.layers.Dense(5, activation="tanh", name="shared")
        x = api.layers.Concatenate()([shared(a), shared(b)])
        y = api.layers.Dense(2, name="first")(api.layers.Add()([x, x]))
        z = api.layers.Dense(1, activation="sigmoid", name="second", kernel_regularizer="l2")(x)
        return api.Model([a, b], [y, z])

    # Automatic names count what was made before.
    fresh_names()
    mine, other = make(graphc), make(keras)
    assert [layer.name for layer in mine.layers] == [layer.name for layer in other.layers]
    assert [w.path for w in mine.weights] == [w.path for w in other.weights]
    mine.set_weights(other.get_weights())
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(20, 4)).astype("float32") for _ in range(2)]
    targets = [rng.normal(size=(20, 2)), rng.integers(0, 2, (20, 1))]
    results = []
    for model in (mine, other):
        model.compile(
            "sgd", ["mse", "binary_crossentropy"], loss_weights=[1.0, 0.5], metrics=[["mae"], ["accuracy", "mse"]]
        )
        results.append(model.fit(inputs, targets, epochs=2, shuffle=False, verbose=0, batch_size=8).history)
    assert list(results[0]) == list(results[1])
    for key, values in results[1].items():
        np.testing.assert_allclose(results[0][key], values, rtol=1e-4, err_msg=key)


def test_batch_normalization_trains_as_keras_does() -> None:
    def make(api: Any) -> Any:
        return api.Sequential(
            [api.Input((6,)), api.layers.Dense(5), api.layers.BatchNormalization(momentum=0.8), api.layers.Dense(3)]
        )

    mine, other = make(graphc), make(keras)
    mine.set_weights(other.get_weights())
    rng = np.random.default_rng(0)
    x, y = rng.normal(2, 3, (64, 6)).astype("float32"), rng.normal(size=(64, 3)).astype("float32")
    results = []
    for model in (mine, other):
        model.compile("sgd", "mse")
        history = model.fit(x, y, epochs=3, shuffle=False, verbose=0, batch_size=24).history
        results.append((history["loss"], model.evaluate(x, y, verbose=0)))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-4)
    for a, b in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_configurations_are_keras_s() -> None:
    mine, other = mlp(graphc), mlp(keras)
    for a, b in zip(mine.layers, other.layers, strict=True):
        assert graphc.layers.serialize(a)["config"] | {"name": ""} == b.get_config() | {"name": ""}
    assert layers.deserialize(graphc.layers.serialize(mine.layers[2])).units == 32


def test_layers_frozen_before_and_after_they_are_built() -> None:
    told = []
    for module in (graphc, keras):
        found: list[list[str]] = []

        def note(model: Any, found: list[list[str]] = found) -> None:
            found.append([w.path for w in model.trainable_weights])
            found.append([w.path for w in model.non_trainable_weights])

        def network(module: Any = module, frozen: bool = False, **options: Any) -> Any:
            first = module.layers.Conv2D(4, 3, name="c", **options)
            first.trainable = first.trainable and not frozen
            inner = [module.Input((8, 8, 3)), first, module.layers.Flatten(), module.layers.Dense(2, name="d")]
            return module.Sequential(inner, name="s")

        for model in (network(frozen=True), network(trainable=False)):
            note(model)
            model.layers[0].trainable = True
            note(model)
            model.layers[0].kernel.trainable = False
            note(model)
            model.trainable = False
            note(model)
            model.trainable = True
            note(model)
        told.append(found)
    assert told[0] == told[1]
