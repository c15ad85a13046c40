"""Boxes and masks, drawn on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.tracing import Array, Tensor, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.bounding_boxes import convert_format
from graphc.utils.images import checked_format, require_pillow

# The size of letters for a font scale of 1, in pixels.
_LETTERS = 20


def images_last(images: Any, data_format: str | None) -> Array:
    """Images as an array of shape (batch, height, width, channels).

    Raises:
        ShapeError: if they are no batch of images.
    """
    array = _array(images)
    if array.ndim != 4:
        raise ShapeError(
            "images are a batch of four axes",
            where=describe(user_line()),
            got=str(array.shape),
            hint="for one image, pass `image[None]`",
        )
    return array.transpose(0, 2, 3, 1) if checked_format(data_format) == "channels_first" else array


def _array(values: Any) -> Array:
    return np.asarray(values.array if isinstance(values, Tensor) else values)


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> Array:
    """Draws boxes on images, and the names of their classes.

    Args:
        images: Batch of images: (batch, height, width, channels).
        bounding_boxes: Dictionary of `"boxes"` of shape (batch, boxes, 4), `"labels"` of shape (batch, boxes), of which
            those that are -1 are left out, and maybe `"confidences"` of the same shape.
        bounding_box_format: The format of the boxes, such as `"xyxy"`.
        class_mapping: The names of classes, by number; drawing them needs Pillow. None: no names.
        color: Red, green and blue, from 0 to 255.
        line_thickness: The thickness of lines, in pixels.
        text_thickness: The thickness of letters, in pixels.
        font_scale: The size of letters.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.

    Returns:
        The images with boxes, uint8, in the same layout.

    Raises:
        ShapeError: if `images` are no batch.
        DTypeError: if `bounding_boxes` is no dictionary.
        ArgumentError: if it lacks boxes or labels.

    Example:

    >>> boxes = {"boxes": [[[1, 1, 4, 3]]], "labels": [[0]]}
    >>> draw_bounding_boxes(np.zeros((1, 5, 6, 1)), boxes, "xyxy", color=(9,), line_thickness=1)[0, :, :, 0].tolist()
    [[0, 0, 0, 0, 0, 0], [0, 9, 9, 9, 9, 0], [0, 9, 0, 0, 9, 0], [0, 9, 9, 9, 9, 0], [0, 0, 0, 0, 0, 0]]
    """
    pixels = _pixels(images_last(images, data_format))
    if not isinstance(bounding_boxes, Mapping):
        raise DTypeError(
            "bounding_boxes is a dictionary", where=describe(user_line()), got=type(bounding_boxes).__name__
        )
    if not {"boxes", "labels"} <= set(bounding_boxes):
        raise argument_error("bounding_boxes", sorted(bounding_boxes), "a dictionary with 'boxes' and 'labels'")
    height, width = pixels.shape[1:3]
    boxes = _array(convert_format(bounding_boxes["boxes"], bounding_box_format, "xyxy", height, width)).astype(int)
    labels = _array(bounding_boxes["labels"]).astype(int)
    confidences = bounding_boxes.get("confidences")
    shares = None if confidences is None else _array(confidences)
    for i, image in enumerate(pixels):
        for j, (box, label) in enumerate(zip(boxes[i], labels[i], strict=False)):
            if label == -1:
                continue
            _outline(image, box, color, line_thickness)
            if class_mapping and label in class_mapping:
                text = str(class_mapping[int(label)]) + ("" if shares is None else f" | {shares[i][j]:.2f}")
                place = _place_of_text(int(box[0]), int(box[1]), font_scale, text_thickness or line_thickness)
                _write(image, text, place, color, font_scale, text_thickness or line_thickness)
    return pixels.transpose(0, 3, 1, 2) if checked_format(data_format) == "channels_first" else pixels


def _pixels(images: Array) -> Array:
    """Images of numbers from 0 to 1, or to 255, as writable uint8."""
    if images.dtype.kind == "f" and images.size:
        images = np.clip(images, 0, 1) * 255 if images.max() <= 1 else np.clip(images, 0, 255)
    return images.astype(np.uint8)


def _outline(image: Array, box: Array, color: Sequence[int], thickness: int) -> None:
    """Draws the edges of a box, half of their thickness on either side."""
    left, top, right, bottom = map(int, box)
    before, after = (thickness - 1) // 2, thickness // 2
    value = np.asarray(color[: image.shape[2]], np.uint8)

    def fill(y1: int, y2: int, x1: int, x2: int) -> None:
        image[
            max(0, y1 - before) : max(0, y2 + after + 1), max(0, x1 - before) : max(0, x2 + after + 1), : len(value)
        ] = value

    fill(top, top, left, right)
    fill(bottom, bottom, left, right)
    fill(top, bottom, left, left)
    fill(top, bottom, right, right)


def _place_of_text(left: int, top: int, font_scale: float, thickness: int) -> tuple[int, int]:
    """Where the baseline of a text begins: above the box, or within it where there is no room."""
    letters = int(font_scale * 12)
    if top - 8 - 2 * letters > 0:
        return left, top - 8
    return left + 3, top + 2 * letters + thickness + 3


def _write(
    image: Array, text: str, place: tuple[int, int], color: Sequence[int], font_scale: float, thickness: int
) -> None:
    pillow = require_pillow("to draw the names of classes")
    draw, fonts = import_module("PIL.ImageDraw"), import_module("PIL.ImageFont")
    # The shape of the letters, in black and white, where the colour is put.
    shape = pillow.new("L", (image.shape[1], image.shape[0]))
    font = fonts.load_default(max(1, round(_LETTERS * font_scale)))
    draw.Draw(shape).text(place, text, fill=255, font=font, anchor="ls", stroke_width=max(0, thickness - 1))
    value = np.asarray(color[: image.shape[2]], np.uint8)
    image[np.asarray(shape) > 127, : len(value)] = value


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> Array:
    """Draws the class of each pixel as a colour on images.

    Args:
        images: Batch of images: (batch, height, width, channels), from 0 to 255.
        segmentation_masks: Integers of shape (batch, height, width, 1) or (batch, height, width).
        num_classes: The number of classes. None: the largest number in the masks.
        color_mapping: The colours of classes, by number. None: colours are chosen.
        alpha: How opaque the colours are, from 0 to 1.
        blend: Whether images are seen through them.
        ignore_index: The class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.

    Returns:
        Images of (batch, height, width, channels): uint8, or float32 where they are not blended.

    Raises:
        ShapeError: if `images` are no batch.
        DTypeError: if masks are no integers.
    """
    pictures = images_last(images, data_format).astype(np.float32)
    masks = _array(segmentation_masks)
    if masks.ndim == 4:
        masks = (masks.transpose(0, 2, 3, 1) if checked_format(data_format) == "channels_first" else masks)[..., 0]
    if masks.dtype.kind not in "iu":
        raise DTypeError("masks are integers", where=describe(user_line()), got=str(masks.dtype), hint="cast them")
    if masks.shape != pictures.shape[:3]:
        raise ShapeError("masks fit their images", got=f"masks {masks.shape}, images {pictures.shape}")
    count = int(masks.max(initial=0)) if num_classes is None else num_classes
    palette = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1])
    painted = pictures.copy()
    for label in range(count):
        chosen = label * palette % 255 if color_mapping is None else np.asarray(color_mapping[label])
        painted[masks == label] = chosen
    if not blend:
        return painted
    mixed = pictures * (1 - alpha) + painted * alpha
    return np.where((masks != ignore_index)[..., None], mixed, pictures).astype(np.uint8)
