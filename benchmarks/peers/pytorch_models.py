"""The measured models in PyTorch; all but the transformer and the LSTM end in logits of classes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.workloads import BLOCKS, CLASSES, CONTEXT, HEADS, TOKENS, WIDTH, WORDS


def _perceptron(*sizes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _convnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(1600, CLASSES),
    )


def _normalized(inputs: int, filters: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters)]


class _Residual(nn.Module):
    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        first, second = _normalized(inputs, filters, stride), _normalized(filters, filters, 1)
        self.body = nn.Sequential(*first, nn.ReLU(), *second)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, filters, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def _resnet20() -> nn.Module:
    layers, inputs = [*_normalized(3, 16, 1), nn.ReLU()], 16
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            layers.append(_Residual(inputs, filters, 2 if stage > 0 and block == 0 else 1))
            inputs = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 64)
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.out = nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.lstm(self.words(x))
        return self.out(steps[:, -1]).squeeze(1)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inward, self.outward = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        # One product for the three, then [3, batch, head, place, feature].
        parts = self.inward(x).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return self.outward(y.transpose(1, 2).reshape(batch, length, WIDTH))


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(WIDTH), _Attention())
        self.think = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        return x + self.think(x)


class _Gpt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.body = nn.Sequential(*[_Block() for _ in range(BLOCKS)], nn.LayerNorm(WIDTH), nn.Linear(WIDTH, TOKENS))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.tokens(x) + self.places.weight)


_MODELS = {
    "mlp": lambda: _perceptron(784, 128, CLASSES),
    "wide_mlp": lambda: _perceptron(784, 1024, 1024, CLASSES),
    "convnet": _convnet,
    "resnet20": _resnet20,
    "lstm": _Lstm,
    "gpt": _Gpt,
}


def model(name: str) -> nn.Module:
    """A workload's model, with the same weights each time."""
    torch.manual_seed(0)
    return _MODELS[name]()


def classifier(name: str) -> nn.Module:
    """The model as it predicts: classes' probabilities, with what only training does left out."""
    return nn.Sequential(model(name), nn.Softmax(1)).eval()
