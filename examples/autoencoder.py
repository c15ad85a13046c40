"""A denoising autoencoder that knows pullovers only: what it cannot reconstruct is something else.

Data: Fashion-MNIST's pullovers for training, with noise on the input and without it on the target; for the test
pullovers, and four other classes as anomalies.
Prints the mean error of each class, and the area under the ROC curve if the error is taken as a sign of an anomaly
(about 0.95). Writes a picture: noisy images, their reconstructions, the originals. Takes about 10 seconds.

Run: `python examples/autoencoder.py`.
"""

import numpy as np

import graphc
from graphc import layers, metrics
from graphc.datasets import fashion_mnist

KNOWN, OTHERS = 2, (1, 5, 7, 8)

graphc.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
clean = x_train[y_train == KNOWN][:, :, :, None] / np.float32(255)
x_test = x_test[:, :, :, None] / np.float32(255)


def noisy(images):
    return np.clip(images + np.random.normal(0, 0.3, images.shape).astype("float32"), 0, 1)


model = graphc.Sequential(
    [
        graphc.Input((28, 28, 1)),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(24, name="code"),  # few numbers: enough for what it has seen, not for everything
        layers.Dense(7 * 7 * 16, activation="relu"),
        layers.Reshape((7, 7, 16)),
        layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ],
    name="autoencoder",
)
model.compile("adam", loss="mean_squared_error")
model.fit(noisy(clean), clean, batch_size=64, epochs=10, validation_split=0.1, verbose=2)

errors, anomalies = [], []
for label in (KNOWN, *OTHERS):
    images = x_test[y_test == label]
    error = np.square(model.predict(images, verbose=0) - images).mean(axis=(1, 2, 3))
    print(f"{fashion_mnist.CLASSES[label]:12} mean error {error.mean():.4f}")
    errors.append(error)
    anomalies.append(np.full(len(error), label != KNOWN, "float32"))
errors, anomalies = np.concatenate(errors), np.concatenate(anomalies)

images = x_test[y_test == KNOWN][:10]
inputs = noisy(images)
rows = [inputs, model.predict(inputs, verbose=0), images]
before, after = (float(np.square(row - images).mean()) for row in rows[:2])
print(f"noise: mean squared error {before:.4f} -> {after:.4f}")
graphc.utils.save_img("autoencoder.png", np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))

auc = metrics.AUC(num_thresholds=1000)
auc.update_state(anomalies, errors / errors.max())
print(f"area under the ROC curve: {float(auc.result()):.3f}")
