"""Linear regression, four times: by hand, with a tape, as a compiled function, and as a loop in one program.

Run: `python examples/low_level.py`.
"""

import numpy as np

import graphc
from graphc import ops

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 3)).astype("float32")
y = x @ np.array([[1.0], [-2.0], [0.5]], "float32") + 0.7
RATE, STEPS = 0.1, 100

w, b = graphc.Variable(np.zeros((3, 1), "float32"), name="w"), graphc.Variable([0.0], name="b")


def shown(how: str) -> None:
    loss = ops.mean(ops.square(ops.matmul(x, w) + b - y))
    print(f"{how:<10} w = {np.round(w.numpy().ravel(), 3).tolist()}, b = {b.numpy()[0]:.3f}, loss = {float(loss):.1e}")
    w.assign(ops.zeros_like(w))
    b.assign([0.0])


# By hand: eager operations, and the gradient as calculus gives it.
for _ in range(STEPS):
    error = ops.matmul(x, w) + b - y
    w.assign_sub(RATE * 2 / len(x) * ops.matmul(ops.transpose(x), error))
    b.assign_sub(RATE * 2 * ops.mean(error, axis=0))
shown("by hand")


# With a tape: the same operations, recorded and differentiated.
def step(x, y):
    with graphc.GradientTape() as tape:
        loss = ops.mean(ops.square(ops.matmul(x, w) + b - y))
    for variable, slope in zip((w, b), tape.gradient(loss, [w, b]), strict=True):
        variable.assign_sub(RATE * slope)
    return loss


for _ in range(STEPS):
    step(x, y)
shown("tape")

# As a compiled function: traced on the first call, then one program per step.
compiled_step = graphc.function(step)
for _ in range(STEPS):
    compiled_step(x, y)
shown("function")


# As a loop: all steps are one program; the variables are carried from step to step.
@graphc.function
def train(x, y):
    return ops.scan(lambda _, i: ((), step(x, y)), (), length=STEPS)[1]


losses = train(x, y).numpy()
print(f"{'loop':<10} losses from {losses[0]:.3f} to {losses[-1]:.1e}")
shown("loop")
