"""Images that are mixed with others or with noise, in whole or in part, and blurred ones."""

from __future__ import annotations

from typing import Any

from graphc import ops, random
from graphc.dtypes import int32
from graphc.errors import ArgumentError, ShapeError
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import (
    BaseImagePreprocessingLayer,
    ColorLayer,
    factor_range,
    images_of,
    uniform,
)
from graphc.registration import exported
from graphc.tracing import as_tensor, bind, describe

_MODULE = "keras.layers"


def _order(batch: Any, generator: Any) -> Any:
    """The numbers of the images of a batch, shuffled."""
    return random.shuffle(bind("iota", shape=(batch,), dtype=int32, axis=0), seed=generator)


def _mixed(weight: Any, x: Any, order: Any) -> Any:
    """`weight * x + (1 - weight) * others`, where others are those of the same batch in another order."""
    x = as_tensor(x)
    weight = ops.reshape(weight, (-1,) + (1,) * (x.ndim - 1))
    return weight * x + (1.0 - weight) * ops.take(x, order, axis=0)


class _Rectangles(BaseImagePreprocessingLayer):
    """The base class of layers that change a random rectangle of each image."""

    def _bounds(self, batch: Any, size: Any, ratio: Any, generator: Any) -> tuple[Any, Any]:
        """Where parts begin and end that have a ratio of a size, `[batch]`."""
        size = ops.cast(size, self.compute_dtype)
        extent = ratio * size
        start = random.uniform((batch,), dtype=self.compute_dtype, seed=generator) * (size - extent)
        return start, start + extent

    def _inside(self, images: Any, bounds: Any) -> Any:
        """Whether pixels are within left, right, top and bottom edges, in a shape that broadcasts to the images."""
        _, height, width = self._sizes(images)
        left, right, top, bottom = (ops.reshape(edge, (-1, 1, 1, 1)) for edge in bounds)
        sizes = (1, 1, height, width) if self._first else (1, height, width, 1)
        rows = 2 if self._first else 1
        y, x = (
            ops.cast(bind("iota", shape=sizes, dtype=int32, axis=axis), self.compute_dtype) for axis in (rows, rows + 1)
        )
        across = ops.logical_and(x >= left, x < right)
        return ops.logical_and(across, ops.logical_and(y >= top, y < bottom))


