"""Bounding boxes, beside Keras's."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, ShapeError
from graphc.utils import bounding_boxes as ours

os.environ["KERAS_BACKEND"] = "jax"
import keras

theirs = keras.utils.bounding_boxes
RANDOM = np.random.default_rng(0)


def boxes(*shape: int, relative: bool = False) -> Any:
    corners = RANDOM.uniform(0, 0.6, (*shape, 2))
    sizes = RANDOM.uniform(0.05, 0.4, (*shape, 2))
    found = np.concatenate([corners, corners + sizes], -1).astype("float32")
    return found if relative else found * np.array([40, 30, 40, 30], "float32")


def same(use: Any) -> None:
    found, expected = use(ours), use(theirs)
    if isinstance(found, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    else:
        found, expected = [found], [expected]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5)
        assert np.asarray(a).shape == np.asarray(b).shape


@pytest.mark.parametrize("source", ours.FORMATS)
def test_formats(source: str) -> None:
    for given in (boxes(3), boxes(2, 3)):
        start = theirs.convert_format(given, "xyxy", source, 30, 40)
        for target in ours.FORMATS:
            same(lambda m, start=start, target=target: m.convert_format(np.asarray(start), source, target, 30, 40))
            result = ours.convert_format(ours.convert_format(given, "xyxy", target, 30, 40), target, "xyxy", 30, 40)
            np.testing.assert_allclose(np.asarray(result), given, rtol=1e-5, atol=1e-4)


def test_dictionaries_are_not_changed() -> None:
    given = {"boxes": boxes(2), "labels": [1, 2]}
    kept = given["boxes"].copy()
    converted = ours.convert_format(given, "xyxy", "xywh")
    assert converted["labels"] == [1, 2] and converted["boxes"].shape == (2, 4)
    np.testing.assert_array_equal(given["boxes"], kept)


def test_boxes_with_their_images() -> None:
    given, labels = boxes(2, 5) - 8, np.arange(10).reshape(2, 5)
    given[0, 0] = [-9, -9, -1, -1]
    same(lambda m: m.clip_to_image_size({"boxes": given, "labels": labels}, 15, 20))
    same(lambda m: m.clip_to_image_size({"boxes": given / 30, "labels": labels}, bounding_box_format="rel_xyxy"))
    same(lambda m: m.clip_to_image_size({"boxes": given}, 15, 20))
    same(lambda m: m.crop(given, 3, 2, 10, 12))
    same(lambda m: m.pad(given, 3, 2))
    parts = {
        name: RANDOM.uniform(-0.5, 0.5, 2).astype("float32") * size
        for name, size in (("angle", 90), ("translate_x", 1), ("translate_y", 1), ("shear_x", 20), ("shear_y", 20))
    }
    scale = np.array([0.7, 1.4], "float32")
    for centre in ({}, {"center_x": 0.2, "center_y": 0.9}):
        same(lambda m, centre=centre: m.affine_transform(given, scale=scale, height=30, width=40, **parts, **centre))


@pytest.mark.parametrize("format", ["xyxy", "center_xywh"])
def test_overlaps(format: str) -> None:
    a, b = (np.asarray(theirs.convert_format(boxes(*shape), "xyxy", format)) for shape in ((2, 3), (2, 4)))
    same(lambda m: m.compute_iou(a, b, format))
    same(lambda m: m.compute_iou(a[0], b[0], format))
    same(lambda m: m.compute_iou(a, b[0], format))
    same(lambda m: m.compute_ciou(a, b[:, :3], format))
    negative = np.concatenate([a, -np.ones((2, 1, 4), "float32")], 1)
    if format == "xyxy":
        same(lambda m: m.compute_iou(negative, negative, format, use_masking=True, mask_val=-7))
    relative = boxes(3, relative=True)
    same(lambda m: m.compute_iou(relative, relative, "rel_xyxy", image_shape=(30, 40, 3)))
    with graphc.backend("numpy"):
        gradient = graphc.grad(lambda x: graphc.ops.sum(ours.compute_ciou(x, b[:, :3], format)))(graphc.ops.array(a))
    assert np.isfinite(np.asarray(gradient)).all()


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_deltas(encoding: str, variance: Any) -> None:
    anchors, given = boxes(5), boxes(2, 5)
    same(lambda m: m.encode_box_to_deltas(anchors, given, "xyxy", "xyxy", encoding, variance))
    deltas = np.asarray(ours.encode_box_to_deltas(anchors, given, "xyxy", "xyxy", encoding, variance))
    same(lambda m: m.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xywh", encoding, variance))
    same(lambda m: m.decode_deltas_to_boxes({"p": anchors}, {"p": deltas}, "xyxy", "xyxy", encoding, variance))
    again = ours.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy", encoding, variance)
    np.testing.assert_allclose(np.asarray(again), given, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ArgumentError, lambda: ours.convert_format(boxes(2), "xyxy", "xyxz")),
        (ArgumentError, lambda: ours.convert_format(boxes(2), 3, "xyxy")),
        (ArgumentError, lambda: ours.convert_format(boxes(2), "rel_xyxy", "xyxy")),
        (ShapeError, lambda: ours.convert_format(np.ones((2, 5)), "xyxy", "xywh")),
        (ArgumentError, lambda: ours.clip_to_image_size({"boxes": boxes(2)})),
        (ArgumentError, lambda: ours.clip_to_image_size({"boxes": boxes(2)}, 3, 3, "xywh")),
        (ArgumentError, lambda: ours.crop(boxes(2), 1, 1, 1, 1, "xywh")),
        (ArgumentError, lambda: ours.pad(boxes(2), 1, 1, bounding_box_format="xywh")),
        (ArgumentError, lambda: ours.compute_iou(boxes(2), boxes(2), "rel_xyxy")),
        (ShapeError, lambda: ours.compute_iou(boxes(), boxes(2), "xyxy")),
        (ArgumentError, lambda: ours.encode_box_to_deltas(boxes(2), boxes(2), "xyxy", "xyxy", "xyxy")),
        (ArgumentError, lambda: ours.decode_deltas_to_boxes(boxes(2), boxes(2), "xyxy", "xyxy", variance=[1])),
    ],
)
def test_what_is_refused(error: type[Exception], use: Any) -> None:
    with pytest.raises(error):
        use()
