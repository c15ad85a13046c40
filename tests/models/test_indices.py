"""Indices outside of an embedding's table: an error before anything changes, wherever the data come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import DataError

ROWS, STEPS = 8, 4
GOOD = np.random.default_rng(0).integers(0, 10, (ROWS, STEPS))
TARGETS = np.zeros((ROWS, 1), "float32")


class Subclassed(graphc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = layers.Embedding(10, 3, name="table"), layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.head(ops.mean(self.table(x), axis=1))


def sequential() -> Any:
    table = layers.Embedding(10, 3, name="table")
    return graphc.Sequential([graphc.Input((STEPS,), dtype="int32"), table, layers.Flatten(), layers.Dense(1)])


def of_columns() -> Any:
    """A table of the first column only, read through a cast and a reshape; the others are numbers."""
    given = graphc.Input((STEPS,))
    column = ops.cast(ops.reshape(given[:, 0], (-1, 1)), "int32")
    found = layers.Flatten()(layers.Embedding(10, 3, name="table")(column))
    return graphc.Model(given, layers.Dense(1)(ops.concatenate([found, given / 1e7], 1)))


MODELS = {"sequential": sequential, "columns": of_columns, "subclassed": Subclassed}


def batches(x: Any) -> Any:
    for start in range(0, ROWS, 4):
        yield x[start : start + 4], TARGETS[start : start + 4]


USES: dict[str, Callable[[Any, Any], Any]] = {
    "fit": lambda m, x: m.fit(x, TARGETS, verbose=0),
    "fit of batches": lambda m, x: m.fit(batches(x), verbose=0),
    "evaluate": lambda m, x: m.evaluate(x, TARGETS, verbose=0),
    "predict": lambda m, x: m.predict(x, verbose=0),
    "train_on_batch": lambda m, x: m.train_on_batch(x, TARGETS),
    "test_on_batch": lambda m, x: m.test_on_batch(x, TARGETS),
    "predict_on_batch": lambda m, x: m.predict_on_batch(x),
    "call": lambda m, x: m(x),
}
BAD = {"large": 10**6, "next": 10, "negative": -7, "minus one": -1}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_an_index_outside(kind: str, dtype: str) -> None:
    with graphc.backend("numpy"):
        model = MODELS[kind]()
        model.compile("sgd", "mse")
        for use in USES.values():
            use(model, GOOD.astype(dtype))
        weights = model.get_weights()
        for value in BAD.values():
            bad = GOOD.astype(dtype)
            bad[5, 0] = value
            for name, use in USES.items():
                with pytest.raises(DataError, match="out of range") as error:
                    use(model, bad)
                text = str(error.value)
                assert "table" in text, name
                assert str(value) in text, name
                assert "from 0 to 9" in text, name
                assert "test_indices.py" in text, name
                if name == "fit of batches":
                    continue  # the first batch was good
                assert "at [5" in text, name
        model.set_weights(weights)
        for before, after in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_nothing_is_trained_with_it() -> None:
    with graphc.backend("numpy"):
        model = sequential()
        model.compile("sgd", "mse")
        weights = model.get_weights()
        bad = GOOD.copy()
        bad[7, 3] = 10
        for use in ("fit", "train_on_batch"):
            with pytest.raises(DataError, match=r"10 at \[7, 3\]"):
                USES[use](model, bad)
        for before, after in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_large_integers_are_not_cut_to_small_ones() -> None:
    with graphc.backend("numpy"):
        model = sequential()
        bad = GOOD.astype("int64")
        bad[2, 1] = 2**32 + 3
        with pytest.raises(DataError, match=str(2**32 + 3)):
            model.predict(bad, verbose=0)


def test_several_inputs_and_tables() -> None:
    with graphc.backend("numpy"):
        a, b = graphc.Input((2,), dtype="int32"), graphc.Input((3,), dtype="int32")
        shared = layers.Embedding(5, 2, name="shared")
        tables = [layers.Flatten()(shared(x)) for x in (a, b)]
        model = graphc.Model([a, b], layers.Concatenate()([*tables, layers.Flatten()(layers.Embedding(50, 2)(b))]))
        x, y = np.zeros((4, 2), int), np.zeros((4, 3), int)
        assert model.predict([x, y], verbose=0).shape == (4, 16)
        y[3, 2] = 5
        with pytest.raises(DataError, match=r"(?s)x\[1\].*5 at \[3, 2\]") as error:
            model.predict([x, y], verbose=0)
        assert "shared" in str(error.value)


class Positions(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = layers.Embedding(4, 2, name="positions")

    def call(self, x: Any) -> Any:
        return x + self.table(ops.arange(x.shape[1]))


class Computed(layers.Layer):
    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(1,), initializer="ones")
        self.table = layers.Embedding(4, 2)

    def call(self, x: Any) -> Any:
        return self.table(ops.cast(x * self.scale, "int32"))


def test_a_layer_that_the_model_does_not_know_of() -> None:
    """Nothing checks what it looks up: no other row stands for one that is not there."""
    with graphc.backend("numpy"):
        hidden = layers.Embedding(4, 2)
        found = graphc.Sequential([layers.Lambda(lambda x: hidden(x))]).predict(np.array([[1], [4]]), verbose=0)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_models_in_models() -> None:
    with graphc.backend("numpy"):
        model = None
        for _ in range(3):
            given = graphc.Input((STEPS,), dtype="int32")
            model = graphc.Model(given, layers.Embedding(10, 2)(given) if model is None else model(given))
        assert model is not None
        assert model.predict(GOOD, verbose=0).shape == (ROWS, STEPS, 2)
        bad = GOOD.copy()
        bad[3, 2] = 10
        with pytest.raises(DataError, match=r"10 at \[3, 2\]"):
            model.predict(bad, verbose=0)


def test_positions_beyond_a_table() -> None:
    with graphc.backend("numpy"):
        assert graphc.Sequential([Positions()]).predict(np.zeros((2, 4, 2)), verbose=0).shape == (2, 4, 2)
        with pytest.raises(DataError, match="from 0 to 3"):
            graphc.Sequential([Positions()]).predict(np.zeros((2, 5, 2)), verbose=0)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_what_weights_compute_is_not_known_before(backend: str) -> None:
    with graphc.backend(backend):
        found = graphc.Sequential([Computed()]).predict(np.array([[1.0], [9.0], [-9.0]]), verbose=0)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()


def test_a_layer_that_is_called_in_training_alone() -> None:
    """The trace that finds lookups does not see it: rows that are not there are no other rows."""

    class Own(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.last = layers.Embedding(4, 2), layers.Dense(1)
            self.table.build((None, 1))

        def call(self, x: Any, training: Any = None) -> Any:
            found = self.table(x)[:, 0] if training else ops.cast(ops.concatenate([x, x], 1), "float32")
            return self.last(found)

    with graphc.backend("numpy"):
        model = Own()
        model.compile("sgd", "mse")
        assert np.isnan(model.fit(np.array([[1], [4]]), np.zeros((2, 1)), verbose=0).history["loss"]).all()
