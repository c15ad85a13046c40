"""Pooling over windows, and over all spatial axes."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.reshaping import data_format_of
from graphc.ops.elementwise import in_wide
from graphc.ops.windows import tuple_of
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class _Pooling(Layer):
    """The base class of pooling over windows.

    Args:
        rank: The number of spatial axes.
        pool_size: The size of the window.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
    """

    def __init__(
        self, rank: int, pool_size: Any, strides: Any, padding: str, data_format: Any, name: Any, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        padding = padding.lower() if isinstance(padding, str) else padding
        if padding not in ("valid", "same"):
            raise ArgumentError("padding is 'valid' or 'same'", where=describe(self._origin), got=repr(padding))
        self.pool_size = tuple_of(pool_size, rank, "pool_size")
        self.strides = self.pool_size if strides is None else tuple_of(strides, rank, "strides")
        self.padding, self.data_format = padding, data_format_of(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    def _pool(self, inputs: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return self._pool(inputs)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class _Global(Layer):
    """The base class of pooling over all spatial axes.

    Args:
        rank: The number of spatial axes.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.
    """

    def __init__(self, rank: int, data_format: Any, keepdims: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format, self.keepdims = data_format_of(data_format), keepdims
        self.input_spec = InputSpec(ndim=rank + 2)
        first = 2 if self.data_format == "channels_first" else 1
        self._spatial = tuple(range(first, first + rank))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


@exported(_MODULE, "MaxPool1D")
class MaxPooling1D(_Pooling):
    """The maximum of each window, in sequences.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> MaxPooling1D(2)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "MaxPool2D")
class MaxPooling2D(_Pooling):
    """The maximum of each window, in images.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> MaxPooling2D(2)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "MaxPool3D")
class MaxPooling3D(_Pooling):
    """The maximum of each window, in volumes.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> MaxPooling3D(2)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "AvgPool1D")
class AveragePooling1D(_Pooling):
    """The mean of each window, in sequences.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> AveragePooling1D(2)(ops.ones((1, 4, 3))).shape
    (1, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "AvgPool2D")
class AveragePooling2D(_Pooling):
    """The mean of each window, in images.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> AveragePooling2D(2)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "AvgPool3D")
class AveragePooling3D(_Pooling):
    """The mean of each window, in volumes.

    Args:
        pool_size: The size of the window: a number, or one for each spatial axis.
        strides: Stride of the window. None: its size.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        name: Its name.

    Example:

    >>> AveragePooling3D(2)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, inputs: Any) -> Any:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@exported(_MODULE, "GlobalMaxPool1D")
class GlobalMaxPooling1D(_Global):
    """The maximum of each channel, in sequences.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalMaxPooling1D()(ops.ones((1, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.max(inputs, axis=self._spatial, keepdims=self.keepdims)


@exported(_MODULE, "GlobalMaxPool2D")
class GlobalMaxPooling2D(_Global):
    """The maximum of each channel, in images.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalMaxPooling2D()(ops.ones((1, 4, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.max(inputs, axis=self._spatial, keepdims=self.keepdims)


@exported(_MODULE, "GlobalMaxPool3D")
class GlobalMaxPooling3D(_Global):
    """The maximum of each channel, in volumes.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalMaxPooling3D()(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.max(inputs, axis=self._spatial, keepdims=self.keepdims)


@exported(_MODULE, "GlobalAvgPool1D")
class GlobalAveragePooling1D(_Global):
    """The mean of each channel, in sequences.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalAveragePooling1D()(ops.ones((1, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The outputs; masked steps of sequences are excluded from the mean."""
        if mask is None:
            return ops.mean(inputs, axis=self._spatial, keepdims=self.keepdims)
        counts = ops.expand_dims(ops.cast(mask, "bool"), 3 - self._spatial[0])
        wide = in_wide(inputs)
        total = ops.sum(ops.where(counts, wide, 0), axis=self._spatial, keepdims=self.keepdims)
        number = ops.sum(ops.cast(counts, wide.dtype), axis=self._spatial, keepdims=self.keepdims)
        return ops.cast(ops.divide(total, number), inputs.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: the result has no axis of steps."""
        return None


@exported(_MODULE, "GlobalAvgPool2D")
class GlobalAveragePooling2D(_Global):
    """The mean of each channel, in images.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalAveragePooling2D()(ops.ones((1, 4, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.mean(inputs, axis=self._spatial, keepdims=self.keepdims)


@exported(_MODULE, "GlobalAvgPool3D")
class GlobalAveragePooling3D(_Global):
    """The mean of each channel, in volumes.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        keepdims: Whether the spatial axes remain, with size 1.

    Example:

    >>> GlobalAveragePooling3D()(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 3)
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return ops.mean(inputs, axis=self._spatial, keepdims=self.keepdims)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
