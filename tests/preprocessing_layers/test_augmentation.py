"""Layers that change images at random: beside Keras's with the same transformation, and what they draw."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest

import graphc
from graphc import config, layers, tree
from graphc.utils import bounding_boxes

SIZE = (3, 6, 8, 3)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical"}),
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomRotation", {"factor": (-0.1, 0.4), "fill_mode": "constant", "fill_value": 7.0, "interpolation": "nearest"}),
    ("RandomZoom", {"height_factor": 0.4}),
    ("RandomZoom", {"height_factor": (-0.3, -0.1), "width_factor": (0.2, 0.5), "fill_mode": "nearest"}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (-0.5, 0.1), "fill_mode": "wrap"}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.2, "fill_mode": "constant"}),
    ("RandomShear", {"x_factor": 0.5, "y_factor": (0.1, 0.3)}),
    ("RandomPerspective", {"factor": 0.7, "scale": 0.5}),
    ("RandomCrop", {"height": 4, "width": 5}),
    ("RandomCrop", {"height": 7, "width": 5}),
    ("RandomCrop", {"height": 9, "width": 12}),
    ("RandomContrast", {"factor": (0.3, 0.8)}),
    ("RandomBrightness", {"factor": 0.4}),
    ("RandomHue", {"factor": 0.7}),
    ("RandomSaturation", {"factor": (0.2, 0.9)}),
    ("RandomGrayscale", {"factor": 0.5}),
    ("RandomColorDegeneration", {"factor": (0.1, 0.8)}),
    ("RandomSharpness", {"factor": (0.1, 0.9)}),
    ("RandomInvert", {"factor": 0.6}),
    ("RandomPosterization", {"factor": (2, 6)}),
    ("RandomPosterization", {"factor": (3, 3)}),
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.2, 0.8)}),
    ("RandomErasing", {"factor": 0.8}),
    ("RandomErasing", {"factor": 0.8, "fill_value": 9.0, "scale": (0.2, 0.6)}),
    ("RandomGaussianBlur", {"factor": 0.8, "kernel_size": (5, 3), "sigma": (0.3, 0.9)}),
    ("AutoContrast", {}),
    ("Equalization", {"bins": 64}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 3)}),
    ("MixUp", {"alpha": 0.8}),
    ("CutMix", {"factor": (0.5, 1.0)}),
    ("RandAugment", {"num_ops": 3, "factor": 0.5}),
    ("AugMix", {"num_chains": 2}),
]
AFFINE = ("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear")
GEOMETRIC = [case for case in CASES if case[0] in AFFINE]
UNSEEDED = ("AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization")
# What compiles quickly, and together has all that layers do.
COMPILED = [
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.4}),
    ("RandomCrop", {"height": 4, "width": 5}),
    ("RandomContrast", {"factor": 0.5}),
    ("RandomHue", {"factor": 0.7}),
    ("RandomPerspective", {"scale": 0.5}),
    ("RandomElasticTransform", {}),
    ("RandomPosterization", {"factor": (2, 6)}),
    ("RandomErasing", {}),
    ("RandomGaussianBlur", {"factor": 0.8}),
    ("Equalization", {}),
    ("MixUp", {}),
    ("RandAugment", {"num_ops": 1}),
]
BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def values(drawn: Any) -> Any:
    """A transformation that Keras drew, as arrays."""
    return tree.map_structure(lambda x: np.asarray(x) if hasattr(x, "dtype") else x, drawn)


def pair(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    seed = {} if name in UNSEEDED else {"seed": 3}
    return getattr(layers, name)(**seed, **options), getattr(keras.layers, name)(**seed, **options)


def pictures(dtype: str = "float32") -> Any:
    return np.random.default_rng(1).integers(0, 256, SIZE).astype(dtype)


def close(found: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype.name
    np.testing.assert_allclose(found.numpy().astype("float64"), expected.astype("float64"), rtol=2e-4, atol=2e-3)


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def channels_first(x: Any) -> Any:
    return np.moveaxis(np.asarray(x), -1, -3)


@pytest.mark.parametrize(("name", "options"), CASES, ids=name_of)
def test_images_of_one_transformation(name: str, options: dict[str, Any]) -> None:
    # AugMix of Keras draws by it.
    random.seed(1)
    ours, theirs = pair(name, options)
    drawn = theirs.get_random_transformation(pictures(), training=True)
    known = values(drawn)
    found = ours.transform_images(pictures(), known, training=True)
    close(found, theirs.transform_images(pictures(), drawn, training=True))
    if name not in ("RandomSaturation", "RandomBrightness"):
        # There Keras fails, or computes in whole numbers.
        close(
            ours.transform_images(pictures("uint8"), known, training=True),
            theirs.transform_images(pictures("uint8"), drawn, training=True),
        )
    moved = getattr(layers, name)(**options, data_format="channels_first")
    turned = tree.map_structure(lambda x: channels_first(x) if np.shape(x)[1:3] == SIZE[1:3] else x, known)
    again = moved.transform_images(channels_first(pictures()), turned, training=True)
    np.testing.assert_allclose(again.numpy(), channels_first(found), rtol=1e-5, atol=1e-4)
    mine = ours.get_random_transformation(pictures(), training=True)
    if isinstance(drawn, dict):
        assert mine.keys() == drawn.keys()
    assert ours.get_config().keys() - theirs.get_config().keys() <= {"seed"}


@pytest.mark.parametrize(("name", "options"), GEOMETRIC, ids=name_of)
def test_dictionaries_of_one_transformation(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    corners = rng.uniform(0, 3, (3, 2, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 3, (3, 2, 2))], -1).astype("float32")
    ours, theirs = (
        layer(**options, seed=3, bounding_box_format="xyxy")
        for layer in (getattr(layers, name), getattr(keras.layers, name))
    )
    masks = rng.integers(0, 4, (*SIZE[:3], 1)).astype("uint8")
    drawn = theirs.get_random_transformation(pictures(), training=True)
    known = values(drawn)
    close(ours.transform_segmentation_masks(masks, known), theirs.transform_segmentation_masks(masks, drawn))
    given = {"boxes": boxes, "labels": np.array([[1, 2]] * 3, "int32")}
    found = ours.transform_bounding_boxes(dict(given), known)
    expected = theirs.transform_bounding_boxes(keras.tree.map_structure(keras.ops.convert_to_tensor, given), drawn)
    close(found["boxes"], expected["boxes"])
    close(found["labels"], expected["labels"])
    # Formats other than Keras's: the same boxes.
    other = getattr(layers, name)(**options, bounding_box_format="rel_center_xywh")
    sizes = {"height": SIZE[1], "width": SIZE[2]}
    relative = bounding_boxes.convert_format(given, "xyxy", "rel_center_xywh", **sizes)
    back = bounding_boxes.convert_format(
        other.transform_bounding_boxes(relative, known), "rel_center_xywh", "xyxy", **sizes
    )
    np.testing.assert_allclose(back["boxes"].numpy(), found["boxes"].numpy(), rtol=1e-3, atol=1e-3)
    # Called on dictionaries, of a batch and of one image.
    data = {"images": pictures(), "labels": np.arange(3.0), "segmentation_masks": masks, "bounding_boxes": given}
    whole = ours(data, training=True)
    assert whole["images"].shape == SIZE
    assert whole["bounding_boxes"]["boxes"].shape == (3, 2, 4)
    single = ours(tree.map_structure(lambda x: x[0], data), training=True)
    assert tree.map_structure(lambda x: tuple(x.shape), single) == tree.map_structure(
        lambda x: tuple(x.shape[1:]), whole
    )
    same = ours(data, training=False)
    np.testing.assert_array_equal(same["images"].numpy(), data["images"])


def steps(backend: str) -> list[Any]:
    """What layers that draw from the same seeds return in two steps of a program."""
    made = [getattr(layers, name)(**options, **({} if name in UNSEEDED else {"seed": 3})) for name, options in COMPILED]

    @graphc.function
    def step(x: Any) -> Any:
        return [layer(x, training=True) for layer in made], [layer(x, training=False) for layer in made]

    with config.override(backend=backend):
        return [tree.map_structure(lambda x: x.numpy(), step(pictures())) for _ in range(2)]


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_programs_draw_the_same_on_each_backend(backend: str) -> None:
    for found, expected in zip(steps(backend), steps("numpy"), strict=True):
        for (name, _), a, b in zip(COMPILED, found[0], expected[0], strict=True):
            # Where a value is rounded to a number of bits, or a coordinate to a pixel, a last bit decides.
            near = np.isclose(a, b, rtol=1e-4, atol=0.05)
            assert near.mean() > 0.98, name


def test_each_step_draws_anew_and_inference_changes_nothing() -> None:
    (first, same), (second, _) = steps("numpy")
    for (name, _), a, b, c in zip(COMPILED, first, second, same, strict=True):
        if name not in UNSEEDED:
            assert not np.array_equal(a, b), name
        if name != "RandomCrop":
            np.testing.assert_array_equal(c, pictures(), name)
