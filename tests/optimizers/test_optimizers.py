"""Which weights an optimizer changes, and which it leaves alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optimizers
from graphc.errors import ArgumentError, StateError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

NAMES = ["kernel", "kernel_2", "my_kernel", "bias", "unbiased", "scale"]


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def decayed(api: Any, excluded: list[int], patterns: list[str] | None) -> list[bool]:
    """Of each weight, whether a step without gradients makes it smaller."""
    weights = [api.Variable(np.ones(2, "float32"), name=name) for name in NAMES]
    optimizer = api.optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[weights[i] for i in excluded], var_names=patterns)
    optimizer.build(weights)
    optimizer.apply([np.zeros(2, "float32")] * len(weights), weights)
    return [float(np.asarray(w)[0]) < 1 for w in weights]


@pytest.mark.parametrize("excluded", [[], [0], [3], [0, 4]])
@pytest.mark.parametrize("patterns", [None, [], ["bias"], ["kernel$"], ["^bias", "scale"], ["a", "zzz"]])
def test_weights_without_decay(excluded: list[int], patterns: list[str] | None) -> None:
    assert decayed(graphc, excluded, patterns) == decayed(keras, excluded, patterns)


def test_weights_are_told_apart_by_what_they_are_and_not_by_their_names() -> None:
    first, second = (graphc.Variable(np.ones(2, "float32"), name="kernel") for _ in range(2))
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[first])
    optimizer.apply([np.zeros(2)] * 2, [first, second])
    assert first.numpy()[0] == 1 > second.numpy()[0]


def test_names_are_those_of_weights_and_not_of_their_layers() -> None:
    with graphc.backend("numpy"):
        model = graphc.Sequential([graphc.Input((2,)), graphc.layers.Dense(2, name="bias_free", use_bias=False)])
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    before = model.get_weights()[0]
    optimizer.apply([np.zeros((2, 2))], model.trainable_variables)
    np.testing.assert_allclose(model.get_weights()[0], 0.95 * before, rtol=1e-6)


def test_a_later_call_takes_the_place_of_an_earlier_one_and_comes_before_building() -> None:
    weight = graphc.Variable(np.ones(2, "float32"), name="bias")
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.exclude_from_weight_decay(var_names=["scale"])
    optimizer.apply([np.zeros(2)], [weight])
    assert weight.numpy()[0] < 1
    with pytest.raises(StateError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])


def test_gradients_that_are_missing() -> None:
    first, second = (graphc.Variable(np.ones(2, "float32"), name=name) for name in ("a", "b"))
    optimizer = optimizers.SGD(0.5)
    for grads in ([None], [None, None]):
        with pytest.raises(ArgumentError, match="no gradient for any weight"):
            optimizer.apply(grads, [first, second][: len(grads)])
    assert not optimizer.built
    with pytest.warns(UserWarning, match="no gradients for b"):
        optimizer.apply([np.ones(2), None], [first, second])
    assert first.numpy()[0] == 0.5 and second.numpy()[0] == 1
