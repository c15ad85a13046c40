"""A convolutional network that is trained here, and runs elsewhere: as an ONNX file, by ONNX Runtime.

Data: Fashion-MNIST. The file has the weights and all operations, takes batches of any size, and needs no graphc; Netron
(`netron clothes.onnx`) shows it.
Prints the test accuracy of graphc (about 0.87) and of ONNX Runtime (the same), the largest difference of probabilities
(about 1e-6), and the time for one image. Writes clothes.onnx. Takes about 10 seconds.
It needs `pip install 'graphc[onnx]' onnxruntime`.

Run: `python examples/deploy_onnx.py`.
"""

import time
from pathlib import Path

import numpy as np
import onnxruntime

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
expected = model.predict(x_test, batch_size=256, verbose=0)

path = Path("clothes.onnx")
model.export(path, format="onnx")
print(f"{path}: {path.stat().st_size / 1024:.0f} KB, {model.count_params()} weights")

# From here on nothing needs graphc.
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(image,) = session.get_inputs()
print(f"input {image.name}: {image.type} {image.shape}")
batches = np.array_split(x_test.astype("float32"), 40)
found = np.concatenate([session.run(None, {"image": batch})[0] for batch in batches])

print(f"test accuracy of graphc:       {np.mean(expected.argmax(1) == y_test):.3f}")
print(f"test accuracy of ONNX Runtime: {np.mean(found.argmax(1) == y_test):.3f}")
print(f"largest difference: {np.abs(found - expected).max():.1e}")

times = []
for row in x_test[:200].astype("float32"):
    start = time.perf_counter()
    session.run(None, {"image": row[None]})
    times.append(time.perf_counter() - start)
print(f"one image: {1e3 * np.median(times):.2f} ms")
