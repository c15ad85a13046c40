"""One network with three outputs: a digit, whether it is odd, and how much ink it takes.

Data: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, with noise; the last 597 are for the test.
Losses, their weights and metrics are given by the outputs' names, and `evaluate` gives its results by name.
Prints the accuracy of digits (about 0.93) and of parity (about 0.95), and the mean error of the ink (about 0.3 of its
standard deviation). Takes about 5 seconds.

Run: `python examples/several_outputs.py`.
"""

import numpy as np
from sklearn.datasets import load_digits

import graphc
from graphc import layers, metrics

graphc.utils.set_random_seed(0)
x, digit = load_digits(return_X_y=True)
x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
ink = x.sum(axis=(1, 2, 3))
targets = {"digit": digit, "odd": (digit % 2).astype("float32"), "ink": (ink - ink.mean()) / ink.std()}
x += np.random.normal(0, 0.1, x.shape).astype("float32")
train, test = ({name: values[part] for name, values in targets.items()} for part in (slice(1200), slice(1200, None)))

inputs = graphc.Input((8, 8, 1), name="image")
features = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
features = layers.Conv2D(32, 3, activation="relu")(layers.MaxPooling2D()(features))
features = layers.Dense(64, activation="relu")(layers.Flatten()(features))
model = graphc.Model(
    inputs,
    {
        "digit": layers.Dense(10, activation="softmax", name="digit")(features),
        "odd": layers.Dense(1, activation="sigmoid", name="odd")(features),
        "ink": layers.Dense(1, name="ink")(features),
    },
)
model.compile(
    optimizer="adam",
    loss={"digit": "sparse_categorical_crossentropy", "odd": "binary_crossentropy", "ink": "mse"},
    loss_weights={"digit": 1.0, "odd": 0.5, "ink": 0.2},
    metrics={"digit": "accuracy", "odd": ["accuracy", metrics.AUC(name="auc")], "ink": "mae"},
)
history = model.fit(x[:1200], train, batch_size=32, epochs=25, validation_split=0.1, verbose=0)
for name in ("loss", "digit_loss", "odd_loss", "ink_loss"):
    values = history.history[f"val_{name}"]
    print(f"validation {name:10} {values[0]:.3f} -> {values[-1]:.3f}")

results = model.evaluate(x[1200:], test, verbose=0, return_dict=True)
print("results:", ", ".join(sorted(results)))
weighted = results["digit_loss"] + 0.5 * results["odd_loss"] + 0.2 * results["ink_loss"]
print(f"loss {results['loss']:.4f} = weighted sum of the losses {weighted:.4f}")
predicted = model.predict(x[1200:], verbose=0)
agree = (predicted["digit"].argmax(axis=-1) % 2) == (predicted["odd"][:, 0] > 0.5)
print(f"digit and parity agree in {agree.mean():.3f} of the images")
print(f"digit accuracy: {results['digit_accuracy']:.3f}", end="; ")
print(f"parity accuracy: {results['odd_accuracy']:.3f}; error of ink: {results['ink_mae']:.3f}")
