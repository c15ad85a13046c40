"""Recurrent layers against Keras 3 on JAX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, ShapeError
from tests.layers.keras_comparison import compare, configured, results_of_ours, results_of_theirs, share_weights
from tests.support.sessions import fresh_names

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

BATCH, STEPS, SIZE, UNITS = 3, 5, 4, 2


@pytest.fixture(autouse=True)
def names_from_the_start() -> None:
    """Automatic names count from zero in both libraries."""
    fresh_names()


def sequences() -> Any:
    return np.random.default_rng(0).normal(size=(BATCH, STEPS, SIZE)).astype("float32")


def mask() -> Any:
    return np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], bool)


KINDS = ("SimpleRNN", "GRU", "LSTM")
OPTIONS: list[dict[str, Any]] = [
    {"return_sequences": True, "return_state": True},
    {"go_backwards": True, "return_sequences": True, "use_bias": False},
    {"go_backwards": True, "activation": "relu", "kernel_regularizer": "l2", "recurrent_constraint": "non_neg"},
    {"unroll": True},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o))
def test_layers(kind: str, options: dict[str, Any]) -> None:
    compare(getattr(layers, kind)(UNITS, **options), getattr(keras.layers, kind)(UNITS, **options), sequences(), {})


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_on_the_compiled_backend(kind: str) -> None:
    ours, theirs = (getattr(api, kind)(UNITS) for api in (layers, keras.layers))
    compare(ours, theirs, sequences(), {}, "cpu")


MORE: list[tuple[str, dict[str, Any]]] = [
    ("GRU", {"reset_after": False}),
    ("GRU", {"reset_after": False, "implementation": 1}),
    ("GRU", {"implementation": 1, "recurrent_activation": "hard_sigmoid"}),
    ("LSTM", {"implementation": 1, "unit_forget_bias": False}),
]


@pytest.mark.parametrize(("kind", "options"), MORE, ids=str)
def test_options_of_one_kind(kind: str, options: dict[str, Any]) -> None:
    compare(getattr(layers, kind)(UNITS, **options), getattr(keras.layers, kind)(UNITS, **options), sequences(), {})


@pytest.mark.parametrize(
    ("kind", "sequence", "unroll"),
    [("LSTM", True, False), ("LSTM", False, True), ("GRU", False, False), ("SimpleRNN", True, True)],
)
def test_masks(kind: str, sequence: bool, unroll: bool) -> None:
    options = {"return_sequences": sequence, "return_state": True, "unroll": unroll}
    options |= {} if unroll else {"zero_output_for_mask": sequence}
    ours, theirs = (getattr(api, kind)(UNITS, **options) for api in (layers, keras.layers))
    compare(ours, theirs, sequences(), {"mask": mask()})


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM"])
def test_initial_states(kind: str) -> None:
    rng = np.random.default_rng(3)
    states = [rng.normal(size=(BATCH, UNITS)).astype("float32") for _ in range(2 if kind == "LSTM" else 1)]
    ours, theirs = (getattr(api, kind)(UNITS, return_state=True) for api in (layers, keras.layers))
    compare(ours, theirs, sequences(), {"initial_state": states})


def stacked(api: Any) -> Any:
    cells = [api.LSTMCell(3), api.GRUCell(2), api.SimpleRNNCell(UNITS)]
    return api.RNN(cells, return_sequences=True, return_state=True)


def test_stacked_cells() -> None:
    ours, theirs = stacked(layers), stacked(keras.layers)
    compare(ours, theirs, sequences(), {})
    shape = (None, STEPS, SIZE)
    assert str(ours.compute_output_shape(shape)) == str(theirs.compute_output_shape(shape))
    compare(stacked(layers), stacked(keras.layers), sequences(), {"mask": mask()})


def own_cell(api: Any) -> Any:
    class Cell(api.layers.Layer):  # type: ignore[misc,name-defined]
        """A cell of the user."""

        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units, self.state_size = units, units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
            self.inner = self.add_weight(shape=(self.units, self.units), name="inner")
            self.out = self.add_weight(shape=(self.units, 3), name="out")

        def call(self, inputs: Any, states: Any) -> Any:
            new = api.ops.tanh(api.ops.matmul(inputs, self.kernel) + api.ops.matmul(states[0], self.inner))
            return api.ops.matmul(new, self.out), [new]

        def get_config(self) -> Any:
            return {"units": self.units}

    return Cell


@pytest.mark.parametrize("sequence", [False, True])
def test_a_cell_of_the_user(sequence: bool) -> None:
    ours = layers.RNN(own_cell(graphc)(UNITS), return_sequences=sequence)
    theirs = keras.layers.RNN(own_cell(keras)(UNITS), return_sequences=sequence)
    x = sequences()
    ours(x), theirs(x)
    share_weights(ours, theirs)
    for a, b in zip(results_of_ours(ours, x, {}), results_of_theirs(theirs, x, {}), strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "merge"), [("LSTM", "concat"), ("GRU", "sum"), ("SimpleRNN", "mul"), ("LSTM", "ave"), ("GRU", None)]
)
def test_both_directions(kind: str, merge: Any) -> None:
    sequence = merge != "sum"

    def made(api: Any) -> Any:
        inner = getattr(api, kind)(UNITS, return_sequences=sequence, return_state=merge == "ave")
        return api.Bidirectional(inner, merge_mode=merge)

    ours, theirs = made(layers), made(keras.layers)
    compare(ours, theirs, sequences(), {"mask": mask()} if merge in ("mul", "ave") else {})
    shape = (None, STEPS, SIZE)
    assert list(ours.compute_output_shape(shape)) == list(theirs.compute_output_shape(shape))


def test_every_step_by_itself() -> None:
    ours, theirs = (api.TimeDistributed(api.Dense(3, activation="tanh")) for api in (layers, keras.layers))
    compare(ours, theirs, sequences(), {})
    assert ours.compute_output_shape((None, 5, 4)) == theirs.compute_output_shape((None, 5, 4))
    inputs = graphc.Input((None, 4))
    model = graphc.Model(inputs, layers.TimeDistributed(layers.Dense(2))(inputs))
    x = sequences()
    assert model.predict(x, verbose=0).shape == (BATCH, STEPS, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_has_one_mask_for_all_steps(kind: str) -> None:
    layer = getattr(layers, kind)(UNITS, dropout=0.5, recurrent_dropout=0.25, seed=3, return_sequences=True)
    x = np.ones((1, 4, 40), "float32")
    assert configured(layer) == configured(
        getattr(keras.layers, kind)(UNITS, dropout=0.5, recurrent_dropout=0.25, seed=3, return_sequences=True)
    )
    plain, first, second = layer(x), layer(x, training=True), layer(x, training=True)
    assert not np.allclose(plain.numpy(), first.numpy())
    assert not np.allclose(first.numpy(), second.numpy())
    # Without a state to carry on, equal steps with equal masks give equal outputs.
    for weight in layer.weights:
        if weight.name == "recurrent_kernel":
            weight.assign(np.zeros(weight.shape, "float32"))
    if kind == "SimpleRNN":
        output = layer(x, training=True).numpy()
        np.testing.assert_allclose(output[:, 0], output[:, -1], rtol=1e-6)


def test_states_are_kept_between_batches() -> None:
    ours, theirs = (api.LSTM(UNITS, stateful=True) for api in (layers, keras.layers))
    x = sequences()
    ours(x), theirs(x)
    ours.reset_state(), theirs.reset_state()
    ours.set_weights(theirs.get_weights())
    for _ in range(3):
        np.testing.assert_allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert len(ours.weights) == len(theirs.weights) == 3
    with pytest.raises(ShapeError, match="batch size"):
        ours(x[:2])


def test_states_are_kept_while_a_model_is_fitted() -> None:
    inputs = graphc.Input((STEPS, SIZE), batch_size=BATCH)
    layer = layers.GRU(UNITS, stateful=True)
    model = graphc.Model(inputs, layer(inputs))
    x = sequences()
    first = model.predict(x, batch_size=BATCH, verbose=0)
    second = model.predict(x, batch_size=BATCH, verbose=0)
    assert not np.allclose(first, second)
    np.testing.assert_allclose(np.asarray(layer.states[0].numpy()), second, rtol=1e-6)
    layer.reset_state()
    np.testing.assert_allclose(model.predict(x, batch_size=BATCH, verbose=0), first, rtol=1e-6)
    with pytest.raises(ShapeError, match="states that layers keep"):
        model.predict(x, batch_size=2, verbose=0)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="units"):
        layers.LSTM(0)
    with pytest.raises(ArgumentError, match="`call`"):
        layers.RNN(3)
    with pytest.raises(ShapeError, match="rank 3"):
        layers.GRU(2)(np.ones((2, 3), "float32"))
    with pytest.raises(ArgumentError, match="unknown merge_mode"):
        layers.Bidirectional(layers.GRU(2), merge_mode="max")
    with pytest.raises(ArgumentError, match="forwards"):
        layers.Bidirectional(layers.GRU(2), backward_layer=layers.GRU(2))
    with pytest.raises(ShapeError, match="size of a batch"):
        layers.LSTM(2, stateful=True)(graphc.Input((3, 2)))
    with pytest.raises(ArgumentError, match="cuDNN"):
        layers.LSTM(2, use_cudnn=True)(sequences())


@pytest.mark.parametrize("use_cudnn", [True, False, "auto"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_both_directions_keep_what_no_configuration_holds(kind: str, use_cudnn: Any) -> None:
    for library in (graphc, keras):
        make = getattr(library.layers, kind)
        both = library.layers.Bidirectional(make(3, use_cudnn=use_cudnn))
        assert (both.forward_layer.use_cudnn, both.backward_layer.use_cudnn) == (use_cudnn, use_cudnn)
        back = make(3, go_backwards=True)
        both = library.layers.Bidirectional(make(3, use_cudnn=use_cudnn), backward_layer=back)
        assert back.use_cudnn == use_cudnn
