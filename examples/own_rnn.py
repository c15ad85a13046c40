"""A recurrent cell by hand in `ops.scan`: it learns to add the two marked numbers of a sequence.

The whole step, loop and gradient through time included, is one program. Run: `python examples/own_rnn.py`.
"""

import numpy as np

import graphc
from graphc import ops

UNITS, STEPS, BATCH = 32, 20, 64
rng = np.random.default_rng(0)


def weights(*shape):
    return graphc.Variable(rng.normal(scale=shape[0] ** -0.5, size=shape).astype("float32"))


inputs, recurrent, output = weights(2, 2 * UNITS), weights(UNITS, 2 * UNITS), weights(UNITS, 1)
gate_bias = graphc.Variable(np.full(UNITS, -1.0, "float32"))
variables = [inputs, recurrent, output, gate_bias]


def cell(h, x):
    """A minimal gated unit: `h + z * (tanh(candidate) - h)`."""
    gate, candidate = ops.split(ops.matmul(x, inputs) + ops.matmul(h, recurrent), 2, axis=-1)
    h = h + ops.sigmoid(gate + gate_bias) * (ops.tanh(candidate) - h)
    return h, ()


optimizer = graphc.optimizers.Adam(0.01)


@graphc.function
def step(x, y):
    with graphc.GradientTape() as tape:
        last, _ = ops.scan(cell, ops.zeros((x.shape[0], UNITS)), ops.transpose(x, (1, 0, 2)))
        loss = ops.mean(ops.square(ops.matmul(last, output)[:, 0] - y))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


def batch():
    values = rng.uniform(size=(BATCH, STEPS)).astype("float32")
    marks = np.zeros((BATCH, STEPS), "float32")
    first, second = rng.integers(0, STEPS // 2, BATCH), rng.integers(STEPS // 2, STEPS, BATCH)
    marks[np.arange(BATCH), first] = marks[np.arange(BATCH), second] = 1.0
    return np.stack([values, marks], axis=-1), (values * marks).sum(axis=1)


losses = [float(step(*batch())) for _ in range(600)]
print(f"mean squared error {np.mean(losses[:20]):.3f} -> {np.mean(losses[-20:]):.4f} (always guessing 1: 0.167)")
