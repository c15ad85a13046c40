"""Bad input: an error of ours that says what came and what was expected, and a model that is as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import ArgumentError, DataError, DataWarning, DTypeError, GraphcError, ShapeError, StateError

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = np.arange(20) % 3


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def classifier() -> Any:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(8), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


CASES: list[tuple[Callable[[Any], Any], type[GraphcError], str]] = [
    (lambda m: m.fit(X[:, :3], Y, verbose=0), ShapeError, "shape (None, 3)"),
    (lambda m: m.fit(X[:, None, :, None], Y, verbose=0), ShapeError, "shape (None, 1, 4, 1)"),
    (lambda m: m.fit(np.array([["a"] * 4] * 20), Y, verbose=0), DTypeError, "no numbers"),
    (lambda m: m.fit([X, X], Y, verbose=0), ArgumentError, "number of inputs"),
    (lambda m: m.fit(X, Y + 1, verbose=0), DataError, "label 3 at index 2"),
    (lambda m: m.train_on_batch(X, Y - 1), DataError, "label -1 at index 0"),
    (lambda m: m.evaluate(X, Y * 9, verbose=0), DataError, "the model has 3 classes"),
    (lambda m: m.fit(X, Y[:5], verbose=0), DataError, "y0: 5"),
    (lambda m: m.fit(X[:0], Y[:0], verbose=0), DataError, "empty"),
    (lambda m: m.fit(X, verbose=0), DataError, "no targets"),
    (lambda m: m.fit(X, Y, batch_size=0, verbose=0), ArgumentError, "batch_size"),
    (lambda m: m.fit(X, Y, validation_split=1.5, verbose=0), ArgumentError, "validation_split"),
    (lambda m: m.fit(X, Y, callbacks=["stop"], verbose=0), ArgumentError, "no callback"),
    (lambda m: m.fit(X, np.eye(3)[Y], verbose=0), ShapeError, "labels"),
    (lambda m: m.fit(iter([(X, Y + 1)]), verbose=0), DataError, "label 3"),
    (lambda m: m.fit(7, verbose=0), GraphcError, ""),
    (lambda m: m.compile("adm", "mse"), ArgumentError, "did you mean 'adam'"),
    (lambda m: m.compile("adam", "msee"), ArgumentError, "did you mean 'mse'"),
    (lambda m: m.compile("adam", "mse", metrics=["acuracy"]), ArgumentError, "did you mean 'accuracy'"),
    (lambda m: m.set_weights(m.get_weights()[:2]), ArgumentError, "number of weights"),
    (lambda m: m.set_weights([w[:2] for w in m.get_weights()]), ShapeError, "another shape"),
]


@pytest.mark.parametrize(("act", "kind", "said"), CASES)
def test_bad_input(act: Callable[[Any], Any], kind: type[GraphcError], said: str) -> None:
    model = classifier()
    model.fit(X, Y, verbose=0)
    everything = [*model.weights, *model.optimizer.variables, *(v for m in model.metrics for v in m.variables)]
    before = [v.numpy() for v in everything]
    with pytest.raises(kind) as caught:
        act(model)
    assert said in str(caught.value)
    for variable, value in zip(everything, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def test_errors_name_layer_and_line() -> None:
    class Wrong(graphc.Model):
        def __init__(self) -> None:
            super().__init__(name="wrong")
            self.dense = layers.Dense(3)

        def call(self, x: Any) -> Any:
            return ops.matmul(self.dense(x), self.dense(x))  # this line

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError) as caught:
        model.fit(X, X, verbose=0)
    assert caught.value.layer == "wrong"
    file, _, line = str(caught.value.where).rpartition(":")
    with open(file) as source:
        assert "this line" in source.read().splitlines()[int(line) - 1]


def test_a_layer_of_ours_names_where_it_was_made() -> None:
    with pytest.raises(ShapeError) as caught:
        layers.Add(name="sum")([graphc.Input((3,)), graphc.Input((4,))])  # made here
    assert caught.value.layer == "sum"
    file, _, line = str(caught.value.where).rpartition(":")
    with open(file) as source:
        assert "made here" in source.read().splitlines()[int(line) - 1]


def test_wrong_times_and_names() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(2)])
    with pytest.raises(StateError, match="before `compile`"):
        model.fit(X, Y)
    with pytest.raises(StateError):
        bool(graphc.Input((3,)) > 0)
    with pytest.raises(ArgumentError, match="did you mean 'relu'"):
        layers.Dense(3, activation="rellu")
    with pytest.raises(ArgumentError, match="did you mean 'activation'"):
        layers.Dense(3, activatio="relu")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="does not come from"):
        graphc.Model(graphc.Input((3,)), layers.Dense(2)(graphc.Input((3,))))


def test_nan_is_warned_of() -> None:
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.warns(DataWarning, match=r"x holds NaN, first at index \(3, 2\)"):
        classifier().fit(bad, Y, verbose=0)
