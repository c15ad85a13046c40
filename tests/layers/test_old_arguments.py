"""Arguments under the names of earlier versions of Keras, which programs still use: taken, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError

FIRST: dict[str, tuple[Callable[[], Any], tuple[int | None, ...]]] = {
    "input_shape": (lambda: layers.Dense(2, input_shape=(3,)), (None, 3)),
    "a number": (lambda: layers.Dense(2, input_shape=3), (None, 3)),
    "input_dim": (lambda: layers.Dense(2, input_dim=3), (None, 3)),
    "images": (lambda: layers.Conv2D(2, 3, input_shape=(8, 8, 1)), (None, 8, 8, 1)),
    "any length": (lambda: layers.LSTM(2, input_shape=(None, 4)), (None, None, 4)),
    "batch_input_shape": (lambda: layers.GRU(2, stateful=True, batch_input_shape=(5, 7, 4)), (5, 7, 4)),
    "wrapper": (lambda: layers.Bidirectional(layers.LSTM(2), input_shape=(6, 4)), (None, 6, 4)),
    "no weights": (lambda: layers.Flatten(input_shape=(4, 4)), (None, 4, 4)),
    "input layer": (lambda: layers.InputLayer(input_shape=(3,)), (None, 3)),
    "batch of an input layer": (lambda: layers.InputLayer(batch_input_shape=(5, 3)), (5, 3)),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_shape_of_the_inputs_in_the_first_layer(name: str) -> None:
    make, shape = FIRST[name]
    with pytest.warns(UserWarning, match="Input") as caught:
        first = make()
    assert caught[0].filename == __file__
    stack = graphc.Sequential([first, layers.Flatten(), layers.Dense(1)])
    added = graphc.Sequential()
    added.add(first)
    for model in (stack, added):
        assert model.input_shape == shape
        assert model.built
    sizes = [size or 3 for size in shape]
    assert stack.predict(np.ones(sizes, "float32"), verbose=0).shape == (sizes[0], 1)


def test_a_layer_of_a_subclass_takes_the_shape_too() -> None:
    class Twice(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    with pytest.warns(UserWarning, match="input_shape"):
        model = graphc.Sequential([Twice(input_shape=(3,)), layers.Dense(1)])
    assert model.count_params() == 4


def test_elsewhere_the_shape_means_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = graphc.Sequential([layers.Input((3,)), layers.Dense(2, input_shape=(7,)), layers.Dense(1, input_dim=9)])
        x = layers.Dense(2, input_shape=(7,))(layers.Input((3,)))
    assert model.output_shape == (None, 1) and x.shape == (None, 2)


def test_other_old_names() -> None:
    with pytest.warns(UserWarning, match="negative_slope"):
        assert layers.LeakyReLU(alpha=0.25).negative_slope == 0.25
    with pytest.warns(UserWarning, match="input_length"):
        layers.Embedding(5, 2, input_length=3)
    with pytest.warns(UserWarning, match="decay"):
        graphc.optimizers.SGD(0.1, decay=1e-6)
    with pytest.raises(ArgumentError, match="takes no such argument"):
        layers.Dense(3, input_sizes=(3,))
