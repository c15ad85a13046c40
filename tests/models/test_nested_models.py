"""Models within models: whatever is asked of all parts of a model sees the parts of functional models, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.saving.weights import named_variables

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X[:, :1]


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


class Noted(layers.Layer):
    """Has a loss, a metric, a seed and a variable of its own, and a state that it changes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen = graphc.metrics.Mean(name="seen")
        self.seeds = graphc.random.SeedGenerator(3)

    def build(self, input_shape: Any) -> None:
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

    def call(self, x: Any) -> Any:
        self.add_loss(ops.mean(x))
        self.steps.assign_add(1.0)
        self.seen.update_state(ops.max(x))
        return x + graphc.random.normal(ops.shape(x), stddev=1e-3, seed=self.seeds)


def parts() -> list[Any]:
    return [
        layers.Dense(4, kernel_regularizer="l2", name="first"),
        layers.BatchNormalization(name="norm"),
        layers.Dropout(0.5, name="drop"),
        layers.Dense(4, activity_regularizer="l1", dtype="mixed_bfloat16", name="half"),
        Noted(name="noted"),
    ]


def functional(stack: list[Any], name: str) -> Any:
    x = inputs = graphc.Input((4,), name=f"{name}_input")
    for layer in stack:
        x = layer(x)
    return graphc.Model(inputs, x, name=name)


def sequential(stack: list[Any], name: str) -> Any:
    return graphc.Sequential([graphc.Input((4,), name=f"{name}_input"), *stack], name=name)


def subclassed(stack: list[Any], name: str) -> Any:
    class Own(graphc.Model):
        def __init__(self) -> None:
            super().__init__(name=name)
            self.stack = stack

        def call(self, x: Any) -> Any:
            for layer in self.stack:
                x = layer(x)
            return x

    model = Own()
    model.build((None, 4))
    return model


def nested(outer: Any, middle: Any, inner: Any) -> tuple[Any, Any, Any]:
    base = inner(parts(), "base")
    between = middle([layers.Dense(4, name="before"), base], "between")
    return outer([between, layers.Dense(1, name="last")], "whole"), between, base


def described(model: Any) -> dict[str, Any]:
    """What a model says of itself, without what depends on its kind."""
    every = model._flatten_layers()
    return {
        "weights": [w.path.split("/")[-2:] for w in model.weights],
        "trainable": [w.path.split("/")[-2:] for w in model.trainable_weights],
        "fixed": [re.sub(r"_\d+/", "/", w.path).split("/")[-2:] for w in model.non_trainable_variables],
        "variables": len(model.variables),
        "losses": len(model.losses),
        "metrics": [m.name for m in model.metrics],
        "policies": {layer.name: layer.dtype_policy.name for layer in every if not layer.name.endswith("_input")},
        "flags": {layer.name: layer.trainable for layer in every if not layer.name.endswith("_input")},
        "parameters": model.count_params(),
    }


KINDS = {"functional": functional, "sequential": sequential, "subclassed": subclassed}


@pytest.mark.parametrize("inner", KINDS)
@pytest.mark.parametrize("middle", KINDS)
def test_nested_models_say_the_same_whatever_they_are_made_of(inner: str, middle: str) -> None:
    reference, _, base = nested(sequential, sequential, sequential)
    model, _, own = nested(functional, KINDS[middle], KINDS[inner])
    for each in (reference, model):
        each(X)
    assert described(model) == described(reference)
    base.trainable = own.trainable = False
    assert described(model) == described(reference)
    assert not any("first" in path for path in described(model)["trainable"])
    base.trainable = own.trainable = True
    assert described(model) == described(reference)


