"""The measured models, their data and how they are trained: float32, whole batches, Adam with its defaults or AdamW.

Imports NumPy only; a model is built with whatever has Keras's API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.01
CLASSES = 10
WORDS, REVIEW = 10_000, 100  # of the LSTM: how many words there are, and in one review
TOKENS, CONTEXT, WIDTH, HEADS, BLOCKS = 96, 128, 128, 4, 4  # of the transformer


@dataclass(frozen=True)
class Workload:
    """A model, its data and its batch.

    Args:
        title: What tables call it.
        batch: Samples a step.
        samples: Samples an epoch, whole batches.
        data: Makes so many samples and labels, the same for everyone.
        build: Makes the Keras model from a module with Keras's API.
        loss: The loss and what the model's outputs are: `"probabilities"` of classes, `"yes or no"`, `"logits"`, or
            numbers whose `"squares"` of errors count.
        predicted: Samples that a measurement of `predict` takes; 0: none is measured.
    """

    title: str
    batch: int
    samples: int
    data: Callable[[int], Data]
    build: Callable[[Any], Any]
    loss: str = "probabilities"
    predicted: int = 0

    @property
    def decays(self) -> bool:
        """Whether it is trained with AdamW."""
        return self.loss == "logits"

    def compile(self, keras: Any, model: Any) -> None:
        """Compiles a model of a module with Keras's API."""
        if self.decays:
            optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        else:
            optimizer = keras.optimizers.Adam(LEARNING_RATE)
        losses = {
            "probabilities": "sparse_categorical_crossentropy",
            "yes or no": "binary_crossentropy",
            "squares": "mse",
            "logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        }
        model.compile(optimizer, losses[self.loss], metrics=["accuracy"])


class Samples:
    """The data of a training run: one batch at first, so that making an epoch's is no part of the first step.

    Args:
        workload: What is trained.
        convert: What is made of each array.
    """

    def __init__(self, workload: Workload, convert: Callable[[Array], Any] = lambda array: array) -> None:
        self._workload, self._convert = workload, convert
        self._made = 0
        self._held: tuple[Any, Any] = (None, None)

    def at_least(self, count: int) -> tuple[Any, Any]:
        """Samples and labels, of which there are as many as asked for or more."""
        if count > self._made:
            self._made = self._workload.batch if count <= self._workload.batch else self._workload.samples
            x, y = self._workload.data(self._made)
            self._held = (self._convert(x), self._convert(y))
        return self._held


# ---- data


def images(*shape: int) -> Callable[[int], Data]:
    """Random images, or rows, of a shape, with labels."""

    def make(samples: int) -> Data:
        rng = np.random.default_rng(0)
        x = rng.random((samples, *shape), dtype=np.float32)
        return x, rng.integers(0, CLASSES, samples).astype(np.int32)

    return make


def _reviews(samples: int) -> Data:
    rng = np.random.default_rng(0)
    words = rng.integers(0, WORDS, (samples, REVIEW)).astype(np.int32)
    return words, rng.integers(0, 2, samples).astype(np.float32)


def _text(samples: int) -> Data:
    """Each token's label is the next one."""
    tokens = np.random.default_rng(0).integers(0, TOKENS, (samples, CONTEXT + 1)).astype(np.int32)
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


# ---- models, by Keras's API


def _perceptron(*hidden: int) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        layers = keras.layers
        relus = [layers.Dense(size, activation="relu") for size in hidden]
        return keras.Sequential([keras.Input((784,)), *relus, layers.Dense(CLASSES, activation="softmax")])

    return build


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
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def _resnet20(keras: Any) -> Any:
    """He et al. (2015), with projections where a stage halves the image."""
    layers = keras.layers

    def normalized(x: Any, filters: int, size: int, strides: int) -> Any:
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(normalized(inputs, 16, 3, 1))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            strides = 2 if stage > 0 and block == 0 else 1
            shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides, use_bias=False)(x)
            x = layers.ReLU()(normalized(x, filters, 3, strides))
            x = normalized(x, filters, 3, 1)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _lstm(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((REVIEW,), dtype="int32"),
            layers.Embedding(WORDS, 64),
            layers.LSTM(128),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def _gpt(keras: Any) -> Any:
    """A decoder of pre-norm blocks over characters (Radford et al., 2019)."""
    layers = keras.layers

    class Positions(layers.Layer):  # type: ignore[misc]
        """Adds a learned vector to each place."""

        def build(self, input_shape: Any) -> None:
            self.table = self.add_weight(name="table", shape=(CONTEXT, WIDTH), initializer="uniform")

        def call(self, x: Any) -> Any:
            return x + self.table

    inputs = keras.Input((CONTEXT,), dtype="int32")
    x = Positions()(layers.Embedding(TOKENS, WIDTH)(inputs))
    for _ in range(BLOCKS):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)])
        y = layers.Dense(4 * WIDTH, activation="gelu")(layers.LayerNormalization(epsilon=1e-5)(x))
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    return keras.Model(inputs, layers.Dense(TOKENS)(layers.LayerNormalization(epsilon=1e-5)(x)))


WORKLOADS = {
    "mlp": Workload("MLP 784-128-10, batch 32", 32, 60_000, images(784), _perceptron(128), predicted=60 * 256),
    "wide_mlp": Workload(
        "MLP 784-1024-1024-10, batch 256", 256, 15_360, images(784), _perceptron(1024, 1024), predicted=40 * 256
    ),
    "convnet": Workload("MNIST convnet, batch 128", 128, 46 * 128, images(28, 28, 1), _convnet, predicted=12 * 256),
    "resnet20": Workload("ResNet-20, batch 64", 64, 16 * 64, images(32, 32, 3), _resnet20, predicted=4 * 256),
    "lstm": Workload("LSTM 128 over 100 words, batch 64", 64, 32 * 64, _reviews, _lstm, "yes or no"),
    "gpt": Workload("GPT of 4 blocks, 128 wide, batch 16", 16, 50 * 16, _text, _gpt, "logits"),
}
