"""PyTorch, eager or compiled, fused Adam: `python -m benchmarks.peers.pytorch eager|compile WORKLOAD REPEATS`."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional

from benchmarks.measure import report
from benchmarks.workloads import WORKLOADS


def _model(name: str) -> nn.Module:
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(1600, 10),
    )


def main(mode: str, name: str, repeats: int) -> None:
    torch.manual_seed(0)
    workload = WORKLOADS[name]
    images, labels = workload.data()
    # PyTorch's own order of axes: channels before rows and columns.
    x = torch.from_numpy(images if images.ndim == 2 else images.transpose(0, 3, 1, 2).copy())
    y = torch.from_numpy(labels).long()
    model = _model(name).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    total, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)

    def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = model(x)
        return functional.cross_entropy(logits, y), (logits.argmax(1) == y).sum()

    run = torch.compile(forward) if mode == "compile" else forward

    def epoch(samples: int) -> float:
        order, before = torch.randperm(samples), total.item()
        for first in range(0, samples, workload.batch):
            rows = order[first : first + workload.batch]
            loss, right = run(x[rows], y[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total.add_(loss.detach())
            hits.add_(right)
        return (total.item() - before) / (samples // workload.batch)

    report(workload.samples, lambda: epoch(workload.batch), lambda: epoch(workload.samples), repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
