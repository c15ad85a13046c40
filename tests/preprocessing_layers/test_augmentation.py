"""Layers that change images at random: beside Keras's with the same transformation, and what they draw."""

from __future__ import annotations

import json
import pickle
from typing import Any

import jax
import keras
import numpy as np
import pytest

import graphc
from graphc import config, layers, tree
from graphc.data import Dataset
from graphc.errors import GraphcError
from graphc.tracing import Tensor
from graphc.utils import bounding_boxes
from tests.layers.keras_comparison import configured

SIZE = (3, 6, 8, 3)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": (-0.1, 0.4), "fill_mode": "constant", "fill_value": 7.0, "interpolation": "nearest"}),
    ("RandomZoom", {"height_factor": (-0.3, -0.1), "width_factor": (0.2, 0.5), "fill_mode": "nearest"}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (-0.5, 0.1), "fill_mode": "wrap"}),
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
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.2, 0.8)}),
    ("RandomErasing", {"factor": 0.8, "fill_value": 9.0, "scale": (0.2, 0.6)}),
    ("RandomGaussianBlur", {"factor": 0.8, "kernel_size": (5, 3), "sigma": (0.3, 0.9)}),
    ("AutoContrast", {}),
    ("Equalization", {"bins": 8}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 3)}),
    ("MixUp", {"alpha": 0.8}),
    ("CutMix", {"factor": (0.5, 1.0)}),
    ("RandAugment", {"num_ops": 1, "factor": 0.5}),
    ("AugMix", {"num_chains": 2}),
]
AFFINE = ("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear")
GEOMETRIC = [case for case in CASES if case[0] in AFFINE]
UNSEEDED = ("AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization")
# What compiles quickly, and together has all that layers do.
COMPILED: list[tuple[str, dict[str, Any]]] = [
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
    """A transformation that was drawn, as arrays."""
    return tree.map_structure(lambda x: x.numpy() if isinstance(x, Tensor) else x, drawn)


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


def transformed(layer: Any, method: str, given: Any, transformation: Any) -> Any:
    """What a layer of Keras makes of it, compiled as one: JAX would else compile every operation by itself."""
    return jax.jit(lambda x: getattr(layer, method)(x, transformation))(given)


@pytest.mark.parametrize(("name", "options"), CASES, ids=name_of)
def test_images_of_one_transformation(name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(name, options)
    drawn = ours.get_random_transformation(pictures(), training=True)
    if name == "RandAugment":
        drawn["layer_idxes"] = np.array([2])
    known = values(drawn)
    found = ours.transform_images(pictures(), drawn, training=True)
    beside, part = theirs, known
    if name == "RandAugment":
        # Keras computes all of its eleven layers, which takes long to compile.
        assert tuple(theirs._AUGMENT_LAYERS) == ours._AUGMENT_LAYERS
        beside, part = theirs.random_rotation, known["transforms"]["random_rotation"]
    close(found, transformed(beside, "transform_images", pictures(), part))
    if name not in ("RandomSaturation", "RandomBrightness", "RandAugment"):
        # There Keras fails, computes in whole numbers, or takes long.
        integers = ours.transform_images(pictures("uint8"), known, training=True)
        assert integers.dtype == jax.eval_shape(lambda: theirs.transform_images(pictures("uint8"), known)).dtype.name
        np.testing.assert_allclose(integers.numpy(), found.numpy(), atol=1.0 if integers.dtype == "uint8" else 1e-3)
    moved = getattr(layers, name)(**options, data_format="channels_first")
    turned = tree.map_structure(lambda x: channels_first(x) if np.shape(x)[1:3] == SIZE[1:3] else x, known)
    again = moved.transform_images(channels_first(pictures()), turned, training=True)
    np.testing.assert_allclose(again.numpy(), channels_first(found), rtol=1e-5, atol=1e-4)
    # Keras leaves some arguments out.
    assert {**configured(ours), **configured(theirs)} == configured(ours)


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
    drawn = ours.get_random_transformation(pictures(), training=True)
    known = values(drawn)
    expected = transformed(theirs, "transform_segmentation_masks", masks, known)
    close(ours.transform_segmentation_masks(masks, drawn), expected)
    given = {"boxes": boxes, "labels": np.array([[1, 2]] * 3, "int32")}
    found = ours.transform_bounding_boxes(given, drawn)
    expected = transformed(theirs, "transform_bounding_boxes", given, known)
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


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, pytest.mark.slow])])
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


