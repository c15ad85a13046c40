"""An operation of your own, which fuses into a layer's kernel. Run: `python examples/own_primitive.py`."""

import numpy as np

import graphc
from graphc import layers, ops

# One function is the reference on NumPy arrays and, element by element, what is compiled. `lower=` would give the
# second by itself.
bent = graphc.primitive(
    "bent",
    lambda x, slope: np.where(x > 0, x, slope * x / (1 - x)),
    vjp=lambda g, y, x, slope: g * ops.where(x > 0, 1.0, slope / ops.square(1 - x)),
)

model = graphc.Sequential(
    [
        graphc.Input((16,)),
        layers.Dense(32, activation=lambda x: bent(x, slope=0.5)),
        layers.Dense(1),
    ]
)
model.compile("adam", "mse")

rng = np.random.default_rng(0)
x = rng.normal(size=(512, 16)).astype("float32")
y = np.sin(x.sum(axis=1, keepdims=True))
history = model.fit(x, y, batch_size=64, epochs=5, verbose=0)
losses = history.history["loss"]
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")

# Each layer is one kernel: its product with all that follows it.
before = graphc.inspect.stats()["launches"]
model.predict_on_batch(x[:64])
print("kernels of a prediction:", graphc.inspect.stats()["launches"] - before)
