"""Eager calls of PyTorch: `python -m benchmarks.peers.eager_torch SECONDS ROW...`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.eager_rows import GRU, MILLION, TABLE, WIDE, arrays, report

Call = Callable[[], Any]


def _built_dense() -> Any:
    layer = nn.Linear(WIDE, WIDE)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def _built_gru() -> Any:
    layer = nn.GRU(GRU, GRU)
    nn.init.xavier_uniform_(layer.weight_ih_l0)
    nn.init.orthogonal_(layer.weight_hh_l0)
    return layer


def calls() -> dict[str, Callable[[], Call]]:
    """For each row a function that makes what is called; its first call is not measured."""
    tensor = {name: torch.from_numpy(array) for name, array in arrays().items()}
    images = tensor["images"].permute(0, 3, 1, 2).contiguous()
    words = tensor["words"].long()

    def module(made: Any, x: Any) -> Call:
        return lambda: made(x)

    def convnet() -> Call:
        convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU()]
        return module(
            nn.Sequential(*convolutions, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 10), nn.Softmax(-1)), images
        )

    small, million, square = tensor["small"], tensor["million"], tensor["square"]
    return {
        "dense": lambda: module(nn.Linear(784, 128), tensor["rows"]),
        "convnet": convnet,
        "build_dense": lambda: _built_dense,
        "build_gru": lambda: _built_gru,
        "embedding": lambda: module(nn.Embedding(*TABLE), words),
        "normal": lambda: lambda: torch.randn(math.prod(MILLION)),
        "uniform": lambda: lambda: torch.rand(math.prod(MILLION)),
        "gelu": lambda: lambda: functional.gelu(million),
        "matmul": lambda: lambda: square @ square,
        "add": lambda: lambda: small + small,
        "scale": lambda: lambda: small * 2.0,
        "exp": lambda: lambda: torch.exp(small),
        "softmax": lambda: lambda: torch.softmax(small, -1),
        "sum": lambda: lambda: torch.sum(small, -1),
        "layer_norm": lambda: module(nn.LayerNorm(128), small),
        "lstm": lambda: module(nn.LSTM(32, 64, batch_first=True), tensor["sequences"]),
        "batch_norm": lambda: module(nn.BatchNorm2d(1).eval(), images),
        "batch_norm_training": lambda: module(nn.BatchNorm2d(1).train(), images),
    }


if __name__ == "__main__":
    with torch.no_grad():
        report(calls(), lambda result: None, float(sys.argv[1]), sys.argv[2:])
