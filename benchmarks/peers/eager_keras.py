"""Eager calls of any module with Keras's API: `python -m benchmarks.peers.eager_keras graphc|keras SECONDS ROW...`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.eager_rows import GRU, MILLION, TABLE, WIDE, arrays, report

Call = Callable[[], Any]


def _built(layer: Any, shape: tuple[int | None, ...]) -> list[Any]:
    layer.build(shape)
    return [weight.value for weight in layer.weights]


def calls(keras: Any) -> dict[str, Callable[[], Call]]:
    """For each row a function that makes what is called; its first call is not measured."""
    layers, ops, given = keras.layers, keras.ops, arrays()
    tensor = {name: ops.convert_to_tensor(array) for name, array in given.items()}

    def layer(made: Any, name: str, **options: Any) -> Call:
        return lambda: made(tensor[name], **options)

    def convnet() -> Call:
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(10, activation="softmax"),
            ]
        )
        return lambda: model(tensor["images"])

    return {
        "dense": lambda: layer(layers.Dense(128), "rows"),
        "convnet": convnet,
        "build_dense": lambda: lambda: _built(layers.Dense(WIDE), (None, WIDE)),
        "build_gru": lambda: lambda: _built(layers.GRU(GRU), (None, None, GRU)),
        "embedding": lambda: layer(layers.Embedding(*TABLE), "words"),
        "normal": lambda: lambda: keras.random.normal(MILLION),
        "uniform": lambda: lambda: keras.random.uniform(MILLION),
        "gelu": lambda: lambda: ops.gelu(tensor["million"], approximate=False),
        "matmul": lambda: lambda: ops.matmul(tensor["square"], tensor["square"]),
        "add": lambda: lambda: ops.add(tensor["small"], tensor["small"]),
        "scale": lambda: lambda: tensor["small"] * 2.0,
        "exp": lambda: lambda: ops.exp(tensor["small"]),
        "softmax": lambda: lambda: ops.softmax(tensor["small"]),
        "sum": lambda: lambda: ops.sum(tensor["small"], axis=-1),
        "layer_norm": lambda: layer(layers.LayerNormalization(), "small"),
        "lstm": lambda: layer(layers.LSTM(64), "sequences"),
        "batch_norm": lambda: layer(layers.BatchNormalization(), "images"),
        "batch_norm_training": lambda: layer(layers.BatchNormalization(), "images", training=True),
    }


def _wait(result: Any) -> None:
    for part in result if isinstance(result, list) else [result]:
        if hasattr(part, "block_until_ready"):  # JAX computes in the background
            part.block_until_ready()
        else:
            np.shape(part)


if __name__ == "__main__":
    report(calls(importlib.import_module(sys.argv[1])), _wait, float(sys.argv[2]), sys.argv[3:])
