"""A convolutional network that is trained here, and runs anywhere: as C99, in a program without Python.

Data: Fashion-MNIST. Writes clothes.c and clothes.h, which are all that is needed to classify, and images.bin: pictures
of the test set behind their labels. `classify.c` reads these, and prints its accuracy, which is that of `predict`.
Prints the test accuracy (about 0.87), and the size of what was written. Takes about 10 seconds.

Run in this folder: `make`, which runs this and the program.
"""

from pathlib import Path

import numpy as np

import graphc
from graphc import layers
from graphc.datasets import fashion_mnist

graphc.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()

model = graphc.Sequential(
    [
        graphc.Input((28, 28), name="image"),
        layers.Rescaling(1 / 255),
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax", name="classes"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=128, epochs=2, verbose=0)
found = model.predict(x_test, batch_size=256, verbose=0).argmax(1)
print(f"test accuracy of predict: {np.mean(found == y_test):.4f}")

model.export("clothes.c", format="c", max_batch=32, verbose=False)
np.concatenate([y_test[:, None], x_test.reshape(len(x_test), -1)], axis=1).astype(np.uint8).tofile("images.bin")
print(f"clothes.c: {Path('clothes.c').stat().st_size / 1024:.0f} KB, {model.count_params()} weights")
