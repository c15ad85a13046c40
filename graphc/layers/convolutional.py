"""Convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.ops.windows import tuple_of
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class BaseConv(Layer):
    """The base class of convolutions over any number of spatial axes."""

    rank: ClassVar[int]
    _paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    filters: int | None
    kernel_size: Any
    strides: Any
    padding: str
    data_format: Any
    dilation_rate: Any
    activation: Any
    use_bias: bool

    def _prepare(self) -> None:
        where = describe(self._origin)
        if self.padding not in self._paddings:
            known = " or ".join(map(repr, self._paddings))
            raise ArgumentError(f"padding is {known}", where=where, got=repr(self.padding))
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, tuple_of(getattr(self, name), self.rank, name))
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError("Specifying `strides > 1` is not compatible with `dilation_rate > 1`", where=where)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape: Any = None) -> None:
        """Creates kernel and bias."""
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ArgumentError("the channels of the input are not known", layer=self.name, got=input_shape)
        outputs = self._add_kernels(channels)
        self.bias = self._new_weight("bias", (outputs,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self._channel_axis: channels})

    def _add_kernels(self, channels: int) -> int:
        """Creates the kernels for so many channels of the input, and returns the number of channels of the output."""
        raise NotImplementedError

    def _convolved(self, inputs: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        outputs = self._convolved(inputs)
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1, *(1,) * self.rank))
            outputs = ops.add(outputs, bias)
        return outputs if self.activation is None else self.activation(outputs)


@configured
class _Conv(BaseConv):
    """The base class of convolutions each of whose outputs depends on all channels of a group."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: Any = None
    dilation_rate: Any = 1
    groups: int = 1
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if not isinstance(self.filters, int) or self.filters < 1 or self.filters % self.groups:
            raise ArgumentError(
                "filters is a positive multiple of groups",
                where=describe(self._origin),
                got=f"{self.filters}, {self.groups}",
            )

    def _add_kernels(self, channels: int) -> int:
        if channels % self.groups:
            raise ArgumentError("the channels are no multiple of groups", got=f"{channels} and {self.groups}")
        assert self.filters is not None
        self.kernel = self._new_weight("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        return self.filters

    def _convolved(self, inputs: Any) -> Any:
        return self.convolution_op(inputs, self.kernel)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of the inputs with a kernel; subclasses may override it."""
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)


@exported(_MODULE, "Convolution1D")
@configured
class Conv1D(_Conv):
    """`activation(conv(inputs, kernel) + bias)` for sequences `[batch, steps, channels]`.

    Args:
        padding: `"valid"`: none; `"same"`: the result is as large as the input, divided by the strides; `"causal"`:
            likewise, but with all zeros in front, so that no output depends on later steps.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv1D(2, 3)(ops.ones((1, 4, 3))).shape
    (1, 2, 2)
    """

    rank = 1
    _paddings = ("valid", "same", "causal")

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of the inputs with a kernel; subclasses may override it."""
        if self.padding != "causal":
            return super().convolution_op(inputs, kernel)
        front = ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)
        around = ((0, 0), front, (0, 0)) if self.data_format == "channels_last" else ((0, 0), (0, 0), front)
        inputs = ops.pad(inputs, around)
        return ops.conv(inputs, kernel, self.strides, "valid", self.data_format, self.dilation_rate)


@exported(_MODULE, "Convolution2D")
@configured
class Conv2D(_Conv):
    """`activation(conv(inputs, kernel) + bias)` for images `[batch, rows, columns, channels]`.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv2D(2, 3)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 2)
    """

    rank = 2
    strides: Any = (1, 1)
    dilation_rate: Any = (1, 1)


@exported(_MODULE, "Convolution3D")
@configured
class Conv3D(_Conv):
    """`activation(conv(inputs, kernel) + bias)` for volumes `[batch, depth, rows, columns, channels]`.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv3D(2, 3)(ops.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 2)
    """

    rank = 3
    strides: Any = (1, 1, 1)
    dilation_rate: Any = (1, 1, 1)


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
