"""Models of other kinds and sizes than those of `workloads.py`, for what was never tuned. All by Keras's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Data, Workload, images

Build = Callable[[Any], Any]


def _words(count: int, length: int, kinds: int, padded: bool = False) -> Callable[[int], Data]:
    """Sequences of `count` words, each with one of so many labels; some end early, in zeros, if `padded`."""

    def make(samples: int) -> Data:
        rng = np.random.default_rng(0)
        words = rng.integers(1, count, (samples, length)).astype(np.int32)
        if padded:
            words[np.arange(length) >= rng.integers(length // 3, length, (samples, 1))] = 0
        labels = rng.integers(0, kinds, samples)
        return words, labels.astype(np.float32 if kinds == 2 else np.int32)

    return make


def _text(samples: int) -> Data:
    tokens = np.random.default_rng(0).integers(0, 200, (samples, 257)).astype(np.int32)
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def _signals(samples: int) -> Data:
    rng = np.random.default_rng(0)
    return rng.random((samples, 80, 12), dtype=np.float32), rng.integers(0, 6, samples).astype(np.int32)


def _series(samples: int) -> Data:
    rng = np.random.default_rng(0)
    return rng.random((samples, 128, 8), dtype=np.float32), rng.random((samples, 128, 1), dtype=np.float32)


def _pictures_of_themselves(samples: int) -> Data:
    x = np.random.default_rng(0).random((samples, 28, 28, 1), dtype=np.float32)
    return x, x


def _masks(samples: int) -> Data:
    rng = np.random.default_rng(0)
    x = rng.random((samples, 64, 64, 3), dtype=np.float32)
    return x, (rng.random((samples, 64, 64, 1)) > 0.5).astype(np.float32)


def _gru(keras: Any) -> Any:
    layers = keras.layers
    inputs = [keras.Input((60,), dtype="int32"), layers.Embedding(5000, 48)]
    return keras.Sequential(
        [*inputs, layers.GRU(96, return_sequences=True), layers.GRU(96), layers.Dense(1, activation="sigmoid")]
    )


def _separable(keras: Any) -> Any:
    """Depthwise and pointwise convolutions in turn (Howard et al., 2017)."""
    layers = keras.layers

    def normalized(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input((32, 32, 3))
    x = normalized(layers.Conv2D(32, 3, padding="same", use_bias=False)(inputs))
    for filters, strides in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = normalized(layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x))
        x = normalized(layers.Conv2D(filters, 1, use_bias=False)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def _autoencoder(keras: Any) -> Any:
    layers, options = keras.layers, {"padding": "same", "activation": "relu", "strides": 2}
    down = [layers.Conv2D(filters, 3, **options) for filters in (32, 64)]
    up = [layers.Conv2DTranspose(filters, 3, **options) for filters in (64, 32)]
    last = layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    return keras.Sequential([keras.Input((28, 28, 1)), *down, *up, last])


def _grouped(keras: Any) -> Any:
    """5x5 convolutions with group norm and swish."""
    layers = keras.layers
    x = inputs = keras.Input((32, 32, 3))
    for filters in (32, 64, 96):
        x = layers.GroupNormalization(8)(layers.Conv2D(filters, 5, padding="same")(x))
        x = layers.AveragePooling2D(2)(layers.Activation("swish")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def _encoder(keras: Any) -> Any:
    """Post-norm blocks over padded sentences, with dropout (Vaswani et al., 2017)."""
    layers = keras.layers
    inputs = keras.Input((64,), dtype="int32")
    x = layers.Embedding(2000, 96, mask_zero=True)(inputs)
    for _ in range(3):
        x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(6, 16, dropout=0.1)(x, x)]))
        y = layers.Dense(96)(layers.Dropout(0.1)(layers.Dense(384, activation="relu")(x)))
        x = layers.LayerNormalization()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def _normalized(keras: Any) -> Any:
    layers = keras.layers
    first = [layers.Dense(300), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]
    second = [layers.Dense(100, activation="tanh"), layers.Dropout(0.3)]
    return keras.Sequential([keras.Input((784,)), *first, *second, layers.Dense(10, activation="softmax")])


def _bidirectional(keras: Any) -> Any:
    layers = keras.layers
    first = [layers.Conv1D(64, 5, activation="relu"), layers.MaxPooling1D(2)]
    rest = [layers.Bidirectional(layers.LSTM(64)), layers.Dense(6, activation="softmax")]
    return keras.Sequential([keras.Input((80, 12)), *first, *rest])


def _unet(keras: Any) -> Any:
    """Two steps down and two up, with shortcuts (Ronneberger et al., 2015)."""
    layers = keras.layers

    def twice(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    inputs = keras.Input((64, 64, 3))
    high = twice(inputs, 16)
    middle = twice(layers.MaxPooling2D()(high), 32)
    x = twice(layers.MaxPooling2D()(middle), 64)
    x = twice(layers.Concatenate()([layers.UpSampling2D()(x), middle]), 32)
    x = twice(layers.Concatenate()([layers.UpSampling2D()(x), high]), 16)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def _decoder(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((256,), dtype="int32")
    x = layers.Embedding(200, 192)(inputs)
    for _ in range(3):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(6, 32)(y, y, use_causal_mask=True)])
        y = layers.Dense(768, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(192)(y)])
    return keras.Model(inputs, layers.Dense(200)(x))


def _dilated(keras: Any) -> Any:
    """Causal convolutions with growing dilation (Bai et al., 2018)."""
    layers = keras.layers
    inputs = keras.Input((128, 8))
    x = layers.Conv1D(32, 1)(inputs)
    for dilation in (1, 2, 4, 8):
        y = layers.Conv1D(32, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = layers.Add()([x, layers.SpatialDropout1D(0.1)(y)])
    return keras.Model(inputs, layers.Conv1D(1, 1)(x))


def _application(name: str) -> Build:
    """A model of images that is known by name."""
    return lambda keras: getattr(keras.applications, name)(weights=None, classes=10)


_RGB, _PHOTOS = images(32, 32, 3), images(224, 224, 3)
VARIETY = {
    "gru": Workload("two GRUs of 96, 60 words, batch 32", 32, 1024, _words(5000, 60, 2), _gru, "yes or no"),
    "separable": Workload("depthwise separable convolutions, 32x32, batch 64", 64, 512, _RGB, _separable),
    "autoencoder": Workload(
        "strided and transposed convolutions, 28x28, batch 128",
        128,
        2048,
        _pictures_of_themselves,
        _autoencoder,
        "squares",
    ),
    "group_norm": Workload("5x5 convolutions with group norm, 32x32, batch 64", 64, 512, _RGB, _grouped),
    "encoder": Workload(
        "masked encoder of 3 blocks, 96 wide, dropout, batch 32", 32, 512, _words(2000, 64, 5, True), _encoder
    ),
    "batch_norm": Workload("MLP 784-300-100-10, batch norm, dropout, batch 64", 64, 16_384, images(784), _normalized),
    "bidirectional": Workload("Conv1D and bidirectional LSTM of 64, batch 32", 32, 1024, _signals, _bidirectional),
    "unet": Workload("U-Net of 16 to 64 channels, 64x64, batch 16", 16, 256, _masks, _unet, "yes or no"),
    "decoder": Workload("GPT of 3 blocks, 192 wide, 256 tokens, batch 8", 8, 128, _text, _decoder, "logits"),
    "dilated": Workload("dilated causal Conv1D, 128 steps, batch 32", 32, 1024, _series, _dilated, "squares"),
    "resnet50": Workload("ResNet50, 224x224, batch 16", 16, 64, _PHOTOS, _application("ResNet50")),
    "mobilenet_v2": Workload("MobileNetV2, 224x224, batch 16", 16, 64, _PHOTOS, _application("MobileNetV2")),
}
