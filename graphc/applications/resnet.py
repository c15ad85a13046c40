"""Residual networks (He et al., 2015)."""

from __future__ import annotations

from graphc.applications.preparing import decode_predictions, preparing
from graphc.applications.residual import resnet

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

ResNet50, ResNet101, ResNet152 = (resnet(depth) for depth in (50, 101, 152))
preprocess_input = preparing("caffe")
