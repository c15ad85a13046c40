"""Transposed convolutions: the gradient of a convolution with respect to its input, as a layer."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.layers.convolutional import BaseConv
from graphc.parameters import configured, declared_of
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@configured
class _ConvTranspose(BaseConv):
    """A transposed convolution over any number of spatial axes."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    output_padding: Any = None
    data_format: Any = None
    dilation_rate: Any = 1
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
        if not isinstance(self.filters, int) or self.filters < 1:
            raise ArgumentError("filters is positive", where=describe(self._origin), got=repr(self.filters))
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                "strides and dilation_rate are not both above 1",
                where=describe(self._origin),
                got=f"strides {self.strides}, dilation_rate {self.dilation_rate}",
            )
        given = self.output_padding
        if given is None:
            return
        self.output_padding = (given,) * self.rank if isinstance(given, int) else tuple(given)
        fits = len(self.output_padding) == self.rank
        if not fits or not all(0 <= p < s for p, s in zip(self.output_padding, self.strides, strict=True)):
            raise ArgumentError(
                "output_padding is at least 0 and below the stride, for each spatial axis",
                where=describe(self._origin),
                got=f"{given} with strides {self.strides}",
            )

    def _add_kernels(self, channels: int) -> int:
        self.kernel = self._new_weight("kernel", (*self.kernel_size, self.filters, channels))
        return self.filters

    def _convolved(self, inputs: Any) -> Any:
        options = (self.padding, self.output_padding, self.data_format, self.dilation_rate)
        return ops.conv_transpose(inputs, self.kernel, self.strides, *options)


@exported(_MODULE, "Convolution1DTranspose")
@configured
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for sequences `[batch, steps, channels]`.

    Each input element adds its product with the kernel to the outputs, `strides` apart from those of its neighbor: the
    result is larger where that of a convolution is smaller. Bias and activation follow.

    Args:
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv1DTranspose(4, 3, strides=2)(ops.ones((1, 5, 2))).shape
    (1, 11, 4)
    """

    rank = 1


@exported(_MODULE, "Convolution2DTranspose")
@configured
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for images `[batch, rows, columns, channels]`.

    See `Conv1DTranspose`.

    Args:
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(ops.ones((1, 5, 5, 2))).shape
    (1, 10, 10, 4)
    """

    rank = 2
    strides: Any = (1, 1)
    dilation_rate: Any = (1, 1)


@exported(_MODULE, "Convolution3DTranspose")
@configured(without=declared_of(_ConvTranspose))  # the order of its arguments is another one, as in Keras
class Conv3DTranspose(_ConvTranspose):
    """A transposed convolution (Zeiler et al., 2010) for volumes `[batch, depth, rows, columns, channels]`.

    See `Conv1DTranspose`.

    Args:
        strides: The distance of neighboring inputs in the result.
        padding: `"valid"`: the full result; `"same"`: the result is as large as the input, times the strides.
        output_padding: Additional size at the end of the result. None: determined by `padding`.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> Conv3DTranspose(4, 2)(ops.ones((1, 3, 3, 3, 2))).shape
    (1, 4, 4, 4, 4)
    """

    rank = 3

    filters: int
    kernel_size: Any
    strides: Any = (1, 1, 1)
    padding: str = "valid"
    data_format: Any = None
    output_padding: Any = None
    dilation_rate: Any = (1, 1, 1)
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None


Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
