"""Regularization layers: dropout, noise and penalties, which act in training only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from graphc import ops, random, regularizers
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.parameters import configured, declared_config
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class _Random(Layer):
    """The base class of random layers, with a seed generator."""

    _passes_masks = True
    _builds_when_called = False
    _strength: ClassVar[str] = "rate"
    seed: Any

    def _prepare(self) -> None:
        strength = getattr(self, self._strength)
        if not isinstance(strength, int | float) or not 0 <= strength <= 1:
            raise ArgumentError(f"{self._strength} is a number from 0 to 1", layer=self.name, got=repr(strength))
        if strength > 0:  # else nothing is random
            is_generator = isinstance(self.seed, random.SeedGenerator)
            self.seed_generator = self.seed if is_generator else random.SeedGenerator(self.seed)

    def _checked_shape(self, noise_shape: Any) -> tuple[int | None, ...] | None:
        """The shape of a mask, as a tuple of positive integers and None."""
        if noise_shape is None:
            return None
        sizes = tuple(noise_shape) if isinstance(noise_shape, Iterable) and not isinstance(noise_shape, str) else (0,)
        if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
            raise ArgumentError(
                "noise_shape is a tuple of positive integers and None",
                layer=self.name,
                where=describe(self._origin),
                got=repr(noise_shape),
            )
        return sizes


@exported(_MODULE)
@configured
class Dropout(_Random):
    """In training, sets a random fraction `rate` of the inputs to 0 and divides the others by `1 - rate`.

    (Srivastava et al., 2014)

    Args:
        noise_shape: The shape of the mask, with 1 where it is the same along an axis, and None for the inputs' size.

    Raises:
        ArgumentError: if the rate is not from 0 to 1.

    Example:

    >>> Dropout(0.5)([[1.0, 2.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    """

    rate: float
    noise_shape: Any = None
    seed: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.noise_shape = self._checked_shape(self.noise_shape)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with dropout in training."""
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)


class _SpatialDropout(_Random):
    """Dropout of whole channels: the mask is the same at all spatial positions."""

    axes: ClassVar[int]
    rate: float
    data_format = "channels_last"

    def _prepare(self) -> None:
        super()._prepare()
        self.input_spec = InputSpec(ndim=self.axes + 2)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with dropout in training."""
        if not training or self.rate == 0:
            return inputs
        ones = (1,) * self.axes
        shape = (None, *ones, None) if self.data_format == "channels_last" else (None, None, *ones)
        return random.dropout(inputs, self.rate, shape, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return declared_config(self) | {"dtype": self.dtype_policy.name}


@exported(_MODULE)
@configured
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of sequences (Tompson et al., 2014).

    Example:

    >>> from graphc import ops
    >>> SpatialDropout1D(0.5)(ops.ones((1, 2, 3))).shape
    (1, 2, 3)
    """

    axes = 1
    rate: float
    seed: Any = None
    name: Any = None
    dtype: Any = None


@configured
class _SpatialDropoutOfImages(_SpatialDropout):
    rate: float
    data_format: Any = None
    seed: Any = None
    name: Any = None
    dtype: Any = None


@exported(_MODULE)
@configured
class SpatialDropout2D(_SpatialDropoutOfImages):
    """Dropout of whole channels of images (Tompson et al., 2014).

    Example:

    >>> from graphc import ops
    >>> SpatialDropout2D(0.5)(ops.ones((1, 2, 2, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2


@exported(_MODULE)
@configured
class SpatialDropout3D(_SpatialDropoutOfImages):
    """Dropout of whole channels of volumes (Tompson et al., 2014).

    Example:

    >>> from graphc import ops
    >>> SpatialDropout3D(0.5)(ops.ones((1, 2, 2, 2, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3


@exported(_MODULE)
@configured
class GaussianNoise(_Random):
    """In training, adds normal noise of mean 0 to the inputs.

    Args:
        stddev: The standard deviation of the noise.

    Example:

    >>> GaussianNoise(0.1)([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    _strength = "stddev"
    stddev: float
    seed: Any = None

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with noise in training."""
        if not training or self.stddev == 0:
            return inputs
        return inputs + random.normal(inputs.shape, 0.0, self.stddev, inputs.dtype, self.seed_generator)


@exported(_MODULE)
@configured
class GaussianDropout(_Random):
    """In training, multiplies the inputs by normal noise of mean 1 and variance `rate / (1 - rate)`.

    (Srivastava et al., 2014)

    Args:
        rate: As of `Dropout`.

    Example:

    >>> GaussianDropout(0.1)([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    rate: float
    seed: Any = None

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with noise in training."""
        if not training or self.rate == 0:
            return inputs
        spread = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * random.normal(inputs.shape, 1.0, spread, inputs.dtype, self.seed_generator)


@exported(_MODULE)
@configured
class AlphaDropout(_Random):
    """Dropout that keeps mean and variance: a random fraction `rate` is set to the negative limit of `selu`.

    The others are kept, and all are scaled and shifted: `a * x + b` with `b = -a * m * rate` and
    `a = 1 / sqrt((1 - rate) * (1 + rate * m * m))`, where `m` is that limit (Klambauer et al., 2017).

    Args:
        noise_shape: As of `Dropout`.

    Example:

    >>> AlphaDropout(0.1)([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    rate: float
    noise_shape: Any = None
    seed: Any = None

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with dropout in training."""
        if not training or self.rate == 0:
            return inputs
        limit = -1.6732632423543772 * 1.0507009873554805
        sizes = tuple(inputs.shape)
        shape = tuple(n if m is None else m for n, m in zip(sizes, self.noise_shape or sizes, strict=True))
        kept = ops.greater_equal(random.uniform(shape, seed=self.seed_generator), self.rate)
        factor = ((1 - self.rate) * (1 + self.rate * limit * limit)) ** -0.5
        return factor * ops.where(kept, inputs, limit) - factor * limit * self.rate


@exported(_MODULE)
@configured
class ActivityRegularization(Layer):
    """Returns the inputs unchanged, and adds a penalty on them to the loss.

    Args:
        l1: Factor of the sum of absolute values.
        l2: Factor of the sum of squares.

    Example:

    >>> from graphc import ops
    >>> layer = ActivityRegularization(l2=0.5)
    >>> _ = layer(ops.ones((2, 3)))
    >>> float(layer.losses[0])
    1.5
    """

    _passes_masks = True
    _builds_when_called = False
    l1: float = 0.0
    l2: float = 0.0

    def _prepare(self) -> None:
        self.activity_regularizer = regularizers.L1L2(l1=self.l1, l2=self.l2)

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs
