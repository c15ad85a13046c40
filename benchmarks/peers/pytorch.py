"""PyTorch with its fused Adam: `python -m benchmarks.peers.pytorch eager|compile train|predict WORKLOAD REPEATS`."""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch.nn import functional

from benchmarks.measure import report_prediction, report_training
from benchmarks.peers import pytorch_models
from benchmarks.workloads import LEARNING_RATE, WEIGHT_DECAY, WORKLOADS, Array, Samples, Workload

BATCH = 256


def features(x: Array) -> Array:
    """Samples as PyTorch has them: an image's channels before its rows and columns, indices as 64 bits."""
    if x.ndim == 4:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return x.astype(np.int64) if x.dtype == np.int32 else x


def train(mode: str, name: str, workload: Workload, repeats: int) -> None:
    data = Samples(workload, lambda array: torch.from_numpy(features(array)))
    model = pytorch_models.model(name).train()
    if workload.decays:
        optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    else:
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    total, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)

    def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        outputs = model(x)
        if workload.loss == "yes or no":
            loss = functional.binary_cross_entropy_with_logits(outputs, y)
            return loss, ((outputs > 0).float() == y).sum()
        outputs, y = outputs.flatten(0, -2), y.flatten()
        return functional.cross_entropy(outputs, y), (outputs.argmax(1) == y).sum()

    run = torch.compile(forward) if mode == "compile" else forward

    def fit(samples: int) -> float:
        x, y = data.at_least(samples)
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

    report_training(workload.batch, workload.samples, fit, repeats)


def predict(mode: str, name: str, workload: Workload, repeats: int) -> None:
    x = features(workload.data(workload.predicted)[0])
    model = pytorch_models.classifier(name)
    run = torch.compile(model) if mode == "compile" else model

    @torch.inference_mode()
    def predicted(x: Array) -> Array:
        return run(torch.from_numpy(x)).numpy()

    one, batches = x[:1], np.split(x, len(x) // BATCH)
    report_prediction(
        len(x), lambda: predicted(one), lambda: np.concatenate([predicted(batch) for batch in batches]), repeats
    )


def main(mode: str, task: str, name: str, repeats: int) -> None:
    {"train": train, "predict": predict}[task](mode, name, WORKLOADS[name], repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
