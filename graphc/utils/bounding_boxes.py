"""Bounding boxes: their formats, what happens to them with their images, how much they overlap.

A format says what the four numbers of a box are: `"xyxy"` its left, top, right and bottom edge, `"yxyx"` its top, left,
bottom and right edge, `"xywh"` its left and top edge, width and height, `"center_xywh"` its centre, width and height,
`"center_yxhw"` these in another order. `"rel_xyxy"`, `"rel_yxyx"`, `"rel_xywh"` and `"rel_center_xywh"` are in
fractions of the image's width and height.
"""

from __future__ import annotations

import math
from typing import Any

from graphc import config, ops
from graphc.errors import ArgumentError, ShapeError
from graphc.tracing import Tensor, describe, user_line
from graphc.utils.arguments import argument_error

FORMATS = (
    *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh"),
    "rel_center_xywh",
)


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None, dtype: Any = "float32"
) -> Any:
    """Boxes in another format.

    Args:
        boxes: Tensor of shape (..., 4), or a dictionary that holds it as `"boxes"`.
        source: Their format.
        target: The format of the result.
        height: The height of the image, needed between absolute and relative formats.
        width: Its width, likewise.
        dtype: The dtype of the result.

    Returns:
        A tensor, or a dictionary with it.

    Raises:
        ArgumentError: if a format is unknown, or the size of the image is missing.
        ShapeError: if the last axis is not of size 4.

    Example:

    >>> convert_format([[10, 20, 30, 60]], "xyxy", "center_xywh").tolist()
    [[20.0, 40.0, 20.0, 40.0]]
    """
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    first, second = _format("source", source), _format("target", target)
    tensor = ops.cast(ops.convert_to_tensor(boxes), dtype)
    if not tensor.ndim or tensor.shape[-1] != 4:
        raise ShapeError("a box has four numbers", where=describe(user_line()), got=str(tensor.shape))
    relative = [name.startswith("rel_") for name in (first, second)]
    if any(relative) and (height is None or width is None):
        raise ArgumentError(
            "relative boxes need the size of the image",
            where=describe(user_line()),
            got=f"height={height}, width={width}",
            hint="pass `height` and `width`",
        )
    if first == second:
        return tensor
    edges = _edges(tensor, first.removeprefix("rel_"))
    if relative[0] != relative[1]:
        sizes = [ops.cast(size, dtype) for size in (width, height, width, height)]
        combine = ops.multiply if relative[0] else ops.divide
        edges = [combine(edge, size) for edge, size in zip(edges, sizes, strict=True)]
    return _of_edges(edges, second.removeprefix("rel_"))


def _format(name: str, value: Any) -> str:
    lower = value.lower() if isinstance(value, str) else value
    if lower not in FORMATS:
        raise argument_error(name, value, f"one of {FORMATS}")
    return str(lower)


def _split(boxes: Tensor) -> list[Any]:
    return [boxes[..., i : i + 1] for i in range(4)]


def _edges(boxes: Tensor, name: str) -> list[Any]:
    """The left, top, right and bottom edges of boxes of an absolute format."""
    parts = _split(boxes)
    letters = name.removeprefix("center_")
    if letters.startswith("y"):
        parts = [parts[1], parts[0], parts[3], parts[2]]
    x, y, right, bottom = parts
    if letters in ("xyxy", "yxyx"):
        return parts
    w, h = right, bottom
    if name.startswith("center_"):
        x, y = x - w / 2, y - h / 2
    return [x, y, x + w, y + h]


def _of_edges(edges: list[Any], name: str) -> Tensor:
    """Boxes of an absolute format, of their edges."""
    left, top, right, bottom = edges
    letters = name.removeprefix("center_")
    if letters not in ("xyxy", "yxyx"):
        w, h = right - left, bottom - top
        if name.startswith("center_"):
            left, top = left + w / 2, top + h / 2
        right, bottom = w, h
    ordered = [top, left, bottom, right] if letters.startswith("y") else [left, top, right, bottom]
    return ops.concatenate(ordered, -1)


# ---- with their images


