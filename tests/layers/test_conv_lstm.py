"""LSTMs of images beside Keras's on JAX."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import graphc
from graphc import config, layers
from graphc.errors import ArgumentError, ShapeError
from tests.layers.keras_comparison import compare, share_weights
from tests.support.sessions import fresh_names

SHAPES = {1: (2, 3, 7, 2), 2: (2, 3, 5, 6, 2), 3: (2, 3, 4, 3, 5, 2)}
CASES: list[tuple[int, dict[str, Any]]] = [
    (1, {"kernel_size": 3}),
    (1, {"kernel_size": 2, "dilation_rate": 2, "return_sequences": True, "go_backwards": True}),
    (2, {"kernel_size": (3, 2), "strides": 2, "padding": "same", "return_sequences": True, "return_state": True}),
    (2, {"kernel_size": 3, "use_bias": False, "activation": "relu", "kernel_regularizer": "l2"}),
    (2, {"kernel_size": 2, "unit_forget_bias": False, "activity_regularizer": "l2", "unroll": True}),
    (3, {"kernel_size": 2, "return_state": True, "recurrent_activation": "hard_sigmoid"}),
]


def sequences(rank: int) -> Any:
    return np.random.default_rng(0).normal(size=SHAPES[rank]).astype("float32")


def pair(rank: int, **options: Any) -> tuple[Any, Any]:
    fresh_names()
    ours, theirs = (getattr(api, f"ConvLSTM{rank}D")(filters=3, **options) for api in (layers, keras.layers))
    return ours, theirs


@pytest.mark.parametrize(("rank", "options"), CASES)
def test_beside_keras(rank: int, options: dict[str, Any]) -> None:
    ours, theirs = pair(rank, **options)
    compare(ours, theirs, sequences(rank), {})
    shape = (None, *SHAPES[rank][1:])
    assert str(ours.compute_output_shape(shape)) == str(theirs.compute_output_shape(shape))


def test_initial_states() -> None:
    states = [np.random.default_rng(i).normal(size=(2, 5, 6, 3)).astype("float32") for i in range(2)]
    ours, theirs = pair(2, kernel_size=3, padding="same", return_state=True)
    compare(ours, theirs, sequences(2), {"initial_state": states})


@pytest.mark.parametrize("unroll", [False, True])
def test_masked_steps_are_left_out(unroll: bool) -> None:
    # Keras on JAX fails here: its masks have an axis for features only.
    stays = np.array([[1, 0, 1], [1, 0, 1]], bool)
    layer = layers.ConvLSTM2D(3, 3, return_sequences=True, return_state=True, unroll=unroll, go_backwards=True)
    whole, *last = layer(sequences(2), mask=stays)
    rest, *expected = layer(sequences(2)[:, [0, 2]])
    np.testing.assert_allclose(whole.numpy()[:, [0, 2]], rest.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.numpy()[:, 1], rest.numpy()[:, 0], rtol=1e-5, atol=1e-6)
    for a, b in zip(last, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    zeros = layers.ConvLSTM2D(3, 3, return_sequences=True, zero_output_for_mask=True)
    assert not np.any(zeros(sequences(2), mask=stays).numpy()[:, 1])


def test_channels_first() -> None:
    options: dict[str, Any] = {"kernel_size": 3, "strides": 2, "return_state": True}
    ours, theirs = (pair(2, data_format=f"channels_{place}", **options)[0] for place in ("first", "last"))
    first = np.moveaxis(sequences(2), -1, 2)
    ours(first)
    theirs(sequences(2))
    theirs.set_weights(ours.get_weights())
    for a, b in zip(ours(first), theirs(sequences(2)), strict=True):
        np.testing.assert_allclose(a.numpy(), np.moveaxis(b.numpy(), -1, 1), rtol=1e-5, atol=1e-6)
    assert ours.compute_output_shape((None, 3, 2, 5, 6))[0] == (None, 3, 2, 2)


def test_on_the_compiled_backend() -> None:
    ours, theirs = pair(2, kernel_size=3, padding="same")
    compare(ours, theirs, sequences(2), {}, "cpu")


def test_stateful() -> None:
    ours, theirs = pair(1, kernel_size=3, stateful=True, padding="same")
    x = sequences(1)
    ours(x)
    theirs(x)
    share_weights(ours, theirs)
    ours.reset_state()
    theirs.reset_state()
    for _ in range(2):
        np.testing.assert_allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-5, atol=1e-5)
    ours.reset_state()
    assert not np.any(ours.states[0].numpy())


def test_dropout_differs_by_gate_and_step_of_training() -> None:
    layer = layers.ConvLSTM2D(3, 3, dropout=0.5, recurrent_dropout=0.3, seed=1)
    x = sequences(2)
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(x).numpy(), layer(x).numpy())
    model = graphc.Sequential([layers.Input((3, 5, 6, 2)), layers.ConvLSTM2D(2, 3, dropout=0.2, recurrent_dropout=0.2)])
    model.add(layers.GlobalAveragePooling2D())
    with config.override(backend="numpy"):
        model.compile("adam", "mse")
        losses = model.fit(x, np.zeros((2, 2)), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("options", [{"filters": 0}, {"padding": "causal"}, {"strides": 2, "dilation_rate": 2}])
def test_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        layers.ConvLSTM2D(**{"filters": 2, "kernel_size": 3, **options})


def test_unknown_sizes() -> None:
    with pytest.raises(ShapeError, match="ConvLSTM2D"):
        layers.ConvLSTM2D(2, 3)(layers.Input((3, None, 6, 2)))
