"""Embeddings that are reversed, and those that are given their table, beside Keras's on JAX."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import graphc
from graphc import layers
from tests.layers.keras_comparison import compare
from tests.support.sessions import fresh_names

INDICES = np.array([[1, 0, 4], [2, 2, 3]])
VECTORS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tie_weights": False, "embeddings_regularizer": "l2"},
        {"logit_soft_cap": 0.5, "mask_zero": True},
        {"reverse_dtype": "float16", "tie_weights": False},
    ],
)
def test_beside_keras(options: dict[str, Any], reverse: bool) -> None:
    fresh_names()
    ours, theirs = layers.ReversibleEmbedding(5, 4, **options), keras.layers.ReversibleEmbedding(5, 4, **options)
    if options.get("reverse_dtype") and reverse:
        for layer in (ours, theirs):
            layer.build((None,))
        ours.set_weights(theirs.get_weights())
        found, expected = ours(VECTORS, reverse=True), theirs(VECTORS, reverse=True)
        assert found.dtype == "float16"
        np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=2e-3, atol=2e-3)
        return
    compare(ours, theirs, VECTORS if reverse else INDICES, {"reverse": reverse})


def test_masks_and_models() -> None:
    table = layers.ReversibleEmbedding(5, 4, mask_zero=True)
    inputs = layers.Input((3,), dtype="int32")
    vectors = table(inputs)
    outputs = table(layers.LSTM(4, return_sequences=True)(vectors), reverse=True)
    assert outputs.shape == (None, 3, 5)
    model = graphc.Model(inputs, outputs)
    model.compile("sgd", graphc.losses.SparseCategoricalCrossentropy(from_logits=True))
    with graphc.backend("numpy"):
        before = table.get_weights()[0]
        model.fit(INDICES, INDICES, verbose=0)
    assert not np.array_equal(table.get_weights()[0], before)
    assert table(INDICES)._keras_mask.numpy().tolist() == (INDICES != 0).tolist()
    assert getattr(table(VECTORS, reverse=True), "_keras_mask", None) is None
    again = graphc.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(INDICES).numpy(), model(INDICES).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["Embedding", "ReversibleEmbedding"])
@pytest.mark.parametrize("several", [False, True])
def test_tables_that_are_given_are_there_from_the_start(kind: str, several: bool) -> None:
    table = VECTORS[0]
    layer = getattr(layers, kind)(3, 4, weights=[table] if several else table)
    assert layer.built
    np.testing.assert_array_equal(layer.embeddings.numpy(), table)
    model = graphc.Sequential([layer, layers.Flatten()])
    np.testing.assert_array_equal(model(np.array([[2, 0]])).numpy().reshape(2, 4), table[[2, 0]])
    assert not type(layer).from_config(layer.get_config()).built
