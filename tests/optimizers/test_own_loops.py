"""Optimizers in steps that users write: built by the step that is traced, with gradients that the step scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops, optimizers

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


class Signed(optimizers.Optimizer):
    """An optimizer as Keras's guides write them, with a moment for each weight and a count."""

    def __init__(self, learning_rate: float = 0.1, beta: float = 0.5, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta = beta

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.moments = [self.add_variable_from_reference(reference_variable=v, name="moment") for v in variables]
        self.count = self.add_variable(shape=(), dtype="int32", name="count")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        moment = self.moments[self._get_variable_index(variable)]
        self.assign(moment, self.beta * moment + (1 - self.beta) * ops.cast(gradient, variable.dtype))
        self.assign_add(self.count, 1)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * ops.sign(moment))


OPTIMIZERS = {
    "own": lambda: Signed(0.05),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=4.0, dynamic_growth_steps=2),
    "scaled own": lambda: optimizers.LossScaleOptimizer(Signed(0.05), initial_scale=4.0, dynamic_growth_steps=2),
    "averages": lambda: optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "accumulated": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "factor": lambda: optimizers.SGD(0.1, loss_scale_factor=8.0),
}


def history(optimizer: Any, kind: str) -> list[Any]:
    """What five steps of a loop return, and the state after them: eager, compiled, or as a model's own step."""
    weights = [graphc.Variable([[0.5], [1.0], [-1.0]]), graphc.Variable([0.25])]

    def step(x: Any, y: Any) -> Any:
        with graphc.GradientTape() as tape:
            loss = ops.mean(ops.square(ops.matmul(x, weights[0]) + weights[1] - y))
            scaled = optimizer.scale_loss(loss)
        slopes = tape.gradient(scaled, weights)
        optimizer.apply_gradients(zip(slopes, weights, strict=True))
        return {"loss": loss, "scaled": scaled, "slope": ops.sum(ops.abs(slopes[0]))}

    class Own(graphc.Model):
        def train_step(self, data: Any) -> Any:
            return step(*data)

    found: list[Any] = []
    if kind.startswith("model"):
        model = Own()
        model.compile(run_eagerly=kind == "model, eagerly")
        logs = [model.train_on_batch(X, Y, return_dict=True) for _ in range(5)]
    else:
        run = graphc.function(step) if kind == "function" else step
        logs = [run(X, Y) for _ in range(5)]
    found += [float(log[name]) for log in logs for name in ("loss", "scaled", "slope")]
    return [*found, *(np.asarray(v).sum() for v in (*weights, *optimizer.variables))]


@pytest.mark.parametrize("kind", ["function", "model", "model, eagerly"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_that_build_their_optimizer_count_on_as_eager_ones(name: str, kind: str) -> None:
    wanted = history(OPTIMIZERS[name](), "eager")
    np.testing.assert_allclose(history(OPTIMIZERS[name](), kind), wanted, rtol=1e-4, atol=1e-6)
    if "scaled" in name:
        np.testing.assert_allclose(
            [scaled / loss for loss, scaled in zip(wanted[:15:3], wanted[1:15:3], strict=True)], [4, 4, 8, 8, 16]
        )
