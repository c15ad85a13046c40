"""VGG with 19 layers."""

from __future__ import annotations

from graphc.applications.preparing import decode_predictions, preparing
from graphc.applications.vgg import vgg

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = vgg("VGG19", (2, 2, 4, 4, 4))
preprocess_input = preparing("caffe")
