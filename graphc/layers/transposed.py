"""Transposed convolutions: the gradient of a convolution with respect to its input, as a layer."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError
from graphc.layers.convolutional import BaseConv
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class _ConvTranspose(BaseConv):
    """A transposed convolution over any number of spatial axes; see `Conv2DTranspose` for the arguments."""

    axes: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: Any = None,
        dilation_rate: Any = 1,
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
            self.axes,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            1,
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
        self.output_padding = self._output_padding(output_padding)

    def _output_padding(self, given: Any) -> tuple[int, ...] | None:
        if given is None:
            return None
        parts = (given,) * self.rank if isinstance(given, int) else tuple(given)
        if len(parts) != self.rank or not all(0 <= p < s for p, s in zip(parts, self.strides, strict=True)):
            raise ArgumentError(
                "output_padding is at least 0 and below the stride, for each spatial axis",
                where=describe(self._origin),
                got=f"{given} with strides {self.strides}",
            )
        return parts

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        assert self.filters is not None
        return (*self.kernel_size, self.filters, channels)

    def _add_bias(self, size: int) -> None:
        assert self.filters is not None
        super()._add_bias(self.filters)

    def _convolved(self, inputs: Any) -> Any:
        options = (self.padding, self.output_padding, self.data_format, self.dilation_rate)
        return ops.conv_transpose(inputs, self.kernel, self.strides, *options)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = {key: value for key, value in super().get_config().items() if key != "groups"}
        return {**config, "output_padding": self.output_padding}


@exported(_MODULE, "Convolution1DTranspose")
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for sequences `[batch, steps, channels]`.

    Each input element adds its product with the kernel to the outputs, `strides` apart from those of its neighbor: the
    result is larger where that of a convolution is smaller. Bias and activation follow.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel.
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel, `[*kernel_size, filters, channels]`.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv1DTranspose(4, 3, strides=2)(ops.ones((1, 5, 2))).shape
    (1, 11, 4)
    """

    axes = 1


@exported(_MODULE, "Convolution2DTranspose")
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for images `[batch, rows, columns, channels]`.

    Each input element adds its product with the kernel to the outputs, `strides` apart from those of its neighbor: the
    result is larger where that of a convolution is smaller. Bias and activation follow.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel, `[*kernel_size, filters, channels]`.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(ops.ones((1, 5, 5, 2))).shape
    (1, 10, 10, 4)
    """

    axes = 2


@exported(_MODULE, "Convolution3DTranspose")
class Conv3DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for volumes `[batch, depth, rows, columns, channels]`.

    Each input element adds its product with the kernel to the outputs, `strides` apart from those of its neighbor: the
    result is larger where that of a convolution is smaller. Bias and activation follow.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        output_padding: Additional size at the end of the result. None: determined by `padding`.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel, `[*kernel_size, filters, channels]`.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv3DTranspose(4, 2)(ops.ones((1, 3, 3, 3, 2))).shape
    (1, 4, 4, 4, 4)
    """

    axes = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        output_padding: Any = None,
        *arguments: Any,
        **kwargs: Any,
    ) -> None:
        # Keras has these two in another order here than in one and two dimensions.
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, *arguments, **kwargs)


Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
