"""Layers that move elements."""

from __future__ import annotations

import math
from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.registration import exported

_MODULE = "keras.layers"


def data_format_of(data_format: Any) -> str:
    """The order of the axes of images: what is given, else what the configuration says.

    Raises:
        ArgumentError: if it is unknown.
    """
    chosen = settings.image_data_format() if data_format is None else data_format
    if chosen not in ("channels_first", "channels_last"):
        raise ArgumentError("unknown data_format", got=repr(data_format), expected="channels_first or channels_last")
    return str(chosen)


@exported(_MODULE)
class Flatten(Layer):
    """All axes but the batch in one.

    Args:
        data_format: `"channels_last"` or `"channels_first"`: the channels are moved last before. None: as configured.

    Example:

    >>> Flatten()(ops.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(min_ndim=1)
        self._first = self.data_format == "channels_first"

    def call(self, inputs: Any) -> Any:
        """The inputs with two axes."""
        x = ops.moveaxis(inputs, 1, -1) if self._first and inputs.ndim > 2 else inputs
        size = math.prod(x.shape[1:]) if x.ndim > 1 else 1
        return ops.reshape(x, (x.shape[0], size))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}


@exported(_MODULE)
class Reshape(Layer):
    """The elements of each sample in another shape.

    Args:
        target_shape: Tuple of integers without the batch; one may be -1: it is what is left.

    Example:

    >>> Reshape((-1, 2))(ops.zeros((3, 4))).shape
    (3, 2, 2)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(size) for size in target_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The inputs in the other shape."""
        # One sample's -1 is resolved without the batch, whose size is not known yet.
        size = math.prod(inputs.shape[1:])
        known = math.prod(dim for dim in self.target_shape if dim != -1)
        fits = size == known if -1 not in self.target_shape else known and size % known == 0
        if isinstance(size, int) and not fits:
            raise ShapeError(
                "a sample cannot be reshaped", got=f"{tuple(inputs.shape[1:])}", expected=f"{self.target_shape}"
            )
        shape = tuple(size // known if dim == -1 else dim for dim in self.target_shape)
        return ops.reshape(inputs, (inputs.shape[0], *shape))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "target_shape": self.target_shape}


@exported(_MODULE)
class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: The axis, counted from 1, that each axis of the result is.

    Raises:
        ArgumentError: if an axis is missing or stands twice.

    Example:

    >>> Permute((2, 1))(ops.zeros((1, 3, 4))).shape
    (1, 4, 3)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError("the axes of Permute count from 1 without a gap", layer=self.name, got=self.dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """The inputs with their axes in the other order."""
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "dims": self.dims}


@exported(_MODULE)
class RepeatVector(Layer):
    """Each vector repeated along a new axis.

    Args:
        n: How many times.

    Example:

    >>> RepeatVector(3)(ops.zeros((2, 4))).shape
    (2, 3, 4)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise ArgumentError("n is an integer", layer=self.name, got=repr(n))
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """The inputs with three axes."""
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "n": self.n}


def _pairs(value: Any, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """How much at both ends of rows and columns: from a number, a pair of numbers, or a pair of pairs."""
    parts = (value, value) if isinstance(value, int) else tuple(value)
    if len(parts) != 2:
        raise ArgumentError(f"{name} is a number, two numbers or two pairs", got=repr(value))
    rows, columns = ((part, part) if isinstance(part, int) else tuple(part) for part in parts)
    if len(rows) != 2 or len(columns) != 2 or min(*rows, *columns) < 0:
        raise ArgumentError(f"{name} is a number, two numbers or two pairs", got=repr(value))
    return (rows[0], rows[1]), (columns[0], columns[1])


@exported(_MODULE)
class ZeroPadding2D(Layer):
    """Images with zeros around them.

    Args:
        padding: How many rows and columns: a number, two numbers, or two pairs (top and bottom, left and right).
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Example:

    >>> ZeroPadding2D(1)(ops.ones((1, 2, 2, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(self, padding: Any = (1, 1), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding, self.data_format = _pairs(padding, "padding"), data_format_of(data_format)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        around = [(0, 0), *self.padding]
        around.insert(1 if self.data_format == "channels_first" else 3, (0, 0))
        return ops.pad(inputs, around)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


@exported(_MODULE)
class Cropping2D(Layer):
    """Images without some rows and columns at their borders.

    Args:
        cropping: How many rows and columns: a number, two numbers, or two pairs (top and bottom, left and right).
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Example:

    >>> Cropping2D(1)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping, self.data_format = _pairs(cropping, "cropping"), data_format_of(data_format)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """The smaller images."""
        first = 2 if self.data_format == "channels_first" else 1
        key: list[Any] = [slice(None)] * 4
        for axis, (low, high) in enumerate(self.cropping, first):
            key[axis] = slice(low, inputs.shape[axis] - high)
        return inputs[tuple(key)]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


@exported(_MODULE)
class UpSampling2D(Layer):
    """Images with each row and column repeated.

    Args:
        size: How many times: a number, or one for rows and one for columns.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        interpolation: `"nearest"`; others are not supported yet.

    Example:

    >>> UpSampling2D(2)(ops.ones((1, 2, 3, 1))).shape
    (1, 4, 6, 1)
    """

    def __init__(
        self, size: Any = (2, 2), data_format: Any = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if interpolation != "nearest":
            raise ArgumentError("only the interpolation 'nearest' is supported yet", layer=self.name, got=interpolation)
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.data_format, self.interpolation = data_format_of(data_format), interpolation
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        first = 2 if self.data_format == "channels_first" else 1
        return ops.repeat(ops.repeat(inputs, self.size[0], axis=first), self.size[1], axis=first + 1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        rest = {"size": self.size, "data_format": self.data_format, "interpolation": self.interpolation}
        return {**super().get_config(), **rest}


@exported(_MODULE)
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

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The scaled inputs."""
        x = ops.cast(inputs, self.compute_dtype)
        scaled = x * ops.cast(self.scale, self.compute_dtype)
        # Nothing is added where nothing would change.
        plain = isinstance(self.offset, int | float) and self.offset == 0
        return scaled if plain else scaled + ops.cast(self.offset, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}
