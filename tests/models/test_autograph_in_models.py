"""Python's control flow over tensors in layers, losses, metrics and steps of models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, losses, metrics, ops
from graphc.errors import GraphcError

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Halved(layers.Layer):
    """Halves its input until it is small."""

    def call(self, x: Any) -> Any:
        while ops.max(ops.abs(x)) > 1.0:
            x = x / 2.0
        if ops.sum(x) > 0.0:
            return x
        return -x


def huber(y_true: Any, y_pred: Any) -> Any:
    error = ops.mean(ops.abs(y_true - y_pred))
    if error > 1.0:
        return error - 0.5
    return 0.5 * error * error


class Largest(metrics.Metric):
    def __init__(self) -> None:
        super().__init__(name="largest")
        self.seen = self.add_variable((), "zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        top = ops.max(ops.abs(y_pred))
        if top > self.seen:
            self.seen.assign(top)

    def result(self) -> Any:
        return self.seen.value


class Skipping(graphc.Sequential):
    """Does not update its weights where the loss is small."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with graphc.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        slopes = tape.gradient(loss, self.trainable_variables)
        if loss > 100.0:
            self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
        return {"loss": loss}


def halved(x: Any) -> Any:
    while np.abs(x).max() > 1.0:
        x = x / 2
    return x if x.sum() > 0 else -x


def test_in_layers() -> None:
    layer = Halved()
    np.testing.assert_allclose(layer(X).numpy(), halved(X), rtol=1e-6)
    model = graphc.Sequential([graphc.Input((4,)), Halved()])
    np.testing.assert_allclose(model.predict(X, verbose=0), halved(X), rtol=1e-6)
    np.testing.assert_allclose(model(X).numpy(), halved(X), rtol=1e-6)
    lambdas = graphc.Sequential([graphc.Input((4,)), layers.Lambda(lambda x: x if ops.sum(x) > 1e9 else x * 2.0)])
    np.testing.assert_allclose(lambdas.predict(X, verbose=0), 2 * X)


def test_in_losses_and_metrics() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", huber, metrics=[Largest()])
    found = model.evaluate(X, Y, batch_size=32, verbose=0, return_dict=True)
    error = np.abs(Y).mean()
    np.testing.assert_allclose(found["loss"], error - 0.5 if error > 1 else error * error / 2, rtol=1e-5)
    model.fit(X, Y, batch_size=32, verbose=0)
    found = model.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["largest"], np.abs(model.predict(X, verbose=0)).max(), rtol=1e-5)


def test_in_steps() -> None:
    model = Skipping([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", losses.MeanSquaredError())
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.optimizer.iterations) == 0
    model.fit(X, Y * 100.0, batch_size=16, verbose=0)
    assert int(model.optimizer.iterations) == 2


def test_opting_out() -> None:
    def chosen(x: Any) -> Any:
        return x if ops.sum(x) > 0 else -x

    assert graphc.function(chosen)(np.float32(-3.0)).numpy() == 3.0
    with pytest.raises(GraphcError, match=r"(?s)no values yet.*test_autograph_in_models\.py.*ops\.cond"):
        graphc.function(chosen, autograph=False)(np.float32(-3.0))
    layer = Halved()
    with pytest.raises(GraphcError, match="no values yet"):
        graphc.function(lambda x: layer(x), autograph=False)(X)
