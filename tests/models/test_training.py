"""fit, evaluate, predict: what they return, what they change, how often they compile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import callbacks, config, layers, losses, ops, optimizers, utils
from graphc.errors import DataError
from graphc.runtime.counters import counters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 0)


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def classifier(**options: Any) -> Any:
    model = graphc.Sequential(
        [graphc.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile(optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def test_it_learns() -> None:
    utils.set_random_seed(1)
    model = classifier()
    history = model.fit(X, Y, epochs=30, verbose=0, validation_split=0.2)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == list(range(30))
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["accuracy"] > 0.7
    assert np.mean(model.predict(X, verbose=0).argmax(1) == Y) > 0.7


def test_one_compilation_serves_every_size() -> None:
    model = classifier()
    before = counters().compilations
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert counters().compilations - before == 1
    model.fit(X[:37], Y[:37], batch_size=8, verbose=0)
    model.train_on_batch(X[:3], Y[:3])
    assert counters().compilations - before == 1
    for size in (7, 32, 50):
        model.evaluate(X[:size], Y[:size], batch_size=5, verbose=0)
        model.predict(X[:size], batch_size=9, verbose=0)
    assert counters().compilations - before == 3


def test_same_seed_same_bits() -> None:
    def run(seed: int) -> list[np.ndarray[Any, Any]]:
        utils.set_random_seed(seed)
        model = graphc.Sequential([graphc.Input((4,)), layers.Dense(8), layers.Dropout(0.5), layers.Dense(3)])
        model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(X, Y, epochs=2, verbose=0)
        return list(model.get_weights())

    first, second, third = run(7), run(7), run(8)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, third, strict=True))


def test_dropout_masks_differ_by_step_and_layer() -> None:
    model = graphc.Sequential([graphc.Input((100,)), layers.Dropout(0.5, seed=1), layers.Dropout(0.5, seed=2)])
    seen: list[Any] = []
    tap = graphc.Variable(np.zeros(100, "float32"), trainable=False)

    class Tapped(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = model, self.add_weight(shape=(), initializer="ones")

        def call(self, x: Any) -> Any:
            out = self.inner(x) * self.scale
            tap.assign(out[0])
            return out

    tapped = Tapped()
    tapped.compile(optimizers.SGD(0.0), "mse")
    ones = np.ones((4, 100), "float32")
    for _ in range(2):
        tapped.train_on_batch(ones, ones)
        seen.append(tap.numpy())
    assert not np.array_equal(seen[0], seen[1])
    # Were the two masks equal, half of the elements would stay.
    assert 0.15 < np.mean(seen[0] > 0) < 0.35
    np.testing.assert_array_equal(tapped.predict(ones, verbose=0), ones)


def test_weights_of_samples_and_classes() -> None:
    model = classifier()
    start = model.get_weights()
    weights = np.array([1.0, 3.0, 0.5])[Y]
    results = []
    for options in ({"sample_weight": weights}, {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}):
        model.set_weights(start)
        model.compile("sgd", "sparse_categorical_crossentropy")
        results.append(model.fit(X, Y, verbose=0, shuffle=False, **options).history["loss"])
    assert results[0] == results[1]


def test_iterables() -> None:
    def batches() -> Iterator[Any]:
        for start in range(0, 50, 20):
            yield X[start : start + 20], Y[start : start + 20]

    class Data(utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return X[index * 20 : index * 20 + 20], Y[index * 20 : index * 20 + 20]

    model = classifier()
    start = model.get_weights()
    curves = []
    for data in ((X, Y), (batches(),), (Data(),)):
        model.set_weights(start)
        model.compile("sgd", "sparse_categorical_crossentropy")
        options = {"batch_size": 20} if len(data) == 2 else {}
        curves.append(model.fit(*data, verbose=0, shuffle=False, **options).history["loss"])
    assert curves[0] == curves[1] == curves[2]
    assert model.predict(Data(), verbose=0).shape == (50, 3)
    ends: list[Any] = []
    end = callbacks.LambdaCallback(on_train_end=ends.append)
    with pytest.warns(UserWarning, match="no batch"):
        history = model.fit(batches(), epochs=3, verbose=0, callbacks=[end])
    assert history.epoch == [0] and ends[0]["loss"] == history.history["loss"][0]
    with pytest.raises(DataError, match="empty"):
        model.fit(iter([]), verbose=0)


def test_steps_per_epoch_goes_on_in_the_data() -> None:
    seen: list[int] = []
    model = classifier()
    count = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.warns(UserWarning, match="gave 1 batches where 2 were expected"):
        model.fit(X, Y, batch_size=20, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[count])
    assert seen == [0, 1, 0, 0, 1]


def test_callbacks_are_called_at_each_batch_only_where_they_ask() -> None:
    calls: list[tuple[str, int]] = []

    class Heard(callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append(("begin", batch))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(("end", batch))
            assert set(logs) == {"loss", "accuracy"}

    classifier().fit(X, Y, batch_size=25, verbose=0, callbacks=[Heard()])
    assert calls == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    calls.clear()
    classifier(steps_per_execution=2).fit(X, Y, batch_size=10, verbose=0, callbacks=[Heard()])
    # As in Keras, the number of a last execution with fewer steps is that of a full one.
    assert [batch for kind, batch in calls if kind == "end"] == [1, 3, 5]


def test_early_stopping_restores_the_best_weights() -> None:
    model = classifier()
    kept: list[Any] = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    stop = callbacks.EarlyStopping("loss", min_delta=100, patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[keep, stop])
    assert history.epoch == [0, 1, 2]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept[0], strict=True))


def test_learning_rates() -> None:
    model = classifier()
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.compile(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)), "sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=25, verbose=0)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.025)
    model.compile("sgd", "sparse_categorical_crossentropy")
    scheduled = model.fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda e, r: r / 2)])
    np.testing.assert_allclose(scheduled.history["learning_rate"], [0.005, 0.0025])


def test_frozen_layers_stay() -> None:
    model = classifier()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False, False]
    assert len(model.trainable_weights) == 2
    model.layers[0].trainable = True
    assert len(model.trainable_weights) == 4


def test_own_losses_metrics_and_add_loss() -> None:
    class Penalty(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.5 * ops.mean(ops.square(x)))
            return x

    def distance(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    model = graphc.Sequential([graphc.Input((4,)), Penalty(), layers.Dense(2, kernel_regularizer="l2")])
    model.compile("sgd", distance, metrics=[distance, "mse"])
    targets = X[:, :2]
    logs = model.evaluate(X, targets, verbose=0, return_dict=True)
    kernel, bias = model.get_weights()
    expected = np.abs(X @ kernel + bias - targets).mean()
    np.testing.assert_allclose(logs["distance"], expected, rtol=1e-5)
    total = expected + 0.5 * np.square(X[:32]).mean() * 32 / 50 + 0.5 * np.square(X[32:]).mean() * 18 / 50
    np.testing.assert_allclose(logs["loss"], total + 0.01 * np.square(kernel).sum(), rtol=1e-5)


def test_progress_line(capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier()
    model.fit(X, Y, epochs=2, verbose=1, batch_size=25)
    shown = capsys.readouterr().out
    assert "Epoch 1/2\n" in shown and "Epoch 2/2\n" in shown
    assert "2/2" in shown and "━━━" in shown and "/step - accuracy: " in shown
    model.fit(X, Y, epochs=1, verbose=2, batch_size=25)
    line = capsys.readouterr().out
    assert line.startswith("2/2 - 0s - ") and " - loss: " in line
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr().out == ""


def test_what_is_no_terminal_gets_a_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    hook = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.06))
    classifier().fit(X, Y, epochs=2, batch_size=10, callbacks=[hook])
    shown = capsys.readouterr().out
    assert "\b" not in shown and "\r" not in shown
    assert [line.split()[0] for line in shown.splitlines()] == ["Epoch", "5/5"] * 2


def test_a_terminal_gets_a_line_that_moves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    hook = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.06))
    classifier().fit(X, Y, batch_size=10, callbacks=[hook])
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and all(f"{step}/5" in shown for step in (2, 3, 4, 5))


def test_moving_averages_and_limits() -> None:
    for options in ({"clipnorm": 0.01}, {"global_clipnorm": 0.01}, {"clipvalue": 0.001}, {"loss_scale_factor": 8.0}):
        model = classifier()
        model.compile(optimizers.SGD(1.0, **options), "sparse_categorical_crossentropy")
        before = model.get_weights()
        model.train_on_batch(X, Y)
        moved = np.sqrt(sum(np.square(a - b).sum() for a, b in zip(before, model.get_weights(), strict=True)))
        assert moved < 0.05 or "loss_scale_factor" in options
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0)
    averages = [v.numpy() for v in model.optimizer.variables if v.name.endswith("average")]
    assert all(np.array_equal(a, b) for a, b in zip(averages, model.get_weights(), strict=True))


def test_targets_of_several_rows_for_each_sample() -> None:
    """The rows of the batch are picked in the epilogue of the last product."""
    x, y = (np.random.default_rng(i).normal(size=(6, 24, 16)).astype(np.float32) for i in range(2))
    results = []
    for backend in ("numpy", "cpu"):
        with config.override(backend=backend):
            graphc.utils.set_random_seed(3)
            model = graphc.Sequential([graphc.Input((24, 16)), layers.Dense(16)])
            model.compile("sgd", "mse")
            model.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0)
            results.append(model.get_weights())
    for ours, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-6)
