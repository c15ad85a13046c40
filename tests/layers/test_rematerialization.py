"""`RematScope`: the same training with the intermediate results of some layers computed again."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(16, 6, 8)).astype("float32")
Y = np.random.default_rng(1).normal(size=(16, 2)).astype("float32")
SCOPES = {
    "full": {"mode": "full"},
    "activations": {"mode": "activations"},
    "larger": {"mode": "larger_than", "output_size_threshold": 16},
    "named": {"mode": "list_of_layers", "layer_names": ["first", "attention"]},
}


def trained(**options: Any) -> tuple[list[float], Any]:
    graphc.utils.set_random_seed(0)
    with graphc.RematScope(**options):
        inputs = graphc.Input((6, 8))
        x = layers.Dense(16, activation="gelu", name="first")(layers.Masking()(inputs))
        x = layers.MultiHeadAttention(2, 4, dropout=0.2, name="attention")(x, x)
        x = layers.BatchNormalization()(layers.Dropout(0.3, seed=1)(layers.LayerNormalization()(x)))
        model = graphc.Model(inputs, layers.Dense(2)(layers.LSTM(5)(x)))
    model.compile("sgd", "mse")
    return model.fit(X, Y, epochs=2, batch_size=8, verbose=0, shuffle=False).history["loss"], model


@pytest.mark.parametrize("scope", SCOPES)
def test_losses_and_weights_are_the_same(scope: str) -> None:
    with graphc.backend("numpy"):
        losses, model = trained(**SCOPES[scope])
        expected, plain = trained(mode=None)
    assert losses == pytest.approx(expected, rel=1e-5)
    for found, wanted in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_the_backward_pass_computes_it_again() -> None:
    def operations(**options: Any) -> int:
        with graphc.RematScope(**options):
            model = graphc.Sequential([graphc.Input((8,)), layers.Dense(16, activation="gelu"), layers.Dense(1)])
        model.compile("sgd", "mse")
        with graphc.backend("numpy"):
            model.train_on_batch(X[:, 0], Y[:, :1])
            return len(model.graph("traced").table)

    assert operations(mode="full") != operations(mode=None)


def test_scopes_nest_and_layers_are_copied() -> None:
    with graphc.RematScope("full") as outer:
        with graphc.RematScope(None) as inner:
            plain = layers.Dense(2)
        layer = layers.Dense(2)
        again = pickle.loads(pickle.dumps(layer))
    assert plain._remat_scope is inner
    assert layer._remat_scope is outer
    assert again._remat_scope.mode == copy.deepcopy(layer)._remat_scope.mode == "full"
    assert layers.Dense(2)._remat_scope is None
    with pytest.raises(ArgumentError, match="no such mode"):
        graphc.RematScope("some")
