"""Images whose colors and contrast are changed, at random or by what is in them."""

from __future__ import annotations

from typing import Any

from graphc import config as settings
from graphc import ops, random
from graphc.errors import ArgumentError, ShapeError
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import ColorLayer, images_of, strict_range, uniform
from graphc.registration import exported
from graphc.tracing import as_tensor

_MODULE = "keras.layers"


class _OfFactor(ColorLayer):
    """The base class of layers that draw one number for each image."""

    _FACTOR_BOUNDS = (0, 1)
    _name = "factor"

    def _draw(self, batch: Any, generator: Any) -> Any:
        return uniform((batch,), self.factor, generator)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How much each image is changed."""
        return {self._name: self._draw(self._sizes(data)[0], self._generator(seed))}

    def _changed(self, images: Any, amount: Any) -> Any:
        """Images, one or a batch, changed by one number for each."""
        raise NotImplementedError

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The changed images."""
        if not training:
            return as_tensor(images)
        images = ops.cast(images, self.compute_dtype)
        amount = ops.cast(transformation[self._name], self.compute_dtype)
        return ops.cast(
            self._changed(images, ops.reshape(amount, (-1,) + (1,) * (images.ndim - 1))), self.compute_dtype
        )


class _OfOneNumber(_OfFactor):
    """Likewise, where the numbers are of a shape that broadcasts to the images."""

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How much each image is changed; 0 in inference."""
        batch = self._sizes(data)[0]
        shape = (batch, 1, 1, 1) if len(images_of(data).shape) == 4 else (1, 1, 1)
        if not training:
            return {self._name: ops.zeros(shape)}
        return {self._name: ops.reshape(self._draw(batch, self._generator(seed)), shape)}


@exported(_MODULE)
@configured
class RandomContrast(_OfOneNumber):
    """In training, `(x - mean) * f + mean`, with the mean of each channel of each image and a random factor.

    Args:
        factor: How far `f` is from 1: a number, or two, how far it is below and above at most; each is from 0 to 1.

    Example:

    >>> RandomContrast(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _name = "contrast_factor"
    factor: Any
    value_range: Any = (0, 255)
    seed: Any = None

    def _draw(self, batch: Any, generator: Any) -> Any:
        low, high = 1.0 - self.factor[0], 1.0 + self.factor[1]
        return random.uniform((batch,), low, high, dtype=self.compute_dtype, seed=generator)

    def _changed(self, images: Any, amount: Any) -> Any:
        middle = ops.mean(images, axis=(-2, -1) if self._first else (-3, -2), keepdims=True)
        return self._clipped((images - middle) * amount + middle, self.value_range)


@exported(_MODULE)
@configured
class RandomBrightness(_OfOneNumber):
    """In training, adds a random number to each image.

    Args:
        factor: The number, as a fraction of the range of values: a number, or two, the smallest and the largest, each
            from -1 to 1; one stands for the range around 0.

    Example:

    >>> RandomBrightness(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (-1, 1)
    _name = "rgb_delta"
    factor: Any
    value_range: Any = (0, 255)
    seed: Any = None

    def _draw(self, batch: Any, generator: Any) -> Any:
        drawn = uniform((batch,), self.factor, generator)
        return drawn * (self.value_range[1] - self.value_range[0])

    def _changed(self, images: Any, amount: Any) -> Any:
        return self._clipped(images + amount, self.value_range)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The changed images, in their dtype."""
        dtype = as_tensor(images).dtype
        return ops.cast(super().transform_images(images, transformation, training), dtype)


@exported(_MODULE)
@configured
class RandomHue(_OfFactor):
    """In training, moves the hue of each image around the circle of colors.

    Args:
        factor: How far: a number, or two, the smallest and the largest, each from 0 to 1, which is half of the circle;
            the direction is random.

    Example:

    >>> RandomHue(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def _draw(self, batch: Any, generator: Any) -> Any:
        sign = ops.where(random.uniform((batch,), seed=generator) > 0.5, -1.0, 1.0)
        return sign * super()._draw(batch, generator) * 0.5

    def _changed(self, images: Any, amount: Any) -> Any:
        axis = -3 if self._first else -1
        scaled = self._to_range(images, self.value_range, (0, 1))
        hue, saturation, value = ops.split(ops.image.rgb_to_hsv(scaled, data_format=self.data_format), 3, axis=axis)
        hue = hue + ops.cast(amount, hue.dtype)
        hue = ops.where(hue > 1.0, hue - 1.0, hue)
        hue = ops.where(hue < 0.0, hue + 1.0, hue)
        colors = ops.image.hsv_to_rgb(ops.concatenate([hue, saturation, value], axis), data_format=self.data_format)
        return self._to_range(ops.clip(colors, 0, 1), (0, 1), self.value_range)


@exported(_MODULE)
@configured
class RandomSaturation(_OfFactor):
    """In training, multiplies the saturation of each image with `f / (1 - f)`, where `f` is random.

    Args:
        factor: The number `f`: a number, or two, the smallest and the largest, each from 0, which is gray, over 0.5,
            which changes nothing, to 1.

    Example:

    >>> RandomSaturation(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (-1, 1)
    factor: Any
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def _draw(self, batch: Any, generator: Any) -> Any:
        drawn = super()._draw(batch, generator)
        return drawn / (1 - drawn + settings.epsilon())

    def _changed(self, images: Any, amount: Any) -> Any:
        axis = -3 if self._first else -1
        hue, saturation, value = ops.split(ops.image.rgb_to_hsv(images, data_format=self.data_format), 3, axis=axis)
        saturation = self._clipped(saturation * amount, self.value_range)
        return ops.image.hsv_to_rgb(ops.concatenate([hue, saturation, value], axis), data_format=self.data_format)


@exported(_MODULE)
@configured
class RandomColorDegeneration(_OfFactor):
    """In training, makes each image grayer: `x + f * (gray - x)`, where `f` is random.

    Args:
        factor: The number `f`: a number, or two, the smallest and the largest; one stands for the range around 0.

    Raises:
        ShapeError: if images do not have 3 channels.

    Example:

    >>> RandomColorDegeneration(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (-1, 1)
    factor: Any
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def _draw(self, batch: Any, generator: Any) -> Any:
        return uniform((batch, 1, 1, 1), self.factor, generator)

    def _changed(self, images: Any, amount: Any) -> Any:
        gray = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return self._clipped(images + amount * (gray - images), self.value_range)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the inputs."""
        if len(input_shape) not in (3, 4):
            raise ShapeError(
                "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images).",
                layer=self.name,
                got=f"shape {tuple(input_shape)}",
            )
        channels = input_shape[-3 if self._first else -1]
        if channels is not None and channels != 3:
            raise ShapeError(
                f"Input images must have 3 channels, but received images with {channels} channels.", layer=self.name
            )
        return input_shape


@exported(_MODULE)
@configured
class RandomSharpness(_OfFactor):
    """In training, makes each image sharper or smoother: `x + (1 - 2 * f) * (smooth - x)`, where `f` is random.

    Args:
        factor: The number `f`: a number, or two, the smallest and the largest, each from 0, which is smooth, over 0.5,
            which changes nothing, to 1.

    Example:

    >>> RandomSharpness(0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The changed images."""
        return super().transform_images(ops.cast(images, self.compute_dtype), transformation, training)

    def _changed(self, images: Any, amount: Any) -> Any:
        x = ops.moveaxis(images, -3, -1) if self._first else images
        weights = ops.reshape(
            ops.convert_to_tensor([1.0 / 13, 1 / 13, 1 / 13, 1 / 13, 5 / 13, 1 / 13, 1 / 13, 1 / 13, 1 / 13], x.dtype),
            (3, 3, 1, 1),
        )
        kernel = ops.broadcast_to(weights, (3, 3, x.shape[-1], 1))
        smooth = ops.depthwise_conv(x, kernel, padding="same", data_format="channels_last")
        found = self._clipped(x + (1.0 - 2 * amount) * (smooth - x), self.value_range)
        return ops.moveaxis(found, -1, -3) if self._first else found


@exported(_MODULE)
@configured
class RandomGrayscale(ColorLayer):
    """In training, makes images gray with a probability; their channels are then equal.

    Args:
        factor: The probability, from 0 to 1.

    Raises:
        ArgumentError: if the factor is not from 0 to 1.

    Example:

    >>> RandomGrayscale(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _unwritten = ("seed",)
    factor: Any = 0.5
    data_format: Any = None
    seed: Any = None

    def _set_factor(self, factor: Any) -> None:
        if not isinstance(factor, int | float) or not 0 <= factor <= 1:
            raise ArgumentError("`factor` should be between 0 and 1.", got=f"factor={factor!r}")
        self.factor = factor

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images become gray, `[batch, 1, 1, 1]`."""
        drawn = random.uniform((self._sizes(data)[0],), seed=self._generator(seed))
        return ops.reshape(drawn < self.factor, (-1, 1, 1, 1))

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The images, of which some are gray."""
        images = as_tensor(images)
        if not training:
            return images
        chosen = self.get_random_transformation(images) if transformation is None else transformation
        return ops.where(chosen, ops.image.rgb_to_grayscale(images, data_format=self.data_format), images)


@exported(_MODULE)
@configured
class RandomInvert(ColorLayer):
    """In training, subtracts images from the largest value, with a probability.

    Args:
        factor: The probability: a number, or two between which it is drawn.

    Example:

    >>> RandomInvert(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (0, 1)
    factor: Any = 1.0
    value_range: Any = (0, 255)
    seed: Any = None
    data_format: Any = None

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are inverted."""
        if not training:
            return None
        return {"apply_inversion": self._chosen(self._sizes(data)[0], self._generator(seed))}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The images, of which some are inverted."""
        if not training:
            return as_tensor(images)
        images = ops.cast(images, self.compute_dtype)
        chosen = ops.reshape(transformation["apply_inversion"], (-1, 1, 1, 1))
        return ops.where(chosen, self.value_range[1] - images, images)


@exported(_MODULE)
@configured
class RandomPosterization(ColorLayer):
    """In training, keeps only the upper bits of the values, as many as are drawn for each image.

    Args:
        factor: The number of bits, from 1 to 8: a number, or two, the smallest and one more than the largest.

    Example:

    >>> RandomPosterization(3, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _FACTOR_BOUNDS = (1, 8)
    factor: Any
    value_range: Any = (0, 255)
    data_format: Any = None
    seed: Any = None

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How many bits each image loses."""
        batch, (low, high) = self._sizes(data)[0], self.factor
        if low == high:
            bits = ops.full((batch,), low, "uint8")
        else:
            bits = random.randint((batch,), low, high, dtype="uint8", seed=self._generator(seed))
        return {"shift_factor": ops.cast(8 - bits, "uint8")}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images of fewer values."""
        if not training:
            return as_tensor(images)
        shift = ops.reshape(transformation["shift_factor"], (-1, 1, 1, 1))
        x = ops.cast(self._to_range(images, self.value_range, (0, 255), self.compute_dtype), "uint8")
        x = ops.bitwise_left_shift(ops.bitwise_right_shift(x, shift), shift)
        x = ops.cast(x, self.compute_dtype)
        return self._to_range(x, (0, 255), self.value_range, self.compute_dtype)


@exported(_MODULE)
@configured
class Solarization(ColorLayer):
    """In training, adds a number to the values and inverts those above a threshold; both are drawn for each image.

    Args:
        addition_factor: What is added, as a fraction of the range of values: a number from 0 to 1, the largest, or two.
        threshold_factor: The threshold, likewise.

    Raises:
        ArgumentError: if a factor is not from 0 to 1.

    Example:

    >>> Solarization(0.2, 0.5, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _USE_BASE_FACTOR = False
    addition_factor: Any = 0.0
    threshold_factor: Any = 0.0
    value_range: Any = (0, 255)
    seed: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.addition_factor, self.threshold_factor = (
            (0, end[1]) if isinstance(given, int | float) else end
            for given, end in (
                (self.addition_factor, strict_range("addition_factor", self.addition_factor, 0, 1)),
                (self.threshold_factor, strict_range("threshold_factor", self.threshold_factor, 0, 1)),
            )
        )

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is added to each image, and its threshold."""
        if not training:
            return None
        images, generator = images_of(data), self._generator(seed)
        shape = (images.shape[0], 1, 1, 1) if len(images.shape) == 4 else (1, 1, 1)
        factors = {"additions": self.addition_factor, "thresholds": self.threshold_factor}
        return {
            name: random.uniform(shape, low, high * 255, dtype=self.compute_dtype, seed=generator)
            for name, (low, high) in factors.items()
        }

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The images, partly inverted."""
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        x = self._to_range(images, self.value_range, (0, 255), self.compute_dtype)
        x = ops.clip(x + transformation["additions"], 0, 255)
        x = ops.where(x < transformation["thresholds"], x, 255 - x)
        return ops.cast(self._to_range(x, (0, 255), self.value_range, self.compute_dtype), self.compute_dtype)
