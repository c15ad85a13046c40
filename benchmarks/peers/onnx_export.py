"""Writes a workload's PyTorch model as ONNX: `python -m benchmarks.peers.onnx_export WORKLOAD PATH`."""

from __future__ import annotations

import sys

import torch

from benchmarks.peers import pytorch_models
from benchmarks.peers.pytorch import features
from benchmarks.workloads import WORKLOADS


def main(name: str, path: str) -> None:
    x = torch.from_numpy(features(WORKLOADS[name].data(2)[0]))
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        pytorch_models.classifier(name), (x,), path, dynamic_shapes=({0: batch},), external_data=False, verbose=False
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
