"""Stacks of layers that learn their shapes late, lie in each other, or have a layer twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ShapeError

X4, X5 = np.ones((4, 3), "float32"), np.ones((5, 3), "float32")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


STACKS: dict[str, Callable[[], Any]] = {
    "plain": lambda: graphc.Sequential([layers.Dense(2)]),
    "nested": lambda: graphc.Sequential([graphc.Sequential([layers.Dense(3)]), layers.Dense(2)]),
    "deeper": lambda: graphc.Sequential([graphc.Sequential([graphc.Sequential([layers.Dense(3)])]), layers.Dense(2)]),
    "with an input": lambda: graphc.Sequential([graphc.Input((3,), batch_size=4), layers.Dense(2)]),
    "normalized": lambda: graphc.Sequential([layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]),
}
FIRST_USES: dict[str, Callable[[Any], Any]] = {
    "call": lambda model: model(X4),
    "predict": lambda model: model.predict(X4, verbose=0),
    "fit": lambda model: model.fit(X4, np.ones((4, 2)), verbose=0),
    "train_on_batch": lambda model: model.train_on_batch(X4, np.ones((4, 2))),
    "build": lambda model: model.build((None, 3)),
    "build with a batch": lambda model: model.build((4, 3)),
    "symbolic": lambda model: graphc.Model(inputs := graphc.Input((3,)), model(inputs)),
}


@pytest.mark.parametrize("use", FIRST_USES)
@pytest.mark.parametrize("kind", STACKS)
def test_any_batch_comes_after_the_first(kind: str, use: str) -> None:
    model = STACKS[kind]()
    model.compile("sgd", "mse")
    FIRST_USES[use](model)
    assert model.built and all(layer.built for layer in model._flatten_layers())
    for x in (X5, X4, X5[:1]):
        assert model(x).shape == (len(x), 2) and model.predict(x, verbose=0).shape == (len(x), 2)
    assert np.isfinite(model.evaluate(X5, np.ones((5, 2)), verbose=0))
    assert np.isfinite(model.fit(X5, np.ones((5, 2)), batch_size=2, verbose=0).history["loss"][0])
    assert model.output_shape[1:] == (2,) and "Total params" in summary(model)


def summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


@pytest.mark.parametrize("known", [True, False])
def test_a_layer_twice(known: bool) -> None:
    shared = layers.Dense(3)
    first = [graphc.Input((3,))] if known else []
    model = graphc.Sequential([*first, shared, layers.ReLU(), shared])
    model.compile("sgd", "mse")
    model.fit(X4, X4, verbose=0)
    assert len(model.layers) == 3 and len(model.weights) == 2
    np.testing.assert_allclose(model.predict(X4, verbose=0), shared(layers.ReLU()(shared(X4))).numpy(), rtol=1e-6)


def test_a_stack_that_grows_in_another() -> None:
    inner, model = graphc.Sequential([layers.Dense(3)]), graphc.Sequential([graphc.Input((3,))])
    model.add(inner)
    inner.add(layers.Dense(5))
    assert model(X4).shape[0] == 4 and len(model.weights) == 4


def test_what_a_layer_that_was_not_called_has_not() -> None:
    unbuilt = (layers.Dense(2), graphc.Sequential([layers.Dense(2)]), layers.Bidirectional(layers.LSTM(2)))
    for layer in unbuilt:
        assert not hasattr(layer, "output") and not hasattr(layer, "input")
        assert getattr(layer, "output", None) is None
    inputs = graphc.Input((3,))
    unbuilt[0](inputs)
    assert hasattr(unbuilt[0], "output") and unbuilt[0].output.shape == (None, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [layers.LSTM(2)],
        lambda: [layers.Conv1D(2, 3), layers.GlobalAveragePooling1D()],
        lambda: [graphc.Sequential([layers.GRU(2)])],
    ],
)
def test_sizes_that_were_learned_from_data_may_change(make: Callable[[], list[Any]]) -> None:
    model = graphc.Sequential(make())
    model.compile("sgd", "mse")
    for steps in (5, 6, 5, 9):
        x, y = np.ones((4, steps, 3), "float32"), np.ones((4, 2), "float32")
        assert model(x).shape == (4, 2) and model.predict(x, verbose=0).shape == (4, 2)
        assert np.isfinite(model.train_on_batch(x, y))
    batches = ((np.ones((2, steps, 3)), np.ones((2, 2))) for steps in (4, 7, 4))
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()
    with pytest.raises(ShapeError, match="layer:"):
        model(np.ones((4, 5, 4), "float32"))
    given = graphc.Sequential([graphc.Input((5, 3)), *make()])
    with pytest.raises(ShapeError, match="does not fit the model"):
        given(np.ones((4, 6, 3), "float32"))


@pytest.mark.parametrize("name", ["MaxPooling2D", "Flatten", "Add", "ReLU", "GaussianNoise", "Masking", "Softmax"])
def test_layers_that_need_no_weights_are_built(name: str) -> None:
    args = (0.1,) if name == "GaussianNoise" else ()
    assert getattr(layers, name)(*args).built and not layers.Dense(2).built

    class Building(getattr(layers, name)):  # type: ignore[misc]
        def build(self, *shapes: Any) -> None:
            self.scale = self.add_weight(shape=())

    assert not Building(*args).built


def test_a_model_without_shapes_is_called_after_a_layer_was_removed() -> None:
    model = graphc.Sequential([layers.Dense(2), layers.Dense(3), layers.Dense(4)])
    assert model.pop().units == 4 and not model.built
    assert model(np.ones((2, 5), "float32")).shape == (2, 3)
    assert len(model.weights) == 4
