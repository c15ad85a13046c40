"""Convolutions."""

from __future__ import annotations

from typing import Any

from graphc import activations, constraints, initializers, ops, regularizers
from graphc.errors import ArgumentError
from graphc.layers.core import optional_config
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.reshaping import data_format_of
from graphc.ops.windows import tuple_of
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class BaseConv(Layer):
    """The base class of convolutions over any number of spatial axes; see `Conv2D` for the arguments."""

    rank: int
    _paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        rank: int,
        filters: int | None,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("lora_rank", None) is not None:
            raise ArgumentError("low-rank updates are not supported yet")
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        where = describe(self._origin)
        if filters is not None and (not isinstance(filters, int) or filters < 1 or filters % groups):
            raise ArgumentError("filters is a positive multiple of groups", where=where, got=f"{filters}, {groups}")
        padding = padding.lower() if isinstance(padding, str) else padding
        if padding not in self._paddings:
            known = " or ".join(map(repr, self._paddings))
            raise ArgumentError(f"padding is {known}", where=where, got=repr(padding))
        self.rank, self.filters, self.groups = rank, filters, groups
        self.kernel_size = tuple_of(kernel_size, rank, "kernel_size")
        self.strides = tuple_of(strides, rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError("strides and dilation_rate cannot both be above 1", where=where)
        self.padding, self.data_format = padding, data_format_of(data_format)
        self.activation, self.use_bias = activations.get(activation), use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=rank + 2)

    def _positive(self, value: Any, name: str) -> int:
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name} is a positive integer", where=describe(self._origin), got=repr(value))
        return value

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        if channels % self.groups:
            raise ArgumentError("the channels are no multiple of groups", got=f"{channels} and {self.groups}")
        assert self.filters is not None
        return (*self.kernel_size, channels // self.groups, self.filters)

    def build(self, input_shape: Any = None) -> None:
        """Creates kernel and bias."""
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ArgumentError("the channels of the input are not known", layer=self.name, got=input_shape)
        self._add_kernels(channels)
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self._channel_axis: channels})

    def _add_kernels(self, channels: int) -> None:
        shape = self._kernel_shape(channels)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(shape[-1])

    def _add_bias(self, size: int) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(size,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _convolved(self, inputs: Any) -> Any:
        return ops.conv(inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        outputs = self._convolved(inputs)
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1, *(1,) * self.rank))
            outputs = ops.add(outputs, bias)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": optional_config(self, "kernel_regularizer"),
            "bias_regularizer": optional_config(self, "bias_regularizer"),
            "activity_regularizer": optional_config(self, "activity_regularizer"),
            "kernel_constraint": optional_config(self, "kernel_constraint"),
            "bias_constraint": optional_config(self, "bias_constraint"),
        }


@exported(_MODULE, "Convolution1D")
class Conv1D(BaseConv):
    """`activation(conv(inputs, kernel) + bias)` for sequences `[batch, steps, channels]`.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: Stride of the kernel.
        padding: `"valid"`: none; `"same"`: the result is as large as the input, divided by the strides; `"causal"`:
            likewise, but with all zeros in front, so that no output depends on later steps.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        groups: The number of groups of channels; each group is convolved separately.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv1D(2, 3)(ops.ones((1, 4, 3))).shape
    (1, 2, 2)
    """

    _paddings = ("valid", "same", "causal")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            1,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )

    def _convolved(self, inputs: Any) -> Any:
        if self.padding != "causal":
            return super()._convolved(inputs)
        front = ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)
        around = ((0, 0), front, (0, 0)) if self.data_format == "channels_last" else ((0, 0), (0, 0), front)
        inputs = ops.pad(inputs, around)
        return ops.conv(inputs, self.kernel, self.strides, "valid", self.data_format, self.dilation_rate)


@exported(_MODULE, "Convolution2D")
class Conv2D(BaseConv):
    """`activation(conv(inputs, kernel) + bias)` for images `[batch, rows, columns, channels]`.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: Stride of the kernel.
        padding: `"valid"`: none; `"same"`: the result is as large as the input, divided by the strides.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        groups: The number of groups of channels; each group is convolved separately.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv2D(2, 3)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 2)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            2,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


@exported(_MODULE, "Convolution3D")
class Conv3D(BaseConv):
    """`activation(conv(inputs, kernel) + bias)` for volumes `[batch, depth, rows, columns, channels]`.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: Stride of the kernel.
        padding: `"valid"`: none; `"same"`: the result is as large as the input, divided by the strides.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        groups: The number of groups of channels; each group is convolved separately.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv3D(2, 3)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 2)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = (1, 1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            3,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
