"""Convolutions and their kin against Keras 3 on JAX: outputs, configurations, weights, and a step of training."""

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

FIRST = {"data_format": "channels_first"}
CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": "same"}, (2, 9, 3)),
    ("DepthwiseConv1D", {"kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST}, (2, 3, 9)),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, (2, 5, 6, 3)),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "padding": "same", "activation": "relu", **FIRST}, (2, 3, 5, 6)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, (2, 9, 3)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, (2, 9, 3)),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (2, 7, 8, 3)),
    ("SeparableConv2D", {"filters": 2, "kernel_size": (3, 2), "depthwise_regularizer": "l2", **FIRST}, (2, 3, 6, 5)),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3}, (2, 5, 3)),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 2, "strides": 3, "padding": "same"}, (2, 5, 3)),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 3, "output_padding": 1, **FIRST}, (2, 3, 5)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (2, 4, 5, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (1, 4), "strides": (3, 2), "activation": "relu"}, (2, 4, 5, 3)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "use_bias": False}, (2, 4, 5, 3)),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": (0, 1), "padding": "same", **FIRST},
        (2, 3, 4, 5),
    ),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}, (1, 2, 3, 2, 3)),
    ("ZeroPadding1D", {"padding": (2, 1)}, (2, 3, 4)),
    ("ZeroPadding1D", {"padding": 2, **FIRST}, (2, 3, 4)),
    ("ZeroPadding2D", {"padding": (1, 2)}, (1, 3, 4, 2)),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3)), **FIRST}, (1, 2, 3, 4)),
    ("ZeroPadding3D", {}, (1, 2, 3, 2, 2)),
    ("ZeroPadding3D", {"padding": (1, 0, 2), **FIRST}, (1, 2, 2, 3, 2)),
    ("Cropping1D", {}, (2, 5, 4)),
    ("Cropping1D", {"cropping": 2}, (2, 5, 4)),
    ("Cropping2D", {"cropping": (1, 0)}, (1, 5, 4, 2)),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1)), **FIRST}, (1, 2, 5, 4)),
    ("Cropping3D", {}, (1, 4, 5, 3, 2)),
    ("Cropping3D", {"cropping": ((1, 2), (0, 0), (0, 1)), **FIRST}, (1, 2, 4, 5, 3)),
    ("UpSampling1D", {"size": 3}, (2, 3, 4)),
    ("UpSampling2D", {"size": 3, "interpolation": "bilinear"}, (1, 4, 3, 2)),
    ("UpSampling2D", {"size": (2, 1), "interpolation": "bilinear", **FIRST}, (1, 2, 1, 3)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bicubic"}, (1, 4, 3, 2)),
    ("UpSampling2D", {"size": 2, "interpolation": "lanczos3", **FIRST}, (1, 2, 4, 3)),
    ("UpSampling3D", {}, (1, 2, 3, 2, 2)),
    ("UpSampling3D", {"size": (1, 2, 3), **FIRST}, (1, 2, 2, 3, 2)),
    ("GroupNormalization", {"groups": 3}, (2, 4, 5, 6)),
    ("GroupNormalization", {"groups": 2, "axis": 1, "center": False}, (3, 4, 5)),
    ("GroupNormalization", {"groups": -1, "scale": False, "beta_regularizer": "l2"}, (2, 5, 4)),
    ("UnitNormalization", {"axis": [1, 2]}, (2, 3, 4)),
    ("RMSNormalization", {"epsilon": 1e-3}, (2, 3, 5)),
    ("GlobalMaxPooling1D", {"keepdims": True}, (2, 4, 3)),
    ("GlobalMaxPooling3D", FIRST, (2, 3, 2, 4, 3)),
    ("GlobalAveragePooling3D", {}, (2, 2, 4, 3, 3)),
]


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _configured(layer: Any) -> Any:
    return {key: value for key, value in layer.get_config().items() if key != "name"}


def _with_equal_weights(ours: Any, theirs: Any) -> None:
    rng = np.random.default_rng(1)
    weights = [rng.uniform(-0.5, 1.0, w.shape).astype("float32") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=_name)
def test_layers(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    unknown = (None, *shape[1:])
    ours.build(unknown)
    theirs.build(unknown)
    assert tuple(ours.compute_output_shape(unknown)) == tuple(theirs.compute_output_shape(unknown))
    _with_equal_weights(ours, theirs)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.testing.assert_allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-4, atol=1e-5)
    assert _configured(ours) == _configured(theirs)
    assert [(w.name, w.path.split("/")[-1], tuple(w.shape)) for w in ours.weights] == [
        (w.name, w.path.split("/")[-1], tuple(w.shape)) for w in theirs.weights
    ]
    again = type(ours).from_config(ours.get_config())
    assert _configured(again) == _configured(ours)
    np.testing.assert_allclose(sum(map(float, ours.losses)), sum(map(float, theirs.losses)), rtol=1e-5)


STACKS: dict[str, tuple[tuple[int, ...], list[tuple[str, dict[str, Any]]]]] = {
    "sequences": (
        (8, 3),
        [
            ("ZeroPadding1D", {"padding": 1}),
            ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "activation": "tanh"}),
            ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
            ("GroupNormalization", {"groups": 2}),
            ("Conv1DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "activation": "tanh"}),
            ("Cropping1D", {}),
            ("UpSampling1D", {}),
        ],
    ),
    "images": (
        (5, 6, 3),
        [
            ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "activation": "tanh"}),
            ("UpSampling2D", {"interpolation": "bilinear"}),
            ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
            ("GroupNormalization", {"groups": 2}),
            ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 3), "strides": 2, "padding": "same"}),
            ("Cropping2D", {"cropping": 1}),
        ],
    ),
    "volumes": (
        (3, 2, 3, 2),
        [
            ("Conv3DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2, "activation": "tanh"}),
            ("Cropping3D", {}),
            ("ZeroPadding3D", {}),
            ("UpSampling3D", {}),
        ],
    ),
}


@pytest.mark.parametrize("kind", STACKS)
def test_a_step_of_training_changes_every_weight_alike(kind: str) -> None:
    shape, stack = STACKS[kind]
    models = []
    for module in (graphc, keras):
        parts = [getattr(module.layers, name)(**options) for name, options in stack]
        model = module.Sequential([module.Input(shape), *parts, module.layers.Flatten(), module.layers.Dense(2)])
        model.compile(module.optimizers.SGD(0.5), "mse")
        models.append(model)
    ours, theirs = models
    _with_equal_weights(ours, theirs)
    before = ours.get_weights()
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(4, *shape)).astype("float32"), rng.normal(size=(4, 2)).astype("float32")
    losses = [float(model.train_on_batch(x, y)) for model in models]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    for old, a, b, weight in zip(before, ours.get_weights(), theirs.get_weights(), ours.weights, strict=True):
        step = np.abs(b - old).max()
        assert step > 0, weight.path
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-3 * step, err_msg=weight.path)


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
