"""Layers that change how far sequences, images and volumes reach: zeros around, borders off, elements repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.reshaping import data_format_of
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"

Pairs = tuple[tuple[int, int], ...]


class _Spatial(Layer):
    """What the layers share: so many spatial axes, before or after the channels."""

    axes: ClassVar[int]
    data_format: str

    def _spatial(self, data_format: Any) -> None:
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.axes + 2)

    @property
    def _first(self) -> int:
        """The first spatial axis."""
        return 2 if self.data_format == "channels_first" else 1

    def _pairs(self, value: Any, name: str) -> Pairs:
        """How much at both ends of each axis: from a number, a number for each axis, or a pair for each."""
        parts = (value,) * self.axes if isinstance(value, int) else tuple(value)
        if self.axes == 1 and len(parts) == 2:
            parts = (parts,)
        pairs = tuple((part, part) if isinstance(part, int) else tuple(part) for part in parts)
        if len(pairs) != self.axes or not all(
            len(pair) == 2 and all(isinstance(end, int) and end >= 0 for end in pair) for pair in pairs
        ):
            expected = "a number, or a pair" if self.axes == 1 else f"a number, or {self.axes} numbers or pairs"
            raise ArgumentError(
                f"{name} cannot be used", where=describe(self._origin), got=repr(value), expected=expected
            )
        return pairs


class _ZeroPadding(_Spatial):
    def _padded(self, inputs: Any, padding: Pairs) -> Any:
        around = [(0, 0), *padding]
        around.insert(1 if self.data_format == "channels_first" else len(around), (0, 0))
        return ops.pad(inputs, around)


class _Cropping(_Spatial):
    def _cropped(self, inputs: Any, cropping: Pairs) -> Any:
        key: list[Any] = [slice(None)] * inputs.ndim
        for axis, (low, high) in enumerate(cropping, self._first):
            size = inputs.shape[axis]
            if isinstance(size, int) and low + high >= size:
                raise ShapeError(
                    "cropping leaves nothing", got=f"{low} and {high} of axis {axis} of {tuple(inputs.shape)}"
                )
            key[axis] = slice(low, size - high)
        return inputs[tuple(key)]


class _UpSampling(_Spatial):
    def _repeated(self, inputs: Any, sizes: Sequence[int]) -> Any:
        for axis, size in enumerate(sizes, self._first):
            inputs = ops.repeat(inputs, size, axis=axis)
        return inputs

    def _sizes(self, size: Any) -> tuple[int, ...]:
        sizes = (size,) * self.axes if isinstance(size, int) else tuple(size)
        if len(sizes) != self.axes or not all(isinstance(part, int) and part > 0 for part in sizes):
            raise ArgumentError(
                "size is a positive integer, or one for each spatial axis",
                where=describe(self._origin),
                got=repr(size),
            )
        return sizes


@exported(_MODULE)
class ZeroPadding1D(_ZeroPadding):
    """Sequences `[batch, steps, channels]` with zeros around them.

    Args:
        padding: How many steps: a number, or a pair (before and after).
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `padding` has another form.

    Example:

    >>> ZeroPadding1D(1)(ops.ones((1, 2, 3))).shape
    (1, 4, 3)
    """

    axes = 1

    def __init__(self, padding: Any = 1, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._pairs(padding, "padding")[0]
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The larger sequences."""
        return self._padded(inputs, (self.padding,))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


@exported(_MODULE)
class ZeroPadding2D(_ZeroPadding):
    """Images with zeros around them.

    Args:
        padding: How many rows and columns: a number, two numbers, or two pairs (top and bottom, left and right).
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `padding` has another form.

    Example:

    >>> ZeroPadding2D(1)(ops.ones((1, 2, 2, 3))).shape
    (1, 4, 4, 3)
    """

    axes = 2

    def __init__(self, padding: Any = (1, 1), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._pairs(padding, "padding")
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        return self._padded(inputs, self.padding)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


@exported(_MODULE)
class ZeroPadding3D(_ZeroPadding):
    """Volumes with zeros around them.

    Args:
        padding: How many planes, rows and columns: a number, three numbers, or three pairs.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `padding` has another form.

    Example:

    >>> ZeroPadding3D(1)(ops.ones((1, 2, 2, 2, 3))).shape
    (1, 4, 4, 4, 3)
    """

    axes = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._pairs(padding, "padding")
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The larger volumes."""
        return self._padded(inputs, self.padding)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


@exported(_MODULE)
class Cropping1D(_Cropping):
    """Sequences `[batch, steps, channels]` without some steps at their borders.

    Args:
        cropping: How many steps: a number, or a pair (before and after).

    Raises:
        ArgumentError: if `cropping` has another form.

    Example:

    >>> Cropping1D(1)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    axes = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._pairs(cropping, "cropping")[0]
        self._spatial("channels_last")

    def call(self, inputs: Any) -> Any:
        """The smaller sequences."""
        return self._cropped(inputs, (self.cropping,))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "cropping": self.cropping}


