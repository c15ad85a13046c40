"""The first model: clothes from 28 x 28 images. Run: `python examples/first_model.py`."""

import graphc
from graphc import layers

(x_train, y_train), (x_test, y_test) = graphc.datasets.fashion_mnist.load_data()

model = graphc.Sequential(
    [
        graphc.Input((28, 28)),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=5, validation_split=0.1)
model.evaluate(x_test, y_test)
print("predicted:", model.predict(x_test[:5]).argmax(axis=-1), "labels:", y_test[:5])
