"""Residual networks that are normalized before convolutions (He et al., 2016)."""

from __future__ import annotations

from graphc.applications.preparing import decode_predictions, preparing
from graphc.applications.residual import resnet

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

ResNet50V2, ResNet101V2, ResNet152V2 = (resnet(depth, second=True) for depth in (50, 101, 152))
preprocess_input = preparing("tf")
