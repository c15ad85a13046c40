"""Images that are flipped, rotated, zoomed, moved, sheared or cropped at random."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops, random
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.kinds import positive
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import (
    GeometricLayer,
    images_of,
    strict_range,
    uniform,
)
from graphc.registration import exported
from graphc.tracing import as_tensor
from graphc.utils.bounding_boxes import affine_transform, clip_to_image_size, convert_format

_MODULE = "keras.layers"


def _matrices(batch: Any, *numbers: Any) -> Any:
    """The matrices of 8 numbers of a batch, of one tensor of shape (batch,) or one number for each entry."""
    columns = [
        ops.reshape(entry, (batch, 1)) if hasattr(entry, "shape") else ops.full((batch, 1), float(entry))
        for entry in numbers
    ]
    return ops.concatenate(columns, 1)


def float_of(size: Any) -> Any:
    """A size, which may be symbolic, as a number."""
    return float(size) if isinstance(size, int) else ops.cast(size, "float32")


@exported(_MODULE)
@configured
class RandomFlip(GeometricLayer):
    """In training, flips half of the images.

    Args:
        mode: `"horizontal"`, `"vertical"`, or `"horizontal_and_vertical"`: what is flipped is flipped both ways.

    Raises:
        ArgumentError: if the mode is unknown.

    Example:

    >>> RandomFlip("horizontal", seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _USE_BASE_FACTOR = False
    mode: str = "horizontal_and_vertical"
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if self.mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ArgumentError("unknown `mode`", got=repr(self.mode), expected="horizontal, vertical, or both")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are flipped."""
        if not training:
            return None
        shape = images_of(data).shape
        drawn = random.uniform((1, 1, 1) if len(shape) == 3 else (shape[0], 1, 1, 1), seed=self._generator(seed))
        return {"flips": ops.less_equal(drawn, 0.5), "input_shape": shape}

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        rows, columns = (-2, -1) if self._first else (-3, -2)
        for word, axis in (("horizontal", columns), ("vertical", rows)):
            if word in self.mode:
                images = ops.where(transformation["flips"], ops.flip(images, axis), images)
        return images

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The flipped masks."""
        return self.transform_images(segmentation_masks, transformation, training=training)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The flipped boxes."""
        if not training or transformation is None:
            return bounding_boxes
        height, width = self._of_input(transformation)
        found = convert_format(bounding_boxes, self.bounding_box_format, "rel_xyxy", height, width)
        flips = ops.squeeze(transformation["flips"], -1)
        x1, y1, x2, y2 = ops.split(found["boxes"], 4, axis=-1)
        if "horizontal" in self.mode:
            x1, x2 = ops.where(flips, 1 - x2, x1), ops.where(flips, 1 - x1, x2)
        if "vertical" in self.mode:
            y1, y2 = ops.where(flips, 1 - y2, y1), ops.where(flips, 1 - y1, y2)
        found = clip_to_image_size(
            {**found, "boxes": ops.concatenate([x1, y1, x2, y2], -1)}, bounding_box_format="rel_xyxy"
        )
        return convert_format(found, "rel_xyxy", self.bounding_box_format, height, width)


class _Affine(GeometricLayer):
    """The base class of layers that move pixels by affine maps."""

    def _matrix(self, transformation: Any, height: Any, width: Any) -> Any:
        """The matrices of a transformation, for images of a size."""
        raise NotImplementedError

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        _, height, width = self._sizes(images)
        return self._warped(images, self._matrix(transformation, height, width), interpolation)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes around the boxes in the transformed images."""
        if not training or transformation is None:
            return bounding_boxes
        height, width = self._of_input(transformation)
        found = convert_format(bounding_boxes, self.bounding_box_format, "xyxy", height, width)
        found = {**found, "boxes": self._moved_boxes(found["boxes"], transformation, height, width)}
        found = clip_to_image_size(found, height, width)
        return convert_format(found, "xyxy", self.bounding_box_format, height, width)

    def _moved_boxes(self, boxes: Any, transformation: Any, height: Any, width: Any) -> Any:
        """Boxes `[batch, boxes, 4]` of their edges, in the transformed images."""
        raise NotImplementedError


@exported(_MODULE)
@configured
class RandomRotation(_Affine):
    """In training, rotates each image by a random angle.

    Args:
        factor: The angle as a fraction of a full turn, against the clock: a number, or two, the smallest and the
            largest; one stands for the range around 0.

    Example:

    >>> RandomRotation(0.1, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    factor: Any
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: Any = None
    fill_value: float = 0.0
    data_format: Any = None

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The angles, in degrees, and the matrices."""
        if not training:
            return None
        batch, height, width = self._sizes(data)
        low, high = (end * 360.0 for end in self.factor)
        angle = random.uniform((batch,), low, high, seed=self._generator(seed))
        turn = angle * (math.pi / 180)
        cos, sin = ops.cos(turn), ops.sin(turn)
        x, y = 0.5 * (float_of(width) - 1), 0.5 * (float_of(height) - 1)
        matrix = _matrices(batch, cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos, 0, 0)
        return {
            "angle": angle,
            "rotation_matrix": ops.squeeze(matrix, 0) if len(images_of(data).shape) == 3 else matrix,
            "image_height": height,
            "image_width": width,
            "batch_size": batch,
        }

    def _matrix(self, transformation: Any, height: Any, width: Any) -> Any:
        return transformation["rotation_matrix"]

    def _of_input(self, transformation: Any) -> tuple[Any, Any]:
        return transformation["image_height"], transformation["image_width"]

    def _moved_boxes(self, boxes: Any, transformation: Any, height: Any, width: Any) -> Any:
        zero, one = (ops.full((transformation["batch_size"],), number) for number in (0.0, 1.0))
        return affine_transform(boxes, transformation["angle"], zero, zero, one, zero, zero, height, width)


@exported(_MODULE)
@configured
class RandomZoom(_Affine):
    """In training, makes each image larger or smaller by a random factor.

    Args:
        height_factor: By how much: 0.2 shows a fifth more of the height, -0.2 a fifth less. A number, or two, the
            smallest and the largest; one stands for the range around 0.
        width_factor: Likewise of the width. None: as the height.

    Raises:
        ArgumentError: if a factor is not above -1 and at most 1.

    Example:

    >>> RandomZoom(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _USE_BASE_FACTOR = False
    height_factor: Any
    width_factor: Any = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: Any = None
    fill_value: float = 0.0
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        ends = strict_range("height_factor", self.height_factor, -1.0, 1.0, open_below=True)
        self.height_lower, self.height_upper = ends
        if self.width_factor is not None:
            ends = strict_range("width_factor", self.width_factor, -1.0, 1.0, open_below=True)
            self.width_lower, self.width_upper = ends

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The factors of the height and of the width."""
        if not training:
            return None
        shape, generator = (self._sizes(data)[0], 1), self._generator(seed)
        height = random.uniform(shape, 1.0 + self.height_lower, 1.0 + self.height_upper, seed=generator)
        width = height
        if self.width_factor is not None:
            width = random.uniform(shape, 1.0 + self.width_lower, 1.0 + self.width_upper, seed=generator)
        return {"height_zoom": height, "width_zoom": width, "input_shape": images_of(data).shape}

    def _shown(self, transformation: Any, height: Any, width: Any) -> list[Any]:
        """What is shown of the width and the height, where that begins, and how much it is, `[batch, 1]`."""
        zooms = [ops.cast(transformation[name], "float32") for name in ("width_zoom", "height_zoom")]
        sizes = [float_of(width), float_of(height)]
        return [(zoom, (size - 1) / 2 * (1 - zoom), size * zoom) for zoom, size in zip(zooms, sizes, strict=True)]

    def _matrix(self, transformation: Any, height: Any, width: Any) -> Any:
        (x, left, _), (y, top, _) = self._shown(transformation, height, width)
        return _matrices(x.shape[0], x, 0, left, 0, y, top, 0, 0)

    def _moved_boxes(self, boxes: Any, transformation: Any, height: Any, width: Any) -> Any:
        edges = ops.split(boxes, 4, axis=-1)
        for axis, (zoom, start, extent) in enumerate(self._shown(transformation, height, width)):
            zoom, start, extent = (ops.expand_dims(part, -1) for part in (zoom, start, extent))
            for i in (axis, axis + 2):
                edges[i] = (ops.clip(edges[i], start, start + extent) - start) / zoom
        return ops.concatenate(edges, -1)


@exported(_MODULE)
@configured
class RandomTranslation(_Affine):
    """In training, moves each image by random fractions of its height and width.

    Args:
        height_factor: How far down, as a fraction of the height: a number, or two, the smallest and the largest; one
            stands for the range around 0.
        width_factor: How far to the right, likewise.

    Raises:
        ArgumentError: if a factor is not from -1 to 1.

    Example:

    >>> RandomTranslation(0.2, 0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _USE_BASE_FACTOR = False
    height_factor: Any
    width_factor: Any
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: Any = None
    fill_value: float = 0.0
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.height_lower, self.height_upper = strict_range("height_factor", self.height_factor, -1.0, 1.0)
        self.width_lower, self.width_upper = strict_range("width_factor", self.width_factor, -1.0, 1.0)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How many pixels each image moves to the right and down."""
        if not training:
            return None
        batch, height, width = self._sizes(data)
        generator = self._generator(seed)
        down = random.uniform((batch, 1), self.height_lower, self.height_upper, seed=generator)
        right = random.uniform((batch, 1), self.width_lower, self.width_upper, seed=generator)
        moved = ops.concatenate([right * float_of(width), down * float_of(height)], 1)
        return {"translations": ops.cast(moved, "float32"), "input_shape": images_of(data).shape}

    def _matrix(self, transformation: Any, height: Any, width: Any) -> Any:
        moved = as_tensor(transformation["translations"])
        return _matrices(moved.shape[0], 1, 0, -moved[:, 0], 0, 1, -moved[:, 1], 0, 0)

    def _moved_boxes(self, boxes: Any, transformation: Any, height: Any, width: Any) -> Any:
        moved = ops.expand_dims(transformation["translations"], 1)
        return boxes + ops.concatenate([moved, moved], -1)


@exported(_MODULE)
@configured
class RandomShear(_Affine):
    """In training, shears each image: pixels move along an axis, in proportion to their place on the other one.

    Args:
        x_factor: How far columns move for each row: a number, or two, the smallest and the largest; each is from 0 to
            1, and the direction is random.
        y_factor: How far rows move for each column, likewise.

    Raises:
        ArgumentError: if a factor is not from 0 to 1.

    Example:

    >>> RandomShear(0.2, 0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)
    x_factor: Any = 0.0
    y_factor: Any = 0.0
    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    data_format: Any = None
    seed: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        # A configuration has the range around 0 that one number stands for.
        self.x_factor, self.y_factor = (
            tuple(factor)
            if isinstance(factor, list | tuple) and len(factor) == 2 and -factor[0] == factor[1]
            else strict_range(name, factor, 0.0, 1.0)
            for name, factor in (("x_factor", self.x_factor), ("y_factor", self.y_factor))
        )

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How far columns and rows move."""
        if not training:
            return None
        shape, generator = (self._sizes(data)[0], 1), self._generator(seed)
        sign = ops.where(random.uniform(shape, dtype=self.compute_dtype, seed=generator) > 0.5, -1.0, 1.0)
        y, x = (uniform(shape, factor, generator, self.compute_dtype) for factor in (self.y_factor, self.x_factor))
        moved = ops.cast(ops.concatenate([x, y], 1) * sign, self.compute_dtype)
        return {"shear_factor": moved, "input_shape": images_of(data).shape}

    def _matrix(self, transformation: Any, height: Any, width: Any) -> Any:
        moved = as_tensor(transformation["shear_factor"])
        return _matrices(moved.shape[0], 1, moved[:, 0], 0, moved[:, 1], 1, 0, 0, 0)

    def _moved_boxes(self, boxes: Any, transformation: Any, height: Any, width: Any) -> Any:
        x, y = ops.split(ops.expand_dims(transformation["shear_factor"], -1), 2, axis=1)
        sizes = ops.stack([ops.cast(size, "float32") for size in (width, height, width, height)])
        x1, y1, x2, y2 = ops.split(boxes / sizes, 4, axis=-1)
        x1, x2 = x1 - x * ops.where(x < 0, y1, y2), x2 - x * ops.where(x < 0, y2, y1)
        y1, y2 = y1 - y * ops.where(y > 0, x2, x1), y2 - y * ops.where(y > 0, x1, x2)
        return ops.concatenate([x1, y1, x2, y2], -1) * sizes


@exported(_MODULE)
@configured
class RandomCrop(GeometricLayer):
    """In training, a part of the images at a random place, the same for all of a batch.

    Images that are not larger, and those in inference, are cropped to the ratio of the height and width, and resized.

    Args:
        height: The height of the results.
        width: Their width.

    Raises:
        ArgumentError: if the height or the width is no positive integer.
        ShapeError: if that of the images is not known.

    Example:

    >>> RandomCrop(2, 3, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 2, 3, 3)
    """

    _USE_BASE_FACTOR = False
    height: int
    width: int
    seed: Any = None
    data_format: Any = None
    name: Any = None

    def _prepare(self) -> None:
        positive("height")(self.height)
        positive("width")(self.width)
        if self.seed is None:
            self.seed = random.make_default_seed()
        super()._prepare()

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The first row and the first column of the part."""
        _, height, width = self._sizes(data)
        if not isinstance(height, int) or not isinstance(width, int):
            raise ShapeError(
                "RandomCrop requires the input to have a fully defined height and width.",
                layer=self.name,
                got=f"shape {tuple(map(str, images_of(data).shape))}",
            )
        if training and height > self.height and width > self.width:
            generator = self._generator(seed)
            tops = (float(size - part + 1) for size, part in ((height, self.height), (width, self.width)))
            top, left = (ops.cast(random.uniform((), 0.0, end, seed=generator), "int32") for end in tops)
            return top, left
        rows = max(min(height, int(float(width * self.height) / self.width)), 1)
        columns = max(min(width, int(float(height * self.width) / self.height)), 1)
        return int(float(height - rows) / 2), int(float(width - columns) / 2)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The parts of the images."""
        images = ops.cast(images, self.compute_dtype)
        size = self.height, self.width
        if not training:
            resized = ops.image.resize(images, size, crop_to_aspect_ratio=True, data_format=self.data_format)
            return ops.cast(resized, self.compute_dtype)
        rows = images.ndim - (2 if self._first else 3)
        starts: list[Any] = [0] * images.ndim
        shape = list(images.shape)
        for axis, start, extent in zip((rows, rows + 1), transformation, size, strict=True):
            starts[axis] = start
            room = shape[axis] - start if isinstance(start, int) else shape[axis]
            shape[axis] = min(extent, room)
        part = ops.slice(images, starts, shape)
        if (shape[rows], shape[rows + 1]) != size:
            part = ops.image.resize(part, size, data_format=self.data_format)
        return ops.cast(part, self.compute_dtype)

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The parts of the masks."""
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes in the parts."""
        if not training:
            return bounding_boxes
        top, left = (ops.cast(start, "float32") for start in transformation)
        size = self.height, self.width
        found = convert_format(bounding_boxes, self.bounding_box_format, "xyxy", *size)
        x1, y1, x2, y2 = ops.split(found["boxes"], 4, axis=-1)
        edges = [ops.maximum(edge - start, 0) for edge, start in ((x1, left), (y1, top), (x2, left), (y2, top))]
        found = {**found, "boxes": ops.concatenate(edges, -1)}
        return convert_format(found, "xyxy", self.bounding_box_format, *size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the inputs, with the height and width of the layer."""
        rows, columns = (-2, -1) if self._first else (-3, -2)
        sizes = list(input_shape)
        sizes[rows], sizes[columns] = self.height, self.width
        return tuple(sizes)
