"""Layers that reshape, permute, repeat and rescale."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, CallError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class Flatten(Layer):
    """Flattens all axes except the batch.

    Args:
        data_format: `"channels_last"` or `"channels_first"`: the channels are first moved last. None: as configured.

    Example:

    >>> Flatten()(ops.zeros((2, 3, 4))).shape
    (2, 12)
    """

    data_format: Any = None

    def _prepare(self) -> None:
        self.input_spec = InputSpec(min_ndim=1)
        self._first = self.data_format == "channels_first"

    def call(self, inputs: Any) -> Any:
        """The inputs with two axes."""
        x = ops.moveaxis(inputs, 1, -1) if self._first and inputs.ndim > 2 else inputs
        size = math.prod(x.shape[1:]) if x.ndim > 1 else 1
        return ops.reshape(x, (x.shape[0], size))


@exported(_MODULE)
@configured
class Reshape(Layer):
    """Reshapes each sample.

    Args:
        target_shape: Tuple of integers without the batch; one may be -1: it is inferred.

    Example:

    >>> Reshape((-1, 2))(ops.zeros((3, 4))).shape
    (3, 2, 2)
    """

    _builds_when_called = False

    target_shape: Any

    def _prepare(self) -> None:
        self.target_shape = tuple(int(size) for size in self.target_shape)

    def call(self, inputs: Any) -> Any:
        """The inputs in the other shape."""
        # -1 is resolved for one sample, without the batch, whose size may be unknown.
        size = math.prod(inputs.shape[1:])
        known = math.prod(dim for dim in self.target_shape if dim != -1)
        fits = size == known if -1 not in self.target_shape else known and size % known == 0
        if isinstance(size, int) and not fits:
            raise ShapeError(
                "a sample cannot be reshaped", got=f"{tuple(inputs.shape[1:])}", expected=f"{self.target_shape}"
            )
        shape = tuple(size // known if dim == -1 else dim for dim in self.target_shape)
        return ops.reshape(inputs, (inputs.shape[0], *shape))


@exported(_MODULE)
@configured
class Permute(Layer):
    """Permutes the axes of each sample.

    Args:
        dims: The axis of the sample, counted from 1, for each axis of the result.

    Raises:
        ArgumentError: if `dims` is not a permutation.

    Example:

    >>> Permute((2, 1))(ops.zeros((1, 3, 4))).shape
    (1, 4, 3)
    """

    dims: Any

    def _prepare(self) -> None:
        self.dims = tuple(self.dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError("the axes of Permute count from 1 without a gap", layer=self.name, got=self.dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """The inputs with their axes in the other order."""
        return ops.transpose(inputs, (0, *self.dims))


@exported(_MODULE)
@configured
class RepeatVector(Layer):
    """Repeats each vector along a new axis.

    Args:
        n: The number of repetitions.

    Example:

    >>> RepeatVector(3)(ops.zeros((2, 4))).shape
    (2, 3, 4)
    """

    n: int

    def _prepare(self) -> None:
        if not isinstance(self.n, int):
            raise CallError("n is an integer", layer=self.name, where=describe(self._origin), got=repr(self.n))
        if self.n < 1:
            raise ArgumentError("n is positive", layer=self.name, where=describe(self._origin), got=repr(self.n))
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """The inputs with three axes."""
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)


@exported(_MODULE)
@configured
class Rescaling(Layer):
    """`inputs * scale + offset`, in floats.

    Args:
        scale: A number, or a list with one for each channel.
        offset: Likewise.

    Example:

    >>> Rescaling(1 / 255)([[0, 255]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    _passes_masks = True

    scale: Any
    offset: Any = 0.0

    def call(self, inputs: Any) -> Any:
        """The scaled inputs."""
        x = ops.cast(inputs, self.compute_dtype)
        scaled = x * ops.cast(self.scale, self.compute_dtype)
        # No addition if the offset is 0.
        plain = isinstance(self.offset, int | float) and self.offset == 0
        return scaled if plain else scaled + ops.cast(self.offset, self.compute_dtype)