# One case for each layer that draws for each image, in a way of its own.
_ALIKE = (*UNSEEDED, "RandomCrop", "RandAugment", "AugMix", "RandomGrayscale", "RandomSharpness", "MixUp")
DRAWING = list({name: (name, options) for name, options in CASES if name not in _ALIKE}.values())


@pytest.mark.parametrize(("name", "options"), DRAWING, ids=name_of)
def test_draws_are_distributed_as_keras_s(name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(name, options)
    many = np.zeros((1500, 2, 2, 3), "float32")
    mine = ours.get_random_transformation(many, training=True)

    def draw() -> Any:
        with keras.StatelessScope():
            return theirs.get_random_transformation(many, training=True)

    drawn = jax.jit(draw)()
    assert isinstance(drawn, dict) == isinstance(mine, dict)
    if isinstance(drawn, dict):
        assert mine.keys() == drawn.keys()
    pairs = [(mine[key], drawn[key]) for key in drawn] if isinstance(drawn, dict) else [(mine, drawn)]
    compared = 0
    for a, b in pairs:
        if np.ndim(b) == 0 or np.shape(b)[0] != len(many):
            continue
        a, b = np.asarray(a), np.asarray(b)
        a = np.broadcast_to(a, b.shape) if a.ndim in (0, b.ndim) else a
        for x, y in zip(a.reshape(1500, -1).T[:8], b.reshape(1500, -1).T[:8], strict=True):
            both = np.sort(np.concatenate([x, y]).astype("float64"))
            shares = (np.searchsorted(np.sort(part.astype("float64")), both, "right") / 1500 for part in (x, y))
            # Two samples of one distribution are below this in all but one of ten thousand cases.
            assert np.abs(np.subtract(*shares)).max() < 0.082
            compared += 1
    assert compared


EACH = [*{name: (name, options) for name, options in CASES}.values(), ("RandomElasticTransform", {})]
EACH += [("RandomColorJitter", {"brightness_factor": 0.1, "contrast_factor": 0.1, "hue_factor": 0.1})]


@pytest.mark.parametrize(("name", "options"), EACH, ids=name_of)
def test_each_layer_alone(name: str, options: dict[str, Any]) -> None:
    layer = getattr(layers, name)(**options)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert configured(again) == configured(layer)
    assert configured(pickle.loads(pickle.dumps(layer))) == configured(layer)
    size = SIZE[1:] if name != "RandomCrop" else (options["height"], options["width"], 3)
    assert layer(layers.Input(SIZE[1:])).shape == (None, *size)
    assert tuple(layer.compute_output_shape((None, *SIZE[1:]))) == (None, *size)
    for count in (0, 1):
        assert layer(pictures()[:count], training=True).shape == (count, *size)
    assert layer(pictures()[0], training=True).shape == size
    half = getattr(layers, name)(**options, dtype="mixed_float16")
    found = half(pictures(), training=True)
    assert found.dtype == "float16"
    assert np.isfinite(found.numpy()).all()
    flat = layer(np.full(SIZE, 7.0, "float32"), training=True).numpy()
    assert np.isfinite(flat).all()


def test_crops_reach_all_places() -> None:
    layer = layers.RandomCrop(2, 3, seed=1)
    starts = np.array([[int(x) for x in layer.get_random_transformation(np.zeros((4, 6, 3)))] for _ in range(150)])
    assert set(starts[:, 0]) == {0, 1, 2}
    assert set(starts[:, 1]) == {0, 1, 2, 3}


def test_boxes_move_with_their_parts() -> None:
    # Keras takes rows from columns, and does not clip what is beyond the part.
    layer = layers.RandomCrop(4, 5, bounding_box_format="xywh")
    boxes = {"boxes": [[[2.0, 1.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0]]], "labels": [[5, 6]]}
    found = layer.transform_bounding_boxes(bounding_boxes.densify_bounding_boxes(boxes), (1, 3))
    assert found["boxes"].numpy().tolist() == [[[0.0, 0.0, 2.0, 4.0], [0.0, 0.0, 0.0, 0.0]]]
    assert found["labels"].numpy().tolist() == [[5, -1]]
    with pytest.raises(GraphcError, match="in pixels"):
        layers.RandomCrop(4, 5, bounding_box_format="rel_xyxy")({"images": pictures(), "bounding_boxes": boxes})


def test_boxes_in_other_perspectives() -> None:
    ours, theirs = pair("RandomPerspective", {"factor": (1.0, 1.0), "scale": 0.5, "bounding_box_format": "xyxy"})
    drawn = ours.get_random_transformation(pictures(), training=True)
    given = {"boxes": np.array([[[1, 2, 5, 4], [2, 1, 6, 5]]] * 3, "float32"), "labels": np.zeros((3, 2), "int32")}
    found = ours.transform_bounding_boxes(given, drawn)
    expected = transformed(theirs, "transform_bounding_boxes", given, values(drawn))
    close(found["boxes"], expected["boxes"])


def test_lists_of_different_numbers_of_boxes() -> None:
    one, two = [[1.0, 1.0, 2.0, 2.0]], [[0.0, 0.0, 1.0, 1.0], [2.0, 2.0, 3.0, 4.0]]
    data = {"images": pictures()[:2], "bounding_boxes": {"boxes": [one, two], "labels": [[1], [2, 3]]}}
    layer = layers.Pipeline([layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")])
    found = layer(data)["bounding_boxes"]
    assert found["labels"].numpy().tolist() == [[1, -1, -1], [2, 3, -1]]
    assert found["boxes"].numpy()[0].tolist() == [*one, [0.0] * 4, [-1.0] * 4]
    mixed = layers.MixUp(bounding_box_format="xyxy", seed=1)(data)["bounding_boxes"]
    assert mixed["boxes"].shape == (2, 4, 4)
    assert mixed["labels"].shape == (2, 4)


def test_masks_are_distorted_as_their_images() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 40, 48, 1)).astype("float32")
    layer = layers.RandomElasticTransform(scale=(0.9, 1.0), interpolation="nearest", seed=1)
    found = layer({"images": images, "segmentation_masks": images}, training=True)
    np.testing.assert_array_equal(found["images"].numpy(), found["segmentation_masks"].numpy())
    assert not np.array_equal(found["images"].numpy(), images)


def test_models_on_bytes_with_unknown_batch_sizes() -> None:
    images, labels = pictures("uint8"), np.arange(3) % 2
    pipeline = layers.Pipeline([layers.RandomBrightness(0.2), layers.RandomZoom(0.2)])
    data = Dataset.from_tensor_slices((images, labels)).map(lambda x, y: (pipeline(x), y)).batch(2)
    model = graphc.Sequential(
        [layers.Input(SIZE[1:]), layers.Resizing(10, 10), layers.CenterCrop(8, 8), layers.Rescaling(1 / 255)]
        + [layers.Normalization(mean=[0.5] * 3, variance=[0.2] * 3), layers.RandomFlip("horizontal")]
        + [layers.RandomRotation(0.1), layers.MixUp(), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
    )
    with config.override(backend="numpy"):
        model.compile("sgd", graphc.losses.SparseCategoricalCrossentropy(from_logits=True))
        assert np.isfinite(model.fit(data, epochs=2, verbose=0).history["loss"]).all()
        first, second = model.predict(images, verbose=0), model.predict(images[:1], verbose=0)
    np.testing.assert_allclose(first[:1], second, rtol=1e-5, atol=1e-6)
    again = graphc.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(images, training=False).numpy(), first, rtol=1e-4, atol=1e-5)
    # Without a mode, layers that are called by themselves train.
    assert not np.array_equal(graphc.Sequential([layers.RandomFlip(seed=1)])(images).numpy(), images)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.RandomRotation(2.0), "factor is a number"),
        (lambda: layers.RandomZoom(-1.0), "height_factor is a number"),
        (lambda: layers.RandomTranslation(0.1, 1.5), "width_factor is a number"),
        (lambda: layers.RandomShear(-0.5), "x_factor is a number"),
        (lambda: layers.RandomFlip("up"), "mode"),
        (lambda: layers.RandomFlip(factor=0.1), "does not take a `factor`"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode"),
        (lambda: layers.RandomBrightness(0.1, value_range=3), "value_range"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size"),
        (lambda: layers.RandomCrop(0, 2), "height"),
        (lambda: layers.RandomFlip()(np.ones((2, 3))), "rank 3"),
        (lambda: layers.RandomFlip()({"labels": np.ones(2)}), "images"),
        (lambda: layers.RandomFlip()({"images": pictures(), "bounding_boxes": {}}), "bounding box format"),
    ],
)
def test_errors(make: Any, words: str) -> None:
    with pytest.raises(GraphcError, match=words) as caught:
        make()
    assert "test_augmentation.py" in str(caught.value)