@exported(_MODULE)
class Cropping2D(_Cropping):
    """Images without some rows and columns at their borders.

    Args:
        cropping: How many rows and columns: a number, two numbers, or two pairs (top and bottom, left and right).
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `cropping` has another form.

    Example:

    >>> Cropping2D(1)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._pairs(cropping, "cropping")
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The smaller images."""
        return self._cropped(inputs, self.cropping)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


@exported(_MODULE)
class Cropping3D(_Cropping):
    """Volumes without some planes, rows and columns at their borders.

    Args:
        cropping: How many planes, rows and columns: a number, three numbers, or three pairs.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `cropping` has another form.

    Example:

    >>> Cropping3D(1)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._pairs(cropping, "cropping")
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The smaller volumes."""
        return self._cropped(inputs, self.cropping)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


@exported(_MODULE)
class UpSampling1D(_UpSampling):
    """Sequences with each step repeated.

    Args:
        size: How many times.

    Raises:
        ArgumentError: if it is no positive integer.

    Example:

    >>> UpSampling1D(2)([[[1.0], [2.0]]]).numpy().reshape(-1)
    array([1., 1., 2., 2.], dtype=float32)
    """

    axes = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = self._sizes(size)[0]
        self._spatial("channels_last")

    def call(self, inputs: Any) -> Any:
        """The longer sequences."""
        return self._repeated(inputs, (self.size,))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "size": self.size}


@exported(_MODULE)
class UpSampling2D(_UpSampling):
    """Images made larger, by repeating rows and columns or by interpolating between them.

    With `"bilinear"` pixels are points in the middle of their areas. A result's pixel is the mean of its two
    neighbours of the input along each axis, weighted by nearness; outside, the pixel at the border goes on.

    Args:
        size: How many times: a number, or one for rows and one for columns.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        interpolation: `"nearest"` or `"bilinear"`.

    Raises:
        ArgumentError: if `size` has another form, or the interpolation is not one of these.

    Example:

    >>> UpSampling2D((1, 2), interpolation="bilinear")([[[[0.0], [4.0]]]]).numpy().reshape(-1)
    array([0., 1., 3., 4.], dtype=float32)
    """

    axes = 2

    def __init__(
        self, size: Any = (2, 2), data_format: Any = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(
                "this interpolation is not supported",
                where=describe(self._origin),
                got=repr(interpolation),
                expected="nearest or bilinear",
            )
        self.size, self.interpolation = self._sizes(size), interpolation
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        if self.interpolation == "nearest":
            return self._repeated(inputs, self.size)
        for axis, size in enumerate(self.size, self._first):
            inputs = _interpolated(inputs, axis, size)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        rest = {"size": self.size, "data_format": self.data_format, "interpolation": self.interpolation}
        return {**super().get_config(), **rest}


def _interpolated(x: Any, axis: int, size: int) -> Any:
    """An axis made so many times longer, linearly between its elements.

    Element `size * i + j` of the result lies at `i + (j + 1/2) / size - 1/2` of the input, so that all with the same
    `j` have the same weights: no element has to be looked up.
    """
    if size == 1:
        return x
    length = x.shape[axis]

    def part(of: Any, start: Any, stop: Any) -> Any:
        key: list[Any] = [slice(None)] * x.ndim
        key[axis] = slice(start, stop)
        return of[tuple(key)]

    around = ops.concatenate([part(x, 0, 1), x, part(x, length - 1, length)], axis)
    before, after = part(around, 0, length), part(around, 2, length + 2)
    phases = []
    for j in range(size):
        place = (j + 0.5) / size - 0.5
        neighbour = before if place < 0 else after
        phases.append(x if place == 0 else x * (1 - abs(place)) + neighbour * abs(place))
    shape = list(x.shape)
    shape[axis] = length * size
    return ops.reshape(ops.stack(phases, axis + 1), tuple(shape))


@exported(_MODULE)
class UpSampling3D(_UpSampling):
    """Volumes with each plane, row and column repeated.

    Args:
        size: How many times: a number, or one for each spatial axis.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Raises:
        ArgumentError: if `size` has another form.

    Example:

    >>> UpSampling3D(2)(ops.ones((1, 2, 3, 1, 4))).shape
    (1, 4, 6, 2, 4)
    """

    axes = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = self._sizes(size)
        self._spatial(data_format)

    def call(self, inputs: Any) -> Any:
        """The larger volumes."""
        return self._repeated(inputs, self.size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}
