"""Pooling over windows, and over all spatial axes."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.ops.elementwise import in_wide
from graphc.ops.windows import tuple_of
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class _Pooling(Layer):
    """The base class of pooling over windows."""

    _builds_when_called = False

    axes: ClassVar[int]
    pool_size: Any
    strides: Any
    padding: str
    data_format: Any

    def _prepare(self) -> None:
        if self.padding not in ("valid", "same"):
            raise ArgumentError("padding is 'valid' or 'same'", where=describe(self._origin), got=repr(self.padding))
        self.pool_size = tuple_of(self.pool_size, self.axes, "pool_size")
        self.strides = self.pool_size if self.strides is None else tuple_of(self.strides, self.axes, "strides")
        self.input_spec = InputSpec(ndim=self.axes + 2)


@configured
class _MaxPooling(_Pooling):
    pool_size: Any = 2
    strides: Any = None
    padding: str = "valid"
    data_format: Any = None
    name: Any = None

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@configured
class _AveragePooling(_Pooling):
    pool_size: Any
    strides: Any = None
    padding: str = "valid"
    data_format: Any = None
    name: Any = None

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@configured
class _Global(Layer):
    """The base class of pooling over all spatial axes."""

    _builds_when_called = False

    axes: ClassVar[int]
    data_format: Any = None
    keepdims: bool = False

    def _prepare(self) -> None:
        self.input_spec = InputSpec(ndim=self.axes + 2)
        first = 2 if self.data_format == "channels_first" else 1
        self._spatial = tuple(range(first, first + self.axes))


class _GlobalMax(_Global):
    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.max(inputs, axis=self._spatial, keepdims=self.keepdims)


class _GlobalAverage(_Global):
    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.mean(inputs, axis=self._spatial, keepdims=self.keepdims)


@exported(_MODULE, "MaxPool1D")
@configured
class MaxPooling1D(_MaxPooling):
    """The maximum of each window, in sequences.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> MaxPooling1D(2)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    axes = 1


@exported(_MODULE, "MaxPool2D")
@configured
class MaxPooling2D(_MaxPooling):
    """The maximum of each window, in images.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> MaxPooling2D(2)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2
    pool_size: Any = (2, 2)


@exported(_MODULE, "MaxPool3D")
@configured
class MaxPooling3D(_MaxPooling):
    """The maximum of each window, in volumes.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> MaxPooling3D(2)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3
    pool_size: Any = (2, 2, 2)


@exported(_MODULE, "AvgPool1D")
@configured
class AveragePooling1D(_AveragePooling):
    """The mean of each window, in sequences.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> AveragePooling1D(2)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    axes = 1


@exported(_MODULE, "AvgPool2D")
@configured
class AveragePooling2D(_AveragePooling):
    """The mean of each window, in images.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> AveragePooling2D(2)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2


@exported(_MODULE, "AvgPool3D")
@configured
class AveragePooling3D(_AveragePooling):
    """The mean of each window, in volumes.

    Args:
        strides: How far the window moves. None: by its size.

    Example:

    >>> AveragePooling3D(2)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3


@exported(_MODULE, "GlobalMaxPool1D")
@configured
class GlobalMaxPooling1D(_GlobalMax):
    """The maximum of each channel, in sequences.

    Example:

    >>> GlobalMaxPooling1D()(ops.ones((1, 4, 3))).shape
    (1, 3)
    """

    axes = 1


@exported(_MODULE, "GlobalMaxPool2D")
@configured
class GlobalMaxPooling2D(_GlobalMax):
    """The maximum of each channel, in images.

    Example:

    >>> GlobalMaxPooling2D()(ops.ones((1, 4, 4, 3))).shape
    (1, 3)
    """

    axes = 2


@exported(_MODULE, "GlobalMaxPool3D")
@configured
class GlobalMaxPooling3D(_GlobalMax):
    """The maximum of each channel, in volumes.

    Example:

    >>> GlobalMaxPooling3D()(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 3)
    """

    axes = 3


@exported(_MODULE, "GlobalAvgPool1D")
@configured
class GlobalAveragePooling1D(_GlobalAverage):
    """The mean of each channel, in sequences.

    Example:

    >>> GlobalAveragePooling1D()(ops.ones((1, 4, 3))).shape
    (1, 3)
    """

    axes = 1

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The outputs; masked steps of sequences are excluded from the mean."""
        if mask is None:
            return super().call(inputs)
        counts = ops.expand_dims(ops.cast(mask, "bool"), 3 - self._spatial[0])
        wide = in_wide(inputs)
        total = ops.sum(ops.where(counts, wide, 0), axis=self._spatial, keepdims=self.keepdims)
        number = ops.sum(ops.cast(counts, wide.dtype), axis=self._spatial, keepdims=self.keepdims)
        return ops.cast(ops.divide(total, number), inputs.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: the result has no axis of steps."""
        return None


@exported(_MODULE, "GlobalAvgPool2D")
@configured
class GlobalAveragePooling2D(_GlobalAverage):
    """The mean of each channel, in images.

    Example:

    >>> GlobalAveragePooling2D()(ops.ones((1, 4, 4, 3))).shape
    (1, 3)
    """

    axes = 2


@exported(_MODULE, "GlobalAvgPool3D")
@configured
class GlobalAveragePooling3D(_GlobalAverage):
    """The mean of each channel, in volumes.

    Example:

    >>> GlobalAveragePooling3D()(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 3)
    """

    axes = 3


@configured
class _Adaptive(Layer):
    """The base class of pooling over as many windows as the result has elements."""

    axes: ClassVar[int]
    output_size: Any
    data_format: Any = None

    def _prepare(self) -> None:
        self.output_size = tuple_of(self.output_size, self.axes, "output_size")
        self.input_spec = InputSpec(ndim=self.axes + 2)


class _AdaptiveMax(_Adaptive):
    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class _AdaptiveAverage(_Adaptive):
    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


@exported(_MODULE)
@configured
class AdaptiveMaxPooling1D(_AdaptiveMax):
    """The maxima of as many windows as the result has elements, spread evenly over sequences.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveMaxPooling1D(2)(ops.ones((1, 5, 3))).shape
    (1, 2, 3)
    """

    axes = 1


@exported(_MODULE)
@configured
class AdaptiveMaxPooling2D(_AdaptiveMax):
    """The maxima of as many windows as the result has elements, spread evenly over images.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveMaxPooling2D(2)(ops.ones((1, 5, 7, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2


@exported(_MODULE)
@configured
class AdaptiveMaxPooling3D(_AdaptiveMax):
    """The maxima of as many windows as the result has elements, spread evenly over volumes.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveMaxPooling3D(2)(ops.ones((1, 5, 7, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3


@exported(_MODULE)
@configured
class AdaptiveAveragePooling1D(_AdaptiveAverage):
    """The means of as many windows as the result has elements, spread evenly over sequences.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveAveragePooling1D(2)(ops.ones((1, 5, 3))).shape
    (1, 2, 3)
    """

    axes = 1


@exported(_MODULE)
@configured
class AdaptiveAveragePooling2D(_AdaptiveAverage):
    """The means of as many windows as the result has elements, spread evenly over images.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveAveragePooling2D(2)(ops.ones((1, 5, 7, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2


@exported(_MODULE)
@configured
class AdaptiveAveragePooling3D(_AdaptiveAverage):
    """The means of as many windows as the result has elements, spread evenly over volumes.

    Args:
        output_size: The size of the result: a number, or one for each spatial axis.

    Example:

    >>> AdaptiveAveragePooling3D(2)(ops.ones((1, 5, 7, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    axes = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
