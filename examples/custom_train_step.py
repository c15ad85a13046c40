"""A training step of your own, compiled like the built-in one: noise on the weights while the gradient is taken.

Gradients are taken at perturbed weights, which leads to flat minima (sharpness-aware minimization, Foret et al., 2021).

Run: `python examples/custom_train_step.py`.
"""

import numpy as np

import graphc
from graphc import layers, ops


class SharpnessAware(graphc.Sequential):
    """A model whose steps descend from the worst point near the weights."""

    radius = 0.05

    def train_step(self, data):
        x, y = data
        weights = self.trainable_variables
        with graphc.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        slopes = tape.gradient(loss, weights)
        length = ops.sqrt(sum(ops.sum(ops.square(slope)) for slope in slopes))
        shifts = [self.radius / (length + 1e-12) * slope for slope in slopes]

        for weight, shift in zip(weights, shifts, strict=True):
            weight.assign_add(shift)
        with graphc.GradientTape() as tape:
            worst = self.compute_loss(x, y, self(x, training=True))
        slopes = tape.gradient(worst, weights)  # at the weights that were just assigned
        for weight, shift in zip(weights, shifts, strict=True):
            weight.assign_sub(shift)

        self.optimizer.apply_gradients(zip(slopes, weights, strict=True))
        return {"loss": loss, "sharpness": worst - loss}


graphc.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(1024, 8)).astype("float32")
y = np.sin(x[:, :1]) + 0.1 * rng.normal(size=(1024, 1)).astype("float32")

model = SharpnessAware([graphc.Input((8,)), layers.Dense(32, activation="tanh"), layers.Dense(1)])
model.compile(graphc.optimizers.Adam(0.01), "mse")
history = model.fit(x, y, epochs=10, verbose=0).history
print(f"loss      {history['loss'][0]:.4f} -> {history['loss'][-1]:.4f}")
print(f"sharpness {history['sharpness'][0]:.4f} -> {history['sharpness'][-1]:.4f}")
print("programs compiled:", graphc.inspect.stats()["compilations"])
