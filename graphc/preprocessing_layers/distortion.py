"""Images that are distorted at random: seen from elsewhere, or like rubber."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from graphc import ops, random
from graphc.errors import ArgumentError, ShapeError
from graphc.ops import warps
from graphc.ops.image_parts import batched, unbatched
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import GeometricLayer, factor_range, images_of, one_of_modes, uniform
from graphc.preprocessing_layers.geometry import float_of
from graphc.registration import exported
from graphc.tracing import as_tensor
from graphc.utils.bounding_boxes import clip_to_image_size, convert_format

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class RandomPerspective(GeometricLayer):
    """In training, shows images as if they were seen from elsewhere.

    Args:
        factor: The probability with which an image is changed: a number, or two between which it is drawn.
        scale: How far the corners move at most, from 0 to 1.

    Raises:
        ArgumentError: if the scale is not from 0 to 1.

    Example:

    >>> RandomPerspective(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    factor: Any = 1.0
    scale: float = 1.0
    interpolation: str = "bilinear"
    fill_value: float = 0.0
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if not 0.0 <= self.scale <= 1.0:
            raise ArgumentError("scale is a number from 0 to 1", got=repr(self.scale))

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are changed, the corners, and where they go."""
        if not training:
            return None
        batch, height, width = self._sizes(data)
        generator = self._generator(seed)
        chosen = self._chosen(batch, generator)
        moved = random.uniform(
            (batch, 4, 2), -0.5 * self.scale, 0.5 * self.scale, dtype=self.compute_dtype, seed=generator
        )
        right, low = float_of(width) - 1, float_of(height) - 1
        corners = [[0.0, 0.0], [right, 0.0], [0.0, low], [right, low]]
        points = ops.stack([ops.stack([ops.cast(x, self.compute_dtype) for x in corner]) for corner in corners])
        start = ops.broadcast_to(points, (batch, 4, 2))
        return {
            "apply_perspective": chosen,
            "start_points": start,
            "end_points": start + start * moved,
            "input_shape": images_of(data).shape,
        }

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        points = transformation["start_points"], transformation["end_points"]
        moved = ops.image.perspective_transform(
            images, *points, interpolation, self.fill_value, data_format=self.data_format
        )
        return ops.where(ops.reshape(transformation["apply_perspective"], (-1, 1, 1, 1)), moved, images)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes around the corners of the boxes in the transformed images."""
        if not training or transformation is None:
            return bounding_boxes
        height, width = self._of_input(transformation)
        found = convert_format(bounding_boxes, self.bounding_box_format, "xyxy", height, width)
        points = (as_tensor(transformation[name]) for name in ("end_points", "start_points"))
        a0, a1, a2, b0, b1, b2, c0, c1 = ops.split(ops.expand_dims(warps.homography(*points), -1), 8, axis=1)
        x1, y1, x2, y2 = ops.split(found["boxes"], 4, axis=-1)
        x, y = ops.concatenate([x1, x2, x1, x2], -1), ops.concatenate([y1, y1, y2, y2], -1)
        depth = c0 * x + c1 * y + 1.0
        x, y = (a0 * x + a1 * y + a2) / depth, (b0 * x + b1 * y + b2) / depth
        edges = [extreme(part, axis=-1, keepdims=True) for extreme in (ops.min, ops.max) for part in (x, y)]
        chosen = ops.reshape(transformation["apply_perspective"], (-1, 1, 1))
        boxes = ops.where(chosen, ops.concatenate(edges, -1), found["boxes"])
        found = clip_to_image_size({**found, "boxes": boxes}, height, width)
        return convert_format(found, "xyxy", self.bounding_box_format, height, width)


@exported(_MODULE)
@configured
class RandomElasticTransform(GeometricLayer):
    """In training, distorts images: their pixels are moved at random, neighbours alike (`ops.image.elastic_transform`).

    Args:
        factor: The probability with which an image is changed: a number, or two between which it is drawn.
        scale: How strong the distortion is, from 0 to 1: a number, or two between which it is drawn.
        fill_mode: As of other layers, or `"mirror"`: reflected at the centers of the outermost pixels.

    Example:

    >>> RandomElasticTransform(seed=1)(ops.ones((2, 8, 8, 3)), training=True).shape
    (2, 8, 8, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    _kinds = MappingProxyType({**GeometricLayer._kinds, "fill_mode": one_of_modes("mirror")})
    factor: Any = 1.0
    scale: Any = 1.0
    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    value_range: Any = (0, 255)
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.scale = factor_range("scale", self.scale, *self._FACTOR_BOUNDS)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are distorted, how strongly, and a seed for the distortion."""
        if not training or self.scale[1] == 0 or self.factor[1] == 0:
            return None
        generator = self._generator(seed)
        chosen = self._chosen(self._sizes(data)[0], generator)
        strength = uniform((), self.scale, generator, self.compute_dtype)
        # One use of the generator: masks are distorted as their images.
        key = generator.next() if isinstance(generator, random.SeedGenerator) else generator
        return {"apply_transform": chosen, "distortion_factor": strength, "seed": key}

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        _, height, width = self._sizes(images)
        if not isinstance(height, int) or not isinstance(width, int):
            raise ShapeError(
                "RandomElasticTransform needs images of a known size",
                layer=self.name,
                got=f"{tuple(map(str, images.shape))}",
            )
        strength = ops.cast(transformation["distortion_factor"], "float32")
        smaller, larger = sorted((height, width))
        x, first = batched("elastic_transform", images, self.data_format)
        widest = int(6 * 0.05 * self.scale[1] * smaller) | 1
        seed, order = transformation["seed"], int(interpolation == "bilinear")
        alpha, sigma = larger * 0.1 * strength, smaller * 0.05 * strength
        moved = warps.displaced(x, alpha, sigma, widest, seed, order, self.fill_mode, self.fill_value)
        moved = unbatched(moved, first, as_tensor(images).ndim)
        chosen = ops.reshape(transformation["apply_transform"], (-1, *(1,) * (moved.ndim - 1)))
        found = self._clipped(ops.where(chosen, moved, images), self.value_range)
        return ops.cast(found, self.compute_dtype)
