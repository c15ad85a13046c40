"""Layers and models that are called eagerly again and again, and run compiled from some call on."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import DataError, GraphcError
from graphc.transforms import repeated_calls
from graphc.transforms.repeated_calls import CALLS

pytestmark = pytest.mark.skipif(not repeated_calls.has_compiler(), reason="needs a C compiler")


@pytest.fixture(autouse=True)
def _on_cpu():
    with graphc.backend("cpu"):
        yield


def programs(layer):
    """How many programs a layer's calls have compiled."""
    return layer._repeated_calls._compilations


# One that builds the layer, those that are counted, and one that compiles.
ENOUGH = CALLS + 2


def repeat(layer, *args, times=ENOUGH, **kwargs):
    """The results of calls, one after the other."""
    return [layer(*args, **kwargs) for _ in range(times)]


def rows(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def convnet():
    return graphc.Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def functional():
    x = layers.Input((5,))
    y = layers.Dense(5)(x)
    return graphc.Model({"x": x}, {"sum": x + ops.sin(y), "y": y})


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (convnet, rows(2, 6, 6, 2)),
        (functional, {"x": rows(3, 5)}),
        (lambda: layers.LSTM(3, return_sequences=True, return_state=True), rows(2, 4, 3)),
        (lambda: layers.LSTMCell(3), (rows(2, 3), [rows(2, 3), rows(2, 3)])),
        (lambda: layers.TimeDistributed(layers.Dense(2)), rows(2, 4, 3)),
    ],
)
def test_results_are_those_of_the_first_call(make, given):
    layer = make()
    results = repeat(layer, *given) if isinstance(given, tuple) else repeat(layer, given)
    assert programs(layer) == 1
    first, last = (graphc.tree.flatten(result) for result in (results[0], results[-1]))
    for a, b in zip(first, last, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    for i, a in enumerate(first):  # a state that is the output is the same object
        assert [a is x for x in first] == [last[i] is x for x in last]


def test_parts_of_a_counted_layer_compile_nothing_themselves():
    layer = layers.RNN(layers.LSTMCell(2))
    repeat(layer, rows(2, 20, 3), times=2)
    assert layer.cell._repeated_calls is None
    assert programs(layer) == 0


def test_calls_of_other_sizes_share_a_program_or_stay_eager():
    layer = layers.Dense(3)
    for size in range(2, 3 * CALLS):
        layer(rows(size, 4))
    assert programs(layer) == 0  # none came often
    for size in (5, 7):
        repeat(layer, rows(size, 4))
    assert programs(layer) == 2
    for size in (9, 11):
        repeat(layer, rows(size, 4))
    assert programs(layer) == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda layer: setattr(layer, "activation", ops.relu), lambda x: np.maximum(x, 0)),
        (lambda layer: setattr(layer, "kernel", graphc.Variable(np.zeros((3, 3), "float32"))), np.zeros_like),
        (lambda layer: layer.kernel.assign(-layer.kernel), np.negative),
    ],
)
def test_what_is_changed_counts_at_once(change, expected):
    layer = layers.Dense(3, use_bias=False)
    before = repeat(layer, rows(2, 3))[-1]
    assert programs(layer) == 1
    change(layer)
    np.testing.assert_allclose(layer(rows(2, 3)).numpy(), expected(before.numpy()), rtol=1e-6)


def test_a_part_that_is_frozen_counts_at_once():
    model = convnet()
    x = 5 + rows(8, 6, 6, 2)
    repeat(model, x, training=True)
    moving = model.layers[1].moving_mean
    assert programs(model) == 1
    before = moving.numpy()
    model(x, training=True)
    assert not np.array_equal(moving.numpy(), before)
    model.layers[1].trainable = False
    before = moving.numpy()
    repeat(model, x, training=True)
    np.testing.assert_array_equal(moving.numpy(), before)


class Talkative(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(2)
        self.calls = []

    def call(self, x, training=None):
        self.calls.append(training)
        return self.inner(x)


def test_python_of_users_runs_in_each_call():
    layer = Talkative()
    repeat(layer, rows(2, 3), training=True)
    assert layer.calls == [True] * ENOUGH
    assert programs(layer.inner) == 1
    assert programs(layer) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda function: layers.Dense(2, activation=function),
        lambda function: layers.Lambda(function),
        lambda function: graphc.Sequential([layers.Dense(2), layers.Activation(function)]),
    ],
)
def test_functions_of_users_run_in_each_call(make):
    seen = []

    def function(x):
        seen.append(x)
        return x + 1.0

    layer = make(function)
    layer.build((None, 3))
    seen.clear()
    repeat(layer, rows(2, 3))
    assert len(seen) == ENOUGH
    assert all(isinstance(x.numpy(), np.ndarray) for x in seen)


