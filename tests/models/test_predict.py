"""`predict`: whatever way the data take, the same numbers; and what may change between calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from graphc import config, layers
from graphc.errors import ArgumentError, DataError, DataWarning, ShapeError
from graphc.runtime.counters import counters
from graphc.runtime.cpu import thread_pool

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 6)).astype(np.float32)
BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


@pytest.fixture(autouse=True)
def _cpu() -> Iterator[None]:
    with config.override(backend="cpu"):
        yield


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, _cpu: None) -> Iterator[str]:
    with config.override(backend=request.param):
        yield request.param


def network() -> Any:
    stack = [graphc.Input((6,)), layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
    model = graphc.Sequential(stack)
    model.compile("sgd", "mse")
    return model


def reference(model: Any, x: Any = X) -> Any:
    """By layers called one by one, on the interpreter."""
    with config.override(backend="numpy"):
        return np.asarray(model(x, training=False))


class Batches(graphc.callbacks.Callback):
    """Notes what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def on_predict_begin(self, logs: Any = None) -> None:
        self.heard.append("begin")

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.heard.append(batch)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.heard.append((batch, logs["outputs"].shape))

    def on_predict_end(self, logs: Any = None) -> None:
        self.heard.append("end")


def test_every_way_gives_the_same(backend: str) -> None:
    model = network()
    wanted = reference(model)
    heard = Batches()
    ways: list[Callable[[], Any]] = [
        lambda: model.predict(X, verbose=0),
        lambda: model.predict(X, batch_size=50, verbose=0),
        lambda: model.predict(X, batch_size=1000, verbose=0),
        lambda: model.predict(X, batch_size=7, verbose=0),
        lambda: model.predict(X, batch_size=1, verbose=0),
        lambda: model.predict([X], batch_size=7, verbose=0),
        lambda: model.predict(np.asfortranarray(X), batch_size=7, verbose=0),
        lambda: model.predict(np.repeat(X, 2, axis=1)[:, ::2], batch_size=7, verbose=0),
        lambda: model.predict(X, batch_size=7, verbose=0, callbacks=[heard]),
        lambda: model.predict(iter([X[:20], X[20:]]), verbose=0),
        lambda: model.predict_on_batch(X),
    ]
    for way in ways:
        for _ in range(2):  # the second time what is needed is there
            np.testing.assert_allclose(way(), wanted, rtol=1e-5, atol=1e-6)
    begun = ["begin", *(part for i in range(8) for part in (i, (i, (7 if i < 7 else 1, 3)))), "end"]
    assert heard.heard == begun * 2


def test_read_only_data_of_any_dtype() -> None:
    model = network()
    for dtype in (np.float64, np.int32, np.uint8, np.float16):
        x = (X * 3).astype(dtype)
        x.flags.writeable = False
        for _ in range(2):
            out = model.predict(x, batch_size=8, verbose=0)
            np.testing.assert_allclose(out, reference(model, x), rtol=1e-4, atol=1e-5)
        swapped = x.astype(x.dtype.newbyteorder())
        np.testing.assert_allclose(model.predict(swapped, verbose=0), reference(model, x), rtol=1e-4, atol=1e-5)


def test_results_are_the_callers_own(backend: str) -> None:
    model = network()
    first = model.predict(X[:1], verbose=0)
    kept = first.copy()
    model.predict(X[1:2], verbose=0)
    np.testing.assert_array_equal(first, kept)
    same = graphc.Sequential([graphc.Input((6,)), layers.Activation("linear")])
    x = X.copy()
    for _ in range(2):
        out = same.predict(x, verbose=0)
        assert not np.shares_memory(out, x)
        np.testing.assert_array_equal(out, X)


