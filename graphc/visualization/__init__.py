"""Pictures of images with their boxes, masks and labels. Galleries are drawn by Matplotlib, an optional package."""

from graphc.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from graphc.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]
