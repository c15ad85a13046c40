"""Calls of operations on images that Keras has, too (see `keras_calls`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.keras_calls import Call, Of

REAL = ("float32",)
WHOLE = ("float32", "int32", "uint8")
BATCH, ONE, FIRST = Of((2, 6, 5, 3), 0, 9), Of((6, 5, 3), 0, 9), Of((2, 3, 6, 5), 0, 9)
COLORS = Of((2, 4, 5, 3), 0.01, 1)


def _called(name: str, *variants: dict[str, Any], on: Of = BATCH, dtypes: tuple[str, ...] = REAL) -> dict[str, Call]:
    return {
        f"{name} of {on.shape} {options}": Call(
            lambda o, x, options=options: getattr(o.image, name)(x, **options), (on,), dtypes
        )
        for options in variants
    }


METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
# A turn, a shear and a shift.
TRANSFORM = np.array([0.913, -0.317, 0.731, 0.257, 1.119, -0.413, 0.0, 0.0], "float32")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
POINTS = np.array([[0.3, 0.2], [4.1, 0.4], [0.2, 5.3], [3.9, 4.7]], "float32")
CORNERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 5.0], [4.0, 5.0]], "float32")

RESIZED: dict[str, Call] = {
    **_called(
        "resize",
        *({"size": (9, 4), "interpolation": m} for m in METHODS),
        *({"size": (3, 7), "interpolation": m, "antialias": True} for m in METHODS),
        {"size": (4, 8), "crop_to_aspect_ratio": True},
        {"size": (9, 4), "pad_to_aspect_ratio": True, "interpolation": "bicubic"},
    ),
    **_called(
        "resize",
        {"size": (9, 4), "interpolation": "nearest"},
        {"size": (8, 4), "crop_to_aspect_ratio": True, "interpolation": "nearest"},
        {"size": (4, 8), "pad_to_aspect_ratio": True, "fill_value": 2.0, "interpolation": "nearest"},
        dtypes=WHOLE,
    ),
    **_called("resize", {"size": (9, 4)}, {"size": (3, 9), "pad_to_aspect_ratio": True}, on=ONE),
    **_called("resize", {"size": (9, 4), "data_format": "channels_first"}, on=FIRST),
    **_called("resize", {"size": (1, 1)}, {"size": (1, 40), "interpolation": "bicubic"}),
    **{
        f"scale_and_translate {method} {antialias}": Call(
            lambda o, x, s, t, method=method, antialias=antialias: o.image.scale_and_translate(
                x, (2, 7, 4, 3), s, t, (1, 2), method, antialias
            ),
            (BATCH, Of((2,), 0.5, 1.5), Of((2,), -1, 1)),
            REAL,
            slopes=method == "cubic",
        )
        for method, antialias in (("linear", True), ("cubic", False), ("lanczos3", True))
    },
    **_called(
        "pad_images",
        {"top_padding": 1, "left_padding": 2, "bottom_padding": 3, "right_padding": 0},
        {"top_padding": 1, "left_padding": 2, "target_height": 9, "target_width": 8},
        {"bottom_padding": 1, "right_padding": 2, "target_height": 9, "target_width": 8},
        dtypes=WHOLE,
    ),
    **_called(
        "crop_images",
        {"top_cropping": 1, "left_cropping": 2, "bottom_cropping": 3, "right_cropping": 0},
        {"top_cropping": 1, "left_cropping": 2, "target_height": 3, "target_width": 2},
        {"bottom_cropping": 1, "right_cropping": 2, "target_height": 3, "target_width": 2},
        dtypes=WHOLE,
    ),
    **_called("crop_images", {"top_cropping": 1, "left_cropping": 2, "target_height": 3, "target_width": 2}, on=ONE),
}

IMAGES: dict[str, Call] = {
    **_called("rgb_to_grayscale", {}, dtypes=WHOLE),
    **_called("rgb_to_grayscale", {}, on=Of((2, 4, 5, 1))),
    **_called("rgb_to_grayscale", {"data_format": "channels_first"}, on=FIRST),
    **_called("rgb_to_hsv", {}, on=COLORS),
    **_called("rgb_to_hsv", {"data_format": "channels_first"}, on=Of((3, 4, 5), 0.01, 1)),
    **_called("hsv_to_rgb", {}, on=COLORS),
    **_called("hsv_to_rgb", {}, on=Of((4, 5, 3), 0.01, 1)),
    **_called(
        "gaussian_blur",  # without a data format, Keras takes the first axis for that of the channels
        {"data_format": "channels_last"},
        {"kernel_size": (5, 3), "sigma": (1.5, 0.5), "data_format": "channels_last"},
        {"kernel_size": (2, 4), "sigma": (1.0, 2.0), "data_format": "channels_last"},
        {"data_format": "channels_first"},
    ),
    **_called("gaussian_blur", {"kernel_size": (3, 5), "data_format": "channels_last"}, on=ONE),
    **_called("sobel_edges", {}, {"data_format": "channels_first"}),
    **_called(
        "extract_patches",
        {"size": 2},
        {"size": (2, 3)},
        {"size": 2, "strides": 1},
        {"size": (3, 2), "strides": (2, 1), "padding": "same"},
        {"size": 2, "strides": 1, "dilation_rate": 2},
        {"size": 4, "padding": "same"},
        {"size": 2, "data_format": "channels_first"},
    ),
    **_called("extract_patches", {"size": 3, "strides": 2}, on=ONE),
    **_called("extract_patches", {"size": (2, 2, 2)}, {"size": (2, 1, 2), "strides": 1}, on=Of((2, 4, 3, 5, 2))),
    **_called("extract_patches_3d", {"size": 2}, {"size": 2, "strides": 1, "padding": "same"}, on=Of((4, 3, 5, 2))),
    "ssim": Call(
        lambda o, x, y: o.image.ssim(x, y, filter_size=5), (Of((2, 8, 9, 3), 0, 1), Of((2, 8, 9, 3), 0, 1)), REAL
    ),
    "ssim of one": Call(
        lambda o, x, y: o.image.ssim(x, y, max_val=2.0), (Of((12, 11, 3), 0, 1), Of((12, 11, 3), 0, 1)), REAL
    ),
}

WARPED: dict[str, Call] = {
    **{
        f"affine_transform {m} {mode}": Call(
            lambda o, x, m=m, mode=mode: o.image.affine_transform(
                x, np.stack([TRANSFORM, 0.9 * TRANSFORM]), m, mode, 2
            ),
            (BATCH,),
            WHOLE,
        )
        for m, mode in (("nearest", "constant"), ("bilinear", "constant"), ("bilinear", "reflect"))
    },
    "affine_transform of one": Call(lambda o, x: o.image.affine_transform(x, TRANSFORM), (ONE,), REAL),
    "affine_transform, first": Call(
        lambda o, x: o.image.affine_transform(x, np.stack([TRANSFORM] * 2), data_format="channels_first"),
        (FIRST,),
        REAL,
    ),
    "affine_transform by": Call(
        lambda o, x, t: o.image.affine_transform(x, o.concatenate([t, t[:, :2] * 0], 1)),
        (BATCH, Of((2, 6), 0.2, 0.9)),
        REAL,
    ),
    **{
        f"map_coordinates {order} {mode}": Call(
            lambda o, x, y, order=order, mode=mode: o.image.map_coordinates(x, y, order, mode, 1),
            (Of((3, 4), 0, 9), Of((2, 3, 5), -5, 9, dtype="float32")),
            WHOLE,
        )
        for order in (0, 1)
        for mode in MODES
    },
    "map_coordinates of a volume": Call(
        lambda o, x, y: o.image.map_coordinates(x, y, 1), (Of((3, 4, 2)), Of((3, 7), -1, 3)), REAL
    ),
    **{
        f"perspective_transform {m}": Call(
            lambda o, x, m=m: o.image.perspective_transform(
                x, np.stack([CORNERS] * 2), np.stack([POINTS, POINTS[:, ::1] * 1.1]), m, 3
            ),
            (BATCH,),
            REAL,
        )
        for m in ("bilinear",)
    },
    "perspective_transform of one": Call(lambda o, x: o.image.perspective_transform(x, CORNERS, POINTS), (ONE,), REAL),
}

TABLES = {"resized": RESIZED, "images": IMAGES, "warped": WARPED}
