"""Summaries beside those of Keras: the shapes of layers without symbolic inputs, and automatic names of models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from tests.support.sessions import fresh_names


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    fresh_names()
    with graphc.backend("numpy"):
        yield


def own(k: Any) -> Any:
    layers = k.layers

    class Own(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = [layers.Flatten(), layers.Dense(4), layers.ReLU(), layers.Dropout(0.5), layers.Reshape((2, 2))]
            self.scale, self.lstm, self.join = layers.Rescaling(2.0), layers.LSTM(3), layers.Concatenate()
            self.add, self.attention, self.unused = layers.Add(), layers.MultiHeadAttention(2, 2), layers.Dense(9)
            self.inner, self.pool = k.Sequential([layers.Dense(2)]), layers.GlobalMaxPooling1D()

        def call(self, x: Any) -> Any:
            y = x
            for part in self.parts:
                y = part(y)
            y = self.lstm(self.scale(y))
            y = self.inner(self.add([self.join([y, y]), self.join([y, y])]))
            return k.ops.concatenate([y, self.pool(self.attention(x, x))], -1)

    return Own()


def text_of(model: Any) -> str:
    lines: list[str] = []
    model.summary(line_length=90, print_fn=lambda line, **_: lines.append(line))
    return "\n".join(lines)


def test_shapes_of_layers_that_were_called() -> None:
    texts = []
    for k in (graphc, keras):
        model = own(k)
        model(np.ones((2, 5, 3), "float32"))
        texts.append(text_of(model))
    assert texts[0] == texts[1]
    assert "(2, 15)" in texts[0] and "?" in texts[0]


def derived(k: Any) -> Any:
    """A model of layers of the user, of which some say what shapes they have."""
    layers = k.layers

    class Plain(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    class Built(Plain):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(4,))

    class Shaped(Plain):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    class Both(Shaped, Built):
        pass

    class Padding(layers.ZeroPadding1D):  # type: ignore[misc]
        pass

    class Dropping(layers.Dropout):  # type: ignore[misc]
        pass

    class Inner(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(4)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    class Outer(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = [Plain(), Built(), Shaped(), Both(), Padding(), Dropping(0.5), Inner(), layers.UpSampling1D()]

        def call(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            return x

    return Outer()


def test_shapes_of_layers_that_do_not_tell_them() -> None:
    texts = []
    for k in (graphc, keras):
        model = derived(k)
        model(np.ones((2, 3, 4), "float32"))
        texts.append(text_of(model))
    assert texts[0] == texts[1]


def names(k: Any) -> list[str]:
    """The names of functional models, made between models of other kinds."""
    layers, found = k.layers, []

    def note() -> None:
        x = k.Input((3,))
        found.append(k.Model(x, layers.Dense(1)(x)).name)

    note()
    late = k.Sequential([layers.Dense(2), layers.Dense(3)])
    note()
    late.build((None, 3))
    note()
    k.Sequential([k.Input((3,)), layers.Dense(2), layers.Dense(3)])
    note()
    grown = k.Sequential()
    for layer in (k.Input((3,)), layers.Dense(2), layers.Dense(3)):
        grown.add(layer)
    note()
    grown.pop()
    note()
    k.Sequential([layers.Dense(2)])(np.ones((2, 3), "float32"))
    note()
    k.models.clone_model(k.Sequential([k.Input((3,)), layers.Dense(2)]))
    note()
    own(k)(np.ones((2, 5, 3), "float32"))
    note()
    return found


def test_automatic_names_of_functional_models() -> None:
    assert names(graphc) == names(keras)


def test_parameters_of_histories() -> None:
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    for verbose in ("auto", 0, 2):
        found = []
        for k in (graphc, keras):
            model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
            model.compile("sgd", "mse")
            found.append(model.fit(x, y, verbose=verbose).params)
        assert found[0] == found[1]