def test_what_changes_between_calls_is_seen(backend: str) -> None:
    model = network()
    before = model.predict(X[:2], verbose=0)
    model.set_weights([w + 0.1 for w in model.get_weights()])
    changed = model.predict(X[:2], verbose=0)
    assert np.abs(changed - before).max() > 1e-3
    np.testing.assert_allclose(changed, reference(model, X[:2]), rtol=1e-5, atol=1e-6)
    model.fit(X, np.zeros((50, 3), np.float32), verbose=0)
    np.testing.assert_allclose(model.predict(X[:2], verbose=0), reference(model, X[:2]), rtol=1e-5, atol=1e-6)
    model.compile("adam", "mae")
    np.testing.assert_allclose(model.predict(X[:2], verbose=0), reference(model, X[:2]), rtol=1e-5, atol=1e-6)
    model.add(layers.Dense(2))
    assert model.predict(X[:2], verbose=0).shape == (2, 2)


def test_settings_are_those_of_each_call() -> None:
    model = network()
    used: list[int] = []
    real = thread_pool._run_on

    def noted(threads: int, *rest: Any) -> None:
        used.append(threads)
        real(threads, *rest)

    with patch.multiple(thread_pool, WORTH_SHARING=0, TRIES_ALONE=0, GRAIN=1, _run_on=noted):
        for threads in (1, 3, 2, 1):
            with config.override(threads=threads):
                for batch in (50, 8):
                    np.testing.assert_allclose(
                        model.predict(X, batch_size=batch, verbose=0), reference(model), rtol=1e-5, atol=1e-6
                    )
    assert set(used) == {1, 2, 3}
    with config.override(backend="numpy"), patch.object(thread_pool, "run", side_effect=AssertionError):
        model.predict(X, verbose=0)


def test_mistakes_are_told_though_data_like_these_were_predicted_before() -> None:
    model = network()
    model.predict(X, verbose=0)
    for bad in (0, -1, 2.5, "many"):
        with pytest.raises(ArgumentError, match="batch_size is a positive integer"):
            model.predict(X, batch_size=bad, verbose=0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="empty"):
        model.predict(iter([]), verbose=0)
    with pytest.raises(ArgumentError, match="steps"):
        model.predict(X, steps=-1, verbose=0)
    with pytest.raises(ShapeError, match="does not fit the model"):
        model.predict(X[:, :5], verbose=0)
    with pytest.raises(ArgumentError, match="verbose"):
        model.predict(X, verbose=7)
    assert model.predict(X, batch_size=7, steps=3, verbose=0).shape == (21, 3)
    assert model.predict(X, batch_size=7, steps=100, verbose=0).shape == (50, 3)


@pytest.mark.parametrize("size", [1, 50])
def test_nan_is_warned_of_where_it_shows(size: int) -> None:
    model, bad = network(), X[:size].copy()
    bad[0, 2] = np.nan
    for _ in range(2):
        with pytest.warns(DataWarning, match=r"x holds NaN, first at index \(0, 2\): so will be what is predicted"):
            model.predict(bad, verbose=0)


def test_states_of_layers_refuse_another_batch_before_anything_runs() -> None:
    inputs = graphc.Input((3, 2), batch_size=5)
    layer = layers.SimpleRNN(4, stateful=True)
    model = graphc.Model(inputs, layer(inputs))
    x = X.reshape(50, 3, 2)
    model.predict(x, batch_size=5, verbose=0)
    kept = layer.states[0].numpy()
    for samples, batch in ((50, 2), (8, 5), (3, 5), (50, 50)):
        for _ in range(2):
            with pytest.raises(ShapeError, match="states that layers keep"):
                model.predict(x[:samples], batch_size=batch, verbose=0)
    with pytest.raises(ShapeError, match="states that layers keep"):
        model.predict_on_batch(x[:3])
    with pytest.raises(ShapeError, match="states that layers keep"):
        model.predict(iter([x[:3]]), verbose=0)
    np.testing.assert_array_equal(layer.states[0].numpy(), kept)


