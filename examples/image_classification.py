"""A convolutional network that tells ten kinds of clothes apart.

Data: 18,000 of Fashion-MNIST's images for training, a sixth of which validates, and all 10,000 test images.
The learning rate is halved when the validation loss stays; if that does not help, training ends with the best weights.
Prints precision and recall of each class, and the test accuracy (about 0.89). Takes about 15 seconds.

Run: `python examples/image_classification.py`.
"""

import numpy as np

import graphc
from graphc import callbacks, layers
from graphc.datasets import fashion_mnist

graphc.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
x_train, y_train = x_train[:18000], y_train[:18000]

model = graphc.Sequential(
    [
        graphc.Input((28, 28)),
        layers.Rescaling(1 / 255),
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.2),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train,
    y_train,
    batch_size=64,
    epochs=10,
    validation_split=1 / 6,
    callbacks=[
        callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
        callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
    ],
    verbose=2,
)
print(f"epochs: {len(history.epoch)}, last learning rate: {history.history['learning_rate'][-1]:.5f}")

loss, accuracy = model.evaluate(x_test, y_test, batch_size=256, verbose=0)
predicted = model.predict(x_test, batch_size=256, verbose=0).argmax(axis=-1)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, predicted), 1)  # row: the label; column: what was predicted

print(f"{'class':12}  precision  recall  most often taken for")
for number, name in enumerate(fashion_mnist.CLASSES):
    right = confusion[number, number]
    others = np.where(np.arange(10) == number, -1, confusion[number])
    precision, recall = right / confusion[:, number].sum(), right / confusion[number].sum()
    print(f"{name:12}  {precision:9.3f}  {recall:6.3f}  {fashion_mnist.CLASSES[others.argmax()]}")
print(f"test accuracy: {accuracy:.3f}")
