"""Galleries of images, drawn by Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from graphc.errors import MissingPackageError
from graphc.tracing import Array, Tensor, describe, user_line
from graphc.utils.arguments import argument_error
from graphc.utils.images import checked_format
from graphc.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks, images_last


def _matplotlib(name: str, user: str) -> Any:
    try:
        return import_module(f"matplotlib.{name}")
    except ImportError as error:
        raise MissingPackageError(
            f"{user} needs Matplotlib", where=describe(user_line()), got=str(error), hint="pip install matplotlib"
        ) from error


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: tuple[float, float] = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: Any = None,
    data_format: str | None = None,
) -> None:
    """Shows images in rows and columns, with their labels.

    Args:
        images: Batch of images: (batch, height, width, channels).
        y_true: The class of each. None: not shown.
        y_pred: The predicted class of each. None: not shown.
        label_map: The names of classes, by number, needed to show classes.
        rows: The number of rows. None: what makes the gallery a square.
        cols: The number of columns. None: what is needed for all images.
        value_range: The smallest and the largest value of a pixel.
        scale: The size of an image, in inches.
        path: Path of a file, into which the gallery is written. None: it is shown.
        show: Whether it is shown. None: if there is no `path`.
        transparent: Whether the background of the file is transparent.
        dpi: Pixels in an inch of the file.
        legend_handles: Matplotlib's handles for a legend.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.

    Raises:
        ArgumentError: if both `path` and `show` are given, or `label_map` is missing.
        ShapeError: if `images` are no batch.
        MissingPackageError: if Matplotlib is not installed.
    """
    plt = _matplotlib("pyplot", "plot_image_gallery")
    if path is not None and show:
        raise argument_error("show", show, "not True where there is a `path`")
    if (y_true is not None or y_pred is not None) and label_map is None:
        raise argument_error(
            "label_map", label_map, "a dictionary of the names of classes, to show `y_true` and `y_pred`"
        )
    pictures = images_last(images, data_format)
    rows = rows or math.ceil(math.sqrt(len(pictures)))
    cols = cols or math.ceil(len(pictures) / rows)
    low, high = value_range
    pixels = ((pictures.astype(np.float32) - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    figure, axes = plt.subplots(
        rows, cols, figsize=(cols * scale, rows * scale), frameon=False, layout="tight", squeeze=False
    )
    try:
        if legend_handles is not None:
            figure.legend(handles=legend_handles, loc="lower center")
        for i, axis in enumerate(axes.ravel()):
            axis.axis("off")
            if i >= len(pixels):
                continue
            axis.imshow(pixels[i][..., 0] if pixels.shape[-1] == 1 else pixels[i], cmap="gray")
            titles = [
                f"{word}: {(label_map or {}).get(_at(labels, i), 'Unknown')}"
                for word, labels in (("Label", y_true), ("Pred", y_pred))
                if labels is not None and i < len(labels)
            ]
            if titles:
                axis.set_title("  ".join(titles), fontsize=8)
        if path is not None:
            figure.savefig(path, pad_inches=0, bbox_inches="tight", transparent=transparent, dpi=dpi)
        elif show is None or show:
            plt.show()
    finally:
        plt.close(figure)


def _at(labels: Any, index: int) -> Any:
    return np.asarray(labels.array if isinstance(labels, Tensor) else labels)[index].item()


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Any = None,
    y_pred: Any = None,
    value_range: tuple[float, float] = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Any = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows images with their boxes, in rows and columns.

    Args:
        images: Batch of images: (batch, height, width, channels).
        bounding_box_format: The format of the boxes, such as `"xyxy"`.
        y_true: Dictionary of `"boxes"` and `"labels"`, as for `draw_bounding_boxes`. None: not shown.
        y_pred: Likewise, what was predicted.
        value_range: The smallest and the largest value of a pixel.
        true_color: The colour of `y_true`.
        pred_color: The colour of `y_pred`.
        line_thickness: The thickness of lines, in pixels.
        font_scale: The size of letters.
        text_thickness: The thickness of letters. None: that of lines.
        class_mapping: The names of classes, by number. None: no names.
        ground_truth_mapping: Those for `y_true`. None: `class_mapping`.
        prediction_mapping: Those for `y_pred`. None: `class_mapping`.
        legend: Whether a legend says which colour is which.
        legend_handles: Matplotlib's handles for another legend.
        rows: The number of rows.
        cols: The number of columns.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        **kwargs: Further arguments of `plot_image_gallery`.

    Raises:
        ArgumentError: if `legend` and `legend_handles` are both given.
        ShapeError: if `images` are no batch.
        MissingPackageError: if Matplotlib is not installed.
    """
    patches = _matplotlib("patches", "plot_bounding_box_gallery")
    if legend and legend_handles:
        raise argument_error("legend_handles", legend_handles, "None where `legend` is True")
    pictures = images_last(images, data_format)
    drawn = (
        (y_true, true_color, ground_truth_mapping or class_mapping, "Ground Truth"),
        (y_pred, pred_color, prediction_mapping or class_mapping, "Prediction"),
    )
    for boxes, color, names, _ in drawn:
        if boxes is not None:
            pictures = draw_bounding_boxes(
                pictures,
                boxes,
                bounding_box_format,
                names,
                color,
                line_thickness,
                text_thickness,
                font_scale,
                "channels_last",
            )
    if legend:
        legend_handles = [patches.Patch(color=np.array(color) / 255, label=word) for _, color, _, word in drawn]
    plot_image_gallery(
        pictures,
        value_range=value_range,
        legend_handles=legend_handles,
        rows=rows,
        cols=cols,
        data_format="channels_last",
        **kwargs,
    )


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: tuple[float, float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows images beside the same with their masks: a row for each.

    Args:
        images: Batch of images: (batch, height, width, channels).
        num_classes: The number of classes.
        value_range: The smallest and the largest value of a pixel.
        y_true: Masks, as for `draw_segmentation_masks`. None: not shown.
        y_pred: Likewise, what was predicted.
        color_mapping: The colours of classes, by number. None: colours are chosen.
        blend: Whether images are seen through masks.
        alpha: How opaque masks are, from 0 to 1.
        ignore_index: The class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`. None: `config.image_data_format()`.
        **kwargs: Further arguments of `plot_image_gallery`.

    Raises:
        ShapeError: if `images` are no batch.
        MissingPackageError: if Matplotlib is not installed.
    """
    pictures = images_last(images, data_format)
    first = checked_format(data_format) == "channels_first"
    columns: list[Array] = [pictures]
    for masks in (y_true, y_pred):
        if masks is not None:
            integers = np.asarray(masks.array if isinstance(masks, Tensor) else masks).astype(np.int32)
            if integers.ndim == 4 and first:
                integers = integers.transpose(0, 2, 3, 1)
            drawn = draw_segmentation_masks(
                pictures, integers, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
            )
            columns.append(drawn)
    gallery = np.stack(columns, 1).reshape(-1, *pictures.shape[1:])
    plot_image_gallery(
        gallery, value_range=value_range, rows=len(pictures), cols=len(columns), data_format="channels_last", **kwargs
    )
