"""Transfer learning: what a network has learned of many images of some classes serves others, of which there are few.

Data: Fashion-MNIST's images, each at a random place of a larger noisy one. 8,000 of seven classes train the base; the
other three (pullover, dress, bag) have 20 images each for training, and 1,000 each for the test.
First the base is frozen and a new head is trained, then the base is fine-tuned with a small learning rate, its batch
normalization in inference mode all the time. Prints the test accuracy of the same network without pretraining (about
0.6), with a new head (about 0.83), and fine-tuned (about 0.87). Takes about 15 seconds.

Run: `python examples/transfer_learning.py`.
"""

import numpy as np

import graphc
from graphc import layers, optimizers
from graphc.datasets import fashion_mnist

NEW = [2, 3, 8]  # pullover, dress, bag
EACH = 20
SIZE = 40


def scenes(images, rng):
    """Each image at a random place of 40 x 40 pixels that are noise."""
    found = rng.uniform(0, 120, (len(images), SIZE, SIZE, 1)).astype("float32")
    for scene, image, (top, left) in zip(found, images, rng.integers(0, SIZE - 27, (len(images), 2)), strict=True):
        here = scene[top : top + 28, left : left + 28, 0]
        np.maximum(here, image, out=here)
    return found


graphc.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
rng = np.random.default_rng(0)

old = np.flatnonzero(~np.isin(y_train, NEW))[:8000]
few = np.concatenate([np.flatnonzero(y_train == label)[:EACH] for label in NEW])
x_few, y_few = scenes(x_train[few], rng), np.searchsorted(NEW, y_train[few])
rows = np.isin(y_test, NEW)
x_new, y_new = scenes(x_test[rows], rng), np.searchsorted(NEW, y_test[rows])


def new_base():
    """From images to 64 features; a model of its own, so that it can be frozen as one."""
    return graphc.Sequential(
        [
            graphc.Input((SIZE, SIZE, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(64, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.GlobalMaxPooling2D(),
        ],
        name="base",
    )


def classifier(base, classes, **call):
    inputs = graphc.Input((SIZE, SIZE, 1))
    x = layers.Dropout(0.2)(base(inputs, **call))
    return graphc.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def fit(model, x, y, rate, epochs, batch_size):
    """Compiles the model, since what is trainable may have changed, and trains it."""
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)


def accuracy(model, x, y):
    return model.evaluate(x, y, batch_size=256, verbose=0, return_dict=True)["accuracy"]


base = new_base()
pretrained = classifier(base, 10)
fit(pretrained, scenes(x_train[old], rng), y_train[old], 0.002, epochs=6, batch_size=64)
known = accuracy(pretrained, scenes(x_test[~rows], rng), y_test[~rows])
print(f"pretrained: {known:.3f} on the classes that it knows")

scratch = classifier(new_base(), len(NEW))
fit(scratch, x_few, y_few, 0.002, epochs=60, batch_size=20)
print(f"without pretraining: {accuracy(scratch, x_new, y_new):.3f}")

base.trainable = False
model = classifier(base, len(NEW), training=False)  # the moving averages stay as they are, also when it is trainable
frozen = [np.array(weight) for weight in base.weights]
print(f"base frozen: {len(model.trainable_weights)} of {len(model.weights)} weights are trainable")
fit(model, x_few, y_few, 0.01, epochs=60, batch_size=20)
print(f"new head: {accuracy(model, x_new, y_new):.3f}")
assert all(np.array_equal(before, now) for before, now in zip(frozen, base.weights, strict=True))

base.trainable = True
print(f"base unfrozen: {len(model.trainable_weights)} of {len(model.weights)} weights are trainable")
fit(model, x_few, y_few, 0.0005, epochs=40, batch_size=20)
moved = [weight.name for before, weight in zip(frozen, base.weights, strict=True) if not np.array_equal(before, weight)]
print(f"fine-tuned: {accuracy(model, x_new, y_new):.3f}; moving averages changed: {'moving_mean' in moved}")
