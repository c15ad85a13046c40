"""Zero padding, cropping and upsampling of sequences, images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"

Pairs = tuple[tuple[int, int], ...]


class _Spatial(Layer):
    """The base class of layers over a number of spatial axes, with the channels first or last."""

    axes: ClassVar[int]
    data_format: Any = "channels_last"

    def _prepare(self) -> None:
        self.input_spec = InputSpec(ndim=self.axes + 2)

    @property
    def _first(self) -> int:
        """The first spatial axis."""
        return 2 if self.data_format == "channels_first" else 1

    def _pairs(self, value: Any, name: str) -> Pairs:
        """The numbers at both ends of each axis, from a number, a number for each axis, or a pair for each axis."""
        parts = (value,) * self.axes if isinstance(value, int) else tuple(value)
        if self.axes == 1 and isinstance(value, list | tuple):
            parts = (parts if len(parts) == 2 else None,)
        pairs = tuple((part, part) if isinstance(part, int) else tuple(part or ()) for part in parts)
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
@configured
class ZeroPadding1D(_ZeroPadding):
    """Sequences `[batch, steps, channels]` with zeros around them.

    Args:
        padding: The number of steps: a number, or a pair (before and after).

    Raises:
        ArgumentError: if `padding` is invalid.

    Example:

    >>> ZeroPadding1D(1)(ops.ones((1, 2, 3))).shape
    (1, 4, 3)
    """

    axes = 1

    padding: Any = 1
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.padding = self._pairs(self.padding, "padding")[0]

    def call(self, inputs: Any) -> Any:
        """The larger sequences."""
        return self._padded(inputs, (self.padding,))


@exported(_MODULE)
@configured
class ZeroPadding2D(_ZeroPadding):
    """Images with zeros around them.

    Args:
        padding: The rows and columns to add: a number, two numbers, or two pairs (top and bottom, left and right).

    Raises:
        ArgumentError: if `padding` is invalid.

    Example:

    >>> ZeroPadding2D(1)(ops.ones((1, 2, 2, 3))).shape
    (1, 4, 4, 3)
    """

    axes = 2

    padding: Any = (1, 1)
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.padding = self._pairs(self.padding, "padding")

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        return self._padded(inputs, self.padding)


@exported(_MODULE)
@configured
class ZeroPadding3D(_ZeroPadding):
    """Volumes with zeros around them.

    Args:
        padding: The planes, rows and columns to add: a number, three numbers, or three pairs.

    Raises:
        ArgumentError: if `padding` is invalid.

    Example:

    >>> ZeroPadding3D(1)(ops.ones((1, 2, 2, 2, 3))).shape
    (1, 4, 4, 4, 3)
    """

    axes = 3

    padding: Any = ((1, 1), (1, 1), (1, 1))
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.padding = self._pairs(self.padding, "padding")

    def call(self, inputs: Any) -> Any:
        """The larger volumes."""
        return self._padded(inputs, self.padding)


@exported(_MODULE)
@configured
class Cropping1D(_Cropping):
    """Sequences `[batch, steps, channels]` without some steps at their borders.

    Args:
        cropping: The number of steps: a number, or a pair (before and after).

    Raises:
        ArgumentError: if `cropping` is invalid.

    Example:

    >>> Cropping1D(1)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    axes = 1

    cropping: Any = (1, 1)

    def _prepare(self) -> None:
        super()._prepare()
        self.cropping = self._pairs(self.cropping, "cropping")[0]

    def call(self, inputs: Any) -> Any:
        """The smaller sequences."""
        return self._cropped(inputs, (self.cropping,))


