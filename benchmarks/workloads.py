"""The measured models and their data. All in float32, whole batches, Adam with its defaults.

Imports NumPy only; a model is built with whatever has Keras's API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Workload:
    """A model, its data and its batch.

    Args:
        title: What tables call it.
        batch: Samples a step.
        samples: Samples an epoch, whole batches.
        shape: The shape of one sample.
        build: Makes the Keras model from a module with Keras's API.
    """

    title: str
    batch: int
    samples: int
    shape: tuple[int, ...]
    build: Callable[[Any], Any]

    def data(self) -> tuple[Array, Array]:
        """Random samples and labels, the same for everyone."""
        rng = np.random.default_rng(0)
        x = rng.random((self.samples, *self.shape), dtype=np.float32)
        return x, rng.integers(0, 10, self.samples).astype(np.int32)


def _mlp(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")]
    )


def _convnet(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


WORKLOADS = {
    "mlp": Workload("MLP 784-128-10, batch 32", 32, 60_000, (784,), _mlp),
    "convnet": Workload("MNIST convnet, batch 128", 128, 46 * 128, (28, 28, 1), _convnet),
}