def clip_to_image_size(
    bounding_boxes: dict[str, Any], height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> dict[str, Any]:
    """Boxes without what is outside of the image; the label of a box of which nothing is left becomes -1.

    Args:
        bounding_boxes: Dictionary of `"boxes"` of shape (..., 4) and `"labels"`, which may be absent.
        height: The height of the image, needed for `"xyxy"`.
        width: Its width, likewise.
        bounding_box_format: `"xyxy"` or `"rel_xyxy"`.

    Raises:
        ArgumentError: if the format is another one, or the size of the image is missing.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise argument_error("bounding_box_format", bounding_box_format, "'xyxy' or 'rel_xyxy'")
    if bounding_box_format == "rel_xyxy":
        height = width = 1.0
    elif height is None or width is None:
        raise ArgumentError("boxes in pixels need the size of the image", got=f"height={height}, width={width}")
    boxes = _within(_split(ops.convert_to_tensor(bounding_boxes["boxes"])), height, width)
    result = {**bounding_boxes, "boxes": ops.concatenate(boxes, -1)}
    if bounding_boxes.get("labels") is not None:
        left, top, right, bottom = boxes
        areas = ops.squeeze((right - left) * (bottom - top), -1)
        result["labels"] = ops.where(areas > 0, bounding_boxes["labels"], -1)
    return result


def _within(edges: list[Any], height: Any, width: Any) -> list[Any]:
    return [ops.clip(edge, 0, size) for edge, size in zip(edges, (width, height, width, height), strict=True)]


def _only_xyxy(bounding_box_format: str) -> None:
    if bounding_box_format != "xyxy":
        raise argument_error("bounding_box_format", bounding_box_format, "'xyxy'")


def crop(boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy") -> Tensor:
    """Boxes in a part of their image.

    Args:
        boxes: Tensor of shape (..., 4).
        top: The top edge of the part.
        left: Its left edge.
        height: Its height.
        width: Its width.
        bounding_box_format: `"xyxy"`.
    """
    _only_xyxy(bounding_box_format)
    x1, y1, x2, y2 = _split(ops.convert_to_tensor(boxes))
    return ops.concatenate(_within([x1 - left, y1 - top, x2 - left, y2 - top], height, width), -1)


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Boxes in an image with something added above and to the left.

    Args:
        boxes: Tensor of shape (..., 4).
        top: The number of rows that were added above.
        left: The number of columns that were added to the left.
        height: Not used, as in Keras.
        width: Likewise.
        bounding_box_format: `"xyxy"`.
    """
    _only_xyxy(bounding_box_format)
    x1, y1, x2, y2 = _split(ops.convert_to_tensor(boxes))
    return ops.concatenate([x1 + left, y1 + top, x2 + left, y2 + top], -1)


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """The boxes around boxes in images that are rotated, moved, scaled and sheared around a centre.

    Args:
        boxes: Tensor of shape (batch, boxes, 4).
        angle: Tensor of shape (batch,): degrees, against the clock.
        translate_x: Tensor of shape (batch,): a fraction of the width.
        translate_y: Tensor of shape (batch,): a fraction of the height.
        scale: Tensor of shape (batch,).
        shear_x: Tensor of shape (batch,): degrees.
        shear_y: Tensor of shape (batch,): degrees.
        height: The height of the images.
        width: Their width.
        center_x: The centre, as a fraction of the width. None: 0.5.
        center_y: The centre, as a fraction of the height. None: 0.5.
        bounding_box_format: `"xyxy"`.
    """
    _only_xyxy(bounding_box_format)
    angle, scale = ops.convert_to_tensor(angle), ops.convert_to_tensor(scale)
    turn, sx, sy = (ops.multiply(x, -math.pi / 180) for x in (angle, shear_x, shear_y))
    cx = ops.multiply(0.5 if center_x is None else center_x, width - 1)
    cy = ops.multiply(0.5 if center_y is None else center_y, height - 1)
    dx = ops.add(cx, ops.multiply(translate_x, 1 - width))
    dy = ops.add(cy, ops.multiply(translate_y, 1 - height))
    # The matrix of the rotation and shear, whose determinant is 1, and its inverse, scaled.
    a = ops.cos(turn - sy) / ops.cos(sy)
    b = a * ops.tan(sx) + ops.sin(turn)
    c = -ops.sin(turn - sy) / ops.cos(sy)
    d = ops.cos(turn) - c * ops.tan(sx)
    rows = ((d * scale, -b * scale), (-c * scale, a * scale))
    shifts = (cx - rows[0][0] * dx - rows[0][1] * dy, cy - rows[1][0] * dx - rows[1][1] * dy)
    x1, y1, x2, y2 = _split(ops.cast(ops.convert_to_tensor(boxes), rows[0][0].dtype))
    xs, ys = ops.concatenate([x1, x2, x2, x1], -1), ops.concatenate([y1, y1, y2, y2], -1)
    corners = [
        _of_batch(row[0]) * xs + _of_batch(row[1]) * ys + _of_batch(shift)
        for row, shift in zip(rows, shifts, strict=True)
    ]
    edges = [extreme(part, axis=-1, keepdims=True) for extreme in (ops.min, ops.max) for part in corners]
    return ops.concatenate(edges, -1)


def _of_batch(x: Any) -> Any:
    return ops.reshape(x, (-1, 1, 1))


# ---- beside others


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: Any = -1,
    image_shape: Any = None,
) -> Tensor:
    """How much each of some boxes overlaps each of others: the area of both together in that of either.

    Args:
        boxes1: Tensor of shape (boxes, 4) or (batch, boxes, 4).
        boxes2: Likewise.
        bounding_box_format: Their format.
        use_masking: Whether the result for boxes of which all numbers are negative is `mask_val`.
        mask_val: A number.
        image_shape: Height, width and channels of the image, needed for relative formats.

    Returns:
        A tensor of shape (boxes1, boxes2) or (batch, boxes1, boxes2).

    Example:

    >>> compute_iou([[0, 0, 2, 2]], [[0, 0, 1, 2], [5, 5, 6, 6]], "xyxy").tolist()
    [[0.5, 0.0]]
    """
    height, width = (None, None) if image_shape is None else image_shape[:2]
    first, second = (convert_format(x, bounding_box_format, "xyxy", height, width) for x in (boxes1, boxes2))
    if first.ndim not in (2, 3) or second.ndim not in (2, 3):
        raise ShapeError(
            "boxes are of shape (boxes, 4), or (batch, boxes, 4)",
            where=describe(user_line()),
            got=f"{first.shape} and {second.shape}",
        )
    x1, y1, x2, y2 = _split(first)
    u1, v1, u2, v2 = (ops.swapaxes(part, -1, -2) for part in _split(second))
    columns = ops.maximum(ops.minimum(x2, u2) - ops.maximum(x1, u1), 0)
    rows = ops.maximum(ops.minimum(y2, v2) - ops.maximum(y1, v1), 0)
    both = columns * rows
    result = both / ((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - both + config.epsilon())
    if not use_masking:
        return ops.convert_to_tensor(result)
    negative = [ops.max(part, axis=-1, keepdims=True) < 0 for part in (first, second)]
    return ops.where(ops.logical_or(negative[0], ops.swapaxes(negative[1], -1, -2)), mask_val, result)


def compute_ciou(boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None) -> Tensor:
    """The overlap of pairs of boxes, less the distance of their centres and the difference of their ratios of sides.

    Args:
        boxes1: Tensor of shape (..., 4).
        boxes2: Likewise.
        bounding_box_format: Their format.
        image_shape: Height, width and channels of the image, needed for relative formats.

    Returns:
        A tensor of shape (...).
    """
    height, width = (None, None) if image_shape is None else image_shape[:2]
    epsilon = config.epsilon()
    first, second = (convert_format(x, bounding_box_format, "xyxy", height, width) for x in (boxes1, boxes2))
    x1, y1, x2, y2 = (first[..., i] for i in range(4))
    u1, v1, u2, v2 = (second[..., i] for i in range(4))
    w1, h1, w2, h2 = x2 - x1, y2 - y1 + epsilon, u2 - u1, v2 - v1 + epsilon
    columns = ops.maximum(ops.minimum(x2, u2) - ops.maximum(x1, u1), 0)
    rows = ops.maximum(ops.minimum(y2, v2) - ops.maximum(y1, v1), 0)
    both = columns * rows
    iou = both / (w1 * h1 + w2 * h2 - both + 2 * epsilon)
    around = [ops.maximum(x2, u2) - ops.minimum(x1, u1), ops.maximum(y2, v2) - ops.minimum(y1, v1)]
    diagonal = ops.square(around[0]) + ops.square(around[1]) + epsilon
    distance = ops.square((x1 + x2) / 2 - (u1 + u2) / 2) + ops.square((y1 + y2) / 2 - (v1 + v2) / 2)
    ratios = ops.square(ops.arctan(w2 / h2) - ops.arctan(w1 / h1)) * (4 / math.pi**2)
    return ops.subtract(iou, distance / diagonal + ratios * ratios / (ratios - iou + 1 + epsilon))


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Tensor:
    """Boxes as distances from anchors in units of their sizes, and logarithms of the ratios of sizes.

    Args:
        anchors: Tensor of shape (boxes, 4).
        boxes: Tensor of shape (boxes, 4) or (batch, boxes, 4).
        anchor_format: The format of the anchors.
        box_format: The format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`.
        variance: Four numbers by which the result is divided. None: none.
        image_shape: Height, width and channels of the image, needed for relative formats.
    """
    _encoding("encoding_format", encoding_format)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    of_anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    of_boxes = convert_format(boxes, box_format, encoding_format, height, width)
    sizes, wanted = (ops.maximum(part[..., 2:], config.epsilon()) for part in (of_anchors, of_boxes))
    deltas = ops.concatenate([(of_boxes[..., :2] - of_anchors[..., :2]) / sizes, ops.log(wanted / sizes)], -1)
    return deltas if variance is None else ops.divide(deltas, _variance(variance))


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """The boxes that `encode_box_to_deltas` encoded.

    Args:
        anchors: Tensor of shape (boxes, 4), or a dictionary of them.
        boxes_delta: Tensor of shape (boxes, 4) or (batch, boxes, 4), or a dictionary of them with the same keys.
        anchor_format: The format of the anchors.
        box_format: The format of the result.
        encoded_format: `"center_yxhw"` or `"center_xywh"`.
        variance: Four numbers by which `boxes_delta` is multiplied. None: none.
        image_shape: Height, width and channels of the image, needed for relative formats.
    """
    _encoding("encoded_format", encoded_format)
    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        options = anchor_format, box_format, encoded_format, variance, image_shape
        return {level: decode_deltas_to_boxes(anchors[level], boxes_delta[level], *options) for level in anchors}
    height, width = (None, None) if image_shape is None else image_shape[:2]
    of_anchors = convert_format(anchors, anchor_format, encoded_format, height, width)
    deltas = ops.convert_to_tensor(boxes_delta)
    deltas = deltas if variance is None else ops.multiply(deltas, _variance(variance))
    places, sizes = of_anchors[..., :2], of_anchors[..., 2:]
    boxes = ops.concatenate([deltas[..., :2] * sizes + places, ops.exp(deltas[..., 2:]) * sizes], -1)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _encoding(name: str, value: Any) -> None:
    if value not in ("center_xywh", "center_yxhw"):
        raise argument_error(name, value, "'center_xywh' or 'center_yxhw'")


def _variance(value: Any) -> Tensor:
    variance = ops.convert_to_tensor(value, "float32")
    if variance.shape[-1:] != (4,):
        raise argument_error("variance", value, "four numbers")
    return variance


# ---- as one tensor


def densify_bounding_boxes(bounding_boxes: Any) -> dict[str, Any]:
    """Boxes and their labels as tensors; boxes of 0, labelled -1, are added where images have fewer.

    Args:
        bounding_boxes: Dictionary of `"boxes"` of shape (boxes, 4) or (batch, boxes, 4), and `"labels"` of shape
            (boxes,) or (batch, boxes): tensors, or lists.

    Raises:
        ArgumentError: if it is no such dictionary.
        ShapeError: if the shapes do not fit.
    """
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
        raise argument_error("bounding_boxes", bounding_boxes, "a dict with keys 'boxes' and 'labels'")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, list) and boxes and not isinstance(boxes[0], int | float):
        if not isinstance(labels, list) or len(labels) != len(boxes):
            raise argument_error("labels", labels, f"a list of {len(boxes)}, as there are boxes")
        if isinstance(boxes[0], list) and any(isinstance(box, list) for image in boxes for box in image):
            most = max(map(len, boxes))
            boxes = [[*image, *([[0.0] * 4] * (most - len(image)))] for image in boxes]
            labels = [[*image, *([-1] * (most - len(image)))] for image in labels]
    found, classes = ops.convert_to_tensor(boxes, "float32"), ops.convert_to_tensor(labels)
    if found.ndim not in (2, 3) or classes.ndim not in (found.ndim - 1, found.ndim):
        raise ShapeError(
            "boxes are of shape (boxes, 4) or (batch, boxes, 4), and there is a label for each",
            where=describe(user_line()),
            got=f"boxes {found.shape}, labels {classes.shape}",
        )
    return {**bounding_boxes, "boxes": found, "labels": classes}
