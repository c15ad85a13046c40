"""Layers against Keras 3 on JAX: same weights, same input, same output; same configuration."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from graphc import initializers, layers

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Dense", {"units": 3, "activation": "relu"}, (2, 4)),
    ("Dense", {"units": 3, "use_bias": False, "kernel_regularizer": "l2", "bias_constraint": "non_neg"}, (2, 5, 4)),
    ("Flatten", {}, (2, 3, 4)),
    ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5)),
    ("Reshape", {"target_shape": (2, -1)}, (3, 8)),
    ("Rescaling", {"scale": 0.5, "offset": 1.0}, (2, 3)),
    ("Rescaling", {"scale": [0.5, 2.0], "offset": [1.0, 0.0]}, (3, 2)),
    ("Activation", {"activation": "tanh"}, (2, 3)),
    ("Dropout", {"rate": 0.5}, (2, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same"}, (2, 9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (2, 9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "padding": "causal", "data_format": "channels_first"}, (2, 3, 9)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "strides": 2}, (2, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, (2, 7, 8, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "strides": 2, "padding": "same"}, (2, 7, 8, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "groups": 2}, (2, 7, 8, 4)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}, (2, 3, 7, 8)),
    ("Conv3D", {"filters": 2, "kernel_size": 2}, (1, 4, 5, 4, 2)),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, (2, 5, 6, 3)),
    ("MaxPooling1D", {"pool_size": 2}, (2, 9, 3)),
    ("MaxPooling2D", {}, (2, 7, 8, 3)),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 7, 8, 3)),
    ("AveragePooling2D", {"pool_size": 2}, (2, 7, 8, 3)),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 7, 8, 3)),
    ("AveragePooling3D", {"pool_size": 2}, (1, 4, 4, 4, 2)),
    ("AdaptiveAveragePooling1D", {"output_size": 3}, (2, 7, 3)),
    ("AdaptiveAveragePooling2D", {"output_size": (3, 2), "data_format": "channels_first"}, (2, 3, 7, 5)),
    ("AdaptiveAveragePooling3D", {"output_size": 2}, (1, 5, 4, 3, 2)),
    ("AdaptiveMaxPooling1D", {"output_size": 4}, (2, 7, 3)),
    ("AdaptiveMaxPooling2D", {"output_size": 3}, (2, 7, 5, 3)),
    ("AdaptiveMaxPooling3D", {"output_size": (1, 2, 3)}, (1, 5, 4, 3, 2)),
    ("Resizing", {"height": 4, "width": 5}, (2, 9, 7, 3)),
    ("Resizing", {"height": 11, "width": 5, "antialias": True, "interpolation": "bicubic"}, (2, 9, 7, 3)),
    ("Resizing", {"height": 4, "width": 8, "crop_to_aspect_ratio": True}, (2, 9, 7, 3)),
    ("Resizing", {"height": 4, "width": 8, "pad_to_aspect_ratio": True, "fill_value": 0.5}, (2, 9, 7, 3)),
    ("CenterCrop", {"height": 4, "width": 5}, (2, 9, 7, 3)),
    ("CenterCrop", {"height": 12, "width": 5}, (2, 9, 7, 3)),
    ("CenterCrop", {"height": 3, "width": 3, "data_format": "channels_first"}, (2, 3, 9, 7)),
    ("AlphaDropout", {"rate": 0.5}, (2, 3)),
    ("Discretization", {"bin_boundaries": [0.25, 0.5, 0.75], "output_mode": "count"}, (2, 5)),
    ("GlobalAveragePooling2D", {"keepdims": True}, (2, 4, 5, 3)),
    ("GlobalAveragePooling1D", {}, (2, 4, 3)),
    ("GlobalMaxPooling2D", {}, (2, 4, 5, 3)),
    ("BatchNormalization", {"momentum": 0.9, "epsilon": 1e-4}, (4, 5, 3)),
    ("BatchNormalization", {"axis": 1, "scale": False}, (4, 5, 3)),
    ("BatchNormalization", {"renorm": True, "renorm_clipping": {"rmin": 0.5, "rmax": 2.0, "dmax": 0.5}}, (4, 5, 3)),
    ("LayerNormalization", {}, (2, 3, 5)),
    ("LayerNormalization", {"axis": [1, 2], "center": False}, (2, 3, 5)),
    ("RMSNormalization", {}, (2, 5)),
    ("UnitNormalization", {}, (2, 5)),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1}, (2, 5)),
    ("LeakyReLU", {}, (2, 5)),
    ("ELU", {"alpha": 0.5}, (2, 5)),
    ("PReLU", {"alpha_initializer": "ones"}, (2, 5)),
    ("Softmax", {}, (2, 5)),
    ("Permute", {"dims": (2, 1)}, (2, 3, 4)),
    ("RepeatVector", {"n": 3}, (2, 4)),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, (1, 3, 4, 2)),
    ("Cropping2D", {"cropping": 1}, (1, 5, 4, 2)),
    ("UpSampling2D", {"size": (2, 3)}, (1, 3, 4, 2)),
    ("Identity", {}, (2, 3)),
    ("GaussianNoise", {"stddev": 0.1}, (2, 3)),
    ("GaussianDropout", {"rate": 0.1}, (2, 3)),
    ("SpatialDropout1D", {"rate": 0.1}, (2, 3, 2)),
    ("SpatialDropout2D", {"rate": 0.1}, (2, 3, 3, 2)),
    ("SpatialDropout3D", {"rate": 0.1, "data_format": "channels_first"}, (2, 3, 3, 2, 2)),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (2, 3)),
]
MERGING = [
    ("Add", {}),
    ("Subtract", {}),
    ("Multiply", {}),
    ("Average", {}),
    ("Maximum", {}),
    ("Minimum", {}),
    ("Concatenate", {"axis": 1}),
    ("Dot", {"axes": 1}),
    ("Dot", {"axes": -1, "normalize": True}),
]


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def configured(layer: Any) -> Any:
    return {key: value for key, value in layer.get_config().items() if key != "name"}


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=name_of)
def test_outputs_and_configurations(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    expected = theirs(x)
    found = ours(x)
    if theirs.get_weights():
        rng = np.random.default_rng(1)
        weights = [rng.uniform(0.5, 1.5, w.shape).astype("float32") for w in theirs.get_weights()]
        theirs.set_weights(weights)
        ours.set_weights(weights)
        expected, found = theirs(x), ours(x)
    np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-5, atol=1e-5)
    assert configured(ours) == configured(theirs)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert tuple(ours.compute_output_shape((None, *shape[1:]))) == tuple(
        theirs.compute_output_shape((None, *shape[1:]))
    )
    again = type(ours).from_config(ours.get_config())
    assert configured(again) == configured(ours)
    np.testing.assert_allclose(sum(map(float, ours.losses)), sum(map(float, theirs.losses)), rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), MERGING, ids=name_of)
def test_merging(name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    rng = np.random.default_rng(0)
    pair = [rng.normal(size=(2, 3)).astype("float32") for _ in range(2)]
    np.testing.assert_allclose(ours(pair).numpy(), np.asarray(theirs(pair)), rtol=1e-5, atol=1e-6)
    assert configured(ours) == configured(theirs)


def test_embedding() -> None:
    ours, theirs = layers.Embedding(7, 3), keras.layers.Embedding(7, 3)
    indices = np.array([[1, 6], [0, 2]])
    theirs(indices)
    ours(indices)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours(indices).numpy(), np.asarray(theirs(indices)))
    assert configured(ours) == configured(theirs)


RENORM = {"renorm": True, "renorm_clipping": {"rmin": 0.9, "rmax": 1.4, "dmax": 0.5}, "renorm_momentum": 0.8}


@pytest.mark.parametrize(
    ("name", "options"), [("BatchNormalization", {}), ("BatchNormalization", RENORM), ("LayerNormalization", {})]
)
def test_training_of_normalizations(name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    x = np.random.default_rng(0).normal(3, 2, (6, 4)).astype("float32")
    call = {"training": True} if name == "BatchNormalization" else {}
    for step in range(3 if options else 0):
        np.testing.assert_allclose(ours(x * step, **call), np.asarray(theirs(x * step, **call)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours(x, **call).numpy(), np.asarray(theirs(x, **call)), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_initializers_have_the_spread_of_keras_s() -> None:
    shape = (64, 96)
    for name in ("glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"):
        ours = initializers.get(name)(shape).numpy()
        theirs = np.asarray(keras.initializers.get(name)(shape))
        assert abs(ours.mean()) < 0.01
        np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.05, err_msg=name)
        assert abs(ours).max() <= abs(theirs).max() * 1.05
        assert initializers.get(name).get_config() == keras.initializers.get(name).get_config()
