"""Inception, third version: convolutions of several sizes side by side (Szegedy et al., 2016)."""

from __future__ import annotations

from typing import Any

from graphc.applications.blocks import concatenated, conv_norm_relu
from graphc.applications.building import Request, application, assembled, pooled
from graphc.applications.inception import Branches, averaged, chained, mixed, stem
from graphc.applications.preparing import decode_predictions, preparing

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]


def _small(pooled_filters: int) -> tuple[Branches, int]:
    return (((64, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3))), pooled_filters


def _long(filters: int) -> tuple[Branches, int]:
    """Convolutions over 7 rows or columns."""
    row, column = (1, 7), (7, 1)
    twice = ((filters, 1), (filters, column), (filters, row), (filters, column), (192, row))
    return (((192, 1),), ((filters, 1), (filters, row), (192, column)), twice), 192


def _split(x: Any, filters: int, name: str | None = None) -> Any:
    """A row and a column side by side."""
    return concatenated([conv_norm_relu(x, filters, (1, 3)), conv_norm_relu(x, filters, (3, 1))], name)


def _wide(x: Any, i: int) -> Any:
    parts = [conv_norm_relu(x, 320, 1)]
    parts.append(_split(conv_norm_relu(x, 384, 1), 384, f"mixed9_{i}"))
    parts.append(_split(chained(x, ((448, 1), (384, 3))), 384))
    parts.append(averaged(x, 192))
    return concatenated(parts, f"mixed{9 + i}")


def _features(x: Any) -> Any:
    x = stem(x)
    for i, filters in enumerate((32, 64, 64)):
        x = mixed(x, *_small(filters), f"mixed{i}")
    x = mixed(x, (((384, 3, 2),), ((64, 1), (96, 3), (96, 3, 2))), None, "mixed3")
    for i, filters in enumerate((128, 160, 160, 192), 4):
        x = mixed(x, *_long(filters), f"mixed{i}")
    shrinking = (((192, 1), (320, 3, 2)), ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)))
    x = mixed(x, shrinking, None, "mixed8")
    for i in range(2):
        x = _wide(x, i)
    return x


def _build(request: Request) -> Any:
    return assembled(
        request,
        _features,
        size=299,
        smallest=75,
        without_top=lambda x, request: pooled(x, request.pooling, named=False),
        weights="inception_v3",
    )


InceptionV3 = application(
    "InceptionV3", "InceptionV3: convolutions of several sizes side by side.", "inception_v3", _build
)
preprocess_input = preparing("tf")
