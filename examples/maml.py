"""Model-agnostic meta-learning (Finn et al., 2017): gradients through gradient steps.

A network learns weights from which one step on ten points of a new sine wave fits the wave. The inner steps of all
tasks run at once (`vectorized_map`), and the outer gradient is of second order: all of it is one program.

Run: `python examples/maml.py`.
"""

import numpy as np

import graphc
from graphc import ops

TASKS, POINTS, RATE = 25, 10, 0.01
rng = np.random.default_rng(0)


def layer(n, m):
    return [rng.normal(scale=(2 / n) ** 0.5, size=(n, m)).astype("float32"), np.zeros(m, "float32")]


meta = [graphc.Variable(value) for n, m in ((1, 40), (40, 40), (40, 1)) for value in layer(n, m)]
optimizer = graphc.optimizers.Adam(0.003)


def predict(w, x):
    for kernel, bias in ((w[0], w[1]), (w[2], w[3])):
        x = ops.relu(ops.matmul(x, kernel) + bias)
    return ops.matmul(x, w[4]) + w[5]


def error(w, x, y):
    return ops.mean(ops.square(predict(w, x) - y))


def adapted(w, x, y):
    slopes = graphc.grad(error)(w, x, y)
    return [weight - RATE * slope for weight, slope in zip(w, slopes, strict=True)]


@graphc.function
def step(x, y, x_test, y_test):
    with graphc.GradientTape() as tape:
        start = [weight.value for weight in meta]
        losses = ops.vectorized_map(
            lambda task: error(adapted(start, task[0], task[1]), task[2], task[3]), (x, y, x_test, y_test)
        )
        loss = ops.mean(losses)
    optimizer.apply_gradients(zip(tape.gradient(loss, meta), meta, strict=True))
    return loss


def waves(count):
    amplitude, phase = rng.uniform(0.1, 5.0, (count, 1, 1)), rng.uniform(0, np.pi, (count, 1, 1))
    x = rng.uniform(-5, 5, (count, 2 * POINTS, 1))
    y = amplitude * np.sin(x + phase)
    return [part.astype("float32") for part in (x[:, :POINTS], y[:, :POINTS], x[:, POINTS:], y[:, POINTS:])]


losses = [float(step(*waves(TASKS))) for _ in range(1500)]
print(f"error after one step, on points not seen: {np.mean(losses[:20]):.2f} -> {np.mean(losses[-50:]):.2f}")


@graphc.function
def fitted(x, y, x_test, y_test, steps):
    """The mean error on points not seen, after some steps on the others."""

    def of_task(task):
        w = [weight.value for weight in meta]
        for _ in range(steps):
            w = adapted(w, task[0], task[1])
        return error(w, task[2], task[3])

    return ops.mean(ops.vectorized_map(of_task, (x, y, x_test, y_test)))


new = waves(200)
for steps in (0, 1, 5):
    print(f"200 new waves, {steps} steps: {float(fitted(*new, steps)):.2f}")
