"""A function with a gradient of its own, where the true one is useless, or overflows.

Run: `python examples/custom_gradient.py`.
"""

import numpy as np

import graphc
from graphc import ops


@ops.custom_gradient
def softplus(x):
    """log(1 + exp(x)), with a gradient that does not overflow."""
    e = ops.exp(x)
    return ops.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))


@ops.custom_gradient
def binary(x):
    """Zeros and ones; the gradient passes straight through (Bengio et al., 2013)."""
    return ops.cast(x > 0, "float32"), lambda upstream: ops.where(ops.abs(x) <= 1.0, upstream, 0.0)


def plain(x):
    return ops.log(1.0 + ops.exp(x))


points = np.array([0.0, 50.0, 100.0], "float32")
slope = graphc.function(lambda x, f: graphc.grad(lambda p: ops.sum(f(p)))(x))
print("gradient of log(1 + exp(x)) as it is:", slope(points, plain).numpy())
print("gradient that does not overflow:     ", slope(points, softplus).numpy())

# Weights of 0 and 1 that are trained: which of the features are added up?
rng = np.random.default_rng(0)
x = rng.normal(size=(512, 10)).astype("float32")
chosen = np.array([1, 0, 0, 1, 1, 0, 0, 0, 1, 0], "float32")
scores = graphc.Variable(0.1 * rng.normal(size=10).astype("float32"))


@graphc.function
def step(x, y):
    with graphc.GradientTape() as tape:
        loss = ops.mean(ops.square(ops.sum(x * binary(scores), axis=1) - y))
    scores.assign_sub(0.05 * tape.gradient(loss, scores))
    return loss


for _ in range(50):
    loss = step(x, x @ chosen)
print("features found:", np.flatnonzero(scores.numpy() > 0).tolist(), "wanted:", np.flatnonzero(chosen).tolist())