@exported(_MODULE)
@configured
class Cropping2D(_Cropping):
    """Images without some rows and columns at their borders.

    Args:
        cropping: The rows and columns to remove: a number, two numbers, or two pairs (top and bottom, left and right).

    Raises:
        ArgumentError: if `cropping` is invalid.

    Example:

    >>> Cropping2D(1)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2

    cropping: Any = ((0, 0), (0, 0))
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.cropping = self._pairs(self.cropping, "cropping")

    def call(self, inputs: Any) -> Any:
        """The smaller images."""
        return self._cropped(inputs, self.cropping)


@exported(_MODULE)
@configured
class Cropping3D(_Cropping):
    """Volumes without some planes, rows and columns at their borders.

    Args:
        cropping: The planes, rows and columns to remove: a number, three numbers, or three pairs.

    Raises:
        ArgumentError: if `cropping` is invalid.

    Example:

    >>> Cropping3D(1)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3

    cropping: Any = ((1, 1), (1, 1), (1, 1))
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.cropping = self._pairs(self.cropping, "cropping")

    def call(self, inputs: Any) -> Any:
        """The smaller volumes."""
        return self._cropped(inputs, self.cropping)


@exported(_MODULE)
@configured
class UpSampling1D(_UpSampling):
    """Sequences with each step repeated.

    Args:
        size: The upsampling factor.

    Raises:
        ArgumentError: if it is no positive integer.

    Example:

    >>> UpSampling1D(2)([[[1.0], [2.0]]]).numpy().reshape(-1)
    array([1., 1., 2., 2.], dtype=float32)
    """

    axes = 1

    size: Any = 2

    def _prepare(self) -> None:
        super()._prepare()
        self.size = self._sizes(self.size)[0]

    def call(self, inputs: Any) -> Any:
        """The longer sequences."""
        return self._repeated(inputs, (self.size,))


@exported(_MODULE)
@configured
class UpSampling2D(_UpSampling):
    """Upsampling of images, by repetition of rows and columns or by interpolation.

    With `"bilinear"`, pixels are points at the centers of their areas. Along each axis, a pixel of the result is the
    mean of its two neighbors in the input, weighted by proximity; the border pixels extend outside of the image.

    Args:
        size: The upsampling factor: a number, or one for rows and one for columns.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.

    Raises:
        ArgumentError: if `size` has another form, or the interpolation is not one of these.

    Example:

    >>> UpSampling2D((1, 2), interpolation="bilinear")([[[[0.0], [4.0]]]]).numpy().reshape(-1)
    array([0., 1., 3., 4.], dtype=float32)
    """

    axes = 2

    size: Any = (2, 2)
    data_format: Any = None
    interpolation: str = "nearest"

    def _prepare(self) -> None:
        super()._prepare()
        known = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        if self.interpolation not in known:
            raise ArgumentError(
                "there is no such interpolation",
                where=describe(self._origin),
                got=repr(self.interpolation),
                expected=", ".join(known),
            )
        self.size = self._sizes(self.size)

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        if self.interpolation == "nearest":
            return self._repeated(inputs, self.size)
        if self.interpolation != "bilinear":
            sizes = [inputs.shape[axis] * size for axis, size in enumerate(self.size, self._first)]
            return ops.image.resize(inputs, sizes, self.interpolation, data_format=self.data_format)
        for axis, size in enumerate(self.size, self._first):
            inputs = _interpolated(inputs, axis, size)
        return inputs


def _interpolated(x: Any, axis: int, size: int) -> Any:
    """Upsamples an axis by a factor, with linear interpolation.

    Element `size * i + j` of the result is at `i + (j + 1/2) / size - 1/2` in the input. All elements with the same `j`
    have the same weights, so that no gather is needed.
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
        distance = (j + 0.5) / size - 0.5
        neighbor = before if distance < 0 else after
        phases.append(x if distance == 0 else x * (1 - abs(distance)) + neighbor * abs(distance))
    shape = list(x.shape)
    shape[axis] = length * size
    return ops.reshape(ops.stack(phases, axis + 1), tuple(shape))


@exported(_MODULE)
@configured
class UpSampling3D(_UpSampling):
    """Volumes with each plane, row and column repeated.

    Args:
        size: The upsampling factor: a number, or one for each spatial axis.

    Raises:
        ArgumentError: if `size` has another form.

    Example:

    >>> UpSampling3D(2)(ops.ones((1, 2, 3, 1, 4))).shape
    (1, 4, 6, 2, 4)
    """

    axes = 3

    size: Any = (2, 2, 2)
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self.size = self._sizes(self.size)

    def call(self, inputs: Any) -> Any:
        """The larger volumes."""
        return self._repeated(inputs, self.size)
