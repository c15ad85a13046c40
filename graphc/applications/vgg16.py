"""VGG with 16 layers."""

from __future__ import annotations

from graphc.applications.preparing import decode_predictions, preparing
from graphc.applications.vgg import vgg

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

VGG16 = vgg("VGG16", (2, 2, 3, 3, 3))
preprocess_input = preparing("caffe")
