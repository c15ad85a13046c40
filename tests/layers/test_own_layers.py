"""Layers of users: what their `build` may do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops


@pytest.mark.parametrize("use", ["symbolic", "eager", "traced", "fit"])
def test_build_may_compute_first_values(use: str) -> None:
    """A mask, or a table, that is computed of the shape and kept in a variable."""

    class Masked(layers.Layer):
        def build(self, input_shape: Any) -> None:
            steps = ops.arange(input_shape[-1])
            mask = ops.where(steps % 2 == 0, 1.0, -1.0)
            self.mask = graphc.Variable(mask, trainable=False, name="mask")
            self.again = graphc.Variable(initializer=mask, shape=mask.shape, dtype=mask.dtype, trainable=False)
            self.biggest = float(ops.max(mask))

        def call(self, inputs: Any) -> Any:
            return inputs * self.mask * self.again * self.biggest

    layer, x = Masked(), np.arange(8.0, dtype="float32").reshape(2, 4)
    with graphc.backend("numpy"):
        if use == "symbolic":
            inputs = graphc.Input((4,))
            found = graphc.Model(inputs, layer(inputs))(x)
        elif use == "eager":
            found = layer(x)
        elif use == "traced":
            found = graphc.function(layer)(x)
        else:
            model = graphc.Sequential([layer])
            model.compile("sgd", "mse")
            assert model.evaluate(x, x, verbose=0) == 0
            found = model(x)
    np.testing.assert_array_equal(found, x)
    assert len(layer.weights) == 2


def test_a_convolution_of_another_kernel() -> None:
    class Standardized(layers.Conv2D):
        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            mean, variance = ops.moments(kernel, axes=(0, 1, 2), keepdims=True)
            return super().convolution_op(inputs, (kernel - mean) / ops.sqrt(variance + 1e-10))

    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    layer = Standardized(4, 3, use_bias=False)
    before = np.asarray(layer(x))
    layer.kernel.assign(layer.kernel * 7.0)
    np.testing.assert_allclose(np.asarray(layer(x)), before, rtol=1e-4, atol=1e-5)
    causal = layers.Conv1D(2, 2, padding="causal")
    causal.build((None, 4, 3))
    assert causal.convolution_op(x[:, 0, :4], causal.kernel).shape == (2, 4, 2)