@pytest.mark.parametrize("frozen", ["base", "between", "from the start"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_frozen_does_not_train(kind: str, frozen: str) -> None:
    made = KINDS[kind]
    model, between, base = nested(made, made, made)
    which = base if frozen != "between" else between
    which.trainable = False
    model.compile("sgd", "mse")
    before, last = which.get_weights(), model.get_weights()[-1]
    model.fit(X, Y, epochs=2, verbose=0)
    names = [w.path.split("/")[-1] for w in which.weights]
    for name, old, new in zip(names, before, which.get_weights(), strict=True):
        # The layer's own state is not the optimizer's business; a frozen normalization keeps its statistics.
        assert name == "steps" or np.array_equal(old, new), name
    assert not np.array_equal(last, model.get_weights()[-1])
    which.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before[0], which.get_weights()[0])


def test_a_layer_without_trainable_weights_is_frozen_at_once() -> None:
    norm = layers.BatchNormalization(center=False, scale=False)
    model = graphc.Sequential([graphc.Input((4,)), norm, layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []
    for trainable in (True, False, True):
        norm.trainable = trainable
        model.fit(X, Y, verbose=0)
        seen.append(norm.moving_mean.numpy())
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[1], seen[2])


def test_models_that_are_made_frozen() -> None:
    inputs = graphc.Input((4,))
    base = graphc.Model(inputs, layers.Dense(3)(inputs), trainable=False)
    stack = graphc.Sequential([graphc.Input((4,)), layers.Dense(3)], trainable=False)
    for frozen in (base, stack):
        outer = graphc.Sequential([graphc.Input((4,)), frozen, layers.Dense(2)])
        assert [w.shape for w in outer.trainable_weights] == [(3, 2), (2,)]


def test_a_layer_that_was_frozen_before_it_had_parts() -> None:
    class Late(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.inner = layers.Dense(3)
            self.inner.build(input_shape)

        def call(self, x: Any) -> Any:
            return self.inner(x)

    late = Late()
    late.trainable = False
    model = graphc.Sequential([graphc.Input((4,)), late, layers.Dense(2)])
    assert [w.shape for w in model.trainable_weights] == [(3, 2), (2,)]


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_nested_models_in_files(tmp_path: Path, kind: str) -> None:
    made = KINDS[kind]
    first, _, _ = nested(made, made, made)
    second, _, _ = nested(made, made, made)
    keys = [key.replace("functional", "sequential") for key in named_variables(first)]
    assert keys == list(named_variables(nested(sequential, sequential, sequential)[0]))
    first.save_weights(tmp_path / "a.weights.h5")
    second.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_layers_in_attributes_of_a_model_that_is_a_graph() -> None:
    class Own(graphc.Model):
        def __init__(self) -> None:
            inputs = graphc.Input((4,))
            super().__init__(inputs, layers.Dense(3)(inputs))
            self.extra = layers.Dense(2)
            self.extra.build((None, 4))

    model = Own()
    assert len(model.layers) == 2 and len(model.weights) == 4
    model.trainable = False
    assert not model.extra.trainable and not model.layers[1].trainable


@pytest.mark.parametrize("call", [{}, {"training": False}, {"training": True}], ids=str)
@pytest.mark.parametrize("loaded", [False, True], ids=["made", "loaded"])
def test_training_that_a_call_was_given_stays(call: dict[str, bool], loaded: bool, tmp_path: Path) -> None:
    """Fine-tuning: `base(inputs, training=False)` keeps the base's moving averages, though it is trainable."""
    base = graphc.Sequential([layers.Input((3,)), layers.BatchNormalization(momentum=0.5)])
    inputs = layers.Input((3,))
    model = graphc.Model(inputs, layers.Dense(1)(base(inputs, **call)))
    if loaded:
        model.save(tmp_path / "model.keras")
        model = graphc.models.load_model(tmp_path / "model.keras")
    normalization = model.layers[1].layers[-1]
    x = np.arange(12, dtype="float32").reshape(4, 3)
    kept = {training: np.asarray(model(x, training=training)) for training in (False, True)}
    assert np.array_equal(kept[False], kept[True]) == bool(call)
    before = np.array(normalization.moving_mean)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((4, 1), "float32"), verbose=0)
    assert np.array_equal(before, normalization.moving_mean) == (call.get("training") is False)
