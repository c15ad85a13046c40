"""A siamese network: one network maps two images to points that are close if both show the same digit.

Data: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, of which the last 597 are for the test.
The contrastive loss (Hadsell, Chopra and LeCun, 2006) pulls equal digits together and pushes others a margin apart.
Prints the accuracy of a nearest neighbour in the learned space (about 0.95), and how often "same" and "different" are
told apart in new pairs (about 0.94). Takes about 10 seconds.

Run: `python examples/siamese.py`.
"""

import numpy as np
from sklearn.datasets import load_digits

import graphc
from graphc import layers, ops

MARGIN, WIDTH = 1.0, 8


class Distance(layers.Layer):
    """The distance of two points; the small number keeps the gradient finite where it is zero."""

    def call(self, inputs):
        first, second = inputs
        return ops.sqrt(ops.sum(ops.square(first - second), axis=-1, keepdims=True) + 1e-6)


@graphc.saving.register_keras_serializable("siamese")
def contrastive_loss(same, distance):
    """Of equal digits the square of the distance, of others the square of what is missing to the margin."""
    return same * ops.square(distance) + (1 - same) * ops.square(ops.maximum(MARGIN - distance, 0))


@graphc.saving.register_keras_serializable("siamese")
def accuracy(same, distance):
    return ops.equal(same > 0.5, distance < MARGIN / 2)


def pairs(images, labels, count, rng):
    """Pairs of images, half of them of the same digit, and 1 for those, 0 for the others."""
    by_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    first = rng.integers(0, len(images), count)
    same = rng.integers(0, 2, count)
    digits = np.where(same, labels[first], (labels[first] + rng.integers(1, 10, count)) % 10)
    second = np.array([rng.choice(by_digit[digit]) for digit in digits])
    return (images[first], images[second]), same[:, None].astype("float32")


graphc.utils.set_random_seed(0)
rng = np.random.default_rng(0)
images, labels = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 8, 8, 1).astype("float32")
(x_train, x_test), (y_train, y_test) = (np.split(part, [1200]) for part in (images, labels))

embedding = graphc.Sequential(
    [
        graphc.Input((8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(WIDTH),
    ],
    name="embedding",
)
first, second = graphc.Input((8, 8, 1), name="first"), graphc.Input((8, 8, 1), name="second")
distance = Distance(name="distance")([embedding(first), embedding(second)])
model = graphc.Model([first, second], distance, name="siamese")
model.compile("adam", contrastive_loss, metrics=[accuracy])
train_pairs, train_same = pairs(x_train, y_train, 12000, rng)
test_pairs, test_same = pairs(x_test, y_test, 3000, rng)
model.fit(train_pairs, train_same, batch_size=64, epochs=8, verbose=2)

results = model.evaluate(test_pairs, test_same, verbose=0, return_dict=True)
distances = model.predict(test_pairs, verbose=0)
print(f"mean distance of equal digits: {distances[test_same == 1].mean():.3f}", end="; ")
print(f"of others: {distances[test_same == 0].mean():.3f}")
known, new = embedding.predict(x_train, verbose=0), embedding.predict(x_test, verbose=0)
nearest = np.square(new[:, None] - known[None]).sum(axis=-1).argmin(axis=1)
print(f"accuracy of the nearest neighbour: {np.mean(y_train[nearest] == y_test):.3f}")
print(f"accuracy of same or different: {results['accuracy']:.3f}")