def test_random_numbers_are_those_of_eager_calls():
    def draws(backend):
        with graphc.backend(backend):
            layer = layers.Dropout(0.5, seed=3)
            results = repeat(layer, np.ones((4, 50), "float32"), training=True, times=CALLS + 4)
            return programs(layer), np.stack([result.numpy() for result in results])

    (none, eager), (one, compiled) = draws("numpy"), draws("cpu")
    assert (none, one) == (0, 1)
    np.testing.assert_array_equal(eager, compiled)
    assert len(np.unique(compiled.reshape(len(compiled), -1), axis=0)) == len(compiled)


def test_states_go_on():
    layer, eager = (layers.GRU(2, stateful=True) for _ in range(2))
    x = rows(2, 3, 4)
    repeat(layer, x, times=1)
    repeat(eager, x, times=1)
    eager.set_weights(layer.get_weights())
    layer.reset_states()
    eager.reset_states()
    results = repeat(layer, x, times=CALLS + 5)
    assert programs(layer) == 1
    with graphc.backend("numpy"):
        expected = repeat(eager, x, times=CALLS + 5)
    for a, b in zip(results, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_gradients_see_each_operation():
    model = convnet()
    x = rows(2, 6, 6, 2)
    repeat(model, x)
    with graphc.GradientTape() as tape:
        loss = ops.sum(ops.square(model(x)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None and np.any(gradient.numpy()) for gradient in gradients)


def test_masks_pass_through():
    model = graphc.Sequential([layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2, return_sequences=True)])
    words = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    results = repeat(model, words)
    assert programs(model) == 1
    np.testing.assert_array_equal(results[-1]._keras_mask.numpy(), words != 0)
    np.testing.assert_allclose(results[-1].numpy(), results[0].numpy(), rtol=1e-5)
    inner = layers.LSTM(2)
    masked, whole = layers.Masking()(np.eye(3, dtype="float32")[None] * [[[1.0], [1.0], [0.0]]]), np.eye(3)[None]
    one, other = repeat(inner, masked)[-1], repeat(inner, whole)[-1]
    assert programs(inner) == 2
    assert not np.allclose(one.numpy(), other.numpy())


def test_wrong_indices_stay_errors():
    model = graphc.Sequential([layers.Embedding(9, 3), layers.GlobalAveragePooling1D()])
    repeat(model, np.array([[1, 2]]))
    assert programs(model) == 1
    with pytest.raises(DataError, match=r"out of range(.|\n)*test_repeated_calls.py(.|\n)*9 at \[0, 1\]"):
        model(np.array([[1, 9]]))


def test_wrong_inputs_stay_errors():
    model = convnet()
    repeat(model, rows(2, 6, 6, 2))
    for _ in range(ENOUGH):
        with pytest.raises(GraphcError, match="shape"):
            model(rows(2, 7, 6, 2))
    assert programs(model) == 1


def test_losses_that_layers_add_stay():
    layer = layers.Dense(2, activity_regularizer="l2")
    repeat(layer, rows(2, 3), times=ENOUGH)
    assert programs(layer) == 0
    assert len(layer.losses) == 1
    assert np.isfinite(float(layer.losses[0]))


def test_training_in_between_changes_nothing():
    model = graphc.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = rows(4, 3), np.ones((4, 1), "float32")
    for _ in range(ENOUGH):
        before = model(x)
        model.train_on_batch(x, y)
    assert programs(model) == 1
    assert not np.allclose(before.numpy(), model(x).numpy())
    np.testing.assert_allclose(model(x).numpy(), model.predict(x, verbose=0), rtol=1e-6)


def test_copies_have_calls_of_their_own():
    layer = layers.Dense(2)
    x = rows(2, 3)
    expected = repeat(layer, x)[-1].numpy()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        layer.kernel.assign(layer.kernel * 2.0)
        np.testing.assert_allclose(other(x).numpy(), expected, rtol=1e-6)
        assert programs(other) == 0


def test_layers_are_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        layer = layers.Dense(2)
        repeat(layer, rows(2, 3))
        assert programs(layer) == 1
        found = weakref.ref(layer)
        del layer
        assert found() is None
    finally:
        gc.enable()
