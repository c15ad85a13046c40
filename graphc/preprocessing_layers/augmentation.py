"""What layers that change images at random have in common: their arguments, and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from graphc import ops, random
from graphc.errors import ArgumentError, DataError, ShapeError
from graphc.layers.kinds import KINDS, data_format_of
from graphc.layers.layer import Layer
from graphc.parameters import Kind
from graphc.tracing import describe
from graphc.utils import bounding_boxes as _boxes

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


def factor_range(name: str, factor: Any, low: float, high: float) -> tuple[Any, Any]:
    """The ends of the range of a factor that is one number, which stands for the range around 0, or two.

    Raises:
        ArgumentError: if it is neither, or outside of `[low, high]`.
    """
    pair = tuple(factor) if isinstance(factor, list | tuple) else None
    ends = pair or (factor,)
    if not all(isinstance(end, int | float) for end in ends) or (pair is not None and len(pair) != 2):
        fits = False
    elif pair is None:
        fits = low <= factor <= high
    else:
        fits = pair[0] <= high and pair[1] >= low
    if not fits:
        raise ArgumentError(
            f"{name} is a number, or two: its smallest and its largest value",
            got=f"{name}={factor!r}",
            expected=f"within [{low}, {high}]",
        )
    if pair is not None:
        first, second = sorted(pair)
        return first, second
    return max(-abs(factor), low), abs(factor)


def strict_range(name: str, factor: Any, low: float, high: float, *, open_below: bool = False) -> tuple[Any, Any]:
    """Likewise, where both ends must be within `[low, high]`, or above `low`."""
    ends = factor if isinstance(factor, list | tuple) else (factor,)
    numbers = all(isinstance(end, int | float) for end in ends) and len(ends) in (1, 2)
    if not numbers or any(end > high or end < low or (open_below and end == low) for end in ends):
        raise ArgumentError(
            f"{name} is a number, or two: its smallest and its largest value",
            got=f"{name}={factor!r}",
            expected=f"within {'(' if open_below else '['}{low}, {high}]",
        )
    first, second = sorted(factor) if isinstance(factor, list | tuple) else (-abs(factor), abs(factor))
    return first, second


def _value_range(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ArgumentError("value_range is two numbers, the smallest and the largest of pixels", got=repr(value))
    return sorted(value)


def _one_of(name: str, allowed: tuple[str, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in allowed:
            expected = ", ".join(map(repr, allowed))
            raise ArgumentError(f"there is no such {name}", got=repr(value), expected=expected)
        return value

    return check


def one_of_modes(*more: str) -> Kind:
    """The kind of the argument that says what is outside of images."""
    return Kind(
        'What is outside of an image: `"constant"`, the `fill_value`; `"nearest"`, its outermost pixels; `"wrap"`,'
        ' the image again; `"reflect"`, the image reflected at its edges.',
        _one_of("fill_mode", (*FILL_MODES, *more)),
    )


_RANGE = "a number, or two: its smallest and its largest value; one stands for the range around 0"
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **KINDS,
        "factor": Kind(f"How strong the change is: {_RANGE}."),
        "height_factor": Kind(f"As a fraction of the height: {_RANGE}."),
        "width_factor": Kind(f"As a fraction of the width: {_RANGE}."),
        "fill_mode": one_of_modes(),
        "fill_value": Kind("The value of pixels that are filled in."),
        "interpolation": Kind('`"nearest"` or `"bilinear"`.', _one_of("interpolation", ("nearest", "bilinear"))),
        "seed": replace(KINDS["seed"], decode=lambda seed: seed, doc="Integer. None: a random one."),
        "value_range": Kind("The smallest and the largest value that pixels have.", _value_range),
    }
)


def uniform(shape: Any, ends: Any, generator: Any, dtype: Any = None) -> Any:
    """Random numbers between two ends."""
    return random.uniform(shape, minval=ends[0], maxval=ends[1], dtype=dtype, seed=generator)


class BaseImagePreprocessingLayer(Layer):
    """The base class of layers that change images, and with them labels, bounding boxes and segmentation masks.

    A subclass draws a transformation in `get_random_transformation`, and defines what it does to images and the others
    in `transform_images`, `transform_labels`, `transform_bounding_boxes` and `transform_segmentation_masks`, which get
    batches. It is called on images, one or a batch, or on a dictionary that has them as `"images"`, and may have
    `"labels"`, `"bounding_boxes"` (a dictionary of `"boxes"` and `"labels"`) and `"segmentation_masks"`.

    Args:
        factor: How strong the change is: a number, or two, the smallest and the largest.
        bounding_box_format: The format of bounding boxes, such as `"xyxy"`, where there are any.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        *args: None; type checkers see here that subclasses may declare some.

    Raises:
        ArgumentError: if the factor is out of bounds, or an argument is unknown.
    """

    _USE_BASE_FACTOR = True
    _FACTOR_BOUNDS: ClassVar[tuple[Any, Any]] = (-1, 1)
    _kinds = _KINDS
    seed: Any

    def __init__(
        self,
        *args: Any,
        factor: Any = None,
        bounding_box_format: Any = None,
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, name=name, **kwargs)
        self.bounding_box_format = bounding_box_format
        self.data_format = data_format_of(data_format)
        if self._USE_BASE_FACTOR:
            self._set_factor(0.0 if factor is None else factor)
        elif factor is not None:
            raise ArgumentError(
                f"Layer {type(self).__name__} does not take a `factor` argument", got=f"factor={factor!r}"
            )

    def _set_factor(self, factor: Any) -> None:
        self.factor: Any = factor_range("factor", factor, *self._FACTOR_BOUNDS)

    def _seeded(self) -> None:
        """Makes the generator of random numbers."""
        is_generator = isinstance(self.seed, random.SeedGenerator)
        self.generator = self.seed if is_generator else random.SeedGenerator(self.seed)

    def _prepare(self) -> None:
        if hasattr(self, "seed"):
            self._seeded()

    # ---- what subclasses define

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Draws a transformation for images: what the other methods need to know, or None.

        Args:
            data: What the layer is called on.
            training: Whether the model trains.
            seed: Integer or `SeedGenerator`. None: that of the layer.
        """
        return None

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define `transform_images`")

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The transformed images of a batch, in the compute dtype."""
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        return self._transform_images(images, transformation, getattr(self, "interpolation", "bilinear"))

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels of the transformed images."""
        raise NotImplementedError(f"{type(self).__name__} does not define `transform_labels`")

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The bounding boxes in the transformed images."""
        raise NotImplementedError(f"{type(self).__name__} does not define `transform_bounding_boxes`")

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The segmentation masks of the transformed images, which are transformed without interpolation."""
        if not training or transformation is None:
            return segmentation_masks
        return self._transform_images(segmentation_masks, transformation, "nearest")

    # ---- one image

    def transform_single_image(self, image: Any, transformation: Any, training: bool = True) -> Any:
        """The transformed image, for one without a batch."""
        return self._single(self.transform_images, image, transformation, training)

    def transform_single_label(self, label: Any, transformation: Any, training: bool = True) -> Any:
        """The label of one image."""
        return self._single(self.transform_labels, label, transformation, training)

    def transform_single_bounding_box(self, bounding_box: Any, transformation: Any, training: bool = True) -> Any:
        """The bounding boxes in one image."""
        batch = {key: ops.expand_dims(value, 0) for key, value in bounding_box.items()}
        found = self.transform_bounding_boxes(batch, transformation=transformation, training=training)
        return {key: ops.squeeze(value, 0) for key, value in found.items()}

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The segmentation mask of one image."""
        return self._single(self.transform_segmentation_masks, segmentation_mask, transformation, training)

    def _single(self, method: Callable[..., Any], value: Any, transformation: Any, training: bool) -> Any:
        batch = ops.expand_dims(value, 0)
        return ops.squeeze(method(batch, transformation=transformation, training=training), 0)

    # ---- calls

    def call(self, data: Any, training: bool = True) -> Any:
        """The transformed images, or all parts of the dictionary transformed alike."""
        transformation = self.get_random_transformation(data, training=training)
        options = {"transformation": transformation, "training": training}
        if not isinstance(data, dict):
            single = self._is_single(data)
            return (self.transform_single_image if single else self.transform_images)(data, **options)
        single = self._is_single(data["images"])
        methods: dict[str, Callable[..., Any]] = {
            "images": self.transform_single_image if single else self.transform_images,
            "bounding_boxes": self.transform_single_bounding_box if single else self.transform_bounding_boxes,
            "labels": self.transform_single_label if single else self.transform_labels,
            "segmentation_masks": self.transform_single_segmentation_mask
            if single
            else self.transform_segmentation_masks,
        }
        if "bounding_boxes" in data:
            data = {**data, "bounding_boxes": self._dense_boxes(data["bounding_boxes"])}
        return {key: methods[key](value, **options) if key in methods else value for key, value in data.items()}

    def _dense_boxes(self, given: Any) -> dict[str, Any]:
        if not self.bounding_box_format:
            raise ArgumentError(
                "You passed an input with a 'bounding_boxes' key, but you didn't specify a bounding box format.",
                layer=self.name,
                where=describe(self._origin),
                hint="pass a `bounding_box_format` argument, such as 'xyxy', to the layer",
            )
        return _boxes.densify_bounding_boxes(given)

    def _is_single(self, images: Any) -> bool:
        """Whether it is one image."""
        rank = len(images.shape)
        if rank not in (3, 4):
            raise ShapeError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images).",
                layer=self.name,
                got=f"shape {tuple(images.shape)}",
            )
        return rank == 3

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the inputs, unless a subclass overrides it."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        known = {"data_format": self.data_format}
        if self.bounding_box_format is not None:
            known["bounding_box_format"] = self.bounding_box_format
        return {**super().get_config(), **known}

    # ---- what subclasses need

    def _generator(self, seed: Any) -> Any:
        return self.generator if seed is None else seed

    def _chosen(self, batch: Any, generator: Any) -> Any:
        """Which images are changed: each with a probability that is drawn from the range of the factor."""
        probability = uniform((batch,), self.factor, generator)
        return random.uniform((batch,), seed=generator) < probability

    def _sizes(self, data: Any) -> tuple[Any, Any, Any]:
        """The number of images, their height and their width."""
        shape = images_of(data).shape
        batch = 1 if self._is_single(images_of(data)) else shape[0]
        return (batch, shape[-2], shape[-1]) if self._first else (batch, shape[-3], shape[-2])

    @property
    def _first(self) -> bool:
        return bool(self.data_format == "channels_first")

    def _of_input(self, transformation: Any) -> tuple[Any, Any]:
        """The height and width of the images for which a transformation was drawn."""
        shape = transformation["input_shape"]
        return (shape[-2], shape[-1]) if self._first else (shape[-3], shape[-2])

    def _to_range(self, images: Any, source: Any, target: Any, dtype: Any = "float32") -> Any:
        """Values of one range, mapped to another one."""
        if tuple(source) == tuple(target):
            return images
        scaled = (ops.cast(images, dtype) - source[0]) / (source[1] - source[0])
        return scaled * (target[1] - target[0]) + target[0]

    def _clipped(self, images: Any, value_range: Any) -> Any:
        return ops.clip(images, value_range[0], value_range[1])


def images_of(data: Any) -> Any:
    """The images of what a layer is called on."""
    if isinstance(data, dict):
        if "images" not in data:
            raise DataError("a dictionary for an image layer has 'images'", got=f"the keys {sorted(data)}")
        data = data["images"]
    return data if hasattr(data, "shape") else ops.convert_to_tensor(data)


class GeometricLayer(BaseImagePreprocessingLayer):
    """The base class of layers that move pixels: labels stay as they are."""

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels, unchanged."""
        return labels

    def _warped(self, images: Any, matrices: Any, interpolation: str, fill_mode: Any = None) -> Any:
        """Images, one or a batch, moved by matrices of 8 numbers, one for each image."""
        return ops.image.affine_transform(
            images, matrices, interpolation, fill_mode or self.fill_mode, self.fill_value, self.data_format
        )

    fill_mode: Any
    fill_value: Any


class ColorLayer(BaseImagePreprocessingLayer):
    """The base class of layers that change the values of pixels: all but images stays as it is."""

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels, unchanged."""
        return labels

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The bounding boxes, unchanged."""
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The segmentation masks, unchanged."""
        return segmentation_masks
