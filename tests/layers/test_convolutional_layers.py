"""Spectral normalization beside Keras 3 on JAX, and what convolutions and their kin refuse."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import ArgumentError, ShapeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")


def _configured(layer: Any) -> Any:
    return {key: value for key, value in layer.get_config().items() if key != "name"}


def _with_equal_weights(ours: Any, theirs: Any) -> None:
    rng = np.random.default_rng(1)
    weights = [rng.uniform(-0.5, 1.0, w.shape).astype("float32") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)


def test_spectral_normalization_calls() -> None:
    ours = layers.SpectralNormalization(layers.Conv2D(4, 2), power_iterations=2)
    theirs = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 2), power_iterations=2)
    for layer in (ours, theirs):
        layer.build((None, 5, 5, 3))
    assert [(w.name, tuple(w.shape)) for w in ours.weights] == [(w.name, tuple(w.shape)) for w in theirs.weights]
    _with_equal_weights(ours, theirs)
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    for training in (False, True, True, False):
        found, expected = ours(x, training=training).numpy(), np.asarray(theirs(x, training=training))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert ours.get_config()["power_iterations"] == 2
    again = layers.SpectralNormalization.from_config(ours.get_config())
    assert _configured(again.layer) == _configured(ours.layer)


def test_spectral_normalization_trains() -> None:
    """As Keras on TensorFlow, whose numbers these are: the kernel that the layer assigned is trained."""
    inside = layers.Dense(3, activation="tanh")
    model = graphc.Sequential([graphc.Input((4,)), layers.SpectralNormalization(inside), layers.Dense(2)])
    model.compile(graphc.optimizers.SGD(0.5), "mse")
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([_factor(shape, i) for i, shape in enumerate(shapes)])
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 4)).astype("float32"), rng.normal(size=(5, 2)).astype("float32")
    found = [model.train_on_batch(x, y) for _ in range(3)]
    np.testing.assert_allclose(found, [4.690698, 6.646546, 1.828167], rtol=1e-5)
    sums = [np.abs(w).sum() for w in model.get_weights()]
    np.testing.assert_allclose(sums, [2.607338, 1.356538, 2.956967, 4.810152, 2.361725], rtol=1e-5)


def _factor(shape: Any, i: int) -> Any:
    return np.random.default_rng(10 + i).normal(size=shape).astype("float32")


def test_what_cannot_be_used_is_named() -> None:
    for make in (
        lambda: layers.Conv2DTranspose(3, 3, strides=2, output_padding=2),
        lambda: layers.UpSampling2D(2, interpolation="cubic"),
        lambda: layers.Conv2DTranspose(0, 3),
        lambda: layers.Conv2DTranspose(3, 3, strides=2, dilation_rate=2),
        lambda: layers.Cropping1D((1,)),
        lambda: layers.RepeatVector(0),
        lambda: layers.Dropout(0.5, noise_shape=(2, -1)),
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2.0, "rmax": 1.0}),
        lambda: layers.ZeroPadding3D((1, 2)),
        lambda: layers.Cropping1D(-1),
        lambda: layers.DepthwiseConv1D(3, depth_multiplier=0),
        lambda: layers.GroupNormalization(0),
        lambda: layers.GroupNormalization(3).build((None, 4)),
        lambda: layers.SpectralNormalization(layers.Flatten()).build((None, 4)),
        lambda: layers.Wrapper("dense"),
    ):
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(ShapeError):
        layers.Cropping2D(2)(np.ones((1, 4, 4, 1), "float32"))
    with pytest.raises(ShapeError):
        ops.conv_transpose(np.ones((1, 4, 2), "float32"), np.ones((3, 5, 3), "float32"))