@exported(_MODULE)
@configured
class RandomErasing(ColorLayer, _Rectangles):
    """In training, replaces a random rectangle of images by noise or a color (Zhong et al., 2020).

    Args:
        factor: The probability with which an image is changed: a number, or two between which it is drawn.
        scale: The area of the rectangle as a fraction of the image: a number, the largest, or two.
        fill_value: A number, or three, the color. None: normal noise.

    Raises:
        ArgumentError: if the scale or the fill value is no such number.

    Example:

    >>> RandomErasing(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    factor: Any = 1.0
    scale: Any = (0.02, 0.33)
    fill_value: Any = None
    value_range: Any = (0, 255)
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.scale = factor_range("scale", self.scale, *self._FACTOR_BOUNDS)
        color = self.fill_value if isinstance(self.fill_value, list | tuple) else (self.fill_value,)
        if self.fill_value is not None and (
            len(color) not in (1, 3) or not all(isinstance(number, int | float) for number in color)
        ):
            raise ArgumentError("fill_value is a number, or three", got=repr(self.fill_value))

    def _filling(self, images: Any, generator: Any) -> Any:
        if self.fill_value is None:
            noise = random.normal(images.shape, dtype=self.compute_dtype, seed=generator)
            return self._clipped(noise * self.value_range[1], self.value_range)
        color = ops.convert_to_tensor(self.fill_value, self.compute_dtype)
        if self._first and color.ndim:
            color = ops.reshape(color, (-1, 1, 1))
        return self._clipped(color, self.value_range)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are changed, which of their pixels, and to what."""
        if not training:
            return None
        images, generator = images_of(data), self._generator(seed)
        batch, height, width = self._sizes(images)
        areas = uniform((batch, 2), self.scale, generator, self.compute_dtype)
        ratios = as_tensor(ops.sqrt(areas))
        bounds = (
            *self._bounds(batch, width, ratios[:, 0], generator),
            *self._bounds(batch, height, ratios[:, 1], generator),
        )
        return {
            "apply_erasing": self._chosen(batch, generator),
            "batch_masks": self._inside(images, bounds),
            "fill_value": self._filling(images, generator),
        }

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images, without the rectangles."""
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        chosen = ops.reshape(transformation["apply_erasing"], (-1, 1, 1, 1))
        erased = ops.logical_and(transformation["batch_masks"], chosen)
        return ops.cast(ops.where(erased, transformation["fill_value"], images), self.compute_dtype)


@exported(_MODULE)
@configured
class RandomGaussianBlur(ColorLayer):
    """In training, blurs images by a normal curve (`ops.image.gaussian_blur`).

    Args:
        factor: The probability with which an image is changed: a number, or two between which it is drawn.
        kernel_size: The width and the height of the curve, which are odd; one number: both.
        sigma: Its standard deviation, from 0 to 1: a number, the largest, or two.

    Raises:
        ArgumentError: if a size is even, or sigma out of bounds.

    Example:

    >>> RandomGaussianBlur(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    factor: Any = 1.0
    kernel_size: Any = 3
    sigma: Any = 1.0
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.sigma = factor_range("sigma", self.sigma, *self._FACTOR_BOUNDS)
        given = self.kernel_size
        pair = tuple(given) if isinstance(given, list | tuple) else (given, given)
        if len(pair) != 2 or not all(isinstance(size, int | float) and size % 2 == 1 for size in pair):
            raise ArgumentError("kernel_size must be an odd number, or two", got=f"kernel_size={given!r}")
        self.kernel_size = pair

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are blurred, and the standard deviations along the width and the height."""
        if not training:
            return None
        generator = self._generator(seed)
        chosen = self._chosen(self._sizes(data)[0], generator)
        sigma = uniform((2,), self.sigma, generator, self.compute_dtype) + 1e-6
        return {"should_apply_blur": chosen, "blur_factor": sigma}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images, of which some are blurred."""
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        blurred = ops.image.gaussian_blur(
            images, self.kernel_size, transformation["blur_factor"], data_format=self.data_format
        )
        chosen = ops.reshape(transformation["should_apply_blur"], (-1, 1, 1, 1))
        found = self._clipped(ops.where(chosen, blurred, images), self.value_range)
        return ops.cast(found, self.compute_dtype)


@exported(_MODULE)
@configured
class MixUp(BaseImagePreprocessingLayer):
    """In training, mixes each image and its label with another one of the batch (Zhang et al., 2018).

    Args:
        alpha: The weights are drawn from a beta distribution with both parameters `alpha`.

    Example:

    >>> MixUp(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    alpha: float = 0.2
    data_format: Any = None
    seed: Any = None

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The order of the others, and the weight of each image."""
        batch, generator = self._sizes(data)[0], self._generator(seed)
        order = _order(batch, generator)
        return {
            "mix_weight": random.beta((batch,), self.alpha, self.alpha, seed=generator),
            "permutation_order": order,
        }

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The mixed images."""
        if not training:
            return as_tensor(images)
        weight = ops.cast(transformation["mix_weight"], self.compute_dtype)
        return _mixed(weight, ops.cast(images, self.compute_dtype), transformation["permutation_order"])

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The mixed labels."""
        if not training:
            return labels
        labels = labels if as_tensor(labels).type.dtype.is_float else ops.cast(labels, self.compute_dtype)
        return _mixed(transformation["mix_weight"], labels, transformation["permutation_order"])

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The mixed masks."""
        return self.transform_labels(segmentation_masks, transformation, training)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes of both images."""
        if not training:
            return bounding_boxes
        order = transformation["permutation_order"]
        return {
            key: ops.concatenate([bounding_boxes[key], ops.take(bounding_boxes[key], order, axis=0)], 1)
            for key in ("boxes", "labels")
        }


@exported(_MODULE)
@configured
class CutMix(_Rectangles):
    """In training, replaces a rectangle of each image by that of another one of the batch, and mixes their labels.

    (Yun et al., 2019)

    Args:
        factor: The parameters of the beta distribution from which the area is drawn: a number, the largest, or two.

    Example:

    >>> CutMix(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    factor: Any = 1.0
    seed: Any = None
    data_format: Any = None

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The order of the others, which pixels are theirs, and the weight of each image."""
        images = images_of(data)
        if not training or self._is_single(images):
            return None
        generator = self._generator(seed)
        batch, height, width = self._sizes(images)
        alpha = uniform((), self.factor, generator, self.compute_dtype) + 1e-6
        weight = random.beta((batch,), alpha, alpha, dtype=self.compute_dtype, seed=generator)
        ratio = ops.sqrt(1.0 - weight)
        x0, x1 = self._bounds(batch, width, ratio, generator)
        y0, y1 = self._bounds(batch, height, ratio, generator)
        area = ops.cast(width, self.compute_dtype) * ops.cast(height, self.compute_dtype)
        return {
            "permutation_order": _order(batch, generator),
            "batch_masks": self._inside(images, (x0, x1, y0, y1)),
            "mix_weight": 1.0 - (x1 - x0) * (y1 - y0) / area,
        }

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images with parts of others."""
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The mixed labels."""
        if not training or transformation is None:
            return labels
        labels = labels if as_tensor(labels).type.dtype.is_float else ops.cast(labels, self.compute_dtype)
        return _mixed(transformation["mix_weight"], labels, transformation["permutation_order"])

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The masks with parts of others."""
        return self.transform_images(segmentation_masks, transformation, training)


@exported(_MODULE)
@configured
class MaxNumBoundingBoxes(ColorLayer):
    """Bounding boxes of a fixed number: those beyond it are left out, and missing ones filled in.

    Args:
        max_number: The number of boxes.
        fill_value: The numbers and the label of boxes that are filled in.

    Raises:
        ArgumentError: if the number is no positive integer.

    Example:

    >>> boxes = {"boxes": [[[0.0, 0.0, 1.0, 1.0]]], "labels": [[3]]}
    >>> data = {"images": ops.ones((1, 4, 4, 3)), "bounding_boxes": boxes}
    >>> MaxNumBoundingBoxes(2, bounding_box_format="xyxy")(data)["bounding_boxes"]["labels"].numpy().tolist()
    [[3, -1]]
    """

    max_number: int
    fill_value: int = -1

    def _prepare(self) -> None:
        super()._prepare()
        self.max_number, self.fill_value = int(self.max_number), int(self.fill_value)
        if self.max_number < 1:
            raise ArgumentError("max_number is a positive integer", layer=self.name, got=repr(self.max_number))

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images, unchanged."""
        return as_tensor(images)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes, of the number."""
        found = dict(bounding_boxes)
        for key in ("boxes", "labels"):
            part = as_tensor(bounding_boxes[key])
            missing = self._missing(part.shape[1])
            pads = [[0, 0], [0, missing]] + [[0, 0]] * (part.ndim - 2)
            found[key] = ops.pad(part[:, : self.max_number], pads, constant_values=self.fill_value)
        return found

    def _missing(self, number: Any) -> int:
        if not isinstance(number, int):
            raise ShapeError(
                "MaxNumBoundingBoxes needs a known number of boxes", where=describe(self._origin), got=str(number)
            )
        return max(self.max_number - number, 0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the inputs, with the number of boxes."""
        if not isinstance(input_shape, dict) or "bounding_boxes" not in input_shape:
            return input_shape
        boxes = {key: (shape[0], self.max_number, *shape[2:]) for key, shape in input_shape["bounding_boxes"].items()}
        return {**input_shape, "bounding_boxes": boxes}