def test_several_inputs_and_outputs(backend: str) -> None:
    a, b = graphc.Input((6,), name="a"), graphc.Input((6,), name="b")
    total = layers.Add()([a, b])
    model = graphc.Model({"a": a, "b": b}, {"sum": total, "product": layers.Multiply()([a, b])})
    for batch in (50, 8):
        out = model.predict({"a": X, "b": 2 * X}, batch_size=batch, verbose=0)
        np.testing.assert_allclose(out["sum"], 3 * X, rtol=1e-6)
        np.testing.assert_allclose(out["product"], 2 * X * X, rtol=1e-6)
    twice = graphc.Model(a, [layers.Activation("tanh")(a)] * 2)
    for batch in (50, 8):
        one, two = twice.predict(X, batch_size=batch, verbose=0)
        np.testing.assert_allclose(one, np.tanh(X), rtol=1e-5)
        np.testing.assert_array_equal(one, two)


class Centred(layers.Layer):
    """What is computed depends on the other samples of a batch."""

    def call(self, x: Any) -> Any:
        return x - graphc.ops.mean(x, axis=0, keepdims=True)


def test_a_batch_is_as_large_as_asked_for(backend: str) -> None:
    model = graphc.Sequential([graphc.Input((6,)), Centred()])
    for batch in (50, 8):
        wanted = np.concatenate([X[i : i + batch] - X[i : i + batch].mean(0) for i in range(0, 50, batch)])
        np.testing.assert_allclose(model.predict(X, batch_size=batch, verbose=0), wanted, rtol=1e-4, atol=1e-5)


def test_outputs_without_samples_are_joined(backend: str) -> None:
    class Mean(layers.Layer):
        def call(self, x: Any) -> Any:
            return graphc.ops.mean(x)

    model = graphc.Sequential([graphc.Input((6,)), Mean()])
    wanted = [X[i : i + 10].mean() for i in range(0, 50, 10)]
    np.testing.assert_allclose(model.predict(X, batch_size=10, verbose=0), wanted, rtol=1e-4, atol=1e-6)


def test_threads_predict_at_the_same_time() -> None:
    model = network()
    wanted = {size: reference(model, X[:size]) for size in (1, 3, 20)}
    model.predict(X, verbose=0)
    right: list[int] = []

    def predict(size: int) -> None:
        with config.override(backend="cpu"):
            outs = [model.predict(X[:size], batch_size=8, verbose=0) for _ in range(300)]
        right.extend(size for out in outs if np.allclose(out, wanted[size], rtol=1e-4, atol=1e-5))

    workers = [threading.Thread(target=predict, args=(size,)) for size in (1, 3, 20, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(right) == 4 * 300


def test_memory_does_not_grow_with_the_data() -> None:
    model, x = network(), RNG.normal(size=(3000, 6)).astype(np.float32)
    model.predict(x[:64], batch_size=64, verbose=0)
    before = counters().arena_bytes
    model.predict(x, batch_size=64, verbose=0)
    assert counters().arena_bytes == before


def test_trials_choose_what_was_faster_and_try_the_other_again() -> None:
    trials, seconds = thread_pool.Trials(), {1: 1.0, 4: 2.0}

    def after(runs: int) -> list[int]:
        threads = []
        for _ in range(runs):
            threads.append(trials.chosen(4, 1000))
            trials.note(threads[-1], seconds[threads[-1]])
        return threads

    tries = thread_pool.TRIES_ALONE + thread_pool.TRIES_SHARED
    assert after(tries) == [1] * thread_pool.TRIES_ALONE + [4] * thread_pool.TRIES_SHARED
    assert after(thread_pool.AGAIN) == [1] * thread_pool.AGAIN
    seconds[4] = 0.1
    assert after(1000)[-10:] == [4] * 10
    assert thread_pool.Trials().chosen(4, thread_pool.CERTAIN) == 4


def test_trials_keep_to_what_is_allowed_now() -> None:
    trials = thread_pool.Trials()
    for threads in (1, 2, 4):
        for _ in range(thread_pool.TRIES_SHARED):
            trials.note(threads, 1.0)
    assert any(trials.chosen(4, 1000) == 4 for _ in range(2 * thread_pool.AGAIN))
    assert all(trials.chosen(2, 1000) <= 2 for _ in range(2 * thread_pool.AGAIN))
