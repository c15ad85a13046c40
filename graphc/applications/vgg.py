"""VGG: stacks of small convolutions (Simonyan and Zisserman, 2015)."""

from __future__ import annotations

from typing import Any

from graphc import layers
from graphc.applications.blocks import conv
from graphc.applications.building import Request, application, assembled, classified, pooled

_FILTERS = (64, 128, 256, 512, 512)


def vgg(class_name: str, depths: tuple[int, ...]) -> Any:
    """A function that makes a VGG with a number of convolutions in each of its blocks."""

    def features(x: Any) -> Any:
        for block, (filters, depth) in enumerate(zip(_FILTERS, depths, strict=True), 1):
            for i in range(1, depth + 1):
                x = conv(x, filters, 3, f"block{block}_conv{i}", activation="relu", padding="same")
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    def top(x: Any, request: Request) -> Any:
        x = layers.Flatten(name="flatten")(x)
        for name in ("fc1", "fc2"):
            x = layers.Dense(4096, activation="relu", name=name)(x)
        return classified(x, request)

    def build(request: Request) -> Any:
        return assembled(
            request,
            features,
            top=top,
            without_top=lambda x, request: pooled(x, request.pooling, named=False),
            weights=class_name.lower(),
        )

    text = f"{class_name}: {sum(depths)} convolutions of 3x3 and 3 dense layers."
    return application(class_name, text, class_name.lower(), build)
