"""Regularization layers: dropout, noise and penalties, which act in training only."""

from __future__ import annotations

import math
from typing import Any

from graphc import random, regularizers
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.reshaping import data_format_of
from graphc.registration import exported

_MODULE = "keras.layers"


class _Random(Layer):
    """The base class of random layers, with a seed generator."""

    _passes_masks = True

    def _set_seed(self, seed: Any) -> None:
        self.seed = seed
        self.seed_generator = seed if isinstance(seed, random.SeedGenerator) else random.SeedGenerator(seed)

    def _rate(self, rate: Any) -> float:
        if not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ArgumentError("rate is a number from 0 to 1", layer=self.name, got=repr(rate))
        return rate


@exported(_MODULE)
class Dropout(_Random):
    """In training, sets a random fraction `rate` of the inputs to 0 and divides the others by `1 - rate`.

    (Srivastava et al., 2014)

    Args:
        rate: The fraction that is set to 0.
        noise_shape: The shape of the mask, with 1 where it is the same along an axis, and None for the inputs' size.
        seed: Integer, or None.

    Raises:
        ArgumentError: if the rate is not from 0 to 1.

    Example:

    >>> Dropout(0.5)([[1.0, 2.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = self._rate(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self._set_seed(seed)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with dropout in training."""
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class _SpatialDropout(Dropout):
    """Dropout of whole channels: the mask is the same at all spatial positions."""

    def __init__(self, rank: int, rate: float, data_format: Any, seed: Any, name: Any, dtype: Any) -> None:
        self._rank, self.data_format = rank, data_format_of(data_format)
        ones = (1,) * rank
        shape = (None, *ones, None) if self.data_format == "channels_last" else (None, None, *ones)
        super().__init__(rate, shape, seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=rank + 2)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype_policy.name}
        return config | ({"data_format": self.data_format} if self._rank > 1 else {})


@exported(_MODULE)
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of sequences (Tompson et al., 2014).

    Args:
        rate: The fraction that is set to 0.
        seed: Integer, or None.
        name: Its name.
        dtype: Name of a dtype.

    Example:

    >>> from graphc import ops
    >>> SpatialDropout1D(0.5)(ops.ones((1, 2, 3))).shape
    (1, 2, 3)
    """

    def __init__(self, rate: float, seed: Any = None, name: Any = None, dtype: Any = None) -> None:
        super().__init__(1, rate, "channels_last", seed, name, dtype)


@exported(_MODULE)
class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images (Tompson et al., 2014).

    Args:
        rate: The fraction that is set to 0.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        seed: Integer, or None.
        name: Its name.
        dtype: Name of a dtype.

    Example:

    >>> from graphc import ops
    >>> SpatialDropout2D(0.5)(ops.ones((1, 2, 2, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(
        self, rate: float, data_format: Any = None, seed: Any = None, name: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(2, rate, data_format, seed, name, dtype)


@exported(_MODULE)
class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes (Tompson et al., 2014).

    Args:
        rate: The fraction that is set to 0.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        seed: Integer, or None.
        name: Its name.
        dtype: Name of a dtype.

    Example:

    >>> from graphc import ops
    >>> SpatialDropout3D(0.5)(ops.ones((1, 2, 2, 2, 3))).shape
    (1, 2, 2, 2, 3)
    """

    def __init__(
        self, rate: float, data_format: Any = None, seed: Any = None, name: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(3, rate, data_format, seed, name, dtype)


@exported(_MODULE)
class GaussianNoise(_Random):
    """In training, adds normal noise of mean 0 to the inputs.

    Args:
        stddev: The standard deviation of the noise.
        seed: Integer, or None.

    Example:

    >>> GaussianNoise(0.1)([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= stddev <= 1:
            raise ArgumentError("stddev is a number from 0 to 1", layer=self.name, got=repr(stddev))
        self.stddev = stddev
        self._set_seed(seed)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with noise in training."""
        if not training or self.stddev == 0:
            return inputs
        return inputs + random.normal(inputs.shape, 0.0, self.stddev, inputs.dtype, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


@exported(_MODULE)
class GaussianDropout(_Random):
    """In training, multiplies the inputs by normal noise of mean 1 and variance `rate / (1 - rate)`.

    (Srivastava et al., 2014)

    Args:
        rate: As of `Dropout`.
        seed: Integer, or None.

    Example:

    >>> GaussianDropout(0.1)([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = self._rate(rate)
        self._set_seed(seed)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The inputs, with noise in training."""
        if not training or self.rate == 0:
            return inputs
        spread = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * random.normal(inputs.shape, 1.0, spread, inputs.dtype, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@exported(_MODULE)
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

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}
