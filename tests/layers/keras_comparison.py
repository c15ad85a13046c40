"""A layer of ours beside Keras's on JAX: weights, outputs and gradients."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np

import graphc
from graphc import config, ops, tree
from graphc.tracing import as_tensor


def configured(layer: Any) -> Any:
    """The configuration of a layer without names, which count what was made before."""
    return _nameless(layer.get_config())


def _nameless(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _nameless(value) for key, value in part.items() if key not in ("name", "build_config")}
    return [_nameless(value) for value in part] if isinstance(part, list | tuple) else part


def paths_of(weights: Any) -> list[list[str]]:
    """The paths of weights within a layer, without the numbers that tell what was made before."""
    return [[re.sub(r"_\d+$", "", part) for part in w.path.split("/")[1:]] for w in weights]


def share_weights(ours: Any, theirs: Any, seed: int = 1) -> None:
    """Gives both layers the same random weights, and checks that they are called and shaped alike."""
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert paths_of(ours.weights) == paths_of(theirs.weights)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.trainable for w in ours.weights] == [w.trainable for w in theirs.weights]
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.5, w.shape) for w in ours.weights]
    # Variances are positive.
    weights = [x if w.trainable else np.abs(x) + 0.5 for w, x in zip(ours.weights, weights, strict=True)]
    weights = [x.astype("float32") for x in weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)


def _factor(shape: Any, i: int) -> Any:
    return np.random.default_rng(10 + i).normal(size=shape).astype("float32")


def results_of_ours(layer: Any, inputs: Any, options: dict[str, Any], backend: str = "numpy") -> tuple[Any, Any]:
    """The outputs of a layer and the gradients of its weights, from one compiled graph."""
    layer.built or layer(inputs, **options)
    weights = [w for w in layer.weights if w.trainable]

    @graphc.function
    def step(x: Any) -> Any:
        with graphc.GradientTape() as tape:
            outputs = tree.flatten(layer(x, **options))
            total: Any = as_tensor(0.0)
            for i, output in enumerate(outputs):
                total = total + ops.sum(output * _factor(output.shape, i))
        return outputs, tape.gradient(total, weights, unconnected_gradients="zero")

    with config.override(backend=backend):
        outputs, grads = step(inputs)
    return [x.numpy() for x in outputs], [x.numpy() for x in grads]


def results_of_theirs(layer: Any, inputs: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """Likewise for a layer of Keras."""
    state = [v.value for v in layer.non_trainable_variables]

    def loss(weights: Any) -> Any:
        outputs, _ = layer.stateless_call(weights, state, inputs, **options)
        flat = tree.flatten(outputs)
        return sum((output * _factor(output.shape, i)).sum() for i, output in enumerate(flat)), flat

    weights = [v.value for v in layer.trainable_variables]
    # Compiled as one: JAX would else compile every operation by itself.
    (_, outputs), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(weights)
    return [np.asarray(x) for x in outputs], [np.asarray(g) for g in grads]


def compare(ours: Any, theirs: Any, inputs: Any, options: dict[str, Any], backend: str = "numpy") -> None:
    """Compares weights, outputs (traced and at once), shapes and configurations."""
    jax.eval_shape(lambda: theirs(inputs, **options))
    ours(inputs, **options)
    share_weights(ours, theirs)
    expected, slopes = results_of_theirs(theirs, inputs, options)
    found, grads = results_of_ours(ours, inputs, options, backend)
    at_once = [x.numpy() for x in tree.flatten(ours(inputs, **options))]
    assert len(found) == len(expected)
    for a, b, c in zip(found, expected, at_once, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
        np.testing.assert_allclose(c, b, rtol=2e-5, atol=2e-5)
    for w, a, b in zip(ours.trainable_weights, grads, slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=5e-5, err_msg=w.path)
    assert configured(ours) == configured(theirs)
    again = type(ours).from_config(ours.get_config())
    assert configured(again) == configured(ours)
