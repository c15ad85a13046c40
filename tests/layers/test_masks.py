"""Masks from layer to layer, and in losses and metrics, against Keras 3 on JAX."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, losses, metrics
from graphc.tracing import as_tensor, get_mask, set_mask
from tests.support.sessions import fresh_names

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

WORDS = np.array([[3, 1, 2, 0, 0], [1, 4, 0, 0, 0], [2, 2, 1, 4, 3]], "int32")
MASK = WORDS != 0


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def masked(api: Any, x: Any, mask: Any) -> Any:
    """A tensor with a mask on it."""
    if api is graphc:
        tensor: Any = as_tensor(x)
        set_mask(tensor, as_tensor(mask))
        return tensor
    tensor = keras.ops.convert_to_tensor(x)
    tensor._keras_mask = keras.ops.convert_to_tensor(mask)
    return tensor


def same_masks(ours: Any, theirs: Any) -> None:
    found, expected = get_mask(ours), getattr(theirs, "_keras_mask", None)
    assert (found is None) == (expected is None)
    if expected is not None:
        np.testing.assert_array_equal(found.numpy(), np.asarray(expected))
    np.testing.assert_allclose(ours.numpy(), np.asarray(theirs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
@pytest.mark.parametrize("both", [False, True])
def test_merging(name: str, both: bool) -> None:
    x, y, other = normal(3, 5, 2), normal(3, 5, 2, seed=1), MASK[:, ::-1].copy()
    results = []
    for api in (graphc, keras):
        second = masked(api, y, other) if both else masked(api, y, np.ones_like(other))
        if not both:
            second = as_tensor(y) if api is graphc else keras.ops.convert_to_tensor(y)
        results.append(getattr(api.layers, name)()([masked(api, x, MASK), second]))
    same_masks(*results)


def test_a_layer_that_knows_no_masks_warns() -> None:
    with pytest.warns(UserWarning, match="does not support masks"):
        result = layers.Flatten()(masked(graphc, normal(3, 5, 2), MASK))
    assert get_mask(result) is None


def test_training_of_a_masked_normalization() -> None:
    results = []
    x = normal(3, 5, 2)
    for api in (graphc, keras):
        layer = api.layers.BatchNormalization()
        same = layer(masked(api, x, MASK), training=True)
        results.append((same, layer.get_weights()))
    same_masks(results[0][0], results[1][0])
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_attention_takes_masks_from_its_tensors() -> None:
    x = normal(3, 5, 4)
    mine, other = layers.MultiHeadAttention(2, 3), keras.layers.MultiHeadAttention(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine(masked(graphc, x, MASK), masked(graphc, x, MASK))
    other(x, x)
    mine.set_weights(other.get_weights())
    found = mine(masked(graphc, x, MASK), masked(graphc, x, MASK))
    expected = other(masked(keras, x, MASK), masked(keras, x, MASK))
    same_masks(found, expected)


def test_losses_and_metrics_count_what_is_not_masked() -> None:
    y = np.random.default_rng(2).integers(0, 4, (3, 5)).astype("int32")
    p = np.exp(normal(3, 5, 4))
    p /= p.sum(-1, keepdims=True)
    weights = np.array([1.0, 2.0, 0.5], "float32")
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        for weight in (None, weights[:, None] * np.ones((3, 5), "float32")):
            found, expected = (
                float(api.SparseCategoricalCrossentropy(reduction=reduction)(y, masked(base, p, MASK), weight))
                for api, base in ((losses, graphc), (keras.losses, keras))
            )
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    results = []
    for api, base in ((metrics, graphc), (keras.metrics, keras)):
        metric = api.SparseCategoricalAccuracy()
        metric.update_state(y, masked(base, p, MASK))
        metric.update_state(y, masked(base, p, MASK), weights[:, None])
        results.append(float(metric.result()))
    np.testing.assert_allclose(*results, rtol=1e-6)
    found, expected = (float(api.SparseCategoricalCrossentropy(ignore_class=1)(y, p)) for api in (losses, keras.losses))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def tagger(api: Any) -> Any:
    """A tag for every word; 0 is no word."""
    return api.Sequential(
        [
            api.Input((5,), dtype="int32"),
            api.layers.Embedding(5, 4, mask_zero=True),
            api.layers.Dropout(0.0),
            api.layers.Bidirectional(api.layers.GRU(3, return_sequences=True)),
            api.layers.Dense(4, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_a_model_trains_on_what_is_not_masked(backend: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([WORDS] * 8)
    y = rng.integers(0, 4, x.shape).astype("int32")
    mine, other = tagger(graphc), tagger(keras)
    mine.set_weights(other.get_weights())
    losses, results = [], []
    with graphc.backend(backend):
        for model in (mine, other):
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            losses.append(model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"])
            results.append(model.evaluate(x, y, batch_size=8, verbose=0))
    np.testing.assert_allclose(*losses, rtol=1e-4)
    # Keras on JAX drops masks on the way to the metrics of training, and keeps them in evaluation.
    np.testing.assert_allclose(*results, rtol=1e-4)


def test_a_mask_of_a_model_s_input() -> None:
    inputs = layers.Input((5, 2))
    layer = layers.LSTM(3)
    model = graphc.Model(inputs, layer(inputs))
    x = normal(3, 5, 2)
    np.testing.assert_allclose(model(x, mask=MASK).numpy(), layer(x, mask=MASK).numpy(), rtol=1e-6)


def translator(api: Any) -> Any:
    """An encoder whose states a decoder starts from, with attention between them."""
    words, before = api.Input((5,), dtype="int32"), api.Input((4,), dtype="int32")
    read = api.layers.Embedding(5, 4, mask_zero=True)(words)
    _, h, c = api.layers.LSTM(3, return_state=True)(read)
    heard = api.layers.Bidirectional(api.layers.GRU(2, return_sequences=True))(read)
    said = api.layers.Embedding(5, 4, mask_zero=True)(before)
    said = api.layers.LSTM(3, return_sequences=True)(said, initial_state=[h, c])
    seen = api.layers.Attention()([api.layers.Dense(4)(said), heard])
    both = api.layers.Concatenate()([said, seen])
    return api.Model([words, before], api.layers.TimeDistributed(api.layers.Dense(5, activation="softmax"))(both))


@pytest.mark.slow
def test_encoder_and_decoder() -> None:
    fresh_names()
    rng = np.random.default_rng(0)
    x, y = [np.concatenate([WORDS] * 4), rng.integers(0, 5, (12, 4))], rng.integers(0, 5, (12, 4))
    mine, other = translator(graphc), translator(keras)
    assert [w.path for w in mine.weights] == [w.path for w in other.weights]
    mine.set_weights(other.get_weights())
    curves = []
    with graphc.backend("numpy"):
        for model in (mine, other):
            model.compile("adam", "sparse_categorical_crossentropy")
            curves.append(model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0).history["loss"])
        np.testing.assert_allclose(mine.predict(x, verbose=0), other.predict(x, verbose=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(*curves, rtol=1e-4)


def masked_states(api: Any) -> Any:
    """A model that hands the mask of one tensor to a layer of another, and returns it, too."""
    words = api.Input((None,), dtype="int32")
    vectors = api.layers.Embedding(10, 4, mask_zero=True)(words)
    mask = api.layers.Dense(4)(vectors)._keras_mask
    states = api.layers.LSTM(3, return_sequences=True)(vectors * 1.0, mask=mask)
    joined = api.layers.Concatenate(axis=1)([vectors, api.layers.Dense(4)(api.ops.ones_like(vectors))])
    return api.Model(words, [states, mask, joined._keras_mask])


def test_masks_of_symbolic_tensors_are_tensors_of_the_model() -> None:
    fresh_names()
    mine, other = masked_states(graphc), masked_states(keras)
    assert [layer.name for layer in mine.layers] == [layer.name for layer in other.layers]
    mine.set_weights(other.get_weights())
    for a, b in zip(mine(WORDS), other(WORDS), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    copy = graphc.Model.from_config(mine.get_config())
    copy.set_weights(mine.get_weights())
    for a, b in zip(copy.predict(WORDS, verbose=0), mine.predict(WORDS, verbose=0), strict=True):
        np.testing.assert_array_equal(a, b)
