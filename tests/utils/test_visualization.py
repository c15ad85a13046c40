"""Boxes and masks on images; galleries, by a stand-in for Matplotlib that notes what is drawn."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphc import ops, visualization
from graphc.errors import ArgumentError, DTypeError, MissingPackageError, ShapeError

os.environ["KERAS_BACKEND"] = "jax"
import keras

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3)).astype("float32")
KEPT = IMAGES.copy()
BOXES = {
    "boxes": np.array([[[5, 8, 30, 30], [0, 0, 9, 9]], [[-5, 30, 70, 50], [1, 1, 2, 2]]], "float32"),
    "labels": np.array([[0, -1], [2, 1]]),
}


@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_edges_of_boxes(thickness: int, data_format: str) -> None:
    images = IMAGES if data_format == "channels_last" else IMAGES.transpose(0, 3, 1, 2)
    color = (255, 1, 2)
    drawn = visualization.draw_bounding_boxes(
        ops.array(images), BOXES, "xyxy", None, color, thickness, data_format=data_format
    )
    drawn = drawn if data_format == "channels_last" else drawn.transpose(0, 2, 3, 1)
    before, after = (thickness - 1) // 2, thickness // 2
    expected = IMAGES[0].astype("uint8")
    outside, inside = np.zeros((2, 40, 60), bool)
    outside[8 - before : 31 + after, 5 - before : 31 + after] = True
    inside[9 + after : 30 - before, 6 + after : 30 - before] = True
    expected[outside & ~inside] = color
    np.testing.assert_array_equal(drawn[0], expected)
    assert (drawn[1, 30] == color).all() and not (drawn[1, 29 - before, 20:50] == color).all()
    np.testing.assert_array_equal(IMAGES, KEPT)  # what was given is as it was


def test_names_of_classes_and_other_formats() -> None:
    plain = visualization.draw_bounding_boxes(IMAGES / 255, BOXES, "xyxy", None, (0, 255, 0))
    named = {**BOXES, "confidences": np.full((2, 2), 0.5)}
    drawn = visualization.draw_bounding_boxes(IMAGES / 255, named, "xyxy", {0: "cat"}, (0, 255, 0), font_scale=0.5)
    assert (drawn[0] != plain[0]).any() and (drawn[1] == plain[1]).all()
    changed = (drawn[0] != plain[0]).any(-1)
    assert (drawn[0][changed] == (0, 255, 0)).all() and changed.sum() > 20
    wide = {**BOXES, "boxes": np.asarray(keras.utils.bounding_boxes.convert_format(BOXES["boxes"], "xyxy", "xywh"))}
    np.testing.assert_array_equal(
        visualization.draw_bounding_boxes(IMAGES / 255, wide, "xywh", None, (0, 255, 0)), plain
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_classes": 4},
        {"alpha": 0.3, "ignore_index": 0},
        {"num_classes": 3, "color_mapping": {0: (1, 2, 3), 1: (9, 9, 9), 2: (255, 0, 0)}},
        {"blend": False},
    ],
)
def test_masks(options: Any) -> None:
    masks = np.random.default_rng(1).integers(0, 4, (2, 40, 60, 1))
    found = visualization.draw_segmentation_masks(IMAGES, masks, **options)
    expected = np.asarray(keras.visualization.draw_segmentation_masks(IMAGES, masks, **options))
    assert found.dtype == expected.dtype and np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    np.testing.assert_array_equal(visualization.draw_segmentation_masks(IMAGES, masks[..., 0], **options), found)


class Pyplot:
    """Notes what galleries draw."""

    def __init__(self) -> None:
        self.images: list[Any] = []
        self.titles: list[str] = []
        self.saved: list[Any] = []
        self.shown = self.closed = self.legends = 0
        self.shape = (0, 0)

    def subplots(self, rows: int, cols: int, **options: Any) -> Any:
        self.shape = (rows, cols)
        axis = SimpleNamespace(
            axis=lambda value: None,
            imshow=lambda image, **options: self.images.append(image),
            set_title=lambda text, **options: self.titles.append(text),
        )
        axes = np.empty((rows, cols), object)
        axes[:] = axis
        figure = SimpleNamespace(
            legend=lambda **options: setattr(self, "legends", self.legends + 1),
            savefig=lambda path, **options: self.saved.append(path),
        )
        return figure, axes

    def show(self) -> None:
        self.shown += 1

    def close(self, figure: Any) -> None:
        self.closed += 1


@pytest.fixture
def pyplot(monkeypatch: pytest.MonkeyPatch) -> Pyplot:
    noted = Pyplot()
    modules = {"matplotlib": ModuleType("matplotlib"), "matplotlib.pyplot": noted}
    modules["matplotlib.patches"] = SimpleNamespace(Patch=lambda **options: options)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return noted


def test_galleries(pyplot: Pyplot) -> None:
    five = np.concatenate([IMAGES, IMAGES, IMAGES[:1]]) / 255
    visualization.plot_image_gallery(five, [0, 1, 0], ops.array([1, 1, 1, 1, 5]), {0: "a", 1: "b"}, value_range=(0, 1))
    assert pyplot.shape == (3, 2) and len(pyplot.images) == 5 and (pyplot.shown, pyplot.closed) == (1, 1)
    assert pyplot.titles == ["Label: a  Pred: b", "Label: b  Pred: b", "Label: a  Pred: b", "Pred: b", "Pred: Unknown"]
    np.testing.assert_allclose(pyplot.images[0], IMAGES[0], atol=1)
    visualization.plot_image_gallery(IMAGES[..., :1].transpose(0, 3, 1, 2), path="x.png", data_format="channels_first")
    assert pyplot.saved == ["x.png"] and pyplot.images[-1].shape == (40, 60) and pyplot.shown == 1


def test_galleries_of_boxes_and_masks(pyplot: Pyplot) -> None:
    visualization.plot_bounding_box_gallery(IMAGES, "xyxy", BOXES, BOXES, legend=True, rows=1, cols=2, show=False)
    assert pyplot.shape == (1, 2) and pyplot.legends == 1 and pyplot.shown == 0
    expected = visualization.draw_bounding_boxes(IMAGES, BOXES, "xyxy", color=(255, 235, 59))
    np.testing.assert_array_equal(pyplot.images[0], expected[0])
    masks = np.ones((2, 40, 60, 1))
    for first in (False, True):
        given = [x.transpose(0, 3, 1, 2) if first else x for x in (IMAGES, masks)]
        pyplot.images.clear()
        visualization.plot_segmentation_mask_gallery(
            given[0], 2, y_true=given[1], y_pred=given[1], data_format="channels_first" if first else None
        )
        assert pyplot.shape == (2, 3) and len(pyplot.images) == 6
        np.testing.assert_array_equal(pyplot.images[1], pyplot.images[2])


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ShapeError, lambda v: v.draw_bounding_boxes(IMAGES[0], BOXES, "xyxy")),
        (DTypeError, lambda v: v.draw_bounding_boxes(IMAGES, [1], "xyxy")),
        (ArgumentError, lambda v: v.draw_bounding_boxes(IMAGES, {"boxes": 1}, "xyxy")),
        (ShapeError, lambda v: v.draw_segmentation_masks(IMAGES[0], np.ones((2, 40, 60), int))),
        (ShapeError, lambda v: v.draw_segmentation_masks(IMAGES, np.ones((2, 40, 6), int))),
        (DTypeError, lambda v: v.draw_segmentation_masks(IMAGES, np.ones((2, 40, 60)))),
        (ShapeError, lambda v: v.plot_image_gallery(IMAGES[0])),
        (ArgumentError, lambda v: v.plot_image_gallery(IMAGES, path="a", show=True)),
        (ArgumentError, lambda v: v.plot_image_gallery(IMAGES, [1])),
        (ArgumentError, lambda v: v.plot_bounding_box_gallery(IMAGES, "xyxy", legend=True, legend_handles=[1])),
    ],
)
def test_what_is_refused(pyplot: Pyplot, error: type[Exception], use: Any) -> None:
    with pytest.raises(error):
        use(visualization)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="pip install matplotlib"):
        visualization.plot_image_gallery(IMAGES)
